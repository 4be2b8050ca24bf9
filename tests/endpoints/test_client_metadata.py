"""/auth/client-metadata.json: a client whose id is a URL describes itself there, and nobody has to register it."""

import json
from typing import Any

import httpx
import pytest

from asgi_oidc import OIDCMiddleware, Provider, SettingsError
from asgi_oidc.testing import ClientKey, FakeProvider
from tests.protected_site import ORIGIN, SECRET, Exchange, Site, who_am_i

PATH = "/auth/client-metadata.json"
URL = ORIGIN + PATH
KEY = ClientKey()


def documented(**settings: Any) -> Site:
    """Make a site that is known by its URL, and a provider that fetches its document and keys."""
    provider = FakeProvider(clients=[], alg="ES256")
    site = Site(**{"provider": provider, "client_id": URL, "client_secret": ..., **settings})
    provider.client_document_client = httpx.AsyncClient(transport=httpx.ASGITransport(site.middleware))
    provider.client_keys_client = provider.client_document_client
    return site


def document_in(exchange: Exchange) -> dict[str, Any]:
    return dict(json.loads(exchange.sent[1]["body"]))


@pytest.mark.parametrize("key", [..., KEY.pem], ids=["public", "with a key"])
async def test_a_client_that_nobody_registered_signs_users_in(key):
    """The provider reads all that it needs in the document, and the keys at its jwks_uri."""
    site = documented(client_key=key)

    assert await who_am_i(await site.signed_in()) == "alice"


async def test_the_document_describes_the_client():
    """As a registration would; the method follows from the settings."""
    document = document_in(await documented(client_key=KEY.pem, par="always").call(PATH))

    assert {name: document[name] for name in ("client_id", "redirect_uris", "jwks_uri")} == {
        "client_id": URL,
        "redirect_uris": [f"{ORIGIN}/auth/callback"],
        "jwks_uri": f"{ORIGIN}/auth/jwks",
    }
    assert document["token_endpoint_auth_method"] == "private_key_jwt"
    assert document["require_pushed_authorization_requests"] is True
    assert document_in(await documented().call(PATH))["token_endpoint_auth_method"] == "none"


async def test_the_document_is_the_same_for_everybody():
    """Shared caches may keep it: no cookie is read or set."""
    answer = await documented().call(PATH, headers={"cookie": "__Host-oidc-session=x"})

    assert (answer.status, answer.header(b"content-type")) == (200, b"application/json")
    assert answer.header(b"cache-control") == b"public, max-age=300"
    assert (answer.header(b"set-cookie"), answer.header(b"vary")) == (None, None)


async def test_a_client_with_another_id_has_no_document():
    """A registered client must not describe itself as another one."""
    answer = await Site().call(PATH, headers={"accept": "application/json"})

    assert (answer.status, document_in(answer)["error"]) == (404, "client_metadata_missing")


async def test_several_providers_share_the_document():
    """One client, with a redirect URI for each."""
    http_client = FakeProvider().http_client()
    providers = {
        name: Provider(issuer=f"https://{name}.example.com", client_id=URL, http_client=http_client) for name in "ab"
    }
    site = Site(issuer=..., client_id=..., client_secret=..., http_client=..., providers=providers)

    document = document_in(await site.call(PATH))

    assert document["redirect_uris"] == [f"{ORIGIN}/auth/callback/a", f"{ORIGIN}/auth/callback/b"]


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_a_public_client_takes_no_key_away_from_another_provider(names):
    """The document would say `none` to both, and the second would hand out tokens without any key."""
    client = FakeProvider().http_client()
    keys: dict[str, dict[str, Any]] = {names[0]: {}, names[1]: {"client_key": KEY.pem}}
    providers = {
        name: Provider(issuer=f"https://{name}.example.com", client_id=URL, http_client=client, **key)
        for name, key in keys.items()
    }

    with pytest.raises(SettingsError, match="the client's document can state one method only"):
        Site(issuer=..., client_id=..., client_secret=..., http_client=..., providers=providers)


# Settings, and what the error names.
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another path of ours": ({"client_id": f"{ORIGIN}/auth/client.json"}, f"set it to {URL}"),
    "another auth_path": ({"client_id": f"{ORIGIN}/oidc/client-metadata.json"}, f"set it to {URL}"),
    "a trailing slash": ({"client_id": f"{URL}/"}, f"set it to {URL}"),
    "a secret": ({"client_secret": "secret-of-the-client"}, "cannot have a shared secret"),
    "a secret's method": (
        {"client_secret": "secret-of-the-client-with-more-bytes", "client_auth": "client_secret_jwt"},
        "cannot have a shared secret",
    ),
    "a certificate's method": ({"client_auth": "tls_client_auth"}, "cannot have a shared secret"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_contradicts_a_public_document_is_refused(wrong):
    """At start-up, before a provider refuses the client."""
    settings, problem = WRONG[wrong]
    http_client = FakeProvider().http_client()
    values = {"issuer": "https://id.example.com", "client_id": URL, "base_url": ORIGIN, "http_client": http_client}

    with pytest.raises(SettingsError) as raised:
        OIDCMiddleware(Site().app, secret=SECRET, **{**values, **settings})

    assert problem in str(raised.value)


@pytest.mark.parametrize("client_id", ["https://clients.example.com/app.json", ORIGIN, f"{ORIGIN}/client.json"])
def test_another_url_is_an_id_like_any_other(client_id):
    """The document may be published elsewhere, and some providers use the URL of an app as its id."""
    site = Site(client_id=client_id, client_secret=...)

    assert site.middleware is not None
