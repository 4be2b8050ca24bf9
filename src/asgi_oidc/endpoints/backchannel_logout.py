"""POST /auth/backchannel-logout: the provider reports a sign-out (Back-Channel Logout 1.0 §2.5 to §2.8)."""

import logging
from collections.abc import Callable
from typing import Any, ClassVar

from asgi_oidc import events, telemetry
from asgi_oidc.audit import LogoutRefused, SignedOut
from asgi_oidc.audit.reporting import report
from asgi_oidc.errors import OIDCError, ProviderError, RequestRejected, StoreUnavailable, TokenRejected
from asgi_oidc.logout.sign_out import SignOut
from asgi_oidc.logout.used_logout_tokens import UsedLogoutTokens
from asgi_oidc.protocol.logout_token import MAX_TOKEN_AGE, Logout
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.request_body import read_form_body
from asgi_oidc.sessions.digests import digest
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.sessions.session import UserId
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.stores.replay_cache import ReplayCache
from asgi_oidc.telemetry import catalogue
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request, read_form
from asgi_oidc.web.response import Response, json_response

TRY_AGAIN_AFTER = b"5"  # seconds
MINUTE = 60  # seconds
REFUSED_AGAIN = events.LOGOUT_REFUSED._replace(level=logging.INFO)  # repeats of a reason within the same minute


class BackchannelLogoutEndpoint:
    """Ends the sessions that logout tokens name."""

    methods: ClassVar[tuple[str, ...]] = ("POST",)

    def __init__(
        self,
        sign_out: SignOut,
        used_tokens: UsedLogoutTokens,
        sessions: SessionRepository,
        reasons_logged: ReplayCache,
        background: SingleFlight[Any],
        *,
        has_store: bool,
        now: Callable[[], int],
    ) -> None:
        """Set up the endpoint.

        Args:
            reasons_logged: remembers which reasons for a refusal were logged in this minute.
            has_store: whether sessions are in a store, which can count those that ended.
        """
        self._sign_out = sign_out
        self._used_tokens = used_tokens
        self._sessions = sessions
        self._reasons_logged = reasons_logged
        self._background = background
        self._has_store = has_store
        self._now = now
        self._has_logged_missing_exp = False

    @telemetry.traced(catalogue.LOGOUT, by="provider")
    async def handle(self, request: Request, receive: Receive, provider: ProviderConnection) -> Response:
        """Validate the logout token completely, then end the sessions that it names. A token works only once.

        Returns:
            200 if the sessions have ended; 400 or 413 if the request is invalid; 503 if the sign-out is not possible
            now, so that the provider tries again.
        """
        try:
            token = _read_token(await read_form_body(request, receive))
            logout = await provider.check_logout_token(token)
            self._log_missing_exp(logout)
            await self._sign_out_once(logout, provider.settings.name, token=token)
        except (RequestRejected, TokenRejected) as error:
            status = 413 if isinstance(error, RequestRejected) and error.status == 413 else 400
            return self._refuse(error, provider.settings.name, status, "invalid_request")
        except (StoreUnavailable, ProviderError) as error:
            response = self._refuse(error, provider.settings.name, 503, "temporarily_unavailable")
            return response.with_headers((b"retry-after", TRY_AGAIN_AFTER))
        return json_response({})

    async def _sign_out_once(self, logout: Logout, provider: str, *, token: str) -> None:
        sid, user = logout.sid, None if logout.sub is None else UserId(logout.issuer, logout.sub)
        if sid is not None and user is not None and await self._sessions.is_sid_of_another_user(sid, user):
            raise TokenRejected("claim_sub", "the session with this sid belongs to another user")
        # Not cancelled if the provider disconnects: its token could be used up before all sessions have ended.
        await self._background.run_to_the_end(f"logout {digest(token)}", lambda: self._use_token(logout, provider))

    async def _use_token(self, logout: Logout, provider: str) -> None:
        if await self._used_tokens.has(logout):
            raise TokenRejected("claim_jti", "a logout token with this jti was used before")
        issuer, sub, sid = logout.issuer, logout.sub, logout.sid
        count = await self._sign_out.everywhere(issuer=issuer, sub=sub, sid=sid, happened_at=logout.issued_at)
        # Last: a sign-out that failed can be tried again, and one that is done twice does no harm.
        await self._used_tokens.add(logout)
        counted = count if self._has_store else None
        events.log(
            events.LOGGED_OUT,
            by="the provider",
            provider=provider or None,
            sessions="in browsers" if counted is None else counted,
        )
        report(
            SignedOut,
            by="provider",
            provider=provider or None,
            issuer=issuer,
            sub=sub,
            sid=sid,
            everywhere=True,
            sessions=counted,
        )

    def _log_missing_exp(self, logout: Logout) -> None:
        """Log once that the provider sends logout tokens without `exp`, which the specification requires."""
        if logout.has_exp or self._has_logged_missing_exp:
            return
        self._has_logged_missing_exp = True
        what = f"the logout token has no exp: it is accepted for {MAX_TOKEN_AGE} s after its iat, and only once"
        fix = "nothing to change in this app; the provider should add exp"
        events.log(events.LOGOUT_TOKEN_WITHOUT_EXP, what=what, fix=fix)

    def _refuse(self, error: OIDCError, provider: str, status: int, error_code: str) -> Response:
        """Return an OAuth error (RFC 6749 §5.2), which the operators of the provider can read.

        Args:
            error_code: the member `error`.
        """
        now = self._now()
        # Operators must see the reason. But anyone can send requests here, so a reason is a warning only once a minute.
        is_new = self._reasons_logged.add(f"logout_refused {error.code} {now // MINUTE}", now=now, lifetime=MINUTE)
        event = events.LOGOUT_REFUSED if is_new else REFUSED_AGAIN
        events.log(event, status=status, provider=provider or None, code=error.code, detail=error.detail)
        report(LogoutRefused, provider=provider or None, code=error.code)
        telemetry.annotate(code=error.code)
        return json_response({"error": error_code, "error_description": error.code}, status=status)


def _read_token(body: bytes) -> str:
    parameters = read_form(body)
    names = [name for name, _ in parameters]
    if len(set(names)) < len(names):
        raise RequestRejected("parameters_doubled", "expected each parameter once")
    token = dict(parameters).get("logout_token", "")
    if not token:
        raise RequestRejected("logout_token_missing", "expected a form with the parameter logout_token")
    return token
