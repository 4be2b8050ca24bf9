"""Clients of Keycloak that authenticate with keys and certificates: PAR, DPoP, mTLS, client policies for FAPI 2.0."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from asgi_oidc import OIDCMiddleware
from asgi_oidc.testing import Browser, serve
from tests.protected_site import SECRET
from tests.real.app import PUBLIC
from tests.real.certificates import Certificate, ClientAuthority
from tests.real.fapi import new_decryption_key, new_key, public_jwk
from tests.real.fapi_app import calling_app
from tests.real.keycloak import PASSWORD, Keycloak
from tests.real.orders_api import orders_api
from tests.real.processes import free_port
from tests.security.sizes import size

pytestmark = pytest.mark.real

WITH_KEY = {"token.endpoint.auth.signing.alg": "ES256", "use.jwks.string": "true"}
WITH_CERTIFICATE = {"x509.subjectdn": "CN=web", "tls.client.certificate.bound.access.tokens": "true"}
WITH_DPOP = {"dpop.bound.access.tokens": "true"}
WITH_PUBLISHED_KEY = {
    "token.endpoint.auth.signing.alg": "ES256",
    "use.jwks.url": "true",
    "jwks.url": "{origin}/auth/jwks",
}
ENCRYPTS = {"id.token.encrypted.response.alg": "RSA-OAEP-256", "id.token.encrypted.response.enc": "A256GCM"}
SIGNS_REQUESTS = {"request.object.signature.alg": "ES256"}
SIGNS_RESPONSES = {"authorization.signed.response.alg": "PS256"}
REQUIRES_PAR = {"require.pushed.authorization.requests": "true"}


@dataclass(frozen=True)
class Case:
    """A client: what Keycloak knows of it, and how the app is set up.

    Attributes:
        attributes: as the admin API calls them.
        profile: of the client policies.
        settings: beside key or certificate.
    """

    attributes: Mapping[str, str]
    settings: Mapping[str, Any]
    profile: str = ""

    @property
    def has_certificate(self) -> bool:
        """Whether it authenticates with one."""
        return "x509.subjectdn" in self.attributes


CASES: Mapping[str, Case] = {
    "PAR and DPoP": Case(WITH_PUBLISHED_KEY | WITH_DPOP | REQUIRES_PAR, {"dpop": "always", "par": "always"}),
    "certificate": Case(WITH_CERTIFICATE, {}),
    "encrypted ID Token": Case(WITH_KEY | WITH_DPOP | ENCRYPTS, {"dpop": "always"}),
    "policy for DPoP": Case(WITH_KEY, {"profile": "fapi2"}, "fapi-2-dpop-security-profile"),
    "policy for certificates": Case(WITH_CERTIFICATE, {"profile": "fapi2"}, "fapi-2-security-profile"),
    "policy for signed messages": Case(
        WITH_KEY | SIGNS_REQUESTS | SIGNS_RESPONSES,
        {"profile": "fapi2-message-signing"},
        "fapi-2-dpop-message-signing",
    ),
}
SAMPLE = ("encrypted ID Token", "policy for signed messages")


@dataclass(frozen=True)
class Site:
    """Keycloak, the app and the API that it calls."""

    keycloak: Keycloak
    certificate: Certificate
    authority: ClientAuthority
    folder: Path

    @contextlib.asynccontextmanager
    async def served(self, case: Case, **changes: Any) -> AsyncIterator[Browser]:
        """Serve app and API, register the client, and give a browser."""
        port = free_port()
        origin = f"{'https' if case.profile else 'http'}://localhost:{port}"
        tls = {"certfile": self.certificate.chain, "keyfile": self.certificate.key} if case.profile else {}
        credentials = self._credentials(case)
        client_id = self._register(case, origin, credentials)
        ours = {"issuer": self.keycloak.issuer, "client_id": client_id}
        certificate = str(self.folder / "own.pem") if case.has_certificate else None
        settings = ours | credentials | dict(case.settings) | changes
        clients = self.authority.ca if case.has_certificate else None
        accepted = orders_api(self.certificate, ours, clients=clients, audience="account")
        with accepted as orders:
            bare = calling_app(orders.url, certificate)
            app = OIDCMiddleware(bare, base_url=f"{origin}/", secret=SECRET, public=PUBLIC, **settings)
            with serve(app, port=port, **tls):
                async with httpx.AsyncHTTPTransport(verify=self.keycloak.trust) as network:
                    yield Browser(network, origin, {self.keycloak.url: network})

    def _register(self, case: Case, origin: str, credentials: Mapping[str, str]) -> str:
        keys = [public_jwk(credentials[name]) for name in ("client_key", "decryption_key") if name in credentials]
        attributes = {name: value.replace("{origin}", origin) for name, value in case.attributes.items()}
        attributes |= {"jwks.string": json.dumps({"keys": keys})}
        client_id = self.keycloak.add_client(
            clientAuthenticatorType="client-x509" if case.has_certificate else "client-jwt",
            redirectUris=[f"{origin}/auth/callback"],
            attributes=attributes | {"profile": case.profile, "post.logout.redirect.uris": f"{origin}/"},
        )
        self.keycloak.save_again(client_id)
        return client_id

    def _credentials(self, case: Case) -> dict[str, str]:
        if case.has_certificate:
            own = self.authority.issue("web").pem
            (self.folder / "own.pem").write_text(own)
            return {"client_certificate": own}
        encrypts = "id.token.encrypted.response.alg" in case.attributes
        return {"client_key": new_key()} | ({"decryption_key": new_decryption_key()} if encrypts else {})


@pytest.fixture
def site(
    keycloak_server: Keycloak,
    certificate: Certificate,
    client_authority: ClientAuthority,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Site:
    """Keycloak, and what is needed to be its client."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate.ca)
    return Site(keycloak_server, certificate, client_authority, tmp_path)


async def sign_in(browser: Browser) -> str:
    """Sign alice in, who consents where Keycloak asks, and return her name as the page shows it."""
    page = await browser.get("/private")
    page = await browser.submit(data={"username": "alice", "password": PASSWORD})
    if not page.url.startswith(browser.origin):
        page = await browser.submit(page, "Yes")
    assert (page.status_code, page.path) == (200, "/private"), page.text
    return str((await browser.fetch("/claims")).json()["name"])


@pytest.mark.long
@pytest.mark.parametrize("client", size(SAMPLE, tuple(CASES)))
async def test_a_strong_client_signs_users_in_and_out(site, client):
    """With nothing set but what the client is registered for; the name comes with the ID Token or from userinfo."""
    async with site.served(CASES[client]) as browser:
        name = await sign_in(browser)
        home = await browser.submit(await browser.get("/private"), "Sign out")

    assert name == "Alice Adams"
    assert home.url.partition("?")[0] == f"{browser.origin}/"


@pytest.mark.parametrize("client", ["PAR and DPoP", "certificate"])
async def test_tokens_stay_bound_when_they_are_refreshed(site, client):
    """An API takes the first token and the next one, and both are bound to the same."""
    async with site.served(CASES[client]) as browser:
        await sign_in(browser)
        first, renewed = [(await browser.fetch(f"/orders/{path}")).json() for path in ("", "renewed")]

    assert (first["status"], renewed["status"]) == (200, 200), (first, renewed)
    assert first["said"] == renewed["said"]
