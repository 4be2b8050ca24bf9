"""Signing out at Amazon Cognito, whose logout is not that of OpenID Connect."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.protected_site import ORIGIN, PROGRAM, Site, who_am_i
from tests.token_site import STORES

LOGOUT = "https://example.auth.eu-central-1.amazoncognito.com/logout"
FROM_HERE = {"origin": ORIGIN}


def cognito_site(**settings: Any) -> Site:
    """Return a site whose provider has Cognito's endpoint in its metadata."""
    site = Site(**{"end_session_parameters": "cognito", "scope": "openid offline_access", **settings})
    site.provider.metadata = {**site.provider.metadata, "end_session_endpoint": LOGOUT}
    return site


def sent_to(location: str) -> tuple[str, Mapping[str, str]]:
    """Split a URL into the part without the query, and the parameters."""
    split = urlsplit(location)
    return f"{split.scheme}://{split.netloc}{split.path}", dict(parse_qsl(split.query))


@pytest.mark.parametrize("store", STORES)
async def test_cognito_gets_its_own_parameters(store):
    """`logout_uri` has to be one of the allowed sign-out URLs, character by character."""
    site = cognito_site(store=STORES[store]())
    browser = await site.signed_in()

    response = await browser.post("/auth/logout", headers=FROM_HERE, follow=False)

    assert sent_to(response.location) == (LOGOUT, {"client_id": "web", "logout_uri": ORIGIN})
    assert await who_am_i(browser) is None
    assert len(site.provider.revoked) == 1


async def test_the_page_after_a_logout_may_be_another_one():
    """It is the setting that all providers use."""
    site = cognito_site(post_logout_redirect_uri=f"{ORIGIN}/bye")
    browser = await site.signed_in()

    response = await browser.post("/auth/logout", {"return_to": "/elsewhere"}, headers=FROM_HERE, follow=False)

    assert sent_to(response.location)[1]["logout_uri"] == f"{ORIGIN}/bye"


async def test_nothing_of_the_session_is_in_the_url():
    """Cognito takes no hint, so the ID Token stays here; programs get the same redirect."""
    site = cognito_site()
    browser = await site.signed_in()

    response = await browser.post("/auth/logout", headers={**PROGRAM, **FROM_HERE}, follow=False)

    assert sent_to(response.location)[1].keys() == {"client_id", "logout_uri"}


async def test_coming_back_from_cognito_is_an_ordinary_visit():
    """There is no state that would show where the browser comes from."""
    site = cognito_site()
    browser = await site.signed_in()
    await browser.post("/auth/logout", headers=FROM_HERE, follow=False)

    page = await browser.get("/", initiator=LOGOUT)

    assert page.json() == {"path": "/", "sub": None, "scopes": []}


async def test_without_a_session_nobody_is_sent_to_cognito():
    """There is nobody to sign out."""
    response = await cognito_site().browser().post("/auth/logout", headers=FROM_HERE, follow=False)

    assert response.location == f"{ORIGIN}/"


async def test_by_default_the_parameters_are_those_of_openid_connect():
    """Cognito shows an error for them."""
    site = cognito_site(end_session_parameters="standard")
    browser = await site.signed_in()

    response = await browser.post("/auth/logout", headers=FROM_HERE, follow=False)

    assert {"post_logout_redirect_uri", "state", "id_token_hint"} <= sent_to(response.location)[1].keys()
