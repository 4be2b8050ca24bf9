"""Providers whose tokens have further audiences: they count if `azp` is this client."""

import pytest

from tests.logout_site import LogoutSite
from tests.protected_site import Site
from tests.token_site import LIFETIME, TokenSite


async def test_further_audiences_need_the_exception():
    """Zitadel names all clients of a project."""
    refused = await Site().failed_login("id_token_extra_aud")
    site = Site(allow_azp_audiences=True)
    with site.provider.fault("id_token_extra_aud"):
        await site.signed_in()

    assert refused.json()["error"] == "claim_aud"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": ["web", "other"], "azp": "other"}, "claim_aud"),
        ({"aud": ["web", "other"]}, "claim_aud"),
        ({"aud": ["other", "another"], "azp": "web"}, "claim_aud"),
        ({"aud": "other", "azp": "web"}, "claim_aud"),
        ({"aud": "web", "azp": "other"}, "claim_azp"),
    ],
    ids=str,
)
async def test_further_audiences_count_only_if_azp_is_this_client(claims, code):
    """Only `azp` tells to whom the token was given; and the client must be an audience."""
    site = Site(allow_azp_audiences=True)
    site.provider.id_token_overrides = claims

    response = await site.failed_login()

    assert response.json()["error"] == code


@pytest.mark.parametrize(("allowed", "status"), [(True, 200), (False, 400)])
async def test_further_audiences_of_logout_tokens_count_in_the_same_way(allowed, status):
    """They come from the same provider."""
    site = LogoutSite(allow_azp_audiences=allowed)
    await site.signed_in()

    answer = await site.hear(site.provider.logout_token("alice", aud=["web", "other"], azp="web"))

    assert answer.status == status


async def test_the_audiences_may_grow_at_a_refresh():
    """Somebody has added a client to the project."""
    site = TokenSite(allow_azp_audiences=True)
    site.provider.id_token_overrides = {"aud": ["web", "other"], "azp": "web"}
    browser = await site.signed_in()
    site.provider.id_token_overrides = {"aud": ["web", "other", "new"], "azp": "web"}
    site.clock.advance(LIFETIME)

    page = await browser.get("/page")

    assert (page.status_code, site.refreshes) == (200, 1)
