"""The signed-in user as a typed FastAPI dependency that shows in the OpenAPI document."""

import os
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, HTTPException, Security, WebSocketException
from fastapi.openapi.models import APIKey, OpenIdConnect
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from asgi_oidc.principal import AnonymousUser, User

CLOSE = {401: 4401, 403: 4403}  # websocket close codes for refusals, the same that the middleware has


class SignIn(SecurityBase):
    """Finds the user that `OIDCMiddleware` put into the scope; `Security(SignIn(), scopes=["email"])` asks for scopes.

    Args:
        issuer: lets the OpenAPI document name the provider; by default `OIDC_ISSUER`, without both it shows the cookie.
    """

    scheme_name = "SignIn"

    def __init__(self, *, issuer: str | None = None, environ: Mapping[str, str] = os.environ) -> None:
        # Read here: FastAPI may write its document before any request could tell who the provider is.
        issuer = issuer or environ.get("OIDC_ISSUER")
        self.model = _open_id_connect(issuer) if issuer else _session_cookie()

    async def __call__(self, connection: HTTPConnection, needed: SecurityScopes) -> User:
        """Return the user.

        Raises:
            HTTPException: 401, nobody is signed in; 403, a needed scope was not granted.
            WebSocketException: 4401 or 4403, the same on a websocket.
            RuntimeError: the app is not wrapped in `OIDCMiddleware`.
        """
        user = await optional_user(connection)
        if user is None:
            raise _refusal(connection, 401, "Please sign in")
        if not set(needed.scopes) <= set(connection.scope["auth"].scopes):
            raise _refusal(connection, 403, "Not allowed")
        return user


async def optional_user(connection: HTTPConnection) -> User | None:
    """Return the user, or None where nobody is signed in; RuntimeError where `OIDCMiddleware` is missing."""
    match connection.scope.get("user"):
        case User() as user:
            return user
        case AnonymousUser():
            return None
        case _:
            raise RuntimeError('scope["user"] is not set by asgi-oidc: wrap the app in OIDCMiddleware')


def _open_id_connect(issuer: str) -> OpenIdConnect:
    # OpenID Connect Discovery §4.1: a "/" at the end of the issuer is taken off first.
    return OpenIdConnect(openIdConnectUrl=f"{issuer.removesuffix('/')}/.well-known/openid-configuration")


def _session_cookie() -> APIKey:
    told = "The session cookie: sign in with a browser to get it. Its full name depends on the settings."
    return APIKey.model_validate({"in": "cookie", "name": "oidc", "description": told})


def _refusal(connection: HTTPConnection, status: int, detail: str) -> HTTPException | WebSocketException:
    if connection.scope["type"] == "websocket":
        return WebSocketException(CLOSE[status], detail)
    challenge = f'Cookie realm="sign-in", form-action="{connection.scope["oidc"].login_url()}"'
    return HTTPException(status, detail, {"WWW-Authenticate": challenge} if status == 401 else None)


CurrentUser = Annotated[User, Security(SignIn())]  # 401 where there is none
OptionalUser = Annotated[User | None, Depends(optional_user)]  # None on a public path where nobody is signed in
