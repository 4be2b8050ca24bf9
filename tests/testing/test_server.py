"""A real server around the fake provider, and a browser that goes there over the network."""

import datetime
import ipaddress
import socket
import ssl
import sys
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from asgi_oidc.testing import Browser, FakeProvider, serve
from tests.testing.relying_party import RelyingParty


def pem_files(folder: Path) -> tuple[str, str]:
    """Make a certificate for 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    certificate = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


async def test_a_login_over_the_network():
    """Provider and app on free ports of this machine; the same browser, over TCP."""
    provider = FakeProvider()
    with serve(provider) as at_provider:
        provider.issuer = at_provider.url
        rp = RelyingParty(provider)
        with serve(rp) as at_app:
            rp.redirect_uri = at_app.url + "/callback"
            async with httpx.AsyncHTTPTransport() as network:
                browser = Browser(network, at_app.url, {at_provider.url: network})
                back = await browser.sign_in("alice", "/private")

    assert (back.json()["status"], back.json()["response"]["iss"]) == (200, at_provider.url)


def test_https_with_a_certificate_of_the_test(tmp_path):
    """For `__Host-` cookies in a real browser."""
    certfile, keyfile = pem_files(tmp_path)
    with serve(FakeProvider(), certfile=certfile, keyfile=keyfile) as server:
        answer = httpx.get(server.url + "/jwks", verify=ssl.create_default_context(cafile=certfile))

    assert (server.url[:8], answer.status_code) == ("https://", 200)


def test_the_port_is_free_again_after_the_block():
    """A clean stop leaves nothing behind."""
    with serve(FakeProvider()) as server:
        assert httpx.get(server.url + "/nothing").status_code == 404
    with serve(FakeProvider(), port=server.port) as again:
        assert again.port == server.port


def test_a_port_in_use_is_an_error():
    """Said by the system, before anything starts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"), serve(FakeProvider(), port=taken.getsockname()[1]):
            pass


def test_an_app_that_does_not_start_is_an_error():
    """Its lifespan failed: the log says why."""

    async def broken(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(RuntimeError, match="did not start"), serve(broken, log_level="critical"):
        pass


def test_without_uvicorn_the_extra_is_named():
    """The fix is in the message."""
    kept = sys.modules.pop("uvicorn")
    sys.modules["uvicorn"] = None  # type: ignore[assignment]  # how Python says: not to be found
    try:
        with pytest.raises(ImportError, match=r"asgi-oidc\[testing\]"), serve(FakeProvider()):
            pass
    finally:
        sys.modules["uvicorn"] = kept
