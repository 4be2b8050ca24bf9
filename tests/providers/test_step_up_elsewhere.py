"""A page that needs a stronger or fresher login than a provider can give: 403 and the reason, never a login loop."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.providers.ready_made_site import ReadyMadeSite, apple_site, gitlab_site, google_site, linkedin_site

SITES = [google_site, gitlab_site, linkedin_site, apple_site]


@pytest.mark.parametrize("make", SITES)
@pytest.mark.parametrize("path", ["/strong/x", "/recent/x"])
async def test_a_step_up_that_the_provider_ignores_ends_at_a_page(make: Callable[..., ReadyMadeSite], path):
    """The user is told why, and stays signed in; one way to the provider and back, not two."""
    site = make()
    site.standin.id_token_overrides = {"acr": ..., "auth_time": ...}
    browser, _ = await site.sign_in()
    before, calls = len(site.app.scopes), len(site.standin.calls)

    page = await browser.get(path)

    authorize = urlsplit(site.standin.metadata["authorization_endpoint"]).path
    ways = [call for call in site.standin.calls[calls:] if call.path == authorize]
    assert (page.status_code, "needs another kind of sign-in" in page.text) == (403, True)
    assert (len(site.app.scopes), len(ways)) == (before, 1)
    assert (await browser.get("/page")).status_code == 200
