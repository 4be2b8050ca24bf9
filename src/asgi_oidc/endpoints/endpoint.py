"""What an endpoint of ours is."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from asgi_oidc.composition import Parts
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Handle = Callable[[Request, Parts, Receive], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One URL of ours: the methods it knows, and what it does."""

    methods: tuple[str, ...]
    handle: Handle
