"""The only door to httpx: one call, one answer, bounded in time and bytes."""

import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Protocol

import anyio
import httpx
from anyio.lowlevel import RunVar

from asgi_oidc import events
from asgi_oidc.errors import AnswerRejected, OIDCError, ProviderUnavailable
from asgi_oidc.errors.connection import Cause, find_cause, is_timeout, url_without_secrets
from asgi_oidc.protocol.messages import Answer, Call
from asgi_oidc.single_flight import run_var

CONNECT_TIMEOUT = 3.0  # seconds
DEADLINE = 10.0  # seconds for the whole call; a provider that drips bytes does not hold a login
CLOSE_DEADLINE = 1.0  # seconds to hang up
MAX_ANSWER_SIZE = 262_144  # bytes, as they come over the wire


class HttpResponse(Protocol):
    """The part of `httpx.Response` that we use; httpx2 has the same."""

    status_code: int

    @property
    def headers(self) -> Mapping[str, str]: ...

    def aiter_raw(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


class HttpClient(Protocol):
    """What a client of the user's own has to do: `httpx.AsyncClient` and `httpx2.AsyncClient` do.

    Only texts, bytes and plain mappings are handed over, so that the classes of either library fit.
    """

    def build_request(self, method: str, url: str, *, headers: Any, content: Any) -> Any:
        """Make a request."""

    async def send(self, request: Any, *, stream: bool, auth: None, follow_redirects: bool) -> Any:
        """Send it, and return an `HttpResponse` whose body is still to be read."""


@dataclass(slots=True)
class _Arrival:
    """What has come of an answer so far.

    Attributes:
        status: None while nothing has come.
    """

    status: int | None = None


class Http:
    """Makes calls with the user's client, or with our own.

    Our own client is shared between `open` and `close` on the loop that opened it; where no lifespan is
    ever sent, each call has a client of its own, so that no connection outlives its loop.
    """

    def __init__(self, client: HttpClient | None = None) -> None:
        self._given = client
        self._shared: RunVar[httpx.AsyncClient | None] = run_var("http")
        self._tls: ssl.SSLContext | None = None

    def open(self) -> None:
        """Keep connections from now on; the app promises to `close`."""
        if self._given is None and self._shared_client() is None:
            try:
                self._shared.set(self._new_client())
            except ProviderUnavailable as error:  # the app starts all the same, and each call says so again
                events.log(events.PROVIDER_FAILED, code=error.code, detail=error.detail)

    async def close(self) -> None:
        """Hang up what `open` made; a client of the user's own stays open."""
        shared = self._shared_client()
        self._shared.set(None)
        if shared is not None:
            await shared.aclose()

    async def send(self, call: Call, *, what: str) -> Answer:
        """Make one call; it is never made again.

        Args:
            what: whom we call, for the error: `token`, `jwks`, ...

        Raises:
            ProviderUnavailable: no connection, or no whole answer in time.
            AnswerRejected: a redirect, a compressed or an oversized answer.
        """
        arrival, before = _Arrival(), sys.exception()
        try:
            with anyio.fail_after(DEADLINE):
                return await self._send(call, what, arrival)
        except TimeoutError as exc:
            detail = f"{url_without_secrets(call.url)}: no complete answer within {DEADLINE:g} s"
            raise ProviderUnavailable(f"{what}_timeout", detail, answer_status=arrival.status) from exc
        except OIDCError:
            raise
        except Exception as exc:  # whatever a client raises, also one of the user's own, ends at this door
            # Its text may hold a URL with a query, so its name has to say what happened.
            code = f"{what}_timeout" if is_timeout(exc) else f"{what}_unreachable"
            cause = find_cause(exc, before=before) or Cause(code, type(exc).__name__)
            detail = f"{url_without_secrets(call.url)}: {cause.text}"
            raise ProviderUnavailable(cause.code, detail, answer_status=arrival.status) from exc

    async def _send(self, call: Call, what: str, arrival: _Arrival) -> Answer:
        client = self._given or self._shared_client()
        if client is not None:
            return await _exchange(client, call, what, arrival)
        async with self._new_client() as own:
            return await _exchange(own, call, what, arrival)

    def _shared_client(self) -> httpx.AsyncClient | None:
        return self._shared.get(None)

    def _new_client(self) -> httpx.AsyncClient:
        timeout = httpx.Timeout(DEADLINE, connect=CONNECT_TIMEOUT)
        # A jar that takes no cookie: else the provider's would pile up for as long as the process lives.
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        try:
            if self._tls is None:
                self._tls = httpx.create_ssl_context()  # 35 ms, so once
            return httpx.AsyncClient(verify=self._tls, timeout=timeout, cookies=no_cookies)
        except Exception as exc:  # httpx reads the environment here, and raises different things for what it finds
            name = type(exc).__name__
            detail = f"{name}: check SSL_CERT_FILE and SSL_CERT_DIR, HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY"
            raise ProviderUnavailable("connect_environment", detail) from exc


async def _exchange(client: HttpClient, call: Call, what: str, arrival: _Arrival) -> Answer:
    # httpx unpacks without a bound, so nothing packed is asked for, and nothing packed is taken.
    headers = {**call.headers, "accept-encoding": "identity"}
    request = client.build_request(call.method, call.url, headers=headers, content=call.body)
    _drop_cookies(request)
    response: HttpResponse = await client.send(request, stream=True, auth=None, follow_redirects=False)
    arrival.status = response.status_code
    try:
        return replace(await _read(response, what), secrets=call.secrets)
    finally:
        with anyio.move_on_after(CLOSE_DEADLINE, shield=True):
            await response.aclose()


async def _read(response: HttpResponse, what: str) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    status = response.status_code
    if 300 <= status < 400:
        raise AnswerRejected(
            f"{what}_redirect", f"status {status}: redirects are not followed; use the final URL", answer_status=status
        )
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise AnswerRejected(f"{what}_compressed", "expected an uncompressed answer", answer_status=status)
    declared = headers.get("content-length", "")
    body = None if len(declared) > len(str(MAX_ANSWER_SIZE)) else await _read_body(response)
    if body is None:
        raise AnswerRejected(f"{what}_too_large", f"more than {MAX_ANSWER_SIZE} bytes", answer_status=status)
    return Answer(status, headers, body)


async def _read_body(response: HttpResponse) -> bytes | None:
    """Read the body as it comes over the wire, None when it is too large."""
    body = bytearray()
    try:
        async for piece in response.aiter_raw():
            if len(body) + len(piece) > MAX_ANSWER_SIZE:
                body += piece[: MAX_ANSWER_SIZE + 1 - len(body)]
                # Leaving the loop would leave httpx's generators half read; closed, they end by themselves.
                await response.aclose()
            else:
                body += piece
    except Exception:  # the end of a closed body; anything else goes on to the door
        if len(body) <= MAX_ANSWER_SIZE:
            raise
    return bytes(body) if len(body) <= MAX_ANSWER_SIZE else None


def _drop_cookies(request: object) -> None:
    """A client of the user's own may have a cookie jar; a provider must not link our users by it."""
    headers = getattr(request, "headers", None)
    if headers is not None:
        headers.pop("cookie", None)
