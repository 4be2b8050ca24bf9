"""Renew a session's tokens: once, however many requests and processes wait, and whoever goes away meanwhile.

OIDC Core §12, RFC 6749 §6, RFC 9700 §4.14.2 (rotation).
"""

import anyio
import msgspec

from asgi_oidc import events
from asgi_oidc.composition import Parts
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
from asgi_oidc.protocol.tokens import RefreshAnswer
from asgi_oidc.sessions.repository import ActiveSession, Change
from asgi_oidc.sessions.session import Session, Tokens, ends_for_good_at, renewed
from asgi_oidc.tokens.refresh_lock import COOL_DOWN, RefreshLock, failed, refresh_lock, unlock
from asgi_oidc.tokens.refreshed_session import refreshed, rights_may_differ, rotated, with_refresh_token
from asgi_oidc.tokens.revoke import revoke, revoke_of_session

# What is wrong with an ID Token when our keys are old or our clock is wrong: nothing is known against its answer.
NOT_ITS_FAULT = ("kid_unknown", "claim_iat", "claim_exp", "claim_nbf")
SAVE_DEADLINE = 6.0  # seconds for a store that does not take the new tokens
SAVE_PAUSE = 0.3  # seconds between two tries
SAVE_LATER_DEADLINE = 300.0  # seconds for one that is down for longer
SAVE_LATER_PAUSE = 1.0  # seconds between two tries
FORCE_PAUSE = 60  # seconds between two tokens that an API may refuse; one that refuses all does not make us a hammer


async def live_tokens(live: ActiveSession, parts: Parts, *, refused: str | None = None) -> Tokens:
    """Return tokens whose access token is live, renewed when less than a minute is left.

    Args:
        refused: an access token that an API did not take although it looks fine.

    Raises:
        SessionEnded: the provider has withdrawn the session, or somebody signed out.
        AccessTokenExpired: it has run out, and there is no refresh token.
        RefreshFailed: it has run out, and cannot be renewed right now.
        StoreUnavailable: the same, because of the store.
    """
    await check_goes_on(live, parts)
    if _is_due(live.session.tokens, parts.now(), refused):
        await _renew_or_go_on(live, parts, refused)
    tokens = live.session.tokens
    if _is_alive(tokens, parts.now()):
        return tokens
    if tokens.refresh_token is not None:
        raise RefreshFailed("refresh_in_vain", "the new token was dead on arrival", retry_after=1)
    raise AccessTokenExpired(detail="sign in again: send the browser to login_url()")


async def check_goes_on(live: ActiveSession, parts: Parts) -> None:
    """Refuse tokens to a request whose session has ended meanwhile, and let it go on with newer ones where it must.

    Raises:
        SessionEnded: signed out, expired or withdrawn; or a refresh in another process changed the user's rights.
    """
    session, now = live.session, parts.now()
    has_run_out = now >= ends_for_good_at(session, parts.limits)
    if live.is_over or has_run_out or parts.ended.is_dead(session.login, now=now):
        raise SessionEnded(detail="it ended while the request was under way")
    if parts.ended.is_outdated(session):
        newest = await parts.sessions.newest(session)
        if newest is None:
            raise SessionEnded(detail="its tokens are from before a refresh that changed the user's rights")
        live.session = newest


async def _renew_or_go_on(live: ActiveSession, parts: Parts, refused: str | None) -> None:
    session = live.session
    try:
        live.session = await parts.renewals.run_to_the_end(session.id, lambda: _renew(session, parts, refused))
    except SessionEnded:
        live.is_over = True
        raise
    except (RefreshFailed, StoreUnavailable):
        await check_goes_on(live, parts)  # somebody may have signed out meanwhile
        if not _is_alive(live.session.tokens, parts.now()):
            raise


def _is_due(tokens: Tokens, now: int, refused: str | None) -> bool:
    if tokens.refresh_token is None:
        return False
    if refused is not None and refused == tokens.access_token and abs(now - tokens.forced_at) >= FORCE_PAUSE:
        return True
    return tokens.refresh_due_at is not None and now >= tokens.refresh_due_at


def _is_alive(tokens: Tokens, now: int) -> bool:
    return tokens.access_expires_at is None or now < tokens.access_expires_at


async def _renew(session: Session, parts: Parts, refused: str | None) -> Session:
    def is_settled(newest: Session) -> bool:
        return not _is_due(newest.tokens, parts.now(), refused)

    def can_wait(newest: Session) -> bool:
        # Another process renews it: who has a live token need not wait for that.
        return is_settled(newest) or (refused is None and _is_alive(newest.tokens, parts.now()))

    async with refresh_lock(session, parts, can_go=can_wait) as mine:
        if not mine.is_locked or is_settled(mine.session):
            return mine.session
        answer = await ask(mine, parts)
        claims = await checked_claims(mine, parts, answer)
        further = await _access_token_claims(mine, parts, answer)
        tokens = refreshed(mine.session, answer, claims, further=further, now=parts.now())
        if refused is not None:
            tokens = msgspec.structs.replace(tokens, forced_at=parts.now())
        events.log(events.TOKENS_REFRESHED)
        return await save(mine, parts, tokens)


async def ask(mine: RefreshLock, parts: Parts, *, resource: str | None = None) -> RefreshAnswer:
    """Use the refresh token: one call, never made again.

    Raises:
        SessionEnded: the provider has withdrawn it, and so the session has ended.
        TokenNotGranted: it gives no token for the resource.
        RefreshFailed: anything else went wrong; that is remembered for a while.
    """
    refresh_token = mine.session.tokens.refresh_token or ""
    try:
        with anyio.fail_after(mine.time_left()):
            return await parts.provider.refresh(refresh_token, resource=resource)
    except ProviderRefused as refused:
        if resource is not None and refused.error != "invalid_grant":
            events.log(events.TOKEN_NOT_GRANTED, detail=refused.detail)
            raise TokenNotGranted(detail=refused.detail) from refused
        if refused.error != "invalid_grant":
            raise await _given_up(mine, parts, refused) from refused
        await _withdraw(mine.session, parts, refused.detail)
        raise SessionEnded(detail=f"the provider has withdrawn the refresh token: {refused.detail}") from refused
    except ProviderError as error:
        await _keep(mine, parts, parts.provider.left_after(error, refresh_token))
        raise await _given_up(mine, parts, error) from error
    except TimeoutError as error:
        raise await _given_up(mine, parts, error) from error


async def _keep(mine: RefreshLock, parts: Parts, refresh_token: str | None) -> None:
    """Save which refresh token is left, if that has changed."""
    if refresh_token != mine.session.tokens.refresh_token:
        mine.session = await save(mine, parts, with_refresh_token(mine.session, refresh_token))


async def checked_claims(mine: RefreshLock, parts: Parts, answer: RefreshAnswer) -> dict[str, object]:
    """Return what the new ID Token says, nothing when there is none (OIDC Core §12.2)."""
    if answer.id_token is None:
        return {}
    login = mine.session.login
    expected = ExpectedAgain(
        issuer=login.issuer,
        sub=login.sub,
        first=login.first,
        client_id=parts.settings.client_id,
        access_token=answer.access_token,
        trusted_audiences=parts.settings.trusted_audiences,
    )
    try:
        with anyio.fail_after(mine.time_left()):
            return await parts.provider.check_id_token_again(answer.id_token, expected)
    except (ProviderError, TokenRejected, TimeoutError) as error:
        if isinstance(error, TokenRejected) and error.code == "session_over":
            has_successor = parts.ended.over_from(login) is not None
            await _withdraw(mine.session, parts, error.detail)
            if not has_successor:
                await revoke(answer.refresh_token, parts)
            raise SessionEnded(detail="the provider reports that the session has ended") from error
        await _keep_what_is_left(mine, parts, answer, error)
        raise await _given_up(mine, parts, error) from error


async def _access_token_claims(mine: RefreshLock, parts: Parts, answer: RefreshAnswer) -> dict[str, object] | None:
    """Return what the new access token says, None where its claims take no part.

    One that cannot be used says nothing any more: what the last one granted is gone, and the session goes on.
    """
    if not parts.settings.claims_from_access_token:
        return None
    try:
        with anyio.fail_after(mine.time_left()):
            return await parts.provider.access_token_claims(answer.access_token, sub=mine.session.login.sub)
    except (ProviderError, TokenRejected, TimeoutError) as error:
        if isinstance(error, TokenRejected) and error.code not in (*NOT_ITS_FAULT, "claim_sub"):
            events.log(events.ACCESS_TOKEN_UNREAD, code=error.code, detail=error.detail)
            return {}
        await _keep_what_is_left(mine, parts, answer, error)
        raise await _given_up(mine, parts, error) from error


async def _keep_what_is_left(
    mine: RefreshLock, parts: Parts, answer: RefreshAnswer, error: ProviderError | TokenRejected | TimeoutError
) -> None:
    """Never come with a refresh token that is spent: that would end the grant, for all devices."""
    if answer.refresh_token is None:
        return
    tokens = rotated(mine.session, answer)
    if isinstance(error, TokenRejected) and error.code not in NOT_ITS_FAULT:
        # It may be somebody else's, so the session goes on without one. It is not revoked: if it is ours after all, the
        # provider may end more than that by it (see `revoke`), and the session lives.
        tokens = msgspec.structs.replace(tokens, refresh_token=None)
    mine.session = await save(mine, parts, tokens)


async def _given_up(mine: RefreshLock, parts: Parts, error: OIDCError | TimeoutError) -> RefreshFailed:
    """Remember a failure in the session itself, so that all processes wait a while."""
    retry_at = parts.now() + COOL_DOWN

    def cooling_down(current: Session) -> Session:
        return msgspec.structs.replace(current, tokens=msgspec.structs.replace(current.tokens, retry_at=retry_at))

    failure = failed(error)
    events.log(events.REFRESH_FAILED, code=failure.code, detail=failure.detail)
    try:
        await parts.sessions.change(mine.session, cooling_down)
    except StoreUnavailable as down:
        events.log(events.STORE_FAILED, code=down.code, detail=down.detail)
    return failure


async def _withdraw(session: Session, parts: Parts, detail: str) -> None:
    newest = await parts.sessions.newest(session)
    if newest is not None and newest.tokens.generation != session.tokens.generation:
        raise RefreshFailed("refresh_superseded", "another process was faster", retry_after=1)
    events.log(events.SESSION_WITHDRAWN, detail=detail)
    await parts.sessions.end(session)


async def save(mine: RefreshLock, parts: Parts, tokens: Tokens) -> Session:
    """Write new tokens; a store that does not take them in time does not lose them for this process.

    Raises:
        SessionEnded: somebody signed out meanwhile; the new refresh token is given back.
    """
    before = mine.session.tokens

    def with_tokens(current: Session) -> Session:
        return renewed(current, tokens) if current.tokens.generation == before.generation else current

    try:
        saved = await _saved(mine.session, parts, with_tokens)
    except TimeoutError:
        events.log(events.STORE_FAILED, code="tokens_not_saved", fallback="tokens kept in this process")
        mine.has_unsaved = True
        saved = renewed(mine.session, tokens)
        parts.sessions.keep_unsaved(saved)
        parts.afterwards.start(saved.id, lambda: _save_later(mine, parts, tokens))
    if saved is not None and saved.tokens.generation == tokens.generation and rights_may_differ(tokens, before):
        await parts.sessions.outdate(saved)
    if saved is None or parts.ended.is_dead(saved.login, now=parts.now()):
        await revoke_of_session(tokens.refresh_token, mine.session.login, parts)
        raise SessionEnded(detail="it ended while it was renewed")
    return saved


async def _save_later(mine: RefreshLock, parts: Parts, tokens: Tokens) -> None:
    """Go on trying while the lock keeps others from coming with the old refresh token."""
    with anyio.move_on_after(SAVE_LATER_DEADLINE):
        while parts.sessions.has_unsaved(mine.session.id):
            await anyio.sleep(SAVE_LATER_PAUSE)
            try:
                await parts.sessions.keep_lock(mine.session, mine.holder)
                newest = await parts.sessions.newest(mine.session)  # it writes what is not saved
            except StoreUnavailable:
                continue
            if newest is None:
                await revoke_of_session(tokens.refresh_token, mine.session.login, parts)
    await unlock(mine.session, parts, mine.holder)


async def _saved(session: Session, parts: Parts, change: Change) -> Session | None:
    with anyio.fail_after(SAVE_DEADLINE):
        while True:
            try:
                return await parts.sessions.change(session, change)
            except StoreUnavailable:
                await anyio.sleep(SAVE_PAUSE)
