"""A page that needs a stronger or fresher login gets one, or says why not (RFC 9470)."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc import AccessTokenExpired, Rule, StepUpRequired
from asgi_oidc.testing import Browser, Response
from tests.asgi.test_websockets import DENIAL, connect
from tests.protected_site import ORIGIN, PROGRAM, Site, login_cookies

BILLING = Rule("/billing/*", max_age=300)
VAULT = Rule("/vault/*", acr_values=["urn:example:mfa", "urn:example:gold"])


@pytest.fixture
def site() -> Site:
    return Site(rules=[BILLING, VAULT])


def authorization_query(response: Response) -> dict[str, str]:
    """Give what a redirect asks of the provider."""
    return {name: values[0] for name, values in parse_qs(urlsplit(response.location).query).items()}


def challenge(response: Response) -> str:
    return response.headers["www-authenticate"]


async def test_a_login_that_is_too_old_is_done_again_and_leads_back(site):
    """The person signs in once more, and is on the page."""
    browser = await site.signed_in("alice", "/billing/invoices?year=1")
    site.clock.advance(331)

    redirect = await browser.get("/billing/invoices?year=2", follow=False)
    page = await browser.sign_in("alice", "/billing/invoices?year=2")

    assert (redirect.status_code, authorization_query(redirect)["max_age"]) == (303, "300")
    assert (page.status_code, page.path) == (200, "/billing/invoices?year=2")
    assert any("/authorize" in step.url for step in page.history)
    assert (await browser.get("/billing")).status_code == 200


async def test_a_login_that_is_too_weak_is_done_again(site):
    """The provider is asked for any of the contexts, the best first."""
    browser = await site.signed_in("alice")

    redirect = await browser.get("/vault", follow=False)
    page = await browser.sign_in("alice", "/vault")

    assert authorization_query(redirect)["acr_values"] == "urn:example:mfa urn:example:gold"
    assert (page.status_code, site.app.scope["user"].claims["acr"]) == (200, "urn:example:mfa")
    assert (await browser.get("/vault/x")).history == ()


async def test_the_first_login_asks_for_all_that_its_page_needs(site):
    """One way to the provider, not two."""
    redirect = await site.browser().get("/vault", follow=False)

    assert authorization_query(redirect)["acr_values"] == "urn:example:mfa urn:example:gold"
    assert "acr_values" not in authorization_query(await site.browser().get("/page", follow=False))


async def test_other_pages_go_on_with_the_old_login(site):
    """Only what a rule names is asked for more."""
    browser = await site.signed_in("alice")
    site.clock.advance(600)

    assert [(await browser.get(path)).status_code for path in ("/page", "/other")] == [200, 200]


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/billing", "id_token_old_auth_time"),
        ("/billing", "id_token_no_auth_time"),
        ("/vault", "id_token_wrong_acr"),
        ("/vault", "callback_error_access_denied"),
    ],
)
async def test_a_provider_that_ignores_the_step_up_leads_to_an_error_page(site, path, fault):
    """The page says so, there is no login loop, and the old session is still there."""
    browser = await site.signed_in("alice")
    site.clock.advance(400)
    before = len(site.app.scopes)

    with site.provider.fault(fault):
        page = await browser.sign_in("alice", path)

    assert (page.status_code, "Reference:" in page.text) == (403, True)
    assert len(site.app.scopes) == before
    assert (await browser.get("/page")).json()["sub"] == "alice"
    if not fault.startswith("callback"):
        assert "needs another kind of sign-in" in page.text
        assert (await browser.click("Try again", page, follow=False)).status_code == 303


async def test_a_program_is_told_what_is_needed_and_where(site):
    """RFC 9470 §3; the URL asks the provider for it, and comes back to the page of the script."""
    browser = await site.signed_in("alice")
    site.clock.advance(400)

    response = await browser.fetch("/billing/pay", method="POST", initiator=ORIGIN + "/shop?cart=1")

    assert (response.status_code, response.json()["error"]) == (401, "insufficient_user_authentication")
    assert (response.json()["max_age"], "acr_values" in response.json()) == (300, False)
    assert 'error="insufficient_user_authentication", max_age="300"' in challenge(response)
    assert login_cookies(browser) == []
    there = await browser.get(response.json()["login_url"], follow=False)
    back = await browser.sign_in("alice", response.json()["login_url"])
    assert (authorization_query(there)["max_age"], back.path) == ("300", "/shop?cart=1")
    assert (await browser.fetch("/billing/pay", method="POST")).status_code == 200


async def test_the_challenge_names_the_contexts(site):
    """With blanks between them."""
    browser = await site.signed_in("alice")

    response = await browser.fetch("/vault")

    assert 'acr_values="urn:example:mfa urn:example:gold"' in challenge(response)
    assert response.json()["acr_values"] == ["urn:example:mfa", "urn:example:gold"]


async def test_where_a_rule_says_so_a_page_gets_401_as_well():
    """`login=False`."""
    site = Site(rules=[Rule("/api/*", max_age=60, login=False)])
    browser = await site.signed_in("alice")
    site.clock.advance(100)

    page = await browser.get("/api/x")

    assert (page.status_code, page.json()["error"]) == (401, "insufficient_user_authentication")


async def test_a_websocket_is_refused_before_it_is_accepted(site):
    """401 or 4401."""
    browser = await site.signed_in("alice")
    before = len(site.app.scopes)

    assert (await connect(site, "/vault/ws", browser=browser, **DENIAL)).status == 401
    assert (await connect(site, "/vault/ws", browser=browser)).sent == [{"type": "websocket.close", "code": 4401}]
    assert len(site.app.scopes) == before


async def ask_for_more(scope: Any) -> None:
    """Be an app that wants a fresh login on one page."""
    if scope["path"] == "/transfer" and "acr" not in scope["user"].claims:
        raise StepUpRequired(acr_values=["urn:example:mfa"], max_age=60)


async def test_an_app_may_ask_for_a_step_up(site):
    """`raise StepUpRequired(...)` before it answers."""
    site.app.at_work = ask_for_more
    browser = await site.signed_in("alice")

    redirect = await browser.get("/transfer?to=bob", follow=False)
    program = await browser.fetch("/transfer", headers=PROGRAM)
    page = await browser.sign_in("alice", "/transfer?to=bob")

    assert (authorization_query(redirect)["acr_values"], authorization_query(redirect)["max_age"]) == (
        "urn:example:mfa",
        "60",
    )
    assert (program.status_code, program.json()["error"]) == (401, "insufficient_user_authentication")
    assert (page.status_code, page.path) == (200, "/transfer?to=bob")


async def test_a_step_up_on_a_public_page_is_a_first_login():
    """Then it is a first login, with what was asked."""

    async def strict(scope: Any) -> None:
        raise StepUpRequired(max_age=60)

    site = Site()
    site.app.at_work = strict

    redirect = await site.browser().get("/public/x", follow=False)
    program = await site.browser().fetch("/public/x")

    assert (redirect.status_code, authorization_query(redirect)["max_age"]) == (303, "60")
    assert (program.status_code, program.json()["error"]) == (401, "login_required")


async def test_an_app_that_is_never_satisfied_gets_an_error_page(site):
    """No endless loop, whoever asks."""

    async def never_content(scope: Any) -> None:
        if scope["path"] == "/x":
            raise StepUpRequired(max_age=600)

    site.app.at_work = never_content
    browser = await site.signed_in("alice")

    page = await browser.get("/x")

    assert (page.status_code, "keeps asking you to sign in" in page.text) == (403, True)


@pytest.mark.parametrize("asks", [{"acr_values": []}, {"max_age": -1}, {"acr_values": ["low"]}])
async def test_an_app_that_asks_for_nonsense_is_told_so(asks, caplog):
    """500, and the log says what is wrong."""
    site = Site(authorization_params={"acr_values": "urn:example:mfa"})

    async def confused(scope: Any) -> None:
        raise StepUpRequired(**asks)

    site.app.at_work = confused
    browser = site.browser()
    page = await browser.sign_in("alice", "/page")

    assert page.status_code == 500
    assert "code=step_up_invalid" in caplog.text


async def test_a_check_may_ask_for_a_step_up():
    """The app's own rule knows best when."""

    def only_fresh(user: Any) -> bool:
        if "acr" not in user.claims:
            raise StepUpRequired(acr_values=["urn:example:mfa"])
        return True

    site = Site(rules=[Rule("/x", check=only_fresh)])
    browser = await site.signed_in("alice")

    assert authorization_query(await browser.get("/x", follow=False))["acr_values"] == "urn:example:mfa"
    assert (await browser.sign_in("alice", "/x")).status_code == 200


async def test_a_login_link_of_the_app_may_ask_for_a_step_up(site):
    """`login_url(...)`; what it asks for is sealed, and checked when the browser is back."""
    browser = await site.signed_in("alice")
    await browser.get("/page")
    url = site.app.scope["oidc"].login_url("/after", acr_values=["urn:example:mfa"], max_age=0)

    there = await browser.get(url, follow=False)
    back = await browser.sign_in("alice", url)

    assert (authorization_query(there)["acr_values"], authorization_query(there)["max_age"]) == ("urn:example:mfa", "0")
    assert (back.path, site.app.scope["user"].claims["acr"]) == ("/after", "urn:example:mfa")
    with pytest.raises(ValueError, match="acr_values"):
        site.app.scope["oidc"].login_url("/after", acr_values="urn:example:mfa")


@pytest.mark.parametrize("ask", ["acr_values=weak&max_age=0&prompt=none&scope=admin", "ask=forged", "ask=a&ask=b"])
async def test_only_a_sealed_authentication_request_counts(site, ask):
    """Any site can link to our login; the parameters come from the settings and the app alone."""
    redirect = await site.browser().get(f"/auth/login?return_to=/x&{ask}", follow=False)

    assert {"acr_values", "max_age", "prompt"} & authorization_query(redirect).keys() == set()
    assert authorization_query(redirect)["scope"] == "openid profile email"


async def test_an_app_cannot_ask_for_less_than_every_login():
    """The session would be good for all other pages as well."""
    site = Site(authorization_params={"acr_values": "high higher"})
    await site.browser().get("/")
    oidc = site.app.scope["oidc"]

    assert "ask=" in oidc.login_url("/x", acr_values=["higher", "highest"])
    for ask in (oidc.login_url, oidc.meets):
        with pytest.raises(ValueError, match="none of the acr_values in authorization_params"):
            ask(acr_values=["low"])


async def test_two_authentication_requests_in_one_link_count_as_none(site):
    """Nobody can say which one was meant."""
    browser = await site.signed_in("alice")
    await browser.get("/page")
    url = site.app.scope["oidc"].login_url("/after", acr_values=["urn:example:mfa"])
    (ask,) = parse_qs(urlsplit(url).query)["ask"]

    once = await site.browser().get(f"/auth/login?ask={ask}", follow=False)
    twice = await site.browser().get(f"/auth/login?ask={ask}&ask={ask}", follow=False)

    assert ("acr_values" in authorization_query(once), "acr_values" in authorization_query(twice)) == (True, False)


async def test_a_step_up_makes_a_new_session_and_ends_the_old(site):
    """A change of privilege: a copy of the old cookies is worth nothing after its grace."""
    browser = await site.signed_in("alice")
    copy: Browser = site.browser(jar=browser.jar.copy())

    await browser.sign_in("alice", "/vault")
    site.clock.advance(31)

    assert (await browser.fetch("/page")).status_code == 200
    assert (await copy.fetch("/page")).status_code == 401


async def test_a_refresh_makes_no_login_stronger_or_fresher():
    """It happens without the person."""
    site = Site(rules=[BILLING], scope="openid profile email offline_access")

    async def ask(scope: Any) -> None:
        await scope["oidc"].access_token()

    browser = await site.signed_in("alice", "/billing")
    site.app.at_work = ask
    site.clock.advance(3595)

    assert (await browser.fetch("/page")).status_code == 200
    assert (await browser.fetch("/billing")).json()["error"] == "insufficient_user_authentication"


async def test_a_step_up_elsewhere_ends_no_refresh_and_makes_no_login_fresher():
    """Keycloak's refreshed ID Tokens have the `auth_time` of the last step-up in that browser, in whatever app."""
    site = Site(rules=[BILLING], scope="openid profile email offline_access")

    async def ask(scope: Any) -> None:
        await scope["oidc"].access_token()

    browser = await site.signed_in("alice", "/billing")
    site.app.at_work = ask
    site.clock.advance(3595)
    site.provider.id_token_overrides = {"auth_time": int(site.clock.now) - 1}

    assert (await browser.fetch("/page")).status_code == 200
    site.clock.advance(10)  # the token of the login has run out
    assert (await browser.fetch("/page")).status_code == 200
    assert site.provider.count_grants("refresh_token") == 1
    assert (await browser.fetch("/billing")).json()["error"] == "insufficient_user_authentication"


async def test_claims_that_the_app_made_are_no_proof_of_a_login():
    """`acr` and `auth_time` count as the provider signed them."""

    async def on_login(user: Any, claims: dict[str, Any]) -> None:
        claims |= {"acr": "urn:example:mfa", "auth_time": 4_000_000_000}

    site = Site(rules=[VAULT], on_login=on_login)
    browser = await site.signed_in("alice")

    assert (await browser.fetch("/vault")).status_code == 401


async def test_an_app_that_is_never_satisfied_gets_an_error_page_with_fragments_too():
    """There a script goes on by itself, and no browser stops it."""

    async def never_content(scope: Any) -> None:
        if scope["path"] == "/x":
            raise StepUpRequired(max_age=600)

    site = Site(keep_fragment=True)
    site.app.at_work = never_content
    browser = site.browser()
    page = await browser.get("/x")

    for _ in range(6):
        (link,) = [href for href, text in page.page.links if text == "Sign in"]
        page = await browser.get(link, headers={"sec-fetch-user": None})
        page = await browser.submit(page, "alice") if page.page.forms else page

    assert (page.status_code, "keeps asking you to sign in" in page.text) == (403, True)


async def test_a_user_who_clicks_may_step_up_without_limit(site):
    """`Sec-Fetch-User` says that it was a person."""
    browser = await site.signed_in("alice")
    await browser.get("/page")
    url = site.app.scope["oidc"].login_url("/page", max_age=60)

    for _ in range(5):
        clicked = await browser.get(url, initiator=f"{ORIGIN}/page", headers={"sec-fetch-user": "?1"})
        assert clicked.status_code == 200


async def test_a_program_whose_token_has_run_out_is_not_told_to_step_up():
    """An ordinary login is enough."""

    async def needs_token(scope: Any) -> None:
        if scope["path"] == "/api":
            raise AccessTokenExpired

    site = Site()
    site.app.at_work = needs_token
    browser = await site.signed_in("alice")

    assert (await browser.fetch("/api")).json()["error"] == "login_required"


async def test_an_app_can_look_at_the_login_by_itself(site):
    """By the provider's word; nobody meets nothing, not even nothing."""
    browser = await site.signed_in("alice", "/vault")
    oidc = site.app.scope["oidc"]
    await site.browser().get("/")
    nobody = site.app.scope["oidc"]

    assert (oidc.meets(), oidc.meets(acr_values=["urn:example:mfa"]), oidc.meets(acr_values=["gold"])) == (
        True,
        True,
        False,
    )
    assert (oidc.meets(max_age=300), nobody.meets(), nobody.meets(max_age=300)) == (True, False, False)
    site.clock.advance(331)
    await browser.get("/page")
    assert not site.app.scope["oidc"].meets(max_age=300)
    with pytest.raises(ValueError, match="acr_values"):
        oidc.meets(acr_values=[])
