"""A client with a key instead of a secret: logins, refreshes, and calls that each get an assertion of their own."""

import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest

from asgi_oidc.testing import Client, ClientKey, FakeProvider
from tests.protected_site import CLIENT_SECRET, Site
from tests.token_site import TokenSite

ALGORITHMS = ["ES256", "PS256", "RS256", "EdDSA"]


def keyed_site(key: ClientKey, *, alg: str | None = None, **settings: Any) -> Site:
    client = Client("web", client_secret=None, jwks=[key.public_jwk], token_endpoint_auth_signing_alg=alg)
    provider = FakeProvider(alg="ES256", clients=[client])
    return Site(provider=provider, **{"client_key": key.pem, "client_secret": ..., **settings})


def assertions(site: Site) -> list[dict[str, Any]]:
    made = [call.form["client_assertion"] for call in site.provider.calls if "client_assertion" in call.form]
    return [json.loads(urlsafe_b64decode(each.split(".")[1] + "==")) for each in made]


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_a_login_needs_no_secret(alg):
    """Whatever kind the key is of."""
    site = keyed_site(ClientKey(alg), alg=alg, **({"token_endpoint_auth_signing_alg": alg} if alg == "RS256" else {}))

    await site.signed_in()

    assert [claims["aud"] for claims in assertions(site)] == [site.provider.issuer]


async def test_a_provider_that_knows_only_plain_jwts_needs_the_setting(caplog):
    """Spring Authorization Server refuses the standard's type; the log names the setting."""
    key = ClientKey()
    refused, accepted = keyed_site(key), keyed_site(key, client_assertion_typ="JWT")
    refused.provider.client_assertion_typs = accepted.provider.client_assertion_typs = ["JWT"]

    response = await refused.failed_login()
    await accepted.signed_in()

    assert (response.status_code, response.json()["error"]) == (502, "provider_refused")
    assert "client_assertion_typ (OIDC_CLIENT_ASSERTION_TYP)" in caplog.text
    assert refused.provider.client_refusals == ["typ must be JWT"]
    assert accepted.provider.client_refusals == []


async def test_each_call_has_an_assertion_of_its_own():
    """The provider refuses one that it has seen."""
    key = ClientKey()
    provider = FakeProvider(alg="ES256", clients=[Client("web", client_secret=None, jwks=[key.public_jwk])])
    site = TokenSite("cookies", provider=provider, client_key=key.pem, client_secret=...)
    provider.access_token_lifetime = 40
    browser = await site.signed_in()
    site.clock.advance(20)

    page = await browser.fetch("/page")

    assert (page.status_code, site.refreshes) == (200, 1)
    first, second = assertions(site)
    assert first["jti"] != second["jti"]
    assert (first["exp"] - first["iat"], second["iat"] - first["iat"]) == (60, 20)


async def test_a_key_that_the_provider_does_not_know_ends_the_login():
    """And no secret is tried instead."""
    site = keyed_site(ClientKey(), client_key=ClientKey().pem, client_secret=CLIENT_SECRET)

    response = await site.failed_login()

    assert (response.status_code, response.json()["error"]) == (502, "provider_refused")
    assert not any("authorization" in call.headers for call in site.provider.calls if call.path == "/token")


async def test_no_log_line_has_an_assertion_or_a_key(caplog):
    """Neither of a login that succeeds nor of one that the provider refuses, at any level."""
    caplog.set_level("DEBUG")
    site = keyed_site(ClientKey("PS256"))
    await site.signed_in()
    refused = keyed_site(ClientKey(), client_key=site.settings["client_key"])

    await refused.failed_login()

    calls = [*site.provider.calls, *refused.provider.calls]
    sent = [call.form["client_assertion"] for call in calls if "client_assertion" in call.form]
    key_lines = [line for line in site.settings["client_key"].splitlines() if len(line) > 40]
    assert (len(sent), "provider_refused" in caplog.text) == (2, True)
    assert not any(text[-40:] in caplog.text for text in [*sent, *key_lines])
    assert not any(line in repr(each.middleware) for each in (site, refused) for line in key_lines)
