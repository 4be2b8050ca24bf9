"""Providers without the nonce or without PKCE: what is left still has to hold."""

from typing import Any

import pytest

from asgi_oidc.testing import Browser, LinkedInStandIn, Network
from tests.protected_site import ORIGIN, PROGRAM, Site

# --- no nonce


async def test_without_a_nonce_a_login_needs_the_exception():
    """LinkedIn returns none."""
    refused = await Site().failed_login("id_token_no_nonce")
    site = Site(allow_missing_nonce=True)
    with site.provider.fault("id_token_no_nonce"):
        await site.signed_in()

    assert refused.json()["error"] == "claim_nonce"


async def test_a_nonce_that_is_there_still_has_to_be_that_of_the_login():
    """Only its absence is allowed, and it is always sent."""
    site = Site(allow_missing_nonce=True)

    response = await site.failed_login("id_token_wrong_nonce")

    assert response.json()["error"] == "claim_nonce"
    assert all(call.params["nonce"] for call in site.provider.calls if call.path == "/authorize")


async def test_without_a_nonce_pkce_and_state_are_as_strict_as_before():
    """They are what detects an injected code then."""
    site = Site(allow_missing_nonce=True)

    _, url = await site.at_callback()
    planted = await site.browser().get(url, headers=PROGRAM, follow=False)
    await site.signed_in()

    assert planted.json()["error"] == "transaction_missing"
    assert all(call.params["code_challenge_method"] == "S256" for call in authorizations(site))
    assert all(call.form["code_verifier"] for call in site.provider.calls if call.path == "/token")


def authorizations(site: Site) -> list[Any]:
    """Return the authorization requests."""
    return [call for call in site.provider.calls if call.path == "/authorize"]


# --- no PKCE


async def test_a_provider_that_refuses_pkce_needs_the_exception():
    """Its token endpoint does not know the parameter."""
    strict, site = Site(), Site(allow_missing_pkce=True)
    strict.provider.pkce = site.provider.pkce = "refused"

    refused = await strict.failed_login()
    await site.signed_in()

    assert refused.json()["error"] == "provider_refused"
    assert not {"code_challenge", "code_challenge_method"} & authorizations(site)[0].params.keys()
    assert not [call for call in site.provider.calls if "code_verifier" in call.form]


@pytest.mark.parametrize("fault", ["id_token_no_nonce", "id_token_wrong_nonce"])
async def test_without_pkce_the_nonce_is_required(fault):
    """It is what detects an injected code then."""
    site = Site(allow_missing_pkce=True)
    site.provider.pkce = "refused"

    response = await site.failed_login(fault)

    assert response.json()["error"] == "claim_nonce"


async def test_metadata_without_s256_is_no_obstacle_without_pkce():
    """A provider that announces only `plain` has no use for a challenge that is not sent."""
    site = Site(allow_missing_pkce=True)
    site.provider.pkce = "refused"
    site.provider.metadata = {**site.provider.metadata, "code_challenge_methods_supported": ["plain"]}

    await site.signed_in()


async def test_linkedin_needs_the_risk_to_be_named():
    """It has neither PKCE nor a nonce."""
    provider = LinkedInStandIn()
    names: dict[str, Any] = {"allow_missing_nonce": True, "allow_missing_pkce": True, "allow_code_injection": True}
    site = Site(provider=provider, scope="openid profile email", **names)

    browser = Browser(site.middleware, ORIGIN, Network(provider).apps, clock=site.clock)
    response = await browser.sign_in(next(iter(provider.personas)), "/page")

    assert (response.status_code, site.app.scope["user"].issuer) == (200, "https://www.linkedin.com/oauth")
