"""The ASGI edge: lifespan is the app's; we only keep connections open meanwhile, and hang up after it."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgi_oidc.provider.http import Http

Message = MutableMapping[str, Any]
ASGIApp = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


async def run_lifespan(
    app: ASGIApp,
    http: Http,
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Pass a lifespan through. The provider is not asked for anything: the app starts while it is down."""

    async def watched_send(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            http.open()
        try:
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await http.close()
        finally:
            await send(message)

    await app(scope, receive, watched_send)
