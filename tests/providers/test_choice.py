"""Which provider a login goes to: the link, the rule, the session or the app decides, or else the user."""

from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc import OIDCMiddleware, Provider, Rule
from asgi_oidc.testing import Browser, Response
from tests.protected_site import ORIGIN, PROGRAM, SECRET, App, Site
from tests.providers.tenants import TenantSite
from tests.providers.three_providers import NAMES, ThreeProviders, issuer_of


def link_to(name: str, page: Response) -> str:
    """Return the link to a provider on the page to choose one."""
    (found,) = (href for href, _ in page.page.links if f"provider={name}" in href)
    return found


@pytest.mark.parametrize("name", NAMES)
async def test_a_link_with_a_name_leads_to_that_provider(name):
    """Each provider has a redirect URI of its own (RFC 9700 §4.4)."""
    site = ThreeProviders()

    response = await site.browser().get(f"/auth/login?provider={name}", follow=False)

    query = parse_qs(urlsplit(response.location).query)
    assert response.location.startswith(f"{issuer_of(name)}/")
    assert query["redirect_uri"] == [f"{ORIGIN}/auth/callback/{name}"]


@pytest.mark.parametrize("name", NAMES)
async def test_a_user_signs_in_at_each_of_them(name):
    """The app learns which one vouches for the user."""
    site = ThreeProviders()

    await site.signed_in(name)

    user = site.app.scope["user"]
    assert (user.provider, user.issuer, user.is_authenticated) == (name, issuer_of(name), True)


async def test_a_protected_page_leads_to_the_choice_and_back():
    """The user chooses, signs in, and sees the page that was asked for."""
    site = ThreeProviders()
    browser = site.browser()

    page = await browser.get("/private?a=1")
    await browser.click(link_to("two", page))
    response = await browser.submit(button="alice")

    assert (page.status_code, page.path.partition("?")[0]) == (200, "/auth/login")
    assert (response.status_code, response.path) == (200, "/private?a=1")
    assert site.app.scope["user"].provider == "two"


async def test_the_provider_used_last_comes_first():
    """Most people always use the same one."""
    site = ThreeProviders()
    browser = await site.signed_in("three")
    await browser.post("/auth/logout", headers={"origin": ORIGIN})

    page = await browser.get("/auth/login")

    assert page.text.index("provider=three") < page.text.index("provider=one")


async def test_a_program_gets_the_list():
    """A single-page app shows the choice itself."""
    site = ThreeProviders()

    response = await site.browser().get("/private", headers=PROGRAM)

    assert response.status_code == 401
    assert [(entry["name"], entry["title"]) for entry in response.json()["providers"]] == [
        ("one", "One"),
        ("two", "Two"),
        ("three", "Three"),
    ]
    assert all(
        entry["login_url"].startswith(f"{ORIGIN}/auth/login?provider=") for entry in response.json()["providers"]
    )


@pytest.mark.parametrize("rules", [[], [Rule("/*", acr_values=["gold"])]])
async def test_a_long_path_does_not_fill_a_long_list(rules):
    """Each of 300 links would repeat it, so that a request of 2 kB got a response of 2 MB."""
    providers = {
        f"tenant-{number}": Provider(issuer=f"https://t{number}.example.net", client_id="web") for number in range(300)
    }
    middleware = OIDCMiddleware(App(), providers=providers, base_url=ORIGIN, secret=SECRET, rules=rules)
    browser, long = Browser(middleware, ORIGIN, {}), f"/a/page?{'%' * 2000}"

    program = await browser.fetch("/private", headers={"referer": f"{ORIGIN}{long}"})
    page = await browser.get(long)

    urls = [entry["login_url"] for entry in program.json()["providers"]]
    assert {url.partition("&return_to=")[2] for url in urls} == {"%2Fa%2Fpage"}
    assert page.text.count("return_to=%2Fa%2Fpage") == 300
    assert max(len(program.content), len(page.content)) < 250_000


@pytest.mark.parametrize("name", ["four", "One", "o%256ee", "one/two", "", "x" * 10_000, "..", "one%00"])
async def test_an_unknown_name_never_leads_away(name):
    """The page says so, and offers the others."""
    site = ThreeProviders()

    response = await site.browser().get(f"/auth/login?provider={name}", follow=False)

    assert (response.status_code, response.location) == (404, "")


async def test_a_rule_decides():
    """Only one provider opens the page, so there is nothing to choose."""
    site = ThreeProviders(rules=[Rule("/staff/*", providers=["two"])])

    response = await site.browser().get("/staff/", follow=False)

    assert response.location.startswith(issuer_of("two"))


async def test_the_user_of_another_provider_may_change():
    """403 with a way on, which leads straight to the right provider and back to that page."""
    site = ThreeProviders(rules=[Rule("/staff/*", providers=["two"])])
    browser = await site.signed_in("one")

    refused = await browser.get("/staff/x?y=1")
    await browser.click("Use another account")
    response = await browser.submit(button="alice")

    assert refused.status_code == 403
    assert (response.status_code, response.path) == (200, "/staff/x?y=1")
    assert site.app.scope["user"].provider == "two"


async def test_a_link_that_the_app_writes_names_a_provider_that_exists():
    """A typo would show only when somebody follows the link, as a page that nobody understands."""
    site = ThreeProviders()
    await site.browser().get("/")
    oidc = site.app.scope["oidc"]

    assert oidc.login_url(provider="two") == f"{ORIGIN}/auth/login?provider=two"
    with pytest.raises(ValueError, match=r"there is no 'tow'; the providers are 'one', 'two', 'three'"):
        oidc.login_url(provider="tow")


async def test_a_link_names_no_provider_if_there_is_only_one():
    """The provider of the flat keywords has no name."""
    site = Site()
    await site.browser().get("/")

    with pytest.raises(ValueError, match="leave it out"):
        site.app.scope["oidc"].login_url(provider="one")


async def test_a_link_may_name_any_provider_that_is_looked_up():
    """The list is the app's own, and may have grown meanwhile."""
    site = TenantSite("acme")
    await site.browser().get("/")

    assert site.app.scope["oidc"].login_url(provider="acme").endswith("/auth/login?provider=acme")
