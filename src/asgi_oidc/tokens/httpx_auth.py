"""Sends the user's access token on calls to other APIs: an `httpx.Auth` (RFC 6750 §2.1)."""

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from asgi_oidc.safe_urls import check_url, origin_of


@dataclass(frozen=True, slots=True)
class HiddenToken:
    """An access token whose repr is empty: error reporters print the values of arguments and variables."""

    value: str = field(repr=False)


class GetToken(Protocol):
    """Returns a valid access token; given one that an API refused, a newer one if possible."""

    def __call__(self, refused: HiddenToken | None = None) -> Awaitable[str]: ...


class ApiAuth(httpx.Auth):
    """Adds the token to calls to the given origins only; after a 401 it tries once more with a new token."""

    def __init__(self, origins: Collection[str], get_token: GetToken) -> None:
        """Check the origins.

        Raises:
            ValueError: there is none, or one that must not get a token.
        """
        if not origins or isinstance(origins, str):
            raise ValueError("name the origins that the token may go to, such as https://api.example.com")
        self._origins = frozenset(_origin(origin) for origin in origins)
        self._get_token = get_token

    def __repr__(self) -> str:
        return f"ApiAuth({', '.join(sorted(self._origins))})"

    def sync_auth_flow(self, request: Any) -> Any:
        """Refuse synchronous clients: to refresh a token takes an await.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("use httpx.AsyncClient: the token may have to be refreshed first, which is asynchronous")

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Send the request, with the token if its origin is one of ours."""
        if not self._may_get_token(request):
            yield request
            return
        sent = HiddenToken(await self._get_token())
        request.headers["authorization"] = f"Bearer {sent.value}"
        response = yield request
        if response.status_code != 401 or not self._may_get_token(response.request) or not _can_be_sent_again(request):
            return  # the response may also come from another origin, after a redirect
        newer = HiddenToken(await self._get_token(sent))
        if newer != sent:
            request.headers["authorization"] = f"Bearer {newer.value}"
            yield request

    def _may_get_token(self, request: Any) -> bool:
        url = request.url
        try:
            return _origin(f"{url.scheme}://{url.netloc.decode('ascii')}") in self._origins
        except ValueError:
            return False


def make_api_auth(origins: Collection[str], get_token: GetToken) -> httpx.Auth:
    """Return an auth for httpx, and for its successor httpx2 if the app has imported it.

    Raises:
        ValueError: there is no origin, or one that must not get a token.
    """
    httpx2 = sys.modules.get("httpx2")
    if httpx2 is None:
        return ApiAuth(origins, get_token)
    # Both clients require an instance of their own class.
    auth_class: Callable[..., httpx.Auth] = type("ApiAuth", (ApiAuth, httpx2.Auth), {})
    return auth_class(origins, get_token)


def _origin(text: str) -> str:
    try:
        split = check_url(text)
    except ValueError as exc:
        raise ValueError(f"the origin {exc}") from None
    if split.path not in ("", "/") or split.query:
        raise ValueError(f"an origin has a scheme, a host and a port, nothing else: {text}")
    return origin_of(split)


def _can_be_sent_again(request: Any) -> bool:
    # A body in memory can be iterated synchronously and asynchronously; a stream in one way only, and only once.
    return hasattr(request.stream, "__iter__") and hasattr(request.stream, "__aiter__")
