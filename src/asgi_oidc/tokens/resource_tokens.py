"""Access tokens for other APIs than that of the login: by `resource` (RFC 8707) or by token exchange (RFC 8693).

They are kept in the memory of this process, each for one session and one wish alone.
"""

from collections.abc import Awaitable, Callable

import anyio

from asgi_oidc import events
from asgi_oidc.composition import Parts
from asgi_oidc.errors import (
    ProviderError,
    ProviderRefused,
    RefreshFailed,
    SessionEnded,
    StoreUnavailable,
    TokenNotGranted,
)
from asgi_oidc.protocol.exchange import Wanted
from asgi_oidc.protocol.tokens import RefreshAnswer
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.sessions.session import refresh_due_at
from asgi_oidc.tokens.refresh import FORCE_PAUSE, ask, check_goes_on, checked_claims, live_tokens, save
from asgi_oidc.tokens.refresh_lock import COOL_DOWN, REFRESH_DEADLINE, failed, refresh_lock
from asgi_oidc.tokens.refreshed_session import claims_refreshed
from asgi_oidc.tokens.token_cache import CachedFailure, CachedToken

UNKNOWN_LIFETIME = 60  # seconds that a token is used again when the provider does not say how long it lives

Get = Callable[[], Awaitable[RefreshAnswer]]


async def resource_token(live: ActiveSession, parts: Parts, resource: str, *, refused: str | None = None) -> str:
    """Return an access token for one resource, got with the refresh token (RFC 8707 §2.2).

    Raises:
        TokenNotGranted: there is no refresh token, or the provider gives none for that resource.
        SessionEnded, RefreshFailed, StoreUnavailable: as `live_tokens`.
    """
    session = live.session

    async def get() -> RefreshAnswer:
        if session.tokens.refresh_token is None:
            raise TokenNotGranted(detail="a token for a resource needs a refresh token: see examples/providers")
        async with refresh_lock(session, parts, can_go=lambda newest: False) as mine:
            answer = await ask(mine, parts, resource=resource)
            said = await checked_claims(mine, parts, answer)
            await save(mine, parts, claims_refreshed(mine.session, answer, said, now=parts.now()))
            return answer

    return await _token(live, parts, resource, get, refused=refused)


async def exchanged_token(live: ActiveSession, parts: Parts, wanted: Wanted, *, refused: str | None = None) -> str:
    """Return an access token that was got in exchange for the user's (RFC 8693 §2).

    Raises:
        TokenNotGranted: the provider gives none.
        SessionEnded, AccessTokenExpired, RefreshFailed, StoreUnavailable: as `live_tokens`.
    """

    async def get() -> RefreshAnswer:
        subject_token = (await live_tokens(live, parts)).access_token
        try:
            with anyio.fail_after(REFRESH_DEADLINE):
                return await parts.provider.exchange_token(subject_token, wanted)
        except ProviderRefused as error:
            events.log(events.TOKEN_NOT_GRANTED, detail=error.detail)
            raise TokenNotGranted(detail=error.detail) from error
        except (ProviderError, TimeoutError) as error:
            failure = failed(error, "exchange")
            events.log(events.PROVIDER_FAILED, code=failure.code, detail=failure.detail)
            raise failure from error

    return await _token(live, parts, wanted, get, refused=refused)


async def _token(live: ActiveSession, parts: Parts, wish: str | Wanted, get: Get, *, refused: str | None) -> str:
    await check_goes_on(live, parts)
    known, now = parts.granted.find(live.session.id, wish), parts.now()
    is_forced = known is not None and _is_forced(known, refused, now)
    if known is None or is_forced or not known.made_at <= now < known.renew_at:  # the clock may be set back
        forced_at = now if is_forced else 0
        try:
            known = await parts.errands.run_to_the_end(
                f"{live.session.id} {wish!r}", lambda: _get(live, parts, wish, get, forced_at)
            )
        except SessionEnded:
            live.is_over = True
            raise
        await check_goes_on(live, parts)  # somebody may have signed out meanwhile
    if known.access_token is not None and now < known.expires_at:
        return known.access_token
    raise known.failure.error() if known.failure else TokenNotGranted(detail="the token had already expired")


def _is_forced(known: CachedToken, refused: str | None, now: int) -> bool:
    return refused is not None and refused == known.access_token and abs(now - known.forced_at) >= FORCE_PAUSE


async def _get(live: ActiveSession, parts: Parts, wish: str | Wanted, get: Get, forced_at: int) -> CachedToken:
    """Ask for a token; where there is none to be had, remember that, and go on with one that still lives."""
    session_id, now = live.session.id, parts.now()
    try:
        answer = await get()
    except (TokenNotGranted, RefreshFailed, StoreUnavailable) as error:
        failure = CachedFailure(type(error), error.code, error.detail)
        old = parts.granted.find(session_id, wish)
        token, expires_at = (None, now) if old is None else (old.access_token, old.expires_at)
        granted = CachedToken(token, now, now + COOL_DOWN, expires_at, forced_at, failure)
    else:
        lifetime = UNKNOWN_LIFETIME if answer.expires_in is None else answer.expires_in
        granted = CachedToken(answer.access_token, now, refresh_due_at(now, lifetime), now + lifetime, forced_at)
    parts.granted.keep(session_id, wish, granted)
    return granted
