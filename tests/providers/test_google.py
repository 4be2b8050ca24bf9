"""A site with Google as a ready-made provider."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc.testing import Account
from tests.protected_site import ORIGIN
from tests.providers.ready_made_site import ReadyMadeSite, google_site


def with_organization(site: ReadyMadeSite, sub: str, claims: dict[str, Any]) -> None:
    site.standin.personas[sub] = Account(sub, "Dana Doe", "dana@example.com", claims)


async def query_of(site: ReadyMadeSite) -> dict[str, list[str]]:
    response = await site.browser().get("/auth/login?provider=it", follow=False)
    assert response.location.startswith("https://accounts.google.com/o/oauth2/v2/auth?")
    return parse_qs(urlsplit(response.location).query)


async def test_a_user_signs_in():
    """With nothing but the client id and the secret."""
    claims = await google_site().claims_of()

    assert (claims["name"], claims["email"], claims["email_verified"]) == ("Alice Adams", "alice@example.com", True)


async def test_a_user_of_the_organization_signs_in():
    """The parameter asks for it, and the claim shows it."""
    site = google_site(hosted_domains=["example.com"])
    with_organization(site, "7", {"hd": "example.com"})

    assert (await query_of(site))["hd"] == ["example.com"]
    assert (await site.claims_of("7"))["hd"] == "example.com"


@pytest.mark.parametrize("claims", [{"hd": "example.org"}, {}, {"hd": ["example.com"]}, {"hd": None}])
async def test_any_other_account_is_refused_and_another_one_can_be_chosen(claims):
    """The parameter is no requirement: users can remove it."""
    site = google_site(hosted_domains=["example.com"])
    with_organization(site, "7", claims)

    browser, page = await site.sign_in("7")
    response = await browser.get(page.page.links[0][0], follow=False)

    assert (page.status_code, page.page.links[0][1]) == (403, "Use another account")
    assert site.app.scopes == []
    assert parse_qs(urlsplit(response.location).query)["prompt"] == ["select_account"]


async def test_a_user_who_moves_to_another_organization_is_signed_out():
    """A refresh shows it: the new token is of an account that may not sign in."""
    site = google_site(hosted_domains=["example.com"], offline_access=True)
    with_organization(site, "7", {"hd": "example.com"})
    browser, _ = await site.sign_in("7")
    site.app.at_work = lambda scope: scope["oidc"].access_token()
    with_organization(site, "7", {"hd": "example.org"})
    site.clock.advance(3590)
    refused = [(await browser.fetch("/page")).status_code for _ in range(2)]
    _, page = await site.sign_in("7")

    assert (refused, page.status_code) == ([401, 401], 403)
    assert site.standin.count_grants("refresh_token") == 1


@pytest.mark.parametrize(("domains", "status"), [(["example.org"], 401), (["example.org", "example.com"], 200)])
async def test_an_organization_that_is_removed_keeps_no_sessions(domains, status):
    """Its users may not sign in any more; nor are they those of another tenant that gets the name."""
    before, after = google_site(hosted_domains=["example.com"]), google_site(hosted_domains=domains)
    with_organization(before, "7", {"hd": "example.com"})
    browser, _ = await before.sign_in("7")

    same = after.browser()
    same.jar = browser.jar

    assert ((await browser.fetch("/page")).status_code, (await same.fetch("/page")).status_code) == (200, status)


@pytest.mark.parametrize(("domains", "status"), [(["example.com"], 401), (None, 200)])
async def test_an_account_without_an_organization_needs_one_as_soon_as_it_is_required(domains, status):
    """Everybody may have been allowed before."""
    before, after = google_site(), google_site(hosted_domains=domains)
    browser, _ = await before.sign_in()

    same = after.browser()
    same.jar = browser.jar

    assert (await same.fetch("/page")).status_code == status


async def test_offline_access_brings_a_refresh_token_each_time():
    """Also at the second login, when Google sends none by default."""
    site = google_site(offline_access=True)
    browser, _ = await site.sign_in()
    await browser.post("/auth/logout", headers={"origin": ORIGIN})
    await site.sign_in(browser=browser)
    site.app.at_work = lambda scope: scope["oidc"].access_token()
    site.clock.advance(3590)

    assert (await browser.fetch("/page")).status_code == 200
    assert site.standin.count_grants("refresh_token") == 1


async def test_signing_out_is_local():
    """Google's metadata has no sign-out, and the browser stays here."""
    site = google_site()
    browser, _ = await site.sign_in()

    page = await browser.post("/auth/logout", headers={"origin": ORIGIN})

    assert page.path == "/"
    assert (await browser.fetch("/page")).status_code == 401


async def test_the_issuer_of_legacy_implementations_is_refused():
    """Tokens of the OpenID endpoints have the URL, and with two spellings one person would become two users."""
    site = google_site()
    site.standin.id_token_overrides = {"iss": "accounts.google.com"}
    _, page = await site.sign_in()

    assert (page.status_code, site.app.scopes) == (502, [])
