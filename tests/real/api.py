"""An API that says who calls it, with what the token in the request says and nothing else."""

import base64
import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from asgi_oidc import Bearer, OIDCMiddleware, Rule
from tests.protected_site import SECRET


async def who_am_i(request: Request) -> Response:
    """Say who calls."""
    user = request.user
    return JSONResponse(
        {"sub": user.sub, "name": user.name, "is_machine": user.is_machine, "client_id": user.client_id}
    )


async def exchange(request: Request) -> Response:
    """Say what is in a token for another API, on behalf of the user."""
    token = await request.scope["oidc"].exchange_token(audience=request.path_params["audience"])
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    said = {name: claims.get(name) for name in ("aud", "azp")}
    return JSONResponse(
        {
            **said,
            "is_same_user": claims["sub"] == request.user.sub,
            "is_same_token": request.headers["authorization"].endswith(token),
        }
    )


def protected_api(
    origin: str, *, scope: str = "orders:read", bearer: dict[str, Any] | None = None, **settings: Any
) -> OIDCMiddleware:
    """Make an API for tokens whose audience is its origin.

    Args:
        scope: what its callers need at `/orders`.
        bearer: further arguments of `Bearer`.
    """
    return OIDCMiddleware(
        Starlette(routes=[Route("/exchange/{audience}", exchange), Route("/{path:path}", who_am_i)]),
        base_url=origin,
        secret=SECRET,
        bearer=Bearer(audience=origin, **(bearer or {})),
        rules=[
            Rule("/machines", credentials=["bearer"], machines=True),
            Rule("/orders", credentials=["bearer"], scopes=[scope]),
        ],
        **settings,
    )
