"""Makes HTTP calls to the provider, bounded in time and bytes. No other module uses httpx for that."""

import ssl
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Protocol

import anyio
import httpx
from anyio.lowlevel import RunVar

from asgi_oidc import events, telemetry
from asgi_oidc.errors import AnswerRejected, OIDCError, ProviderUnavailable
from asgi_oidc.errors.connection import Cause, find_cause, is_timeout, url_without_secrets
from asgi_oidc.protocol.messages import Answer, Call
from asgi_oidc.provider.call_limit import CallLimit
from asgi_oidc.provider.client_pool import ClientPool
from asgi_oidc.provider.tls_contexts import DEFAULT_TLS, TlsContexts, TlsOptions
from asgi_oidc.single_flight import run_var

CONNECT_TIMEOUT = 3.0  # seconds
DEADLINE = 10.0  # seconds for the whole call, so that a provider that sends byte by byte cannot block a login
CLOSE_DEADLINE = 1.0  # seconds to close the connection
MAX_ANSWER_SIZE = 262_144  # bytes of the body, as sent over the wire
# Errors of HTTP libraries for a connection that the server has ended. In TLS 1.3, it sees the client's certificate when
# the client already sends its request, and some servers then hang up without the alert that would name the cause.
DISCONNECTED = ("ReadError", "WriteError", "RemoteProtocolError")
MAX_CONNECTIONS = 100  # of our own client; with several providers, `call_limit` has the numbers
MAX_IDLE_CONNECTIONS = 20  # kept open for the next call, for 5 seconds


class HttpResponse(Protocol):
    """The part of `httpx.Response` that we use; httpx2's class has it too."""

    status_code: int

    @property
    def headers(self) -> Mapping[str, str]: ...

    def aiter_raw(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


class HttpClient(Protocol):
    """The interface of the setting `http_client`; `httpx.AsyncClient` and `httpx2.AsyncClient` have it.

    We pass only texts, bytes and plain mappings, so that either library accepts them.
    """

    def build_request(self, method: str, url: str, *, headers: Any, content: Any) -> Any:
        """Make a request."""

    async def send(self, request: Any, *, stream: bool, auth: None, follow_redirects: bool) -> Any:
        """Send it, and return an `HttpResponse` whose body is still to be read."""


@dataclass(slots=True)
class _Progress:
    """What has been received of an answer so far.

    Attributes:
        status: None until the status line has been received.
    """

    status: int | None = None


class OwnClient:
    """Our own HTTP client, for providers that have none of their own: all of them share it.

    A provider for which we have a certificate, or accept only some ciphers, has a client of its own, which it shares
    only with providers of the same kind. Between `open` and `close`, all calls on that event loop share these clients.
    If the server sends no lifespan events, each call opens a client of its own, so that no connection outlives its
    event loop.
    """

    def __init__(self, *, max_connections: int = MAX_CONNECTIONS) -> None:
        self._limits = httpx.Limits(max_connections=max_connections, max_keepalive_connections=MAX_IDLE_CONNECTIONS)
        self._pool: RunVar[ClientPool[httpx.AsyncClient] | None] = run_var("http")
        self._contexts = TlsContexts(httpx.create_ssl_context)
        self._app_contexts = TlsContexts(httpx.create_ssl_context)  # apart: the app may change what it gets

    def open(self) -> None:
        """Open the shared client, which keeps connections alive; the caller must `close` it."""
        if self._pool.get(None) is None:
            pool = ClientPool(self._make)
            self._pool.set(pool)
            try:
                pool.add(DEFAULT_TLS, self.new())
            except ProviderUnavailable as error:  # the app starts anyway; each call then raises this error again
                events.log(events.PROVIDER_FAILED, code=error.code, detail=error.detail)

    async def close(self) -> None:
        """Close the shared clients."""
        pool = self._pool.get(None)
        self._pool.set(None)
        if pool is not None:
            await pool.close()

    def shared(self) -> httpx.AsyncClient | None:
        """Return the client that the calls on this event loop share; None if it is not open."""
        pool = self._pool.get(None)
        return None if pool is None else pool.get(DEFAULT_TLS)

    def new(self, tls: TlsOptions = DEFAULT_TLS) -> httpx.AsyncClient:
        """Make a client.

        Raises:
            ProviderUnavailable: the environment has an invalid proxy or certificate setting.
        """
        with _explaining_environment():
            return self._client_with(self._contexts.context(tls))

    async def app_tls_context(self, tls: TlsOptions) -> ssl.SSLContext:
        """Return a context for calls that the app makes itself. Errors as in `new`."""
        with _explaining_environment():
            return await self._app_contexts.prepared_context(tls)

    def client(self, tls: TlsOptions) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        """Return the client for one call. Errors as in `new`."""
        pool = self._pool.get(None)
        return self._client_for_one_call(tls) if pool is None else pool.client(tls)

    def retire(self, tls: TlsOptions) -> None:
        """Use a client no more: its certificate was replaced. Calls that use it now go on."""
        if tls == DEFAULT_TLS:
            return
        self._contexts.forget(tls)
        self._app_contexts.forget(tls)
        pool = self._pool.get(None)
        if pool is not None:
            pool.retire(tls)

    @asynccontextmanager
    async def _client_for_one_call(self, tls: TlsOptions) -> AsyncIterator[httpx.AsyncClient]:
        async with await self._make(tls) as client:
            yield client

    async def _make(self, tls: TlsOptions) -> httpx.AsyncClient:
        with _explaining_environment():
            return self._client_with(await self._contexts.prepared_context(tls))

    def _client_with(self, context: ssl.SSLContext) -> httpx.AsyncClient:
        timeout = httpx.Timeout(DEADLINE, connect=CONNECT_TIMEOUT)
        # A cookie jar that accepts no cookie: otherwise the provider's cookies would pile up while the process runs.
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return httpx.AsyncClient(verify=context, timeout=timeout, cookies=no_cookies, limits=self._limits)


@contextmanager
def _explaining_environment() -> Iterator[None]:
    """Say which variables to check if no client can be made: httpx reads them then.

    Its errors for wrong values have no common class.
    """
    try:
        yield
    except Exception as exc:  # httpx reads the environment here; its errors for wrong values have no common class
        name = type(exc).__name__
        detail = f"{name}: check SSL_CERT_FILE and SSL_CERT_DIR, HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY"
        raise ProviderUnavailable("connect_environment", detail) from exc


class Http:
    """Makes calls with the client of the setting `http_client`, or else with a client of our own."""

    def __init__(
        self,
        client: HttpClient | None = None,
        *,
        own: OwnClient | None = None,
        limits: Sequence[CallLimit] = (),
        provider: str = "",
        tls: TlsOptions = DEFAULT_TLS,
    ) -> None:
        """Make calls to one provider.

        Args:
            client: of the setting `http_client`; it is never closed here.
            own: used if `client` is None.
            limits: a call waits for a free slot in each of them, in this order.
            provider: its name, for traces and metrics; empty for the flat keywords.
            tls: how our own client behaves in TLS.
        """
        self._configured_client = client
        self._own = OwnClient() if own is None else own
        self._limits = limits
        self._provider = provider
        self._tls = tls
        telemetry.name_provider(provider)

    def open(self) -> None:
        """Open our own client if it is used; the caller must `close` it."""
        if self._configured_client is None:
            self._own.open()

    async def close(self) -> None:
        """Close our own client."""
        await self._own.close()

    async def app_tls_context(self) -> ssl.SSLContext:
        """Return a TLS context that presents the certificate of this client, for calls that the app makes itself.

        Raises:
            ProviderUnavailable: the environment has an invalid certificate setting.
        """
        return await self._own.app_tls_context(self._tls)

    def replace_tls(self, tls: TlsOptions) -> None:
        """Use another certificate for the next calls; those under way go on."""
        if tls != self._tls:
            replaced, self._tls = self._tls, tls
            self._own.retire(replaced)

    async def send(self, call: Call, *, endpoint: str) -> Answer:
        """Make one call; it is never retried.

        Args:
            endpoint: which endpoint is called (`token`, `jwks`, ...): the first part of error codes.

        Raises:
            ProviderUnavailable: no connection, or no complete answer in time.
            AnswerRejected: a redirect, a compressed or an oversized answer.
        """
        with telemetry.provider_call(call.method, call.url, endpoint=endpoint, provider=self._provider) as recorded:
            progress = _Progress()
            try:
                return await self._send_in_time(call, endpoint, progress)
            finally:
                if progress.status is not None:
                    recorded.answered(progress.status)

    async def _send_in_time(self, call: Call, endpoint: str, progress: _Progress) -> Answer:
        before = sys.exception()
        try:
            with anyio.fail_after(DEADLINE):  # the wait for a free slot counts
                return await self._send(call, endpoint, progress)
        except TimeoutError as exc:
            detail = f"{url_without_secrets(call.url)}: no complete answer within {DEADLINE:g} s"
            raise ProviderUnavailable(f"{endpoint}_timeout", detail, answer_status=progress.status) from exc
        except OIDCError:
            raise
        except Exception as exc:  # any client, one of the app's own included: all its errors become one of ours here
            # The error's text may contain a URL with a query, so only the class and the known cause are used.
            code = f"{endpoint}_timeout" if is_timeout(exc) else f"{endpoint}_unreachable"
            cause = find_cause(exc, before=before) or Cause(code, self._describe_unknown(exc))
            detail = f"{url_without_secrets(call.url)}: {cause.text}"
            raise ProviderUnavailable(cause.code, detail, answer_status=progress.status) from exc

    def _describe_unknown(self, error: Exception) -> str:
        name = type(error).__name__
        if self._tls.certificate is None or name not in DISCONNECTED:
            return name
        return f"{name}: the connection ended, perhaps because the server does not accept client_certificate"

    async def _send(self, call: Call, endpoint: str, progress: _Progress) -> Answer:
        async with AsyncExitStack() as stack:
            for limit in self._limits:
                await stack.enter_async_context(limit.hold())
            if self._configured_client is not None:
                return await _exchange(self._configured_client, call, endpoint, progress)
            client = await stack.enter_async_context(self._own.client(self._tls))
            return await _exchange(client, call, endpoint, progress)


async def _exchange(client: HttpClient, call: Call, endpoint: str, progress: _Progress) -> Answer:
    # httpx decompresses without a limit, so we do not request compression, and reject compressed answers.
    headers = {**call.headers, "accept-encoding": "identity"}
    request = client.build_request(call.method, call.url, headers=headers, content=call.body)
    _drop_cookies(request)
    response: HttpResponse = await client.send(request, stream=True, auth=None, follow_redirects=False)
    progress.status = response.status_code
    try:
        return replace(await _read(response, endpoint), secrets=call.secrets)
    finally:
        with anyio.move_on_after(CLOSE_DEADLINE, shield=True):
            await response.aclose()


async def _read(response: HttpResponse, endpoint: str) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    status = response.status_code
    if 300 <= status < 400:
        raise AnswerRejected(
            f"{endpoint}_redirect",
            f"status {status}: redirects are not followed; set the final URL",
            answer_status=status,
        )
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        encoding = headers["content-encoding"][:32]
        raise AnswerRejected(
            f"{endpoint}_compressed", f"expected an uncompressed answer, got {encoding}", answer_status=status
        )
    declared = headers.get("content-length", "")
    body = None if len(declared) > len(str(MAX_ANSWER_SIZE)) else await _read_body(response)
    if body is None:
        raise AnswerRejected(f"{endpoint}_too_large", f"expected at most {MAX_ANSWER_SIZE} bytes", answer_status=status)
    return Answer(status, headers, body)


async def _read_body(response: HttpResponse) -> bytes | None:
    """Read the body as sent over the wire; None if it is too large."""
    body = bytearray()
    try:
        async for piece in response.aiter_raw():
            if len(body) + len(piece) > MAX_ANSWER_SIZE:
                body += piece[: MAX_ANSWER_SIZE + 1 - len(body)]
                # Leaving the loop would leave httpx's generators half-read; after closing, they end by themselves.
                await response.aclose()
            else:
                body += piece
    except Exception:  # reading a body that we closed; any other error goes on to `Http.send`
        if len(body) <= MAX_ANSWER_SIZE:
            raise
    return bytes(body) if len(body) <= MAX_ANSWER_SIZE else None


def _drop_cookies(request: object) -> None:
    """Remove cookies: the client of `http_client` may have a cookie jar, by which a provider could link our users."""
    headers = getattr(request, "headers", None)
    if headers is not None:
        headers.pop("cookie", None)
