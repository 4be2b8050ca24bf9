"""Plain ASGI: the user is in the scope, and nothing else is needed."""

from html import escape
from typing import Any

from asgi_oidc import OIDCMiddleware


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Greet whoever is there; the middleware lets nobody but signed-in users past "/"."""
    if scope["type"] != "http":
        return
    user, oidc = scope["user"], scope["oidc"]
    if user.is_authenticated:
        form = f'<form method="post" action="{escape(oidc.logout_url())}"><button>Sign out</button></form>'
        page = f"<!doctype html><h1>Hello, {escape(user.display_name)}</h1>{form}"
    else:
        page = f'<!doctype html><h1>Welcome</h1><a href="{escape(oidc.login_url("/me"))}">Sign in</a>'
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": page.encode()})


app = OIDCMiddleware.from_env(hello, public=["/"])
