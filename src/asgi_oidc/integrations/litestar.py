"""A guard for Litestar that says what a route needs of its user; who that is says `request.user`."""

from typing import Any, Unpack

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException, WebSocketException
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard

from asgi_oidc.integrations.route_checks import Refusal, Wanted, check_user, read_terms

KINDS = {303: HTTPException, 401: NotAuthorizedException, 403: PermissionDeniedException}


def requires(**wanted: Unpack[Wanted]) -> Guard:
    """Make a guard, for `guards=[requires(...)]` of a handler, a router or the whole app.

    Whom a login would help is sent there with a page that they open, and gets 401 else; others get 403. Websockets are
    closed with 4401 or 4403.

    Raises:
        ValueError: what is asked for cannot be met by anybody.
    """
    terms = read_terms(**wanted)

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        match check_user(connection.scope, terms):
            case Refusal() as refusal if connection.scope["type"] == ScopeType.WEBSOCKET:
                raise WebSocketException(detail=refusal.title, code=refusal.close_code)
            case Refusal(status, headers, problem) as refusal:
                raise KINDS[status](detail=refusal.title, status_code=status, headers=headers, extra=problem)

    return guard
