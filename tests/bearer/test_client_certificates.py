"""A certificate in a header counts if a named proxy has set it, and is taken off all other requests."""

from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

import pytest

from asgi_oidc.bearer.client_certificates import ClientCertificates
from asgi_oidc.errors import ProofRejected
from asgi_oidc.testing.client_certificates import ClientCertificate

CLIENT, PROXY = ClientCertificate("client"), ClientCertificate("proxy")
HEADER = b"x-client-cert"
VALUE = quote(CLIENT.pem, safe="").encode()
NETWORKS = tuple(map(ip_network, ("10.0.0.7", "10.1.0.0/16", "2001:db8::/64")))


def certificates(header: str | None = "x-client-cert", *, has_unix: bool = False) -> ClientCertificates:
    return ClientCertificates(header, networks=NETWORKS, has_unix=has_unix)


def scope_of(
    *headers: tuple[bytes, bytes], client: Any = ("10.0.0.7", 4711), tls: ClientCertificate | None = None
) -> dict[str, Any]:
    chain = {} if tls is None else {"extensions": {"tls": {"client_cert_chain": [tls.pem]}}}
    return {"type": "http", "headers": [(b"host", b"api.example.com"), *headers], "client": client, **chain}


PROXIES = [
    ("10.0.0.7", 4711),
    ["10.1.255.255", 1],
    ("2001:db8::1", 1),
    ("2001:0DB8:0:0::1", 1),
    ("::ffff:10.0.0.7", 1),
]
OTHERS = [
    ("10.0.0.8", 4711),
    ("10.2.0.1", 1),
    ("127.0.0.1", 1),
    ("::ffff:10.0.0.8", 1),
    ("2001:db8:0:1::1", 1),
    ("testclient", 1),
    ("", 0),
    (None, None),
    None,
]


@pytest.mark.parametrize("client", PROXIES, ids=str)
def test_the_header_of_a_named_proxy_counts(client):
    """By the address of the peer alone, in each of its spellings."""
    scope = scope_of((HEADER, VALUE), client=client, tls=PROXY)

    assert certificates().thumbprint_of(scope) == CLIENT.thumbprint
    assert certificates().without_foreign_header(scope) is not None
    assert (HEADER, VALUE) in certificates().without_foreign_header(scope)["headers"]


@pytest.mark.parametrize("client", OTHERS, ids=str)
def test_the_header_of_any_other_peer_is_ignored_and_removed(client):
    """Anybody can send a header, and certificates are public."""
    scope = scope_of((HEADER, VALUE), client=client)

    assert certificates().thumbprint_of(scope) is None
    assert certificates().without_foreign_header(scope)["headers"] == [(b"host", b"api.example.com")]
    assert len(scope["headers"]) == 2  # the server's own scope stays as it is


def test_a_unix_socket_is_a_proxy_if_it_is_named():
    """Its peer has no address."""
    scope = scope_of((HEADER, VALUE), client=None)

    assert certificates(has_unix=True).thumbprint_of(scope) == CLIENT.thumbprint
    assert certificates().thumbprint_of(scope) is None


@pytest.mark.parametrize(
    "forwarded",
    [
        (b"x-forwarded-for", b"10.0.0.7"),
        (b"X-Forwarded-For", b"203.0.113.9, 10.0.0.7:4711"),
        (b"forwarded", b'for=203.0.113.9;by=1.1.1.1, for="[::ffff:10.0.0.7]:4711"'),
        (b"x-forwarded-for", b"::ffff:10.0.0.7"),
    ],
)
def test_an_address_that_the_request_itself_names_does_not_count(forwarded):
    """Servers that trust such a header replace the address of the peer by what a client has written there."""
    scope = scope_of((HEADER, VALUE), forwarded)

    assert certificates().thumbprint_of(scope) is None
    assert (HEADER, VALUE) not in certificates().without_foreign_header(scope)["headers"]


@pytest.mark.parametrize("value", [b"203.0.113.9", b"10.0.0.70", b"10.0.0.71, 110.0.0.7", b"", b",,", b"[", b"unknown"])
def test_other_addresses_in_the_request_do_not_matter(value):
    """Proxies say whom they speak for."""
    assert certificates().thumbprint_of(scope_of((HEADER, VALUE), (b"x-forwarded-for", value))) == CLIENT.thumbprint


@pytest.mark.parametrize("value", [None, b"", b"-"])
def test_a_proxy_without_a_certificate_does_not_lend_its_own(value):
    """The TLS connection to the server is that of the proxy."""
    headers = [] if value is None else [(HEADER, value)]

    assert certificates().thumbprint_of(scope_of(*headers, tls=PROXY)) is None


def test_a_direct_client_proves_its_certificate_by_tls():
    """Even if it has sent the header as well."""
    scope = scope_of((HEADER, VALUE), client=("203.0.113.9", 1), tls=PROXY)

    assert certificates().thumbprint_of(scope) == PROXY.thumbprint


def test_without_a_header_setting_only_tls_counts():
    """The default."""
    plain = ClientCertificates()

    assert plain.thumbprint_of(scope_of((HEADER, VALUE), tls=CLIENT)) == CLIENT.thumbprint
    assert plain.thumbprint_of(scope_of((HEADER, VALUE))) is None


def test_several_headers_of_a_proxy_are_refused_and_removed():
    """The proxy has added to what the client sent, instead of replacing it."""
    scope = scope_of((HEADER, VALUE), (b"X-Client-Cert", VALUE))

    with pytest.raises(ProofRejected) as caught:
        certificates().thumbprint_of(scope)

    assert caught.value.code == "client_certificate_repeated"
    assert certificates().without_foreign_header(scope)["headers"] == [(b"host", b"api.example.com")]


@pytest.mark.parametrize("name", [b"x_client_cert", b"X_CLIENT-CERT", b"x-client_cert"])
@pytest.mark.parametrize("client", [("10.0.0.7", 1), ("203.0.113.9", 1)], ids=["proxy", "other"])
def test_other_spellings_of_the_header_are_always_removed(name, client):
    """To many apps, `_` and `-` are the same; a proxy replaces only one of the two."""
    scope = scope_of((HEADER, VALUE), (name, b"forged"), client=client)

    kept = certificates().without_foreign_header(scope)["headers"]

    assert (name, b"forged") not in kept
    assert ((HEADER, VALUE) in kept) == (client[0] == "10.0.0.7")


@pytest.mark.parametrize("name", [b"x_client_cert", b"x-client-certificate", b"client-cert"])
def test_only_the_exact_name_counts(name):
    """Also from a proxy: it sets no other."""
    assert certificates().thumbprint_of(scope_of((name, VALUE))) is None


def test_a_scope_without_the_header_is_passed_on_as_it_is():
    """Requests without it pay nothing."""
    scope = scope_of()

    assert certificates().without_foreign_header(scope) is scope


def test_what_is_no_certificate_is_refused():
    """A proxy may pass something else on in a header of that name."""
    with pytest.raises(ProofRejected) as caught:
        certificates().thumbprint_of(scope_of((HEADER, b"CN=client")))

    assert caught.value.code == "client_certificate_malformed"
