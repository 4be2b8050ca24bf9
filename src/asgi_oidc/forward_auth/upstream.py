"""Stands for the app behind the proxy: whatever the middleware lets through to it is allowed."""

from asgi_oidc.principal import AnonymousUser, User
from asgi_oidc.web.asgi_types import Receive, Scope, Send
from asgi_oidc.web.response import problem

KEY = "asgi_oidc.forward_auth"  # of the scope; a client cannot set it


class Check:
    """One request that a proxy asks about.

    Attributes:
        user: who the user is; None as long as the middleware has not let the request through.
    """

    __slots__ = ("user",)

    def __init__(self) -> None:
        self.user: User | AnonymousUser | None = None


class Upstream:
    """The ASGI app that the middleware protects: it answers nothing but that it was reached."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note that the middleware has let a request through."""
        if scope["type"] == "lifespan":
            await _run_lifespan(receive, send)
            return
        check: Check | None = scope.get(KEY)
        if scope["type"] == "websocket":
            await receive()
            if check is None:
                await send({"type": "websocket.close", "code": 1008})  # policy violation: RFC 6455 §7.4.1
                return
            check.user = scope["user"]
            await send({"type": "websocket.accept"})
            return
        if check is None:
            await _refuse_direct_request(scope, send)
            return
        check.user = scope["user"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _refuse_direct_request(scope: Scope, send: Send) -> None:
    """Answer a request that belongs to the app: the proxy has sent it here, although this user may have it.

    That happens if the auth request was refused, and to a user who has signed in a moment ago.
    """
    response = problem(403, "forward_auth_only", "Reload the page. If that does not help, see the log of asgi-oidc.")
    await send({"type": "http.response.start", "status": response.status, "headers": list(response.headers)})
    await send(
        {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else response.body, "more_body": False}
    )


async def _run_lifespan(receive: Receive, send: Send) -> None:
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})
