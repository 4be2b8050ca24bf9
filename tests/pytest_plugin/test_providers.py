"""Apps with several providers, and with those that are special: each is exchanged for a fake one that fits."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.testclient import TestClient

from asgi_oidc import OAuth2Provider, Provider
from asgi_oidc.pytest_plugin import OIDCTester
from tests.pytest_plugin.apps import shop

SECRET = "only-the-real-provider-knows-this"
TENANT = "11111111-2222-3333-4444-555555555555"
PRIVATE_KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode("ascii")
)
PROVIDERS = {
    "work": Provider(issuer="https://id.acme.com", client_id="shop", client_secret=SECRET),
    "google": Provider.google(client_id="shop", client_secret=SECRET, hosted_domains=["acme.com"]),
    "entra": Provider.entra(tenants=[TENANT], client_id="shop", client_secret=SECRET),
    "entra-all": Provider.entra(tenants="organizations", title="Anyone", client_id="shop", client_secret=SECRET),
    "github": OAuth2Provider.github(client_id="shop", client_secret=SECRET),
    "gitlab": Provider.gitlab(client_id="shop", client_secret=SECRET),
    "linkedin": Provider.linkedin(client_id="shop", client_secret=SECRET),
    "apple": Provider.apple(client_id="shop", team_id="TEAM123456", key_id="KEY1234567", private_key=PRIVATE_KEY),
    "facebook": OAuth2Provider.facebook(client_id="shop", client_secret=SECRET),
    "x": OAuth2Provider.x(client_id="shop", client_secret=SECRET),
    "discord": OAuth2Provider.discord(client_id="shop", client_secret=SECRET),
}


@pytest.fixture
def client() -> TestClient:
    return TestClient(shop(providers=PROVIDERS, issuer=None, client_id=None, client_secret=None))


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_made_up_user_is_accepted_whatever_the_provider(oidc: OIDCTester, client: TestClient, name: str):
    """Tenants, organizations and user APIs are as the settings want them."""
    oidc.sign_in(client, "alice", provider=name, claims={"roles": ["admin"]}, email="alice@acme.com")

    answer = client.get("/reports").json()
    assert (answer["sub"], answer["claims"]["email"]) == ("alice", "alice@acme.com")


def test_without_a_name_all_are_listed(oidc: OIDCTester, client: TestClient):
    """As the page for users does."""
    with pytest.raises(ValueError, match=r"which provider\? pass provider=...; it has work, google, entra, "):
        oidc.sign_in(client, "alice")


def test_each_has_a_fake_provider_of_its_own(oidc: OIDCTester, client: TestClient):
    """A fault of one is none of the others."""
    oidc.sign_in(client, "alice", provider="work")

    work = oidc.provider
    others = [oidc.provider_of(client, name) for name in PROVIDERS if name != "work"]
    assert [provider.calls for provider in others] == [[]] * len(others)
    assert work.count("/token") == 1
    assert oidc.provider_of(client, "work") is oidc.provider is work


class Tenants:
    """A look-up, as in a database."""

    async def get(self, name: str) -> Provider | None:
        """Return the provider of a tenant."""
        return PROVIDERS["work"] if name == "acme" else None  # type: ignore[return-value]  # it is a Provider


def test_a_provider_that_the_app_looks_up(oidc: OIDCTester):
    """Tenants are not known at start-up."""
    client = TestClient(shop(providers=Tenants(), issuer=None, client_id=None, client_secret=None))

    oidc.sign_in(client, "alice", provider="acme")

    assert client.get("/me").json()["claims"]["iss"] == "https://id.acme.com"
    with pytest.raises(ValueError, match="its look-up knows no provider 'other'"):
        oidc.sign_in(client, "alice", provider="other")
    with pytest.raises(ValueError, match=r"pass provider=\.\.\.; it looks its providers up"):
        oidc.sign_in(client, "alice")


def test_the_settings_of_the_connection_do_not_matter(oidc: OIDCTester):
    """Addresses inside a network, metadata and algorithms belong to the real provider."""
    client = TestClient(
        shop(
            internal_url="http://keycloak:8080",
            allow_http_hosts=["keycloak"],
            metadata={"token_endpoint": "https://elsewhere.acme.com/token"},
            algorithms=["PS512"],
            client_auth="client_secret_post",
            authorization_params={"response_mode": "form_post"},
            callback_path="/login/return",
        )
    )

    oidc.sign_in(client, "alice")

    assert client.get("/me").json()["sub"] == "alice"
