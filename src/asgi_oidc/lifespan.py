"""The ASGI edge: lifespan is the app's; we only keep connections open meanwhile, and hang up after it."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio

from asgi_oidc.parts import Parts

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


async def _finish(parts: Parts) -> None:
    """Let renewals that are under way end, so that no refresh token gets lost, and hang up."""
    with anyio.move_on_after(FINISH_DEADLINE):
        await parts.renewals.landed()
        await parts.errands.landed()
        await parts.afterwards.landed()
    await parts.provider.http.close()
