"""With `callback_path`, users come back to the redirect URI that is registered, and to no other."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc import Rule
from asgi_oidc.testing import Browser
from tests.protected_site import ORIGIN, PROGRAM, Site
from tests.providers.three_providers import ThreeProviders

PATH = "/login/oidc/return"


async def back_from_provider(browser: Browser, path: str = "/private") -> str:
    """Sign in at the provider; return the URL to which it sends the browser back."""
    await browser.get(path)
    return (await browser.submit(button="alice", follow=False)).location


@pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
@pytest.mark.parametrize("settings", [{}, {"authorization_params": {"response_mode": "form_post"}}])
async def test_a_login_comes_back_to_the_registered_path(path, settings):
    """By GET and by POST; the token call repeats the redirect URI."""
    site = Site(callback_path=path, **settings)
    browser = site.browser()

    await browser.get("/private?a=1", follow=False)
    page = await browser.sign_in("alice", "/private?a=1")

    assert (page.status_code, page.path, page.json()["sub"]) == (200, "/private?a=1", "alice")


async def test_the_path_is_below_the_mount():
    """As our other URLs are."""
    site = Site(callback_path=PATH, base_url=f"{ORIGIN}/admin")

    url = (await site.browser().get("/admin/private", follow=False)).location

    assert parse_qs(urlsplit(url).query)["redirect_uri"] == [f"{ORIGIN}/admin{PATH}"]
    assert (await site.browser().sign_in("alice", "/admin/private")).status_code == 200


@pytest.mark.parametrize(
    "settings", [{"public": ["/login/*"]}, {"rules": [Rule("/login/*", claims={"roles": "admin"}, login=False)]}]
)
async def test_no_rule_closes_the_path(settings):
    """It is ours, as the default one is."""
    site = Site(callback_path=PATH, **settings)

    page = await site.browser().sign_in("alice", "/auth/login?return_to=/private")

    assert page.status_code == 200
    assert site.app.scope["user"].is_authenticated


@pytest.mark.parametrize("spelling", [PATH, f"{PATH}/"])
async def test_a_trailing_slash_is_tolerated(spelling):
    """As at our other URLs."""
    site = Site(callback_path=PATH)
    browser = site.browser()
    url = await back_from_provider(browser)

    assert (await browser.get(url.replace(PATH, spelling))).json()["sub"] == "alice"


@pytest.mark.parametrize("path", ["/auth/callback", "/login/oidc/Return", "/login//oidc/return"])
async def test_the_code_counts_at_no_other_path(path):
    """One redirect URI per provider, in one spelling."""
    site = Site(callback_path=PATH)
    browser = site.browser()
    url = await back_from_provider(browser)

    response = await browser.get(url.replace(PATH, path), follow=False)

    assert response.status_code in (303, 404)
    assert site.provider.count("/token") == 0
    assert (await browser.get("/auth/session", headers=PROGRAM)).status_code == 401


async def test_the_default_path_is_gone():
    """It is still ours: the app gets nothing."""
    response = await Site(callback_path=PATH).browser().get("/auth/callback?code=x&state=y", follow=False)

    assert (response.status_code, response.location) == (404, "")


@pytest.mark.parametrize("path", [PATH, "/auth/callback"])
async def test_each_of_several_providers_has_a_path_of_its_own(path):
    """The others keep theirs; one may have the callback that was for a single provider."""
    site = ThreeProviders({"one": {"callback_path": path}})

    for name in ("one", "two"):
        await site.signed_in(name)

    assert site.app.scope["user"].provider == "two"


@pytest.mark.parametrize(
    ("name", "other"), [("one", "/auth/callback/two"), ("two", PATH), ("one", "/auth/callback/one")]
)
async def test_the_answer_for_one_counts_nowhere_else(name, other):
    """Mix-up (RFC 9700 §4.4): neither at another provider's callback, nor at the one that it has given up."""
    site = ThreeProviders({"one": {"callback_path": PATH}})
    browser = site.browser()
    url = await back_from_provider(browser, f"/auth/login?provider={name}")
    query = urlsplit(url).query

    response = await browser.get(f"{other}?{query}", headers=PROGRAM, follow=False)

    expected: dict[str, Any] = {"/auth/callback/one": (404, "provider_unknown")}
    assert (response.status_code, response.json()["error"]) == expected.get(other, (400, "provider_mismatch"))
    assert all(fake.count("/token") == 0 for fake in site.fakes.values())


async def test_the_table_of_rules_names_the_path():
    """Someone who looks for what serves it finds it."""
    site = Site(callback_path=PATH)

    assert f"{PATH}" in site.middleware.explain_all()
    assert "asgi-oidc answers this URL itself" in str(site.middleware.explain(PATH))
