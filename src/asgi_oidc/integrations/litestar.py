"""A guard for Litestar that checks the requirements of a route. The user is `request.user`."""

from typing import Any, Unpack

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException, WebSocketException
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard

from asgi_oidc.integrations.refusals import Refusal
from asgi_oidc.integrations.route_checks import RequirementKeywords, check_user, read_terms

EXCEPTIONS = {303: HTTPException, 401: NotAuthorizedException, 403: PermissionDeniedException}


def requires(**requirements: Unpack[RequirementKeywords]) -> Guard:
    """Make a guard for `guards=[requires(...)]` of a handler, a router or the whole app.

    It takes the same requirements as `Rule`: `claims`, `scopes`, `credentials` and so on. If a login would help, a page
    navigation is redirected to it, and any other request gets 401. Otherwise the response is 403. Clients with
    an access token get a challenge and are never redirected. Websockets are closed with 4401 or 4403.

    Raises:
        ValueError: the requirements are invalid.
    """
    terms = read_terms(**requirements)

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        match check_user(connection.scope, terms):
            case Refusal() as refusal if connection.scope["type"] == ScopeType.WEBSOCKET:
                raise WebSocketException(detail=refusal.title, code=refusal.close_code)
            case Refusal(status, headers, problem) as refusal:
                raise EXCEPTIONS[status](detail=refusal.title, status_code=status, headers=headers, extra=problem)

    return guard
