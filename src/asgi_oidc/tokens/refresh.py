"""Refreshes the tokens of a session: once for all requests and processes that wait, even if clients disconnect.

OIDC Core §12, RFC 6749 §6, RFC 9700 §4.14.2 (rotation).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import anyio
import msgspec

from asgi_oidc import events
from asgi_oidc.errors import (
    AccessTokenExpired,
    OIDCError,
    ProviderError,
    ProviderRefused,
    RefreshFailed,
    SessionEnded,
    StoreUnavailable,
    TokenNotGranted,
    TokenRejected,
)
from asgi_oidc.protocol.id_token import ExpectedAgain
from asgi_oidc.protocol.token_endpoint import RefreshAnswer
from asgi_oidc.provider.provider import Provider
from asgi_oidc.sessions.repository import ActiveSession, Change, SessionRepository
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.session import Limits, Session, Tokens, ends_for_good_at, with_new_tokens
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.tokens.refresh_lock import COOL_DOWN, RefreshLock, RefreshLocks, refresh_failed
from asgi_oidc.tokens.refresh_result import refreshed, rights_may_differ, rotated, with_refresh_token
from asgi_oidc.tokens.revoke import TokenRevoker

# What is wrong with an ID Token when our keys are old or our clock is wrong: nothing is known against its answer.
INCONCLUSIVE_CODES = ("kid_unknown", "claim_iat", "claim_exp", "claim_nbf")
SAVE_DEADLINE = 6.0  # seconds for a store that does not take the new tokens
SAVE_PAUSE = 0.3  # seconds between two tries
SAVE_LATER_DEADLINE = 300.0  # seconds for one that is down for longer
SAVE_LATER_PAUSE = 1.0  # seconds between two tries
FORCE_PAUSE = 60  # seconds between two tokens that an API may refuse; one that refuses all does not make us a hammer


@dataclass(frozen=True, slots=True)
class Expectations:
    """What a refreshed token is held against, beside the login itself.

    Attributes:
        reads_access_token: whether claims of the access token count.
    """

    client_id: str
    trusted_audiences: Collection[str]
    reads_access_token: bool = False


class TokenRefresher:
    """Keeps the access tokens of sessions valid."""

    def __init__(
        self,
        provider: Provider,
        sessions: SessionRepository,
        revocations: Revocations,
        limits: Limits,
        locks: RefreshLocks,
        revoker: TokenRevoker,
        expectations: Expectations,
        background: SingleFlight[Any],
        *,
        now: Callable[[], int],
    ) -> None:
        self._provider = provider
        self._sessions = sessions
        self._revocations = revocations
        self._limits = limits
        self._locks = locks
        self._revoker = revoker
        self._expectations = expectations
        self._background = background
        self._refreshes: SingleFlight[Session] = SingleFlight()
        self._now = now

    async def drained(self) -> None:
        """Wait until no refresh is under way."""
        await self._refreshes.drained()

    async def valid_tokens(self, active: ActiveSession, *, refused: str | None = None) -> Tokens:
        """Return tokens whose access token is live, renewed when less than a minute is left.

        Args:
            refused: an access token that an API did not take although it looks fine.

        Raises:
            SessionEnded: the provider has withdrawn the session, or somebody signed out.
            AccessTokenExpired: it has run out, and there is no refresh token.
            RefreshFailed: it has run out, and cannot be renewed right now.
            StoreUnavailable: the same, because of the store.
        """
        await self.check_not_over(active)
        if _is_due(active.session.tokens, self._now(), refused):
            await self._refresh_or_continue(active, refused)
        tokens = active.session.tokens
        if _is_valid(tokens, self._now()):
            return tokens
        if tokens.refresh_token is not None:
            raise RefreshFailed("refresh_in_vain", "the new token was dead on arrival", retry_after=1)
        raise AccessTokenExpired(detail="sign in again: send the browser to login_url()")

    async def check_not_over(self, active: ActiveSession) -> None:
        """Refuse tokens to a request whose session has ended meanwhile, and let it go on with newer ones where it must.

        Raises:
            SessionEnded: signed out, expired or withdrawn; or a refresh in another process changed the user's rights.
        """
        session, now = active.session, self._now()
        has_run_out = now >= ends_for_good_at(session, self._limits)
        if active.is_over or has_run_out or self._revocations.is_revoked(session.login, now=now):
            raise SessionEnded(detail="it ended while the request was under way")
        if self._revocations.is_outdated(session):
            newest = await self._sessions.newest(session)
            if newest is None:
                raise SessionEnded(detail="its tokens are from before a refresh that changed the user's rights")
            active.session = newest

    async def _refresh_or_continue(self, active: ActiveSession, refused: str | None) -> None:
        session = active.session
        try:
            active.session = await self._refreshes.run_to_the_end(session.id, lambda: self._refresh(session, refused))
        except SessionEnded:
            active.is_over = True
            raise
        except (RefreshFailed, StoreUnavailable):
            await self.check_not_over(active)  # somebody may have signed out meanwhile
            if not _is_valid(active.session.tokens, self._now()):
                raise

    async def _refresh(self, session: Session, refused: str | None) -> Session:
        def is_settled(newest: Session) -> bool:
            return not _is_due(newest.tokens, self._now(), refused)

        def can_wait(newest: Session) -> bool:
            # Another process renews it: who has a live token need not wait for that.
            return is_settled(newest) or (refused is None and _is_valid(newest.tokens, self._now()))

        async with self._locks.hold(session, can_continue=can_wait) as lock:
            if not lock.is_locked or is_settled(lock.session):
                return lock.session
            answer = await self.use_refresh_token(lock)
            claims = await self.checked_claims(lock, answer)
            access_token_claims = await self._access_token_claims(lock, answer)
            tokens = refreshed(lock.session, answer, claims, access_token_claims=access_token_claims, now=self._now())
            if refused is not None:
                tokens = msgspec.structs.replace(tokens, forced_at=self._now())
            events.log(events.TOKENS_REFRESHED)
            return await self.save(lock, tokens)

    async def use_refresh_token(self, lock: RefreshLock, *, resource: str | None = None) -> RefreshAnswer:
        """Use the refresh token: one call, never made again.

        Raises:
            SessionEnded: the provider has withdrawn it, and so the session has ended.
            TokenNotGranted: it gives no token for the resource.
            RefreshFailed: anything else went wrong; that is remembered for a while.
        """
        refresh_token = lock.session.tokens.refresh_token or ""
        try:
            with anyio.fail_after(lock.time_left()):
                return await self._provider.refresh(refresh_token, resource=resource)
        except ProviderRefused as refused:
            if resource is not None and refused.error != "invalid_grant":
                events.log(events.TOKEN_NOT_GRANTED, detail=refused.detail)
                raise TokenNotGranted(detail=refused.detail) from refused
            if refused.error != "invalid_grant":
                raise await self._remember_failure(lock, refused) from refused
            await self._end_withdrawn(lock.session, refused.detail)
            raise SessionEnded(detail=f"the provider has withdrawn the refresh token: {refused.detail}") from refused
        except ProviderError as error:
            await self._save_remaining_token(lock, self._provider.remaining_refresh_token(error, refresh_token))
            raise await self._remember_failure(lock, error) from error
        except TimeoutError as error:
            raise await self._remember_failure(lock, error) from error

    async def _save_remaining_token(self, lock: RefreshLock, refresh_token: str | None) -> None:
        """Save which refresh token is left, if that has changed."""
        if refresh_token != lock.session.tokens.refresh_token:
            lock.session = await self.save(lock, with_refresh_token(lock.session, refresh_token))

    async def checked_claims(self, lock: RefreshLock, answer: RefreshAnswer) -> dict[str, object]:
        """Return what the new ID Token says, nothing when there is none (OIDC Core §12.2)."""
        if answer.id_token is None:
            return {}
        login = lock.session.login
        expected = ExpectedAgain(
            issuer=login.issuer,
            sub=login.sub,
            first=login.first,
            client_id=self._expectations.client_id,
            access_token=answer.access_token,
            trusted_audiences=self._expectations.trusted_audiences,
        )
        try:
            with anyio.fail_after(lock.time_left()):
                return await self._provider.check_id_token_again(answer.id_token, expected)
        except (ProviderError, TokenRejected, TimeoutError) as error:
            if isinstance(error, TokenRejected) and error.code == "session_over":
                has_successor = self._revocations.effective_at(login) is not None
                await self._end_withdrawn(lock.session, error.detail)
                if not has_successor:
                    await self._revoker.revoke(answer.refresh_token)
                raise SessionEnded(detail="the provider reports that the session has ended") from error
            await self._save_rotated_token(lock, answer, error)
            raise await self._remember_failure(lock, error) from error

    async def _access_token_claims(self, lock: RefreshLock, answer: RefreshAnswer) -> dict[str, object] | None:
        """Return what the new access token says, None where its claims take no part.

        One that cannot be used says nothing any more: what the last one granted is gone, and the session goes on.
        """
        if not self._expectations.reads_access_token:
            return None
        try:
            with anyio.fail_after(lock.time_left()):
                return await self._provider.access_token_claims(answer.access_token, sub=lock.session.login.sub)
        except (ProviderError, TokenRejected, TimeoutError) as error:
            if isinstance(error, TokenRejected) and error.code not in (*INCONCLUSIVE_CODES, "claim_sub"):
                events.log(events.ACCESS_TOKEN_UNREAD, code=error.code, detail=error.detail)
                return {}
            await self._save_rotated_token(lock, answer, error)
            raise await self._remember_failure(lock, error) from error

    async def _save_rotated_token(
        self, lock: RefreshLock, answer: RefreshAnswer, error: ProviderError | TokenRejected | TimeoutError
    ) -> None:
        """Never come with a refresh token that is spent: that would end the grant, for all devices."""
        if answer.refresh_token is None:
            return
        tokens = rotated(lock.session, answer)
        if isinstance(error, TokenRejected) and error.code not in INCONCLUSIVE_CODES:
            # It may be somebody else's, so the session goes on without one. It is not revoked: if it is ours after all,
            # the provider may end more than that by it (see `TokenRevoker`), and the session lives.
            tokens = msgspec.structs.replace(tokens, refresh_token=None)
        lock.session = await self.save(lock, tokens)

    async def _remember_failure(self, lock: RefreshLock, error: OIDCError | TimeoutError) -> RefreshFailed:
        """Remember a failure in the session itself, so that all processes wait a while."""
        retry_at = self._now() + COOL_DOWN

        def cooling_down(current: Session) -> Session:
            return msgspec.structs.replace(current, tokens=msgspec.structs.replace(current.tokens, retry_at=retry_at))

        failure = refresh_failed(error)
        events.log(events.REFRESH_FAILED, code=failure.code, detail=failure.detail)
        try:
            await self._sessions.change(lock.session, cooling_down)
        except StoreUnavailable as down:
            events.log(events.STORE_FAILED, code=down.code, detail=down.detail)
        return failure

    async def _end_withdrawn(self, session: Session, detail: str) -> None:
        newest = await self._sessions.newest(session)
        if newest is not None and newest.tokens.generation != session.tokens.generation:
            raise RefreshFailed("refresh_superseded", "another process was faster", retry_after=1)
        events.log(events.SESSION_WITHDRAWN, detail=detail)
        await self._sessions.end(session)

    async def save(self, lock: RefreshLock, tokens: Tokens) -> Session:
        """Write new tokens; a store that does not take them in time does not lose them for this process.

        Raises:
            SessionEnded: somebody signed out meanwhile; the new refresh token is given back.
        """
        before = lock.session.tokens

        def with_tokens(current: Session) -> Session:
            return with_new_tokens(current, tokens) if current.tokens.generation == before.generation else current

        try:
            saved = await self._save_with_retries(lock.session, with_tokens)
        except TimeoutError:
            events.log(events.STORE_FAILED, code="tokens_not_saved", fallback="tokens kept in this process")
            lock.has_unsaved = True
            saved = with_new_tokens(lock.session, tokens)
            self._sessions.keep_unsaved(saved)
            self._background.start(saved.id, lambda: self._save_later(lock, tokens))
        if saved is not None and saved.tokens.generation == tokens.generation and rights_may_differ(tokens, before):
            await self._sessions.revoke_older_tokens(saved)
        if saved is None or self._revocations.is_revoked(saved.login, now=self._now()):
            await self._revoker.revoke_of_session(tokens.refresh_token, lock.session.login)
            raise SessionEnded(detail="it ended while it was renewed")
        return saved

    async def _save_later(self, lock: RefreshLock, tokens: Tokens) -> None:
        """Go on trying while the lock keeps others from coming with the old refresh token."""
        with anyio.move_on_after(SAVE_LATER_DEADLINE):
            while self._sessions.has_unsaved(lock.session.id):
                await anyio.sleep(SAVE_LATER_PAUSE)
                try:
                    await self._sessions.keep_lock(lock.session, lock.holder)
                    newest = await self._sessions.newest(lock.session)  # it writes what is not saved
                except StoreUnavailable:
                    continue
                if newest is None:
                    await self._revoker.revoke_of_session(tokens.refresh_token, lock.session.login)
        await self._locks.release(lock.session, lock.holder)

    async def _save_with_retries(self, session: Session, change: Change) -> Session | None:
        with anyio.fail_after(SAVE_DEADLINE):
            while True:
                try:
                    return await self._sessions.change(session, change)
                except StoreUnavailable:
                    await anyio.sleep(SAVE_PAUSE)


def _is_due(tokens: Tokens, now: int, refused: str | None) -> bool:
    if tokens.refresh_token is None:
        return False
    if refused is not None and refused == tokens.access_token and abs(now - tokens.forced_at) >= FORCE_PAUSE:
        return True
    return tokens.refresh_due_at is not None and now >= tokens.refresh_due_at


def _is_valid(tokens: Tokens, now: int) -> bool:
    return tokens.access_expires_at is None or now < tokens.access_expires_at
