"""A token that is bound to a certificate works over a TLS connection with that certificate only (RFC 8705 §3)."""

from base64 import b64encode
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from asgi_oidc.testing import ClientCertificate
from tests.bearer.bound_tokens import (
    CERTIFICATE,
    CERTIFICATE_HEADER,
    KEY,
    OTHER_CERTIFICATE,
    PROXY,
    BoundSite,
    challenge_of,
    result,
)
from tests.protected_site import Exchange

BEHIND_A_PROXY = {
    "client_certificate_header": CERTIFICATE_HEADER,
    "client_certificate_proxies": ["10.0.0.0/24"],
}
STRANGER = ("203.0.113.9", 4711)


def tls(certificate: ClientCertificate) -> dict[str, Any]:
    return {"extensions": {"tls": {"client_cert_chain": [certificate.pem], "client_cert_error": None}}}


def in_header(certificate: ClientCertificate) -> tuple[str, str]:
    return CERTIFICATE_HEADER, quote(certificate.pem, safe="")


async def call(site: BoundSite, token: str, *headers: tuple[str, str], **scope: Any) -> Exchange:
    return await site.send(token, scheme="Bearer", headers=headers, **scope)


async def test_a_bound_token_over_its_connection_is_accepted():
    """Each time, also when it was seen before."""
    site = BoundSite()
    token = site.bound(key=None, certificate=CERTIFICATE)

    answers = [await call(site, token, **tls(CERTIFICATE)) for _ in range(3)]

    assert [result(answer) for answer in answers] == [(200, "")] * 3


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        ({}, "client_certificate_missing"),
        ({"extensions": {"tls": {"client_cert_chain": []}}}, "client_certificate_missing"),
        (tls(OTHER_CERTIFICATE), "client_certificate_mismatch"),
        (
            {"extensions": {"tls": {"client_cert_chain": [CERTIFICATE.pem], "client_cert_error": "expired"}}},
            "client_certificate_unverified",
        ),
        ({"extensions": {"tls": {"client_cert_chain": ["PEM"]}}}, "client_certificate_malformed"),
    ],
    ids=["none", "no chain", "another", "unverified", "malformed"],
)
async def test_a_bound_token_over_another_connection_is_refused(scope, code):
    """Also one that was accepted a moment ago: it may have been stolen since."""
    site = BoundSite()
    token = site.bound(key=None, certificate=CERTIFICATE)
    await call(site, token, **tls(CERTIFICATE))

    answer = await call(site, token, **scope)

    assert result(answer) == (401, code)
    assert challenge_of(answer).startswith("Bearer ")
    assert 'error="invalid_token"' in challenge_of(answer)
    assert len(site.app.scopes) == 1


async def test_a_plain_token_needs_no_certificate_unless_it_is_required():
    """`mtls="require"` refuses tokens that are bound to none, even over a connection with one."""
    plain, strict = BoundSite(), BoundSite(bearer={"mtls": "require"})
    token, bound = strict.bound(key=None), strict.bound(key=None, certificate=CERTIFICATE)

    assert result(await call(plain, plain.bound(key=None))) == (200, "")
    assert result(await call(strict, token, **tls(CERTIFICATE))) == (401, "client_certificate_required")
    assert result(await call(strict, bound, **tls(CERTIFICATE))) == (200, "")


async def test_a_token_that_is_bound_to_both_needs_both():
    """One proof does not replace the other."""
    site = BoundSite()
    token = site.bound(key=KEY, certificate=CERTIFICATE)

    with_both = await site.send(token, site.proof(token), **tls(CERTIFICATE))
    without_certificate = await site.send(token, site.proof(token))
    without_proof = await site.send(token, **tls(CERTIFICATE))

    assert result(with_both) == (200, "")
    assert result(without_certificate) == (401, "client_certificate_missing")
    assert result(without_proof) == (401, "dpop_missing")


async def test_the_header_of_a_named_proxy_is_as_good_as_the_connection():
    """The proxy ends TLS, and says with whom."""
    site = BoundSite(bearer=BEHIND_A_PROXY)
    token = site.bound(key=None, certificate=CERTIFICATE)

    assert result(await call(site, token, in_header(CERTIFICATE), client=PROXY)) == (200, "")
    assert result(await call(site, token, in_header(OTHER_CERTIFICATE), client=PROXY)) == (
        401,
        "client_certificate_mismatch",
    )
    assert result(await call(site, token, client=PROXY, **tls(CERTIFICATE))) == (401, "client_certificate_missing")


@pytest.mark.parametrize("client", [STRANGER, None], ids=str)
@pytest.mark.parametrize("name", [CERTIFICATE_HEADER, "X-Client-Cert", "x_client_cert"])
async def test_a_header_of_anybody_else_is_ignored(client, name):
    """Certificates are public: any client can send that of another one."""
    site = BoundSite(bearer=BEHIND_A_PROXY)
    token = site.bound(key=None, certificate=CERTIFICATE)

    answer = await call(site, token, (name, in_header(CERTIFICATE)[1]), client=client)

    assert result(answer) == (401, "client_certificate_missing")


async def test_without_the_setting_no_header_counts():
    """The default trusts nobody."""
    site = BoundSite()
    token = site.bound(key=None, certificate=CERTIFICATE)
    der = b64encode(CERTIFICATE.certificate.public_bytes(Encoding.DER)).decode()

    for header in (in_header(CERTIFICATE), ("client-cert", f":{der}:"), ("x-forwarded-client-cert", f'Cert="{der}"')):
        assert result(await call(site, token, header, client=PROXY)) == (401, "client_certificate_missing")


@pytest.mark.parametrize("path", ["/public/page", "/page", "/auth/session"])
@pytest.mark.parametrize("authorization", [None, "Basic eA=="])
async def test_the_app_never_sees_a_foreign_header(path, authorization):
    """It may look at the header as well, also where no token is sent."""
    site = BoundSite(bearer=BEHIND_A_PROXY, public=["/public/*", "/page"])
    sent = {CERTIFICATE_HEADER: "forged", "x_client_cert": "forged"}
    sent |= {} if authorization is None else {"authorization": authorization}

    await site.call(path, headers=sent, client=STRANGER)
    await site.call(path, headers=sent, client=PROXY)

    names = [[name for name, value in scope["headers"] if value == b"forged"] for scope in site.app.scopes]
    assert names == ([] if path == "/auth/session" else [[], [CERTIFICATE_HEADER.encode()]])


async def test_websockets_do_not_see_a_foreign_header():
    """They have handlers of their own."""
    site = BoundSite(bearer=BEHIND_A_PROXY)
    exchange = Exchange({"type": "websocket.connect"})
    scope = {
        "type": "websocket",
        "path": "/public/socket",
        "headers": [(CERTIFICATE_HEADER.encode(), b"forged"), (b"host", b"app.example.com")],
        "client": STRANGER,
    }

    await site.middleware(scope, exchange.receive, exchange.send)

    assert [name for name, _ in site.app.scope["headers"]] == [b"host"]


async def test_the_log_says_which_part_is_missing(caplog):
    """The most frequent mistake is an address that is not the one from which the proxy connects."""
    caplog.set_level("DEBUG")
    site = BoundSite(bearer=BEHIND_A_PROXY)
    token = site.bound(key=None, certificate=CERTIFICATE)

    await call(site, token, in_header(CERTIFICATE), client=STRANGER)
    await call(site, token, client=PROXY)
    await call(site, token, client=None)

    lines = [record.getMessage() for record in caplog.records if "client_certificate_missing" in record.getMessage()]
    assert "203.0.113.9 is not one of client_certificate_proxies" in lines[0]
    assert "the proxy has sent no certificate in x-client-cert" in lines[1]
    assert "a Unix socket is not one of" in lines[2]
