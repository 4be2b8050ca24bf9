"""`login_params` passes parameters of `/auth/login` on; `login_url(params=...)` seals those of the app."""

from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from asgi_oidc import Provider, Rule
from asgi_oidc.testing import Browser, Response
from tests.protected_site import ORIGIN, PROGRAM, Site
from tests.providers.oauth2_site import OAuth2Site
from tests.providers.three_providers import ThreeProviders


class Tenants:
    """Looks providers up."""

    async def get(self, name: str) -> Provider | None:
        """Find nobody."""


NAMES = ["login_hint", "ui_locales", "prompt", "max_age", "acr_values"]


def sent(response: Response) -> dict[str, list[str]]:
    """Return the parameters of the authorization request."""
    assert response.status_code == 303
    return parse_qs(urlsplit(response.location).query)


async def login_url(site: Site | ThreeProviders, browser: Browser, *args: Any, **kwargs: Any) -> str:
    """Return what the app's code gets in a request of this browser."""
    await browser.get("/public/x")
    return str(site.app.scope["oidc"].login_url(*args, **kwargs)).removeprefix(ORIGIN)


async def test_the_named_parameters_are_passed_on():
    """All others stay here, however dangerous they are."""
    browser = Site(login_params=["login_hint", "ui_locales"]).browser()

    query = sent(
        await browser.get(
            "/auth/login?login_hint=alice%40example.com&ui_locales=de+en&prompt=none&scope=x&redirect_uri=https://e.example"
            "&state=s&nonce=n&code_challenge=c&client_id=c&response_mode=fragment&hd=x",
            follow=False,
        )
    )

    assert (query["login_hint"], query["ui_locales"]) == (["alice@example.com"], ["de en"])
    assert query["redirect_uri"] == [f"{ORIGIN}/auth/callback"]
    assert query["scope"] == ["openid profile email"]
    assert not {"prompt", "response_mode", "hd"} & query.keys()
    assert all(len(values) == 1 for values in query.values())


async def test_nothing_is_passed_on_by_default():
    """Any site can link to the login."""
    query = sent(await Site().browser().get("/auth/login?login_hint=x&ui_locales=de&max_age=0", follow=False))

    assert not {"login_hint", "ui_locales", "max_age"} & query.keys()


async def test_a_value_cannot_add_a_parameter():
    """It is encoded where it is written."""
    browser = Site(login_params=NAMES).browser()

    query = sent(await browser.get("/auth/login?login_hint=" + quote("x&scope=admin#&state=1"), follow=False))

    assert query["login_hint"] == ["x&scope=admin#&state=1"]
    assert query["scope"] == ["openid profile email"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("prompt=login&prompt=none", "parameter_repeated"),
        ("login_hint=" + "x" * 10_000, "parameter_too_long"),
        ("login_hint=%0d%0ax", "parameter_invalid"),
        ("prompt=none+login", "parameter_invalid"),
        ("max_age=soon", "parameter_invalid"),
        ("login_hint=%ff", "parameters_malformed"),
    ],
)
async def test_a_bad_value_starts_no_login(query, code):
    """A person gets a page, a program the code; neither shows the value."""
    browser = Site(login_params=NAMES).browser()

    page = await browser.get(f"/auth/login?{query}", follow=False)
    told = await browser.get(f"/auth/login?{query}", headers={**PROGRAM, "accept": "*/*"}, follow=False)

    assert (page.status_code, page.set_cookies, "This link does not work" in page.text) == (400, [], True)
    assert (told.status_code, told.json()["error"]) == (400, code)
    assert "xxx" not in page.text


async def test_a_max_age_of_the_query_is_checked_after_the_login():
    """A provider that ignores it does not sign the user in."""
    site = Site(login_params=["max_age"])
    with site.provider.fault("id_token_old_auth_time"):
        page = await site.browser().sign_in("alice", "/auth/login?max_age=60&return_to=/private")

    assert page.status_code == 403
    assert not any(scope["user"].is_authenticated for scope in site.app.scopes)


async def test_acr_values_of_the_query_are_checked_after_the_login():
    """As those of a rule are."""
    site = Site(login_params=["acr_values"])
    with site.provider.fault("id_token_wrong_acr"):
        page = await site.browser().sign_in("alice", "/auth/login?acr_values=mfa&return_to=/private")
    good = await site.browser().sign_in("alice", "/auth/login?acr_values=mfa&return_to=/private")

    assert (page.status_code, good.status_code) == (403, 200)


async def test_the_query_does_not_weaken_the_settings():
    """The shorter age, and the contexts of the settings."""
    always = {"max_age": 60, "acr_values": "mfa", "prompt": "consent"}
    browser = Site(login_params=NAMES, authorization_params=always).browser()

    query = sent(await browser.get("/auth/login?max_age=600&prompt=none", follow=False))
    refused = await browser.get("/auth/login?acr_values=pwd", follow=False)

    assert (query["max_age"], query["acr_values"], query["prompt"]) == (["60"], ["mfa"], ["consent"])
    assert refused.status_code == 400


async def test_the_query_does_not_weaken_a_rule():
    """What the sealed link requires stays required, even if the browser adds to the link."""
    site = Site(login_params=NAMES, rules=[Rule("/bank/*", max_age=60, acr_values=["mfa"])])
    told = await site.browser().get("/bank/", headers=PROGRAM)
    url = told.json()["login_url"].removeprefix(ORIGIN)

    query = sent(await site.browser().get(f"{url}&max_age=9999&login_hint=x", follow=False))
    refused = await site.browser().get(f"{url}&acr_values=pwd", follow=False)

    assert (query["max_age"], query["acr_values"], query["login_hint"]) == (["60"], ["mfa"], ["x"])
    assert refused.status_code == 400


async def test_select_account_is_written_as_the_provider_knows_it():
    """As for the button of our own pages."""
    site = Site(login_params=["prompt"], metadata={"prompt_values_supported": ["login", "none"]})

    assert sent(await site.browser().get("/auth/login?prompt=select_account", follow=False))["prompt"] == ["login"]


# --- login_url(params=...)


async def test_code_sets_parameters_that_the_browser_cannot_change():
    """They are sealed; what the browser adds is ignored, or adds nothing that the app has set."""
    site = Site(login_params=["login_hint"])
    browser = site.browser()
    url = await login_url(site, browser, "/private", params={"login_hint": "alice", "kc_idp_hint": "github"})

    query = sent(await browser.get(f"{url}&login_hint=mallory&kc_idp_hint=x", follow=False))

    assert "alice" not in url
    assert (query["login_hint"], query["kc_idp_hint"]) == (["alice"], ["github"])


async def test_a_link_that_was_changed_sets_nothing():
    """It is a plain login."""
    site = Site()
    browser = site.browser()
    url = await login_url(site, browser, params={"login_hint": "alice"})

    changed = url[:-8] + ("A" if url[-8] != "A" else "B") + url[-7:]

    assert "login_hint" not in sent(await browser.get(changed, follow=False))


async def test_requirements_in_params_are_requirements():
    """However the app writes them, the stricter ones count."""
    site = Site()
    browser = site.browser()
    url = await login_url(site, browser, max_age=600, params={"max_age": 60, "acr_values": ["mfa"]})

    query = sent(await browser.get(url, follow=False))

    assert (query["max_age"], query["acr_values"]) == (["60"], ["mfa"])


@pytest.mark.parametrize(
    "arguments",
    [
        {"params": {"state": "x"}},
        {"params": {"redirect_uri": "https://evil.example"}},
        {"params": {"return_to": "/x"}},
        {"params": {"login_hint": "x" * 2_000}},
        {"acr_values": ["mfa"], "params": {"acr_values": "pwd"}},
    ],
)
async def test_a_mistake_is_an_error_in_the_app(arguments):
    """At once, not at the provider."""
    site = Site()
    with pytest.raises(ValueError, match="params"):
        await login_url(site, site.browser(), **arguments)


async def test_the_longest_link_is_short_enough():
    """Proxies take a request line of 8 kB, and the return path may have 2 kB."""
    site = Site()

    url = await login_url(site, site.browser(), "/" + "x" * 2_000, params={"login_hint": "x" * 1_000})

    assert len(url) < 4_096


async def test_a_websocket_gets_such_links_too():
    """Its app sends them to the script that has to sign the user in."""
    site = Site(public=["/", "/live"])
    await site.call("/live", type="websocket", headers={"origin": ORIGIN})
    url = site.app.scope["oidc"].login_url(params={"login_hint": "alice"}).removeprefix(ORIGIN)

    assert sent(await site.browser().get(url, follow=False))["login_hint"] == ["alice"]


# --- several providers


async def test_the_parameters_survive_the_choice():
    """Of the query and of the sealed link."""
    site = ThreeProviders(login_params=["ui_locales"])
    browser = site.browser()
    url = await login_url(site, browser, "/private", params={"login_hint": "alice"})

    page = await browser.get(f"{url}&ui_locales=de")
    (link,) = (href for href, _ in page.page.links if "provider=two" in href)
    query = sent(await browser.get(link, follow=False))

    assert (query["login_hint"], query["ui_locales"]) == (["alice"], ["de"])


@pytest.mark.parametrize(("query", "kept"), [("", {"return_to"}), ("&ui_locales=de", {"return_to", "ask"})])
async def test_the_parameters_survive_the_page_that_asks_for_a_name(query, kept):
    """Where providers cannot be listed; also if the first name is none."""
    site = ThreeProviders(providers=Tenants(), login_params=["ui_locales"])
    browser = site.browser()

    first = await browser.get(f"/auth/login?return_to=/private{query}")
    second = await browser.submit(data={"provider": "nobody"})

    for page in (first, second):
        assert {name for name, _ in page.page.forms[0].data(None, {}) if name != "provider"} == kept


async def test_a_link_may_name_the_provider_too():
    """Straight there, with its own parameters."""
    site = ThreeProviders()
    browser = site.browser()

    url = await login_url(site, browser, provider="three", params={"hd": "example.com"})

    assert sent(await browser.get(url, follow=False))["hd"] == ["example.com"]


async def test_a_step_up_by_the_query_stays_at_the_provider():
    """As one by a rule: the user is known there."""
    site = ThreeProviders(login_params=["max_age"])
    browser = await site.signed_in("two")

    response = await browser.get("/auth/login?max_age=60", follow=False)

    assert response.location.startswith("https://two.id.example.net")


async def test_a_provider_without_openid_connect_gets_them_too():
    """Many of those know `prompt`, and parameters of their own."""
    site = OAuth2Site(login_params=["prompt", "login", "max_age"])
    browser = site.browser()

    query = sent(await browser.get("/auth/login?provider=hub&prompt=consent&login=octocat", follow=False))
    refused = await browser.get("/auth/login?provider=hub&max_age=60", follow=False)

    assert (query["prompt"], query["login"]) == (["consent"], ["octocat"])
    assert (refused.status_code, refused.location) == (403, "")
