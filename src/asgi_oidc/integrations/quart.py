"""The signed-in user in Quart, and a decorator that checks the requirements of a route."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Unpack, cast

from quart import Response, current_app, has_websocket_context, request, websocket
from quart.json import dumps
from werkzeug.exceptions import Forbidden, Unauthorized
from werkzeug.local import LocalProxy

from asgi_oidc.integrations.refusals import Refusal
from asgi_oidc.integrations.route_checks import RequirementKeywords, check_user, find_user, read_terms
from asgi_oidc.principal import AnonymousUser, User

AsyncHandler = Callable[..., Awaitable[Any]]


def requires(**requirements: Unpack[RequirementKeywords]) -> Callable[[Callable[..., Any]], AsyncHandler]:
    """Run a handler only for users who meet the requirements. Place it below `@app.get(...)` or `@app.websocket(...)`.

    It takes the same requirements as `Rule`: `claims`, `scopes`, `credentials` and so on. If a login would help, a page
    navigation is redirected to it, and any other request gets 401. Otherwise the response is 403, which an
    `@app.errorhandler(403)` can turn into a page. Clients with an access token get a challenge and are never
    redirected. Websockets are closed with 4401 or 4403.

    Raises:
        ValueError: the requirements are invalid.
    """
    terms = read_terms(**requirements)

    def decorate(handler: Callable[..., Any]) -> AsyncHandler:
        @functools.wraps(handler)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            match check_user(_scope(), terms):
                case Refusal() as refusal if has_websocket_context():
                    await websocket.close(refusal.close_code, refusal.title)
                    return None
                case Refusal() as refusal:
                    return _respond(refusal)
            return await current_app.ensure_async(handler)(*args, **kwargs)

        return guarded

    return decorate


def _respond(refusal: Refusal) -> Response:
    response = Response(dumps(refusal.problem), refusal.status, content_type="application/problem+json")
    response.headers.update(refusal.headers)
    if refusal.status == 303:
        return response
    raise (Forbidden if refusal.status == 403 else Unauthorized)(refusal.title, response)


def _scope() -> Mapping[str, Any]:
    connection = websocket if has_websocket_context() else request
    return cast("Mapping[str, Any]", connection.scope)  # Quart's type has no keys that a middleware adds


def _current_user() -> User | AnonymousUser:
    return find_user(_scope()) or AnonymousUser()


current_user = cast("User | AnonymousUser", LocalProxy(_current_user))
"""The user of the current request or websocket; `RuntimeError` if the app is not wrapped in `OIDCMiddleware`."""
