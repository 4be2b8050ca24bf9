"""Sends the user's access token on calls to other APIs: an `httpx.Auth` (RFC 6750 §2.1, RFC 9449 §7)."""

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from asgi_oidc.protocol.dpop.server_nonces import (
    INVALID_DPOP_PROOF,
    NONCE_HEADER,
    USE_DPOP_NONCE,
    read_challenge_errors,
    read_nonce,
)
from asgi_oidc.safe_urls import check_url, origin_of
from asgi_oidc.tokens.api_token import ApiCalls, ApiToken
from asgi_oidc.tokens.one_time_header import set_proof

MAX_SENDS = 3  # of one request: at first, with the nonce that the API demands, and with a newer token


class GetToken(Protocol):
    """Returns a valid access token; given one that an API refused, a newer one if possible."""

    def __call__(self, refused: ApiToken | None = None) -> Awaitable[ApiToken]: ...


@dataclass(slots=True)
class _Attempts:
    """What has been tried for one request: each of these once, which bounds the sends as well.

    Attributes:
        request: the one to send again; after a redirect, another one than the app has made.
        nonce: of the proof that was sent last.
    """

    request: Any
    token: ApiToken
    nonce: str | None = None
    has_newer_nonce: bool = False
    has_newer_token: bool = False
    has_proof_after_redirect: bool = False


class ApiAuth(httpx.Auth):
    """Adds the token to calls to the given origins only, with a DPoP proof if it is bound to a key.

    After a 401 it tries again: once with the nonce that the API demands (RFC 9449 §9), and once with a newer token.
    """

    def __init__(self, origins: Collection[str], get_token: GetToken, calls: ApiCalls) -> None:
        """Check the origins.

        Args:
            calls: makes the proofs.

        Raises:
            ValueError: there is none, or one that must not get a token.
        """
        if not origins or isinstance(origins, str):
            raise ValueError("name the origins that the token may go to, such as https://api.example.com")
        self._origins = frozenset(_origin(origin) for origin in origins)
        self._get_token = get_token
        self._calls = calls

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
        attempts = _Attempts(request, await self._get_token())
        self._authorize(attempts)
        response = yield attempts.request
        for _ in range(MAX_SENDS - 1):
            if not await self._should_send_again(attempts, response):
                return
            response = yield attempts.request
        self._learn_nonce(response)

    async def _should_send_again(self, attempts: _Attempts, response: Any) -> bool:
        """Prepare the next attempt, if there is one that could succeed.

        The response may also come from another origin, after a redirect; then there is none.
        """
        self._learn_nonce(response)
        if response.status_code != 401 or not self._may_get_token(response.request):
            return False
        if not (_can_be_sent_again(attempts.request) and _can_be_sent_again(response.request)):
            return False
        if attempts.token.dpop_key:
            errors = read_challenge_errors(response.headers.get("www-authenticate", ""))
            if USE_DPOP_NONCE in errors:
                return self._take_nonce(attempts, response)
            if _is_redirected(attempts.request, response.request):
                return self._prove_after_redirect(attempts, response)
            if INVALID_DPOP_PROOF in errors:
                return False
        return await self._take_newer_token(attempts)

    def _take_nonce(self, attempts: _Attempts, response: Any) -> bool:
        nonce = read_nonce(response.headers)
        if attempts.has_newer_nonce or nonce is None or nonce == attempts.nonce:
            return False
        attempts.has_newer_nonce = True
        attempts.request = response.request
        self._authorize(attempts, nonce=nonce)  # of this very response: a parallel one may have brought a newer one
        return True

    def _prove_after_redirect(self, attempts: _Attempts, response: Any) -> bool:
        """Prove possession for the URL to which the API has redirected: the request that followed had no proof."""
        if attempts.has_proof_after_redirect:
            return False
        attempts.has_proof_after_redirect = True
        attempts.request = response.request
        self._authorize(attempts)
        return True

    async def _take_newer_token(self, attempts: _Attempts) -> bool:
        newer = None if attempts.has_newer_token else await self._get_token(attempts.token)
        if newer is None or newer == attempts.token:
            return False
        attempts.has_newer_token = True
        attempts.token = newer
        self._authorize(attempts)
        return True

    def _authorize(self, attempts: _Attempts, *, nonce: str | None = None) -> None:
        request, token = attempts.request, attempts.token
        attempts.nonce = self._calls.nonce(_origin_of(request)) if nonce is None else nonce
        request.headers["authorization"] = f"{token.scheme} {token.value}"
        proof = self._calls.proof(token, request.method, _url_of(request), nonce=attempts.nonce)
        if proof is not None:
            set_proof(request, proof)

    def _learn_nonce(self, response: Any) -> None:
        if NONCE_HEADER in response.headers and self._may_get_token(response.request):
            self._calls.learn(_origin_of(response.request), response.headers)

    def _may_get_token(self, request: Any) -> bool:
        try:
            return _origin_of(request) in self._origins
        except ValueError:
            return False


def make_api_auth(origins: Collection[str], get_token: GetToken, calls: ApiCalls) -> httpx.Auth:
    """Return an auth for httpx, and for its successor httpx2 if the app has imported it.

    Raises:
        ValueError: there is no origin, or one that must not get a token.
    """
    httpx2 = sys.modules.get("httpx2")
    if httpx2 is None:
        return ApiAuth(origins, get_token, calls)
    # Both clients require an instance of their own class.
    auth_class: Callable[..., httpx.Auth] = type("ApiAuth", (ApiAuth, httpx2.Auth), {})
    return auth_class(origins, get_token, calls)


def _origin(text: str) -> str:
    try:
        split = check_url(text)
    except ValueError as exc:
        raise ValueError(f"the origin {exc}") from None
    if split.path not in ("", "/") or split.query:
        raise ValueError(f"an origin has a scheme, a host and a port, nothing else: {text}")
    return origin_of(split)


def _origin_of(request: Any) -> str:
    return _origin(f"{request.url.scheme}://{request.url.netloc.decode('ascii')}")


def _url_of(request: Any) -> str:
    """Return the URL as the server sees it: without user name and password, which httpx keeps in it."""
    url = request.url
    return f"{url.scheme}://{url.netloc.decode('ascii')}{url.raw_path.decode('ascii')}"


def _is_redirected(sent: Any, answered: Any) -> bool:
    return (sent.method, sent.url) != (answered.method, answered.url)


def _can_be_sent_again(request: Any) -> bool:
    # A body in memory can be iterated synchronously and asynchronously; a stream in one way only, and only once.
    return hasattr(request.stream, "__iter__") and hasattr(request.stream, "__aiter__")
