"""Typed access to the user and the session, in Starlette and FastAPI.

`request.user` works without this module, but Starlette types it as `Any`. Annotate a handler on a protected path with
`SignedInRequest` and `request.user` is a `User`; on public paths, use `user_of(request)`:

    from asgi_oidc import User
    from asgi_oidc.integrations.starlette import SignedInRequest, oidc_of, user_of

    async def account(request: SignedInRequest) -> Response:
        return PlainTextResponse(request.user.sub)

    async def home(request: Request) -> Response:
        user = user_of(request)
        name = user.display_name if isinstance(user, User) else "stranger"
        return HTMLResponse(f'{escape(name)}: <a href="{oidc_of(request).login_url()}">sign in</a>')
"""

from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection, Request

from asgi_oidc.asgi.scope_oidc import OIDC
from asgi_oidc.integrations.route_checks import find_user
from asgi_oidc.principal import ANONYMOUS, AnonymousUser, User

if TYPE_CHECKING:

    class SignedInRequest(Request):
        """A request to a protected path: `user` is a `User`. At run time it is `Request` itself."""

        @property
        def user(self) -> User: ...

else:
    SignedInRequest = Request


def user_of(connection: HTTPConnection) -> User | AnonymousUser:
    """Return the user of a request or websocket; anonymous on a public path without a session.

    Raises:
        RuntimeError: the app is not wrapped in `OIDCMiddleware`.
    """
    return find_user(connection.scope) or ANONYMOUS


def oidc_of(connection: HTTPConnection) -> OIDC:
    """Return the session of a request or websocket, which is `scope["oidc"]`.

    Raises:
        RuntimeError: the app is not wrapped in `OIDCMiddleware`.
    """
    oidc = connection.scope.get("oidc")
    if not isinstance(oidc, OIDC):
        raise RuntimeError('scope["oidc"] is not set by asgi-oidc: wrap the app in OIDCMiddleware')
    return oidc
