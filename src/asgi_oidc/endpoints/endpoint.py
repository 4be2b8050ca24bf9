"""What an endpoint of ours is."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response


class Endpoint(Protocol):
    """One URL of ours.

    Attributes:
        methods: the HTTP methods that it knows.
    """

    methods: ClassVar[tuple[str, ...]]

    async def handle(self, request: Request, receive: Receive) -> Response:
        """Answer a request.

        Raises:
            OIDCError: it is answered with a page or a problem.
        """


def only_value(parameters: Sequence[tuple[str, str]], wanted: str) -> str | None:
    """Return the value of a parameter that came once, None otherwise."""
    values = [value for name, value in parameters if name == wanted]
    return values[0] if len(values) == 1 else None
