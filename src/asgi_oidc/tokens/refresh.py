"""Refreshes the tokens of a session: one call for all requests and processes, even if clients disconnect.

OIDC Core §12, RFC 6749 §6, RFC 9700 §4.14.2 (rotation).
"""

from collections.abc import Callable
from typing import Any

import anyio
import msgspec

from asgi_oidc import audit, events, telemetry
from asgi_oidc.audit.reporting import report_session
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
from asgi_oidc.protocol.claim_mapping import ALL_CLAIMS, ClaimMapping
from asgi_oidc.protocol.dpop.make_proof import read_dpop_key
from asgi_oidc.protocol.token_endpoint import RefreshAnswer
from asgi_oidc.provider.connection import FirstTokens
from asgi_oidc.provider.omitted_groups import log_omitted_groups
from asgi_oidc.sessions.lifetimes import Limits, ends_for_good_at
from asgi_oidc.sessions.repository import ActiveSession, Change, SessionRepository
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.session import Session, Tokens, with_changes, with_new_tokens
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.stores.store_failures import log_store_error, log_store_failure
from asgi_oidc.telemetry import catalogue
from asgi_oidc.tokens.refresh_lock import COOL_DOWN, RefreshLock, RefreshLocks, refresh_failed
from asgi_oidc.tokens.refresh_result import refreshed, rights_may_differ, rotated, with_refresh_token
from asgi_oidc.tokens.revoke import TokenRevoker
from asgi_oidc.tokens.session_tokens import SessionTokens, missing_access_token
from asgi_oidc.tokens.token_validity import is_refresh_due, is_valid

# Errors of an ID Token that may be our fault: outdated keys, or a wrong clock. They do not discredit the whole answer.
INCONCLUSIVE_CODES = ("kid_unknown", "claim_iat", "claim_exp", "claim_nbf", "token_encrypted", "token_decryption")
# Errors of an ID Token that end the session: the provider's own is over, or the user has left the organization.
WITHDRAWING_CODES = ("session_over", "claim_hd")
SAVE_DEADLINE = 6.0  # seconds for which a request tries to save new tokens in a store
SAVE_PAUSE = 0.3  # seconds between two attempts
SAVE_LATER_DEADLINE = 300.0  # seconds for which a background task tries it after that
SAVE_LATER_PAUSE = 1.0  # seconds between two attempts


class TokenRefresher:
    """Keeps the access tokens of sessions valid."""

    def __init__(
        self,
        sessions: SessionRepository,
        revocations: Revocations,
        limits: Limits,
        locks: RefreshLocks,
        revoker: TokenRevoker,
        background: SingleFlight[Any],
        session_tokens: SessionTokens,
        *,
        claim_mapping: ClaimMapping = ALL_CLAIMS,
        now: Callable[[], int],
    ) -> None:
        self.claim_mapping = claim_mapping
        self._sessions = sessions
        self._revocations = revocations
        self._limits = limits
        self._locks = locks
        self._revoker = revoker
        self._background = background
        self.session_tokens = session_tokens
        self._refreshes: SingleFlight[Session] = SingleFlight()
        self._now = now

    async def drained(self) -> None:
        """Wait until no refresh is under way."""
        await self._refreshes.drained()

    async def valid_access_token(self, active: ActiveSession, *, refused: str | None = None) -> str:
        """Return a valid access token; refreshes it if it expires within a minute.

        Args:
            refused: an access token that an API refused although it has not expired.

        Raises:
            SessionEnded: the provider has withdrawn the session, or the user has signed out.
            AccessTokenExpired: the access token has expired, and there is no refresh token.
            TokenNotGranted: the provider issued no access token at the login, or the session does not keep it.
            RefreshFailed, StoreUnavailable: the access token has expired, and cannot be refreshed right now.
        """
        await self.check_not_over(active)
        if is_refresh_due(self.session_tokens.to_use(active.session), self._now(), refused):
            await self._refresh_or_continue(active, refused)
        tokens = self.session_tokens.to_use(active.session)
        if tokens.access_token is None:
            raise missing_access_token(tokens)
        if is_valid(tokens, self._now()):
            return tokens.access_token
        if tokens.refresh_token is not None:
            raise RefreshFailed("refresh_in_vain", "the new access token had already expired", retry_after=1)
        raise AccessTokenExpired(detail="sign in again: send the browser to login_url()")

    async def check_not_over(self, active: ActiveSession) -> None:
        """Check that the session of a request has not ended in the meantime; load newer tokens if its own are revoked.

        Raises:
            SessionEnded: signed out, expired or withdrawn; or a refresh in another process changed the user's rights.
        """
        session, now = active.session, self._now()
        has_run_out = now >= ends_for_good_at(session, self._limits)
        if active.is_over or has_run_out or self._revocations.is_revoked(session.login, now=now):
            self.session_tokens.forget(session.id)
            raise SessionEnded(detail="the session ended while the request was under way")
        if self._revocations.is_outdated(session):
            newest = await self._sessions.newest(session)
            if newest is None:
                detail = "the session's tokens are from before a refresh that changed the user's rights"
                raise SessionEnded(detail=detail)
            active.session = newest

    async def _refresh_or_continue(self, active: ActiveSession, refused: str | None) -> None:
        def is_due(newest: Session) -> bool:
            return is_refresh_due(self.session_tokens.to_use(newest), self._now(), refused)

        try:
            active.session = await self.refresh(active.session, is_due=is_due, waits=refused is not None)
        except SessionEnded:
            active.is_over = True
            raise
        except (RefreshFailed, StoreUnavailable):
            await self.check_not_over(active)  # the user may have signed out in the meantime
            if not is_valid(self.session_tokens.to_use(active.session), self._now()):
                raise

    async def refresh(self, session: Session, *, is_due: Callable[[Session], bool], waits: bool = False) -> Session:
        """Refresh the tokens of a session, unless somebody else has done that already; return its newest state.

        Args:
            is_due: whether the newest state still needs a refresh.
            waits: whether to wait while another process refreshes it, even if its access token is valid.

        Raises:
            SessionEnded, RefreshFailed, StoreUnavailable: as in `valid_access_token`.
        """
        return await self._refreshes.run_to_the_end(session.id, lambda: self._refresh(session, is_due, waits))

    @telemetry.traced(catalogue.REFRESH)
    async def _refresh(self, session: Session, is_due: Callable[[Session], bool], waits: bool) -> Session:
        def can_continue(newest: Session) -> bool:
            # Another process is refreshing it; a request with a valid token need not wait.
            return not is_due(newest) or (not waits and is_valid(self.session_tokens.to_use(newest), self._now()))

        async with self._locks.hold(session, can_continue=can_continue) as lock:
            telemetry.annotate(provider=lock.provider.settings.name)
            if not lock.is_locked or not is_due(lock.session):
                telemetry.annotate(outcome="not_due")  # another process has refreshed them, or is about to
                return lock.session
            answer = await self.use_refresh_token(lock)
            answer, claims = await self.checked_answer(lock, answer)
            access_token_claims = await self._access_token_claims(lock, answer)
            tokens = refreshed(
                lock.session,
                answer,
                claims,
                access_token_claims=access_token_claims,
                now=self._now(),
                trusted_email_domains=lock.provider.settings.domains_trusted_at_login,
                mapping=self.claim_mapping,
            )
            if waits:
                tokens = msgspec.structs.replace(tokens, forced_at=self._now())
            events.log(events.TOKENS_REFRESHED)
            log_omitted_groups(tokens.claims)
            return await self.save(lock, tokens)

    async def use_refresh_token(self, lock: RefreshLock, *, resource: str | None = None) -> RefreshAnswer:
        """Call the provider with the refresh token; a call that may have used it up is never repeated.

        Raises:
            SessionEnded: the provider has withdrawn the refresh token, so the session has ended.
            TokenNotGranted: the provider grants no token for the resource.
            RefreshFailed: anything else went wrong; the next attempt is delayed by `COOL_DOWN`.
        """
        refresh_token = lock.session.tokens.refresh_token or ""
        provider = lock.provider
        try:
            with anyio.fail_after(lock.time_left()):
                dpop_key = read_dpop_key(lock.session.login.dpop_key)
                return await provider.refresh(refresh_token, resource=resource, dpop_key=dpop_key)
        except ProviderRefused as refused:
            if resource is not None and refused.error != "invalid_grant":
                name = lock.session.login.provider or None
                events.log(events.TOKEN_NOT_GRANTED, provider=name, detail=refused.detail)
                raise TokenNotGranted(detail=refused.detail) from refused
            if refused.error != "invalid_grant":
                raise await self._remember_failure(lock, refused) from refused
            await self.end_withdrawn(lock.session, refused.detail)
            raise SessionEnded(detail=f"the provider has withdrawn the refresh token: {refused.detail}") from refused
        except ProviderError as error:
            await self._save_remaining_token(lock, provider.remaining_refresh_token(error, refresh_token))
            raise await self._remember_failure(lock, error) from error
        except TimeoutError as error:
            raise await self._remember_failure(lock, error) from error

    async def _save_remaining_token(self, lock: RefreshLock, refresh_token: str | None) -> None:
        """Save the refresh token that is left after a failed call, if it has changed."""
        if refresh_token != lock.session.tokens.refresh_token:
            lock.session = await self.save(lock, with_refresh_token(lock.session, refresh_token))

    async def checked_answer(self, lock: RefreshLock, answer: RefreshAnswer) -> tuple[RefreshAnswer, dict[str, object]]:
        """Return the answer with its ID Token decrypted, and the checked claims of that, if any (OIDC Core §12.2)."""
        login = lock.session.login
        first = FirstTokens(issuer=login.issuer, sub=login.sub, claims=login.first)
        try:
            with anyio.fail_after(lock.time_left()):
                decrypted = lock.provider.decrypted(answer)
                return decrypted, await lock.provider.refreshed_claims(decrypted, first)
        except (ProviderError, TokenRejected, TimeoutError) as error:
            if isinstance(error, TokenRejected) and error.code in WITHDRAWING_CODES:
                has_successor = self._revocations.effective_at(login) is not None
                await self.end_withdrawn(lock.session, error.detail)
                if not has_successor:
                    await self._revoker.revoke(answer.refresh_token, login)
                raise SessionEnded(detail="the provider reports that the session has ended") from error
            await self._save_rotated_token(lock, answer, error)
            raise await self._remember_failure(lock, error) from error

    async def _access_token_claims(self, lock: RefreshLock, answer: RefreshAnswer) -> dict[str, object] | None:
        """Return the checked claims of the new access token, None if they are not used.

        If the token cannot be read, it has no claims: those of the previous one are removed, and the session goes on.
        """
        login = lock.session.login
        try:
            with anyio.fail_after(lock.time_left()):
                return await lock.provider.access_token_claims(answer.access_token, issuer=login.issuer, sub=login.sub)
        except (ProviderError, TokenRejected, TimeoutError) as error:
            if isinstance(error, TokenRejected) and error.code not in (*INCONCLUSIVE_CODES, "claim_sub"):
                events.log(events.ACCESS_TOKEN_UNREAD, code=error.code, detail=error.detail)
                return {}
            await self._save_rotated_token(lock, answer, error)
            raise await self._remember_failure(lock, error) from error

    async def _save_rotated_token(
        self, lock: RefreshLock, answer: RefreshAnswer, error: ProviderError | TokenRejected | TimeoutError
    ) -> None:
        """Save the new refresh token although the answer is not accepted.

        To use the old one again may look like theft to the provider, which then ends the grant on all devices.
        """
        if answer.refresh_token is None:
            return
        tokens = rotated(lock.session, answer)
        if isinstance(error, TokenRejected) and error.code not in INCONCLUSIVE_CODES:
            # It may belong to another user, so the session goes on without a refresh token. It is not revoked: if it is
            # ours after all, the provider may end more than this token (see `revoke`), while the session goes on.
            tokens = with_changes(tokens, refresh_token=None)
        lock.session = await self.save(lock, tokens)

    async def _remember_failure(self, lock: RefreshLock, error: OIDCError | TimeoutError) -> RefreshFailed:
        failure, login = refresh_failed(error), lock.session.login
        events.log(events.REFRESH_FAILED, provider=login.provider or None, code=failure.code, detail=failure.detail)
        report_session(login, audit.RefreshFailed, code=failure.code)
        await self.cool_down(lock.session)
        return failure

    async def cool_down(self, session: Session) -> None:
        """Save in the session that an attempt has failed, so that all processes wait before the next one."""
        retry_at = self._now() + COOL_DOWN

        def cooling_down(current: Session) -> Session:
            return msgspec.structs.replace(current, tokens=msgspec.structs.replace(current.tokens, retry_at=retry_at))

        try:
            await self._sessions.change(session, cooling_down)
        except StoreUnavailable as down:
            log_store_error(down)

    async def end_withdrawn(self, session: Session, detail: str) -> None:
        """End a session that is over at the provider, unless another process has newer tokens of it.

        Raises:
            RefreshFailed: it has.
        """
        newest = await self._sessions.newest(session)
        if newest is not None and newest.tokens.generation != session.tokens.generation:
            detail = "another process has refreshed the tokens at the same time"
            raise RefreshFailed("refresh_superseded", detail, retry_after=1)
        events.log(events.SESSION_WITHDRAWN, detail=detail)
        report_session(session.login, audit.SessionEnded, reason="withdrawn")
        telemetry.annotate(outcome="session_ended")
        self.session_tokens.forget(session.id)
        await self._sessions.end(session)

    async def save(self, lock: RefreshLock, tokens: Tokens) -> Session:
        """Save what a session keeps of new tokens; if the store is too slow, this process does so later.

        Raises:
            SessionEnded: the user has signed out in the meantime; the new refresh token is revoked.
        """
        before, received = lock.session.tokens, tokens
        tokens = self.session_tokens.to_write(received, lock.provider.settings)

        def with_tokens(current: Session) -> Session:
            return with_new_tokens(current, tokens) if current.tokens.generation == before.generation else current

        try:
            saved = await self._save_with_retries(lock.session, with_tokens)
        except TimeoutError:
            log_store_failure("tokens_not_saved", fallback="tokens kept in this process")
            lock.has_unsaved = True
            saved = with_new_tokens(lock.session, tokens)
            self._sessions.keep_unsaved(saved)
            self._background.start(saved.id, lambda: self._save_later(lock, tokens))
        if saved is not None and saved.tokens.generation == tokens.generation and rights_may_differ(tokens, before):
            await self._sessions.revoke_older_tokens(saved)
        if saved is None or self._revocations.is_revoked(saved.login, now=self._now()):
            await self._revoker.revoke_of_session(received.refresh_token, lock.session.login)
            raise SessionEnded(detail="the session ended while its tokens were refreshed")
        if saved.tokens.generation == tokens.generation:
            self.session_tokens.remember(saved.id, received, now=self._now())
        return saved

    async def _save_later(self, lock: RefreshLock, tokens: Tokens) -> None:
        """Try again until the tokens are saved; the lock keeps other processes from using the old refresh token."""
        with anyio.move_on_after(SAVE_LATER_DEADLINE):
            while self._sessions.has_unsaved(lock.session.id):
                await anyio.sleep(SAVE_LATER_PAUSE)
                try:
                    await self._sessions.keep_lock(lock.session, lock.holder)
                    newest = await self._sessions.newest(lock.session)  # also writes unsaved tokens
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
