"""Providers that return only an ID Token."""

from typing import Any

import pytest

from asgi_oidc import TokenNotGranted
from tests.protected_site import Site
from tests.token_site import LIFETIME, STORES, TokenSite


def hidden_at_hash(site: Site) -> Site:
    """Leave `at_hash` out: it would be that of an access token which is not there."""
    site.provider.id_token_overrides = {"at_hash": ...}
    return site


async def test_without_an_access_token_a_login_needs_the_exception():
    """Azure AD B2C returns none if the scopes name no API."""
    refused = await hidden_at_hash(Site()).failed_login("token_no_access_token")
    site = hidden_at_hash(Site(allow_missing_access_token=True))
    with site.provider.fault("token_no_access_token"):
        await site.signed_in()

    assert refused.json()["error"] == "access_token_missing"


@pytest.mark.parametrize("store", STORES)
async def test_a_session_without_an_access_token_says_so(store):
    """The app gets a clear error, not an empty token; there is nothing to refresh, and everything else goes on."""
    site = hidden_at_hash(TokenSite(store, allow_missing_access_token=True))
    codes: list[str] = []

    async def call_apis(scope: Any) -> None:
        for get_token in (scope["oidc"].access_token, lambda: scope["oidc"].exchange_token(audience="api")):
            with pytest.raises(TokenNotGranted) as caught:
                await get_token()
            codes.append(caught.value.code)

    site.app.at_work = call_apis
    with site.provider.fault("token_no_access_token"):
        browser = await site.signed_in()
    site.clock.advance(LIFETIME)
    page = await browser.get("/page")

    assert page.json()["sub"] == "alice"
    assert codes == ["access_token_not_issued"] * 4
    assert site.provider.count_grants("refresh_token") == 0


async def test_without_an_access_token_userinfo_is_not_called():
    """There is nothing to call it with."""
    site = hidden_at_hash(Site(allow_missing_access_token=True))
    site.provider.claims_in_id_token = False

    with site.provider.fault("token_no_access_token"):
        await site.signed_in()

    assert site.provider.count("/userinfo") == 0
    assert site.app.scope["user"].name is None


async def test_with_an_access_token_everything_is_as_strict_as_before():
    """Only its absence is allowed."""
    site = Site(allow_missing_access_token=True)

    wrong_type = await site.failed_login("token_type_dpop")
    wrong_hash = await site.failed_login("id_token_bad_at_hash")

    assert (wrong_type.json()["error"], wrong_hash.json()["error"]) == ("token_type", "claim_at_hash")


async def test_a_hash_of_an_access_token_that_is_not_there_is_refused():
    """Somebody has removed the token."""
    response = await Site(allow_missing_access_token=True).failed_login("token_no_access_token")

    assert response.json()["error"] == "claim_at_hash"
