"""A login asks for what the setting, the rule and the link need in detail; a page opens once it was granted."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc import Bearer, OIDCMiddleware, Rule
from asgi_oidc.errors import SettingsError
from asgi_oidc.testing import Browser, FakeProvider
from tests.protected_site import ORIGIN, PROGRAM, Site

PAYMENT = {"type": "payment", "actions": ["initiate"]}
READ = {"type": "account", "actions": ["read"]}
RULES = [Rule("/payments/*", authorization_details=[PAYMENT])]


def site_with(**settings: Any) -> Site:
    site = Site(**{"rules": RULES, **settings})
    site.provider.authorization_details_types = ["payment", "account"]
    return site


def asked(url: str) -> Any:
    (text,) = parse_qs(urlsplit(url).query).get("authorization_details", ["[]"])
    return json.loads(text)


def granted(site: Site) -> Any:
    return site.app.scope["oidc"].authorization_details


async def test_the_setting_is_asked_for_at_every_login():
    """And what was granted is for the app to see."""
    site = site_with(authorization_details=[READ])

    url = (await site.browser().get("/page", follow=False)).location
    await site.signed_in()

    assert (asked(url), granted(site)) == ([READ], [READ])


async def test_a_login_without_details_asks_for_none():
    """No parameter, and nothing granted."""
    site = site_with()
    await site.signed_in()

    assert granted(site) == []
    assert "authorization_details" not in (await site.browser().get("/page", follow=False)).location


@pytest.mark.parametrize("settings", [{}, {"par": "always"}], ids=str)
async def test_a_rule_leads_to_a_login_that_asks_for_it(settings):
    """And back to the page; the setting counts as well."""
    site = site_with(authorization_details=[READ], **settings)
    browser = await site.signed_in()

    page = await browser.get("/payments/1")

    assert (page.status_code, page.json()["path"]) == (200, "/payments/1")
    assert granted(site) == [READ, PAYMENT]


async def test_a_rule_that_is_met_needs_no_login():
    """A granted object may say more."""
    site = site_with(authorization_details=[{**PAYMENT, "actions": ["initiate", "cancel"]}])
    browser = await site.signed_in()

    assert (await browser.get("/payments/1", follow=False)).status_code == 200


async def test_programs_learn_where_the_login_is():
    """As with a step-up: 401, and no redirect; the objects are sealed in the URL."""
    site = site_with()
    browser = await site.signed_in()

    refused = await browser.get("/payments/1", headers=PROGRAM, follow=False)
    login = await browser.get(refused.json()["login_url"], follow=False)

    assert (refused.status_code, refused.json()["error"]) == (401, "insufficient_user_authentication")
    assert "payment" not in refused.text
    assert asked(login.location) == [PAYMENT]


@pytest.mark.parametrize("answer", ["nothing", "less", "not told"])
async def test_what_was_not_granted_is_a_403_and_no_loop(answer, caplog):
    """The user may have said no; the page offers another account, whose login asks again."""
    site = site_with()
    browser = await site.signed_in()
    site.provider.granted_details = lambda details: [] if answer == "nothing" else [{"type": "payment"}]
    faults = ["authorization_details_missing"] if answer == "not told" else []

    with site.provider.fault(*faults):
        page = await browser.get("/payments/1")
    logins = site.provider.count("/authorize")
    again = await browser.get("/payments/1", follow=False)

    assert (page.status_code, page.path, again.status_code) == (403, "/payments/1", 403)
    assert site.provider.count("/authorize") == logins
    assert "authorization_details of type payment needed, which were not granted" in caplog.text
    assert "initiate" not in caplog.text + page.text
    assert (await browser.get("/page")).json()["sub"] == "alice"
    refused = await browser.get("/payments/1", headers=PROGRAM, follow=False)
    another = await browser.get(refused.json()["login_url"], follow=False)
    assert asked(another.location) == [PAYMENT]


async def test_a_login_for_something_else_does_not_count_as_asked():
    """Two pages need two permissions: each gets its login."""
    rules = [*RULES, Rule("/accounts/*", authorization_details=[READ])]
    site = site_with(rules=rules)
    browser = await site.signed_in()

    assert (await browser.get("/payments/1")).status_code == 200
    assert (await browser.get("/accounts/1")).status_code == 200
    assert granted(site) == [READ]


async def test_all_rules_of_a_page_are_asked_for_at_once():
    """One login meets them."""
    site = site_with(rules=[*RULES, Rule("/payments/big/*", authorization_details=[READ], acr_values=["mfa"])])
    browser = await site.signed_in()

    assert (await browser.get("/payments/big/1")).status_code == 200
    assert granted(site) == [PAYMENT, READ]


async def test_a_link_asks_for_more():
    """`login_url` seals it; a query cannot."""
    site = site_with(login_params=["login_hint"])
    browser = await site.signed_in()
    oidc = site.app.scope["oidc"]

    url = oidc.login_url("/page", authorization_details=[READ])
    await browser.get(url)

    assert "account" not in url
    assert granted(site) == [READ]
    assert site.app.scope["oidc"].meets(authorization_details=[READ])
    assert not site.app.scope["oidc"].meets(authorization_details=[PAYMENT])
    plain = await browser.get('/auth/login?authorization_details=[{"type":"payment"}]', follow=False)
    assert asked(plain.location) == []


async def test_an_anonymous_user_has_nothing_granted():
    """A public page may ask."""
    site = site_with()
    await site.browser().get("/public/page")

    assert granted(site) == []
    assert not site.app.scope["oidc"].meets(authorization_details=[READ])


async def refreshed(site: Site, browser: Browser) -> None:
    async def use_token(scope: Any) -> None:
        await scope["oidc"].access_token()

    site.clock.advance(3590)
    site.app.at_work = use_token
    await browser.get("/page")


@pytest.mark.parametrize(
    ("fault", "left"),
    [(None, [PAYMENT]), ("authorization_details_missing", [PAYMENT]), ("authorization_details_empty", [])],
)
async def test_a_refresh_keeps_or_changes_what_was_granted(fault, left):
    """RFC 9396 §7: an answer that does not say changes nothing."""
    site = site_with(scope="openid offline_access", session_idle=10_000)
    browser = await site.signed_in(path="/payments/1")

    with site.provider.fault(*([fault] if fault else [])):
        await refreshed(site, browser)
    page = await browser.get("/payments/1", headers=PROGRAM, follow=False)

    assert site.provider.count_grants("refresh_token") == 1
    assert page.status_code == (200 if left else 403)
    await browser.get("/page")
    assert granted(site) == left


MALFORMED = ["malformed", "object", "not_objects", "without_type", "type_number"]


@pytest.mark.parametrize("fault", MALFORMED)
async def test_a_malformed_answer_ends_the_login(fault, caplog):
    """What was granted is not guessed."""
    site = site_with(authorization_details=[READ])

    refused = await site.failed_login(f"authorization_details_{fault}")

    assert (refused.status_code, refused.json()["error"]) == (502, "authorization_details_malformed")


async def test_a_provider_refuses_details_in_its_own_words(caplog):
    """RFC 9396 §5: the user cannot help it."""
    site = site_with(authorization_details=[READ])

    refused = await site.failed_login("callback_error_invalid_authorization_details")

    assert (refused.status_code, "invalid_authorization_details" in caplog.text) == (502, True)


async def test_an_unknown_type_is_found_before_the_login(caplog):
    """Where the metadata lists them; a list of a wrong type says nothing."""
    site = site_with(rules=[Rule("/page", authorization_details=[{"type": "pay-ment"}])])

    page = await site.browser().get("/page")

    assert (page.status_code, site.provider.count("/authorize")) == (502, 0)
    assert "code=authorization_details_unsupported" in caplog.text
    assert "authorization_details_types_supported is payment, account" in caplog.text


async def test_a_list_of_types_that_is_no_list_stops_nothing():
    """Only what is certain stops a login."""
    site = site_with(authorization_details=[READ])
    with site.provider.fault("discovery_details_types_of_wrong_type"):
        await site.signed_in()

    assert granted(site) == [READ]


async def test_a_granted_object_too_large_for_cookies_is_an_error():
    """The budget of the cookies holds, whatever a provider adds."""
    site = site_with(authorization_details=[READ])
    site.provider.granted_details = lambda details: [{**READ, "accounts": ["x" * 100] * 150}]
    browser = site.browser()

    page = await browser.sign_in("alice", "/page")

    assert page.status_code in (200, 500)
    assert sum(len(cookie.name) + len(cookie.value) for cookie in browser.jar.starting_with("__Host-oidc-")) < 8_192


@pytest.mark.parametrize(
    "changes",
    [
        {"authorization_details": [{"actions": ["read"]}]},
        {"authorization_params": {"authorization_details": "[]"}},
        {"login_params": ["authorization_details"]},
    ],
    ids=str,
)
def test_the_parameter_has_one_way_in(changes):
    """One error at start-up, which names the setting."""
    site = Site()
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware(site.app, **{**site.settings, **changes})

    (problem,) = caught.value.problems
    assert "authorization_details" in problem or "type" in problem


@pytest.mark.parametrize("value", [[], "payment", [{"type": ""}]], ids=str)
def test_a_rule_needs_objects(value):
    """An empty list would require nothing."""
    with pytest.raises(SettingsError, match="authorization_details: "):
        Rule("/payments/*", authorization_details=value)


def test_a_rule_with_details_only_closes_a_path():
    """As every requirement does, beside `origins` too."""
    rule = Rule("/payments/*", authorization_details=[PAYMENT], origins=["https://spa.example.com"])

    assert rule.closes
    assert "authorization_details=[{'type': 'payment'" in repr(rule)


def test_the_environment_has_them_as_json(monkeypatch):
    """Like rules."""
    environ = {
        "OIDC_ISSUER": "https://id.example.com",
        "OIDC_CLIENT_ID": "web",
        "OIDC_BASE_URL": ORIGIN,
        "OIDC_SECRET": Site().settings["secret"],
        "OIDC_AUTHORIZATION_DETAILS": json.dumps([PAYMENT]),
    }
    middleware = OIDCMiddleware.from_env(Site().app, environ=environ)

    assert "payment" not in repr(middleware)
    with pytest.raises(SettingsError, match="OIDC_AUTHORIZATION_DETAILS"):
        OIDCMiddleware.from_env(Site().app, environ={**environ, "OIDC_AUTHORIZATION_DETAILS": '{"type": "x"}'})


async def test_a_token_counts_by_its_claim():
    """RFC 9396 §9.1: what is missing there is a 403, as a program cannot sign in again."""
    provider = FakeProvider(alg="ES256")
    site = site_with(provider=provider, bearer=Bearer(audience="https://api.example.com"))
    statuses = []
    for claims in ({}, {"authorization_details": [PAYMENT]}, {"authorization_details": "payment"}):
        token = provider.access_token("alice", audience="https://api.example.com", claims=claims)
        headers = {**PROGRAM, "authorization": f"Bearer {token}"}
        statuses.append((await site.browser().get("/payments/1", headers=headers, follow=False)).status_code)

    assert statuses == [403, 200, 403]
