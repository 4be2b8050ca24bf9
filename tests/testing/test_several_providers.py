"""`Browser.sign_in` where users choose a provider first."""

import pytest

from asgi_oidc.testing import NavigationError
from tests.providers.three_providers import ThreeProviders


async def test_it_chooses_the_provider_by_name():
    """As a user would, on the page to choose from."""
    site = ThreeProviders()

    page = await site.browser().sign_in("alice", "/private", provider="two")

    assert (page.status_code, page.path, site.app.scope["user"].provider) == (200, "/private", "two")


async def test_without_a_name_it_stays_on_the_page_to_choose_from():
    """That page is what the user gets."""
    page = await ThreeProviders().browser().sign_in("alice", "/private")

    assert page.path == "/auth/login?return_to=%2Fprivate"


async def test_a_choice_that_comes_first_needs_no_page():
    """A link that names the provider leads straight to it."""
    site = ThreeProviders()

    page = await site.browser().sign_in("alice", "/auth/login?provider=two&return_to=/private", provider="two")

    assert (page.path, site.app.scope["user"].provider) == ("/private", "two")


async def test_a_name_that_the_page_does_not_offer_is_an_error():
    """The message has the links that there are."""
    with pytest.raises(NavigationError, match=r"no link to sign in at 'four' on .*provider=one"):
        await ThreeProviders().browser().sign_in("alice", "/private", provider="four")
