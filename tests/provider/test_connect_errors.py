"""A connection that fails says why, with a code for each cause, the URL, and what to do; over real sockets."""

import errno
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from anyio.abc import ByteStream, SocketAttribute

from asgi_oidc import RefreshFailed
from asgi_oidc.errors import ProviderUnavailable, StoreUnavailable
from asgi_oidc.errors.connection import find_cause, url_without_secrets
from asgi_oidc.protocol.messages import Call
from asgi_oidc.provider.http import Http
from asgi_oidc.stores.guarded_store import GuardedStore
from tests.protected_site import Site
from tests.provider.provider_caches import plain, wire
from tests.real.certificates import Certificate, make_certificate
from tests.scripted_store import ScriptedStore
from tests.token_site import LIFETIME, TokenSite

LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
DAYS = timedelta(days=1)
ANSWER = plain(b"{}", "Connection: close")
# More than DNS has room for: no network is asked.
NO_SUCH_HOST = ".".join(["a" * 60] * 5)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for this machine, by a CA that nobody knows."""
    return make_certificate(tmp_path_factory.mktemp("good"))


@asynccontextmanager
async def tls_server(
    certificate: Certificate, *, wants_certificate: bool = False, answer: bytes = ANSWER, **options: Any
) -> AsyncIterator[int]:
    """Serve https on a free port of loopback.

    Args:
        answer: what it says; after nothing, it waits until the client goes away.
        options: attributes of the server's context.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.chain, certificate.key)
    if wants_certificate:
        context.load_verify_locations(certificate.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    for name, value in options.items():
        setattr(context, name, value)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # The alerts of OpenSSL count here, and anyio sends none of them.
        thread = threading.Thread(target=serve_tls, args=(listener, context, answer))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # ends accept()
            thread.join()


def serve_tls(listener: socket.socket, context: ssl.SSLContext, answer: bytes) -> None:
    """Answer connections, one after the other, until nobody listens any more."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as stream:
            try:
                stream.do_handshake()
                stream.recv(65_536)
                stream.sendall(answer)
                while not answer and stream.recv(65_536):
                    pass
            except OSError:  # what is still under way would else destroy the alert
                while socket.socket.recv(stream, 65_536):
                    pass


@contextmanager
def dead_port() -> Iterator[int]:
    """Hold a port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@asynccontextmanager
async def tcp_server(handle: Callable[[ByteStream], Awaitable[None]]) -> AsyncIterator[int]:
    """Serve anything on a free port of loopback."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield listener.extra(SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


async def say_nothing(stream: ByteStream) -> None:
    """Take a connection, and nothing else."""
    async with stream:
        await anyio.sleep_forever()


async def answer_in_plain_text(stream: ByteStream) -> None:
    """Be a server that knows no TLS."""
    async with stream:
        await stream.receive()
        await stream.send(plain(b"", status="400 Bad Request"))


@asynccontextmanager
async def tunnel_to(port: int) -> AsyncIterator[int]:
    """Be a proxy that leads to one port, whatever is asked for."""

    async def handle(stream: ByteStream) -> None:
        async with stream, await anyio.connect_tcp("127.0.0.1", port) as there, anyio.create_task_group() as tasks:
            await stream.receive()  # CONNECT
            await stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
            tasks.start_soon(pump, stream, there)
            tasks.start_soon(pump, there, stream)

    async with tcp_server(handle) as own_port:
        yield own_port


async def pump(source: ByteStream, target: ByteStream) -> None:
    """Bring bytes on until one end has none."""
    try:
        async for data in source:
            await target.send(data)
        await target.send_eof()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass


def trusting(certificate: Certificate) -> ssl.SSLContext:
    """Trust a CA besides those of the machine, as the guide to providers says."""
    context = ssl.create_default_context()
    context.load_verify_locations(certificate.ca)
    return context


async def failure_of(client: Any, url: str) -> ProviderUnavailable:
    """Make a call with a secret in its URL, and return how it failed."""
    with pytest.raises(ProviderUnavailable) as caught:
        await Http(client).send(Call("GET", url + "?code=s3cret"), endpoint="token")
    assert "s3cret" not in str(caught.value)
    return caught.value


async def failure_with(library: Any, url: str, **options: Any) -> ProviderUnavailable:
    """The same with a client that is made for it."""
    async with library.AsyncClient(**options) as client:
        return await failure_of(client, url)


@LIBRARIES
async def test_an_untrusted_ca_is_called_that(library, good):
    """The most common fault of a provider in a company."""
    async with tls_server(good) as port, library.AsyncClient() as client:
        error = await failure_of(client, f"https://localhost:{port}/token")

    assert error.code == "connect_tls_untrusted"
    assert error.detail.startswith(f"https://localhost:{port}/token: its certificate is from a CA that is not trusted")
    assert "SSL_CERT_FILE" in error.detail


@LIBRARIES
@pytest.mark.parametrize(
    ("made", "host", "code"),
    [
        ({"name": "other.example.com"}, "localhost", "connect_tls_name"),
        ({"name": "other.example.com"}, "127.0.0.1", "connect_tls_name"),
        ({"begins_in": -3 * DAYS}, "localhost", "connect_tls_expired"),
        ({"begins_in": 3 * DAYS}, "localhost", "connect_tls_not_yet_valid"),
    ],
    ids=["name", "address", "expired", "not yet valid"],
)
async def test_a_wrong_certificate_says_what_is_wrong(library, tmp_path, made, host, code):
    """Each of them is somebody else's to put right."""
    certificate = make_certificate(tmp_path, **made)
    async with tls_server(certificate) as port, library.AsyncClient(verify=trusting(certificate)) as client:
        error = await failure_of(client, f"https://{host}:{port}/token")

    assert (error.code, f"https://{host}:{port}/token: its certificate" in error.detail) == (code, True)


@LIBRARIES
async def test_a_certificate_that_is_good_is_taken(library, good):
    """The refusals above are no accident."""
    async with tls_server(good) as port, library.AsyncClient(verify=trusting(good)) as client:
        answer = await Http(client).send(Call("GET", f"https://localhost:{port}/token"), endpoint="token")

    assert (answer.status, answer.body) == (200, b"{}")


@LIBRARIES
async def test_http_on_an_https_port_is_called_that(library):
    """A port that was mistaken."""
    async with tcp_server(answer_in_plain_text) as port, library.AsyncClient() as client:
        error = await failure_of(client, f"https://127.0.0.1:{port}/token")

    assert (error.code, "whether the URL should be http" in error.detail) == ("connect_tls_protocol", True)


@LIBRARIES
async def test_no_common_version_of_tls_is_called_that(library, good):
    """An old provider."""
    context = trusting(good)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    async with (
        tls_server(good, maximum_version=ssl.TLSVersion.TLSv1_2) as port,
        library.AsyncClient(verify=context) as client,
    ):
        error = await failure_of(client, f"https://localhost:{port}/token")

    assert error.code == "connect_tls_version"


@LIBRARIES
@pytest.mark.parametrize(
    ("version", "code"),
    [(ssl.TLSVersion.TLSv1_2, "connect_tls_handshake"), (ssl.TLSVersion.TLSv1_3, "connect_tls_client_certificate")],
)
async def test_a_wanted_client_certificate_is_called_that(library, good, version, code):
    """Mutual TLS, which the provider may ask of all its clients; before TLS 1.3 its alert may mean other things too."""
    async with (
        tls_server(good, wants_certificate=True, maximum_version=version) as port,
        library.AsyncClient(verify=trusting(good)) as client,
    ):
        error = await failure_of(client, f"https://localhost:{port}/token")

    assert (error.code, "client certificate" in error.detail) == (code, True)


@LIBRARIES
async def test_a_host_that_is_not_found_is_called_that(library):
    """A spelling mistake, or no DNS."""
    async with library.AsyncClient() as client:
        error = await failure_of(client, f"https://{NO_SUCH_HOST}/token")

    assert (error.code, "host name is not found" in error.detail) == ("connect_dns", True)


@LIBRARIES
async def test_a_refused_connection_is_called_that(library):
    """Nobody listens there."""
    with dead_port() as port:
        error = await failure_with(library, f"https://127.0.0.1:{port}/token")

    assert (error.code, f"https://127.0.0.1:{port}/token: nothing listens" in error.detail) == ("connect_refused", True)


@LIBRARIES
@pytest.mark.parametrize("url", ["https://id.example.com/token", "http://id.example.com/token"])
async def test_a_dead_proxy_is_called_that(library, url):
    """The provider is fine, and nobody can tell from "refused" who refuses."""
    with dead_port() as port:
        error = await failure_with(library, url, proxy=f"http://u:s3cret@127.0.0.1:{port}")

    assert (error.code, error.detail.startswith(f"{url}: the proxy")) == ("connect_proxy", True)
    assert "(connect_refused)" in error.detail


@LIBRARIES
@pytest.mark.parametrize("status", ["502 Bad Gateway", "407 Proxy Authentication Required"])
async def test_a_proxy_that_refuses_is_called_that(library, status):
    """It cannot reach the provider itself, or wants a password."""
    async with wire(plain(b"", status=status)) as server:
        proxy = f"http://127.0.0.1:{server.port}"
        error = await failure_with(library, "https://id.example.com/token", proxy=proxy)

    assert error.code == "connect_proxy"


@LIBRARIES
async def test_a_proxy_that_is_not_found_is_called_that(library):
    """Its name is as easily misspelt as that of the provider."""
    async with library.AsyncClient(proxy=f"http://{NO_SUCH_HOST}:3128") as client:
        error = await failure_of(client, "https://id.example.com/token")

    assert (error.code, "(connect_dns)" in error.detail) == ("connect_proxy", True)


@LIBRARIES
async def test_an_untrusted_ca_behind_a_proxy_is_an_untrusted_ca(library, good):
    """Proxies of companies that look into TLS are the usual reason."""
    async with tls_server(good) as port, tunnel_to(port) as proxy:
        error = await failure_with(library, "https://localhost/token", proxy=f"http://127.0.0.1:{proxy}")

    assert error.code == "connect_tls_untrusted"


@LIBRARIES
async def test_a_connection_that_takes_too_long_is_called_that(library, good):
    """A firewall that drops packets says nothing at all."""
    async with tcp_server(say_nothing) as port:
        timeout = library.Timeout(60, connect=0.05)
        async with library.AsyncClient(timeout=timeout) as client:
            error = await failure_of(client, f"https://127.0.0.1:{port}/token")

    assert error.code == "connect_timeout"


@LIBRARIES
async def test_an_answer_that_takes_too_long_is_no_connection_that_failed(library):
    """The provider is there."""
    timeout = library.Timeout(60, read=0.05)  # however busy the machine is, the connection comes about
    async with tcp_server(say_nothing) as port, library.AsyncClient(timeout=timeout) as client:
        error = await failure_of(client, f"http://127.0.0.1:{port}/token")

    assert (error.code, error.detail) == ("token_timeout", f"http://127.0.0.1:{port}/token: ReadTimeout")


@LIBRARIES
async def test_an_answer_that_takes_too_long_is_no_fault_of_tls(library, good):
    """While TLS waits, it raises errors of its own inside."""
    timeout = library.Timeout(60, read=0.05)
    async with (
        tls_server(good, answer=b"") as port,
        library.AsyncClient(verify=trusting(good), timeout=timeout) as client,
    ):
        error = await failure_of(client, f"https://localhost:{port}/token")

    assert error.code == "token_timeout"


# --- our own client, which reads the environment


async def test_our_own_client_trusts_the_ca_of_ssl_cert_file(good, monkeypatch):
    """The guide to providers says so, and containers set it."""
    monkeypatch.setenv("SSL_CERT_FILE", good.ca)
    async with tls_server(good) as port:
        answer = await Http().send(Call("GET", f"https://localhost:{port}/token"), endpoint="token")

    assert answer.status == 200


async def test_our_own_client_takes_no_other_certificate_for_it(good, tmp_path, monkeypatch):
    """The file stands in the place of all other CAs."""
    monkeypatch.setenv("SSL_CERT_FILE", make_certificate(tmp_path).ca)
    async with tls_server(good) as port:
        error = await failure_of(None, f"https://localhost:{port}/token")

    assert error.code == "connect_tls_untrusted"


async def test_our_own_client_goes_by_the_proxy_of_the_environment(monkeypatch):
    """And says so when it is dead."""
    with dead_port() as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        error = await failure_of(None, "https://id.example.com/token")

    assert error.code == "connect_proxy"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("SSL_CERT_FILE", "/no/such/file.pem"), ("SSL_CERT_FILE", __file__), ("HTTPS_PROXY", "nonsense://u:s3cret@x")],
    ids=["no file", "no certificate", "no proxy"],
)
async def test_an_environment_that_makes_no_client_stops_no_app(variable, value, monkeypatch, caplog):
    """It starts, and says what to look at; each call says so again."""
    monkeypatch.setenv(variable, value)
    http = Http()

    http.open()
    with pytest.raises(ProviderUnavailable) as caught:
        await http.send(Call("GET", "https://id.example.com/token"), endpoint="token")
    await http.close()

    assert (caught.value.code, variable in caught.value.detail) == ("connect_environment", True)
    assert "provider_failed code=connect_environment" in caplog.text
    assert "s3cret" not in caplog.text + str(caught.value)


# --- what people see of it


async def test_a_login_says_in_the_log_why_there_is_no_connection(good, caplog):
    """With the reference that the page shows."""
    async with tls_server(good) as port, httpx.AsyncClient() as client:
        site = Site(issuer=f"https://localhost:{port}", http_client=client)
        page = await site.browser().get("/page")

    assert (page.status_code, "localhost" in page.text) == (503, False)
    assert (
        f"code=connect_tls_untrusted detail='https://localhost:{port}/.well-known/openid-configuration: " in caplog.text
    )


async def test_a_refresh_says_to_the_app_why_there_is_no_connection():
    """It keeps the session, and may show its page without what it wanted."""
    site = TokenSite(http_client=Unplugged())
    site.settings["http_client"].transport = httpx.ASGITransport(app=site.provider)
    await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    with dead_port() as port:
        site.settings["http_client"].elsewhere = f"http://127.0.0.1:{port}/"
        with pytest.raises(RefreshFailed) as caught:
            await site.app.scope["oidc"].access_token()

    assert (caught.value.code, "nothing listens" in caught.value.detail) == ("refresh_connect_refused", True)


class Unplugged(httpx.AsyncClient):
    """A client whose calls go elsewhere once it is told so."""

    transport: httpx.AsyncBaseTransport
    elsewhere = ""

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        if not self.elsewhere:
            return await httpx.AsyncClient(transport=self.transport).send(request, **options)
        return await super().send(httpx.Request("GET", self.elsewhere), **options)


# --- telling causes


async def test_an_exception_that_the_app_was_handling_is_not_our_cause():
    """It asks for a token after another call of its own has failed."""
    own = ConnectionRefusedError("the app's own")
    try:
        raise own
    except ConnectionRefusedError:
        error = await failure_of(Broken(), "https://id.example.com/token")

    assert error.code == "token_unreachable"
    assert find_cause(own) is not None


class Broken:
    """A client with a bug of its own."""

    def build_request(self, method: str, url: str, **options: Any) -> Any:
        """Make nothing."""

    async def send(self, request: Any, **options: Any) -> Any:
        raise ZeroDivisionError("a bug")


def certificate_error(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


def test_what_is_wrong_with_a_certificate_otherwise_is_said_by_the_library():
    """There are some eighty reasons."""
    cause = find_cause(certificate_error(23, "certificate revoked"))

    assert cause == ("connect_tls_certificate", "its certificate was rejected: certificate revoked")


def test_any_other_failure_of_tls_has_its_reason():
    """Whatever it is called."""
    error = ssl.SSLError(1, "odd")
    error.reason = "ODD"

    assert find_cause(error) == ("connect_tls", "TLS failed (ODD)")


def test_a_network_without_a_route_is_reported_as_such():
    """A machine that is cut off."""
    cause = find_cause(OSError(errno.ENETUNREACH, "Network is unreachable"))

    assert cause is not None
    assert cause.code == "connect_network"


async def test_a_store_that_cannot_be_reached_says_why():
    """Its library has one class for everything as well."""
    with dead_port() as port:

        async def connect() -> None:
            try:
                await anyio.connect_tcp("127.0.0.1", port)
            except OSError as error:
                raise RuntimeError("no connection") from error

        store = ScriptedStore()
        store.before["get"].append(connect)
        with pytest.raises(StoreUnavailable) as caught:
            await GuardedStore(store).get("key")

    assert caught.value.detail.startswith("get: RuntimeError (connect_refused) at test_connect_errors.py:")


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://id.example.com/token", "https://id.example.com/token"),
        ("https://u:s3cret@id.example.com:8443/token?code=s3cret#s3cret", "https://id.example.com:8443/token"),
        ("https://[::1/s3cret", "an invalid URL"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url, written):
    """It stands in the log."""
    assert url_without_secrets(url) == written
