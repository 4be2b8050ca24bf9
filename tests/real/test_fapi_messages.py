"""Signed responses, and the other ways in which clients of a certified provider in its FAPI profile authenticate."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from asgi_oidc.testing import Browser, serve
from tests.protected_site import SECRET
from tests.real.app import protected_app
from tests.real.certificates import Certificate, ClientAuthority, make_client_certificate
from tests.real.fapi import StrongClient, client_with_certificate, client_with_key, new_decryption_key, public_jwk
from tests.real.processes import free_port
from tests.real.real_provider import RealProvider
from tests.security.sizes import size

pytestmark = pytest.mark.real

MakeClient = Callable[[ClientAuthority], StrongClient]


def signed(response_mode: str) -> MakeClient:
    """Make a client that gets signed responses in such a mode."""

    def make(authority: ClientAuthority) -> StrongClient:
        return client_with_key(profile="fapi2", authorization_params={"response_mode": response_mode})

    return make


def self_signed(authority: ClientAuthority) -> StrongClient:
    """Make a client whose certificate the provider finds among its keys."""
    own = make_client_certificate(Path(authority.ca).parent, "self-signed")
    jwk = public_jwk(Path(own.files[1]).read_text("ascii"))
    registered = {
        "token_endpoint_auth_method": "self_signed_tls_client_auth",
        "tls_client_certificate_bound_access_tokens": True,
        "jwks": {"keys": [jwk | {"x5c": own.x5c}]},
    }
    settings = {"client_auth": "self_signed_tls_client_auth", "client_certificate": own.pem}
    return StrongClient(registered, {"client_id": "web", "profile": "fapi2", **settings})


def certificate_and_proof(authority: ClientAuthority) -> StrongClient:
    """Make a client that authenticates with a certificate, and whose tokens are bound to a key of each session."""
    made = client_with_certificate(authority, profile="fapi2", dpop="always")
    changes = {"tls_client_certificate_bound_access_tokens": False, "dpop_bound_access_tokens": True}
    return made.knowing(changes)


def signs_requests(authority: ClientAuthority) -> StrongClient:
    """Make a client of FAPI 2.0 Message Signing: its requests are signed, and so are the responses."""
    made = client_with_key(profile="fapi2-message-signing")
    return made.knowing({"request_object_signing_alg": "ES256", "require_signed_request_object": True})


def encrypted(alg: str, enc: str) -> MakeClient:
    """Make a client whose ID Tokens and userinfo are signed, then encrypted."""

    def make(authority: ClientAuthority) -> StrongClient:
        key = new_decryption_key(alg)
        made = client_with_key(profile="fapi2", decryption_key=key)
        names = ("id_token", "userinfo")
        algorithms = {"userinfo_signed_response_alg": "PS256"}
        algorithms |= {f"{name}_encrypted_response_alg": alg for name in names}
        algorithms |= {f"{name}_encrypted_response_enc": enc for name in names}
        return made.knowing(algorithms, key=key)

    return make


CLIENTS: Mapping[str, MakeClient] = {
    "signed messages": signs_requests,
    "RSA-OAEP-256": encrypted("RSA-OAEP-256", "A256GCM"),
    "ECDH-ES": encrypted("ECDH-ES", "A128CBC-HS256"),
    "query.jwt": signed("query.jwt"),
    "form_post.jwt": signed("form_post.jwt"),
    "jwt": signed("jwt"),
    "self-signed certificate": self_signed,
    "certificate and DPoP": certificate_and_proof,
}
SAMPLE = ("signed messages", "RSA-OAEP-256")


@contextlib.asynccontextmanager
async def served(
    provider: RealProvider, certificate: Certificate, made: StrongClient, **changes: Any
) -> AsyncIterator[Browser]:
    """Serve the app, registered at the provider, and give a browser that can reach both."""
    port = free_port()
    origin = f"https://localhost:{port}"
    provider.register(made.at(origin))
    app = protected_app(issuer=provider.issuer, base_url=f"{origin}/", secret=SECRET, **(dict(made.settings) | changes))
    trust = ssl.create_default_context(cafile=provider.ca)
    with serve(app, port=port, certfile=certificate.chain, keyfile=certificate.key):
        async with httpx.AsyncHTTPTransport(verify=trust) as network:  # closed first, as TLS ends with a handshake
            yield Browser(network, origin, {provider.issuer: network})


@pytest.fixture(autouse=True)
def trust(monkeypatch: pytest.MonkeyPatch, certificate: Certificate) -> None:
    """Let the app trust our authority."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate.ca)


@pytest.mark.long
@pytest.mark.parametrize("client", size(SAMPLE, tuple(CLIENTS)))
async def test_login_of_a_strong_client(fapi_provider, certificate, client_authority, client):
    """The page that was asked for, with the claims that only userinfo has."""
    made = CLIENTS[client](client_authority)
    async with served(fapi_provider, certificate, made) as browser:
        page = await browser.sign_in("alice", "/deep/link?page=2")

    assert (page.status_code, page.path) == (200, "/deep/link?page=2"), page.text
    assert "Alice Adams" in page.text


async def test_a_refusal_in_a_signed_response_is_a_page_and_no_loop(fapi_provider, certificate, client_authority):
    """With `prompt=none` and nobody signed in, the provider signs `login_required`."""
    params = {"response_mode": "query.jwt", "prompt": "none"}
    made = signed("query.jwt")(client_authority)
    async with served(fapi_provider, certificate, made, authorization_params=params) as browser:
        page = await browser.get("/private")

    assert set(parse_qs(urlsplit(page.url).query)) == {"response"}
    assert page.status_code == 403
