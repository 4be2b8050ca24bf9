"""A Litestar app behind sign-in; run it with `uvicorn main:app`."""

from typing import Any

from litestar import Litestar, Request, get

from asgi_oidc import OIDCMiddleware, Rule


@get("/")
async def home(request: Request[Any, Any, Any]) -> str:
    return f"Hello, {request.user.display_name}"


@get("/reports")
async def reports() -> str:
    return "The reports"


inner: Any = Litestar([home, reports])
app = OIDCMiddleware.from_env(inner, rules=[Rule("/reports", claims={"roles": "admin"})])
