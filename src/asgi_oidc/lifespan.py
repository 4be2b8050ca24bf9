"""The ASGI edge: lifespan is the app's; we only keep connections open meanwhile, and hang up after it."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio

from asgi_oidc import events
from asgi_oidc.parts import Parts
from asgi_oidc.processes import is_one_of_several

FINISH_DEADLINE = 10.0  # seconds; as long as a call to the provider may take

Message = MutableMapping[str, Any]
ASGIApp = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


async def run_lifespan(
    app: ASGIApp,
    parts: Parts,
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Pass a lifespan through. The provider is not asked for anything: the app starts while it is down."""

    async def watched_send(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            parts.provider.http.open()
            _tell_what_a_sign_out_reaches(parts)
        try:
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await _finish(parts)
        finally:
            await send(message)

    if parts.shared is None:
        await app(scope, receive, watched_send)
        return
    async with parts.shared.running():
        await app(scope, receive, watched_send)


def _tell_what_a_sign_out_reaches(parts: Parts) -> None:
    """Say where a copy of a cookie outlives a sign-out: nobody would notice before it matters."""
    if parts.is_shared:
        return
    event = events.LOGOUT_NOT_SHARED if is_one_of_several() else events.LOGOUT_IN_THIS_PROCESS
    mend = "set store or logout_store to a RedisStore when several processes serve the app"
    events.log(event, what="a sign-out ends saved copies of a session in this process only", mend=mend)


async def _finish(parts: Parts) -> None:
    """Let renewals that are under way end, so that no refresh token gets lost, and hang up."""
    with anyio.move_on_after(FINISH_DEADLINE):
        await parts.renewals.landed()
        await parts.errands.landed()
        await parts.afterwards.landed()
    await parts.provider.http.close()
