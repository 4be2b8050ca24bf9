"""The interface of our endpoints, and what several of them share."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response


class Endpoint(Protocol):
    """Serves one of our own URLs.

    Attributes:
        methods: the HTTP methods that it allows; any other gets 405.
    """

    methods: ClassVar[tuple[str, ...]]

    async def handle(self, request: Request, receive: Receive) -> Response:
        """Return the response to a request.

        Raises:
            OIDCError: the request failed; the caller responds with a page or problem details.
        """


class ProviderEndpoint(Protocol):
    """Serves one of our own URLs that belong to one provider.

    Attributes:
        methods: the HTTP methods that it allows; any other gets 405.
    """

    methods: ClassVar[tuple[str, ...]]

    async def handle(self, request: Request, receive: Receive, provider: ProviderConnection) -> Response:
        """Return the response to a request.

        Raises:
            OIDCError: the request failed; the caller responds with a page or problem details.
        """


def only_value(parameters: Sequence[tuple[str, str]], name: str) -> str | None:
    """Return the value of a parameter; None if it is missing or repeated."""
    values = [value for other, value in parameters if other == name]
    return values[0] if len(values) == 1 else None
