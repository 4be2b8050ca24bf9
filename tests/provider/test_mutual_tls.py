"""Our own client authenticates by its certificate, with each provider by its own, over real TLS."""

import ssl
import threading
from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc.errors import ProviderUnavailable
from asgi_oidc.protocol.messages import Call
from asgi_oidc.provider.http import Http, OwnClient
from asgi_oidc.provider.tls_contexts import DEFAULT_TLS, RECOMMENDED_CIPHERS, TlsContexts, TlsOptions, make_context
from tests.certificate_texts import OTHER, RSA_KEY, SELF_SIGNED, make
from tests.provider.mutual_tls_server import PATIENCE, Seen, mutual_tls_server, options_with, thumbprint
from tests.real.certificates import Certificate, make_certificate

MINE, THEIRS = options_with(SELF_SIGNED), options_with(OTHER)
ONLY_RECOMMENDED = TlsOptions(only_recommended_ciphers=True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for this machine."""
    return make_certificate(tmp_path_factory.mktemp("server"))


@pytest.fixture(autouse=True)
def trust(certificate, monkeypatch):
    """Our own client trusts it."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate.ca)


async def call(server: Seen, http: Http) -> int:
    return (await http.send(Call("POST", server.url), endpoint="token")).status


async def failure_of(server: Seen, tls: TlsOptions) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable) as caught:
        await call(server, Http(tls=tls))
    return caught.value


@pytest.mark.parametrize("made", [SELF_SIGNED, make(key=RSA_KEY)], ids=["EC", "RSA"])
async def test_the_certificate_is_presented(certificate, made):
    """In a call of its own, as without a lifespan."""
    with mutual_tls_server(certificate, made, verify=ssl.CERT_REQUIRED) as server:
        assert await call(server, Http(tls=options_with(made))) == 200

    assert server.certificates == [thumbprint(made)]


@pytest.mark.parametrize("is_open", [True, False])
async def test_no_call_goes_over_the_connection_of_another_certificate(certificate, is_open):
    """The server knows a client by its connection, whatever the call says."""
    own = OwnClient()
    if is_open:
        own.open()
    with mutual_tls_server(certificate, SELF_SIGNED, OTHER) as server:
        for tls in (MINE, THEIRS, DEFAULT_TLS, ONLY_RECOMMENDED, MINE, DEFAULT_TLS, THEIRS):
            await call(server, Http(own=own, tls=tls))
        await own.close()

    mine, theirs = thumbprint(SELF_SIGNED), thumbprint(OTHER)
    assert server.certificates == [mine, theirs, None, None, mine, None, theirs]
    assert server.connections == (4 if is_open else 7)  # kept open, but each for its own


async def test_a_replaced_certificate_counts_from_the_next_call_on(certificate):
    """While the app runs, and without a connection that still has the old one."""
    own = OwnClient()
    own.open()
    with mutual_tls_server(certificate, SELF_SIGNED, OTHER) as server:
        http = Http(own=own, tls=MINE)
        await call(server, http)
        http.replace_tls(THEIRS)
        await call(server, http)
        assert await anyio.to_thread.run_sync(server.first_closed.wait, PATIENCE)
        http.replace_tls(THEIRS)
        await call(server, http)
        await own.close()

    assert server.certificates == [thumbprint(SELF_SIGNED), *[thumbprint(OTHER)] * 2]
    assert server.connections == 2


@pytest.mark.parametrize(
    ("tls", "version", "code"),
    [
        (DEFAULT_TLS, ssl.TLSVersion.TLSv1_3, "connect_tls_client_certificate"),
        (DEFAULT_TLS, ssl.TLSVersion.TLSv1_2, "connect_tls_handshake"),
        (THEIRS, ssl.TLSVersion.TLSv1_3, "connect_tls_client_certificate"),
        (THEIRS, ssl.TLSVersion.TLSv1_2, "connect_tls_client_certificate"),
    ],
)
async def test_a_server_that_refuses_the_certificate_leads_to_the_setting(certificate, tls, version, code):
    """None at all, or one that it does not know."""
    with mutual_tls_server(certificate, SELF_SIGNED, verify=ssl.CERT_REQUIRED, maximum_version=version) as server:
        error = await failure_of(server, tls)

    assert (error.code, "set client_certificate" in error.detail) == (code, True)


def make_lax_context() -> ssl.SSLContext:
    """Make a context as on a machine whose openssl.cnf allows everything."""
    context = httpx.create_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
async def test_nothing_older_than_tls_1_2_is_spoken(certificate):
    """Even where the machine's configuration of OpenSSL would allow it (RFC 9325 §3.1.1)."""
    old: dict[str, Any] = {"minimum_version": ssl.TLSVersion.TLSv1, "maximum_version": ssl.TLSVersion.TLSv1_1}
    lax, ours = make_lax_context(), make_context(DEFAULT_TLS, make_lax_context)
    with mutual_tls_server(certificate, ciphers="ALL:@SECLEVEL=0", **old) as server:
        async with httpx.AsyncClient(verify=lax) as client:
            assert await call(server, Http(client)) == 200  # the server does speak it
        async with httpx.AsyncClient(verify=ours) as client:
            with pytest.raises(ProviderUnavailable) as caught:
                await call(server, Http(client))

    assert (caught.value.code, "the provider must update" in caught.value.detail) == ("connect_tls_version", True)


@pytest.mark.parametrize(
    ("ciphers", "is_accepted"),
    [
        *((cipher, True) for cipher in RECOMMENDED_CIPHERS if "ECDSA" in cipher),
        ("ECDHE-ECDSA-AES128-SHA256", False),
        ("ECDHE-ECDSA-AES256-SHA", False),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", False),  # RFC 9325 §4.2 recommends four, and FAPI permits no others
    ],
)
async def test_a_profile_permits_the_recommended_ciphers_only(certificate, ciphers, is_accepted):
    """FAPI 2.0 Security Profile §5.2.2; without a profile, the machine's configuration decides."""
    limits = {"maximum_version": ssl.TLSVersion.TLSv1_2, "ciphers": ciphers}
    with mutual_tls_server(certificate, **limits) as server:
        if is_accepted:
            assert await call(server, Http(tls=ONLY_RECOMMENDED)) == 200
            return
        error = await failure_of(server, ONLY_RECOMMENDED)

    assert error.code in ("connect_tls_version", "connect_tls_handshake")
    assert "cipher" in error.detail


async def test_tls_1_3_goes_with_a_profile(certificate):
    """All of its ciphers are good."""
    with mutual_tls_server(certificate, minimum_version=ssl.TLSVersion.TLSv1_3) as server:
        assert await call(server, Http(tls=ONLY_RECOMMENDED)) == 200


@pytest.mark.parametrize(
    ("made", "code"),
    [({"name": "other.example.com"}, "connect_tls_name"), ({}, "connect_tls_untrusted")],
)
async def test_a_certificate_of_ours_makes_the_server_no_more_trusted(tmp_path, monkeypatch, made, code):
    """Its own is checked as ever."""
    server_certificate = make_certificate(tmp_path, **made)
    if made:
        monkeypatch.setenv("SSL_CERT_FILE", server_certificate.ca)
    with mutual_tls_server(server_certificate, SELF_SIGNED) as server:
        error = await failure_of(server, MINE)

    assert (error.code, server.certificates) == (code, [])


async def test_a_context_is_made_in_a_thread_and_only_once():
    """Loading the CAs takes 35 ms, in which nobody else would be served."""
    threads: list[threading.Thread] = []

    def make() -> ssl.SSLContext:
        threads.append(threading.current_thread())
        return ssl.create_default_context()

    contexts = TlsContexts(make)
    made = [await contexts.prepared_context(MINE) for _ in range(3)] + [contexts.context(MINE)]

    assert (len(set(made)), len(threads), threads[0] is threading.current_thread()) == (1, 1, False)


async def test_the_contexts_that_are_kept_are_limited():
    """Each takes 0.8 MB, and there may be thousands of tenants."""
    made: list[ssl.SSLContext] = []

    def make() -> ssl.SSLContext:
        made.append(ssl.create_default_context())
        return made[-1]

    contexts = TlsContexts(make, most=2)
    for tls in (DEFAULT_TLS, MINE, DEFAULT_TLS, THEIRS, DEFAULT_TLS, MINE):
        contexts.context(tls)

    assert len(made) == 4  # the last one had gone


async def test_the_contexts_of_a_replaced_certificate_are_dropped():
    """They hold its private key, and a certificate that lives for an hour would leave hundreds of them."""
    own = OwnClient()
    async with own.client(MINE), own.client(THEIRS):
        before = await own.app_tls_context(MINE)
    own.retire(MINE)

    kept = (repr(own._contexts), repr(own._app_contexts))  # nobody but this test looks at them
    assert kept == ("TlsContexts(1)", "TlsContexts(0)")
    assert await own.app_tls_context(MINE) is not before


async def test_calls_at_once_share_a_client(certificate):
    """However many begin while it is being made."""
    own = OwnClient()
    own.open()
    with mutual_tls_server(certificate, SELF_SIGNED) as server:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(call, server, Http(own=own, tls=MINE))
        await own.close()

    assert server.certificates == [thumbprint(SELF_SIGNED)] * 5


async def test_the_context_of_the_app_is_apart_from_ours(tmp_path, monkeypatch):
    """What a handler switches off counts for its own calls only."""
    other = make_certificate(tmp_path, name="other.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", other.ca)
    http = Http(tls=MINE)
    (await http.app_tls_context()).check_hostname = False
    with mutual_tls_server(other, SELF_SIGNED) as server:
        async with httpx.AsyncClient(verify=await http.app_tls_context()) as client:
            assert (await client.get(server.url)).status_code == 200
        with pytest.raises(ProviderUnavailable) as caught:
            await call(server, http)

    assert (caught.value.code, server.certificates) == ("connect_tls_name", [thumbprint(SELF_SIGNED)])
