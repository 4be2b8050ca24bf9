"""Completes a checked login: creates the new session, and ends the sessions that it replaces."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from asgi_oidc import events
from asgi_oidc.audit import SessionEnded, SignedIn
from asgi_oidc.audit.reporting import public_name, report_session
from asgi_oidc.audit.sessions import SignInKind
from asgi_oidc.errors import RequestRejected, StoreUnavailable
from asgi_oidc.login.login_transactions import Transaction, Transactions
from asgi_oidc.login.stale_cookies import StaleCookies
from asgi_oidc.protocol.authorization_details import NOTHING
from asgi_oidc.protocol.id_token import FIRST
from asgi_oidc.protocol.token_endpoint import TokenAnswer
from asgi_oidc.provider.omitted_groups import log_omitted_groups
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.lifetimes import REPLACED_GRACE, refresh_due_at
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.sessions.revocation_feed import RevocationFeed
from asgi_oidc.sessions.revocations import Moment, Revocations
from asgi_oidc.sessions.session import Login, Session, UserId, earliest, make_tokens, write_claims
from asgi_oidc.stores.store_failures import log_store_error
from asgi_oidc.tokens.session_tokens import SessionTokens
from asgi_oidc.web.request import Request

Claims = Mapping[str, Any]

MAX_REPLACED = 8  # replaced sessions that a session remembers, as they may still be within their grace


@dataclass(frozen=True, slots=True)
class LoginStart:
    """What is known of a new session before the token call.

    Attributes:
        session_id: its id.
        moment: right before the token call.
        dpop_key: the key to which the tokens are bound; empty for none.
        requested_details: digests of the `authorization_details` that were asked for.
    """

    session_id: str = field(repr=False)
    moment: Moment
    dpop_key: str = field(default="", repr=False)
    requested_details: tuple[str, ...] = ()


class Replaced(NamedTuple):
    """A session that a new one replaces.

    Attributes:
        grace: seconds for which it stays valid.
        login: if it belongs to another user and the browser sent its cookie; else None.
    """

    session_id: str
    grace: int
    login: Login | None = None


class LoginFinisher:
    """Makes the session of a login, and ends those that it takes the place of."""

    def __init__(
        self,
        sessions: SessionRepository,
        authenticator: Authenticator,
        revocations: Revocations,
        feed: RevocationFeed,
        transactions: Transactions,
        stale_cookies: StaleCookies,
        session_tokens: SessionTokens,
        *,
        clock: Callable[[], float],
    ) -> None:
        """Take what completing a login needs; `clock` returns seconds since the epoch."""
        self._sessions = sessions
        self._authenticator = authenticator
        self._revocations = revocations
        self._feed = feed
        self._transactions = transactions
        self._stale_cookies = stale_cookies
        self._session_tokens = session_tokens
        self._clock = clock

    def begin(self, transaction: Transaction) -> LoginStart:
        """Record which revocations are known before the token call: only later ones affect the new session."""
        moment = self._revocations.moment(now=self._clock())
        return LoginStart(transaction.session_id, moment, transaction.dpop_key, transaction.requested_details)

    def new_session(
        self,
        start: LoginStart,
        answer: TokenAnswer,
        identity: Claims,
        *,
        claims: Claims,
        admitted: Claims,
        scope: str,
        provider: ProviderSettings,
        from_access_token: Collection[str] = (),
    ) -> Session:
        """Return the session of a login.

        Args:
            identity: the claims that identify the user, such as those of the ID Token.
            claims: the same with the claims of userinfo and of the access token.
            admitted: the claims as `on_login` has changed them.
            scope: as granted.
            provider: the settings of the provider.
            from_access_token: names of the claims that only the access token contains.
        """
        sid, expires_in, now = identity.get("sid"), answer.expires_in, self._now()
        sid = sid if isinstance(sid, str) else None
        user = UserId(identity["iss"], identity["sub"])
        login = Login(
            id=start.session_id,
            issuer=user.issuer,
            sub=user.sub,
            sid=sid,
            first={name: identity[name] for name in FIRST if name in identity},
            set_by_on_login=sorted(
                name for name in claims.keys() | admitted.keys() if claims.get(name) != admitted.get(name)
            ),
            created_at=now,
            began=self._revocations.session_start(start.moment, user, sid=sid),
            provider=provider.name,
            endpoints_digest=provider.endpoints_digest,
            dpop_key=start.dpop_key,
            requested_details=start.requested_details,
        )
        tokens = make_tokens(
            written_claims=write_claims(dict(admitted)),
            id_token=answer.id_token,
            access_token=answer.access_token,
            access_expires_at=None if expires_in is None else now + expires_in,
            refresh_due_at=None if expires_in is None else refresh_due_at(now, expires_in),
            refresh_token=answer.refresh_token,
            scopes=scope.split(),
            ends_at=earliest(None, identity.get("session_expiry")),
            from_access_token=sorted(from_access_token),
            # Unlike scopes, details that the answer does not name were not granted (RFC 9396 §7).
            authorization_details=answer.authorization_details or NOTHING,
        )
        return Session(login=login, tokens=tokens, seen_at=now)

    async def sign_in(
        self, request: Request, session: Session, transaction: Transaction, *, provider: ProviderSettings
    ) -> list[bytes]:
        """Save a new session and end those that it replaces, unless the user signs out, or is signed out, meanwhile.

        Args:
            session: with all of its tokens, even those that it does not keep.
            provider: its settings.

        Returns:
            Set-Cookie lines.

        Raises:
            RequestRejected: the user has signed out, or was signed out, during this login.
            SessionTooLarge: the session does not fit into cookies or the store.
            StoreUnavailable: the session could not be saved.
        """
        self._check_not_signed_out(transaction)
        received = session.tokens
        session = msgspec.structs.replace(session, tokens=self._session_tokens.to_write(received, provider))
        replaced = await self._find_replaced(request, session, transaction)
        with_grace = [old.session_id for old in replaced if old.grace][:MAX_REPLACED]
        session = msgspec.structs.replace(session, login=msgspec.structs.replace(session.login, replaced=with_grace))
        unseen = self._transactions.sessions_of_others(transaction.state, request.cookies)
        cookies = await self._sessions.begin(
            session, request.cookies, unseen=unseen, hides_cookies=transaction.form_post
        )
        try:
            await self._feed.catch_up()
            if self._revocations.is_revoked(session.login, now=self._now()):
                raise RequestRejected(
                    "signed_out_meanwhile", "the user was signed out during this login, at the provider or by the app"
                )
            self._check_not_signed_out(transaction)  # again: the calls to the store may have taken a while
            for old in [old for old in replaced if not old.grace]:
                # Another user's session: if it cannot be ended, the login fails.
                await self._sessions.expire_with_grace(
                    old.session_id, grace=0, successor=session.login, other=old.login
                )
        except RequestRejected:
            await self._sessions.end(session)
            raise
        except StoreUnavailable:
            # The sessions that it was to replace go on, so they must not end with it.
            login = msgspec.structs.replace(session.login, replaced=[])
            await self._sessions.end(msgspec.structs.replace(session, login=login))
            raise
        for old in [old for old in replaced if old.grace]:
            await self._expire_with_grace(old.session_id, grace=old.grace, successor=session.login)
        self._session_tokens.remember(session.id, received, now=self._now())
        events.log(events.LOGIN_SUCCEEDED)
        _report_sign_in(session, transaction, replaced)
        log_omitted_groups(session.tokens.claims)
        return cookies

    def _check_not_signed_out(self, transaction: Transaction) -> None:
        before = transaction.before
        if before is not None and self._revocations.is_ended(before.session):
            raise RequestRejected(
                "signed_out_meanwhile",
                "the user has signed out of the session that the browser had when this login started",
            )

    async def _expire_with_grace(self, session_id: str, *, grace: int, successor: Login) -> None:
        try:
            await self._sessions.expire_with_grace(session_id, grace=grace, successor=successor)
        except StoreUnavailable as error:  # the new session is valid, and a sign-out will end the old one with it
            log_store_error(error)

    async def _find_replaced(self, request: Request, new: Session, transaction: Transaction) -> list[Replaced]:
        """Return the sessions that this browser has now, and had when the login started, each with its grace.

        A session of another user ends at once. One of the same user has a short grace, or the login in one tab would
        interrupt requests of another tab. The new session contains its id, so that a sign-out ends both.
        """
        active, before = await self._authenticator.find_even_if_over(request), transaction.before
        user = new.login.user_id
        self._stale_cookies.expect_login(request)
        found: list[Replaced] = []
        if active is None:
            await self._sessions.end_unreadable(request.cookies)
        elif self._authenticator.may_sign_out(active.session):
            old = active.session.login
            grace, other = (REPLACED_GRACE, None) if old.user_id == user else (0, old)
            found = [Replaced(name, grace, other) for name in (old.id, *old.replaced)]
        if before is not None and before.session not in [old.session_id for old in found]:
            grace = REPLACED_GRACE if self._transactions.was_of(before, user) else 0
            found.append(Replaced(before.session, grace))
        return found

    def _now(self) -> int:
        return int(self._clock())


def _report_sign_in(session: Session, transaction: Transaction, replaced: list[Replaced]) -> None:
    """Report a login to the audit trail, and the end of the sessions of other users in the same browser."""
    for old in replaced:
        if old.login is not None and old.session_id == old.login.id:
            report_session(old.login, SessionEnded, reason="replaced")
    before = next((old.session_id for old in replaced if old.grace), None)
    login, auth_time = session.login, session.login.first.get("auth_time")
    acr = login.first.get("acr")
    report_session(
        login,
        SignedIn,
        kind=_kind_of(transaction, is_renewal=before is not None),
        acr=acr if isinstance(acr, str) else None,
        authenticated_at=int(auth_time) if isinstance(auth_time, int | float) else None,
        replaced=public_name(before),
    )


def _kind_of(transaction: Transaction, *, is_renewal: bool) -> SignInKind:
    if transaction.is_silent:
        return "silent"
    if not is_renewal:
        return "login"
    return "step_up" if transaction.acr_values or transaction.max_age is not None else "renewal"
