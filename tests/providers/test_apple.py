"""A site with Apple as a ready-made provider."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import ECKey

from asgi_oidc import Provider
from asgi_oidc.testing import Account, AppleStandIn, Browser, Response
from tests.protected_site import ORIGIN, Site
from tests.providers.ready_made_site import ReadyMadeSite, apple_site, user_field
from tests.testing.standins.client import payload


async def posted(site: ReadyMadeSite, user: str, *, browser: Browser | None = None) -> Response:
    """Sign alice in with another field `user` in the form; return the page that she ends at."""
    browser = browser or site.browser()
    page = await browser.get("/auth/login?provider=it&return_to=/page")
    form = await browser.submit(page, "1000001", follow=False)
    return await browser.submit(form, data={"user": user})


async def test_a_user_signs_in_and_tells_a_name_once():
    """The address comes with every login, from the ID Token."""
    site = apple_site()
    first, second = await site.claims_of(), await site.claims_of()

    assert (first["name"], first["given_name"], first["family_name"]) == ("Alice Adams", "Alice", "Adams")
    assert (first["email"], second["email"]) == ("alice@example.com", "alice@example.com")
    assert "name" not in second
    assert site.app.scope["user"].email_verified is True


async def test_on_login_gets_the_name():
    """There an app stores it."""
    names: list[Any] = []

    async def on_login(user: Any, claims: dict[str, Any]) -> None:
        names.append((user.name, claims.get("given_name")))

    site = ReadyMadeSite(AppleStandIn, Provider.apple, on_login=on_login)
    await site.claims_of()
    await site.claims_of()

    assert names == [("Alice Adams", "Alice"), (None, None)]


async def test_the_response_comes_by_form():
    """Else Apple refuses the scopes."""
    response = await apple_site().browser().get("/auth/login?provider=it", follow=False)
    query = parse_qs(urlsplit(response.location).query)

    assert response.location.startswith("https://appleid.apple.com/auth/authorize?")
    assert (query["response_mode"], query["scope"]) == (["form_post"], ["openid name email"])
    assert (query["code_challenge_method"], "nonce" in query) == (["S256"], True)


async def test_the_metadata_is_never_asked_for():
    """The documentation names all endpoints."""
    site = apple_site()
    await site.claims_of()

    assert site.standin.count("openid-configuration") == 0


@pytest.mark.parametrize("value", ["true", "false", True, False])
async def test_texts_and_booleans_count_alike(value):
    """Apple sends either."""
    site = apple_site()
    site.standin.id_token_overrides = {"email_verified": value, "is_private_email": value}
    await site.sign_in()
    user = site.app.scope["user"]

    assert (user.email_verified, user.claims["is_private_email"]) == (value in ("true", True), value)


@pytest.mark.parametrize(
    "field",
    [
        user_field(name={"firstName": "x" * 10_000}),
        "<html><body>Alice Adams</body></html>",
        "name=Alice",
        "",
        "[]",
        user_field(email="bob@example.com"),
        user_field(name="Alice Adams"),
    ],
)
async def test_a_name_that_cannot_be_read_stops_no_login(field):
    """The user has none, and the log says why."""
    site = apple_site()

    page = await posted(site, field)

    assert page.status_code == 200, page.text
    assert {"name", "given_name", "family_name"}.isdisjoint(site.app.scope["user"].claims)


async def test_why_there_is_no_name_is_in_the_log(caplog):
    """Without what the form said."""
    await posted(apple_site(), user_field(email="bob@example.com"))

    (line,) = [record.getMessage() for record in caplog.records if "user_field_ignored" in record.getMessage()]
    assert "not that of the ID Token" in line
    assert "bob" not in line


async def test_a_form_that_is_far_too_long_is_refused():
    """The user can try again: the code was not used."""
    site = apple_site()
    page = await posted(site, user_field(name={"firstName": "x" * 20_000}))

    assert page.status_code == 413
    assert site.standin.count_grants("authorization_code") == 0


async def test_the_field_never_replaces_what_is_signed():
    """If Apple ever puts a name into the ID Token, that takes precedence."""
    site = apple_site()
    site.standin.id_token_overrides = {"name": "Alice of the Token"}
    claims = await site.claims_of()

    assert (claims["name"], claims["given_name"]) == ("Alice of the Token", "Alice")
    assert (claims["sub"], claims["email"]) == ("1000001", "alice@example.com")


async def test_nothing_but_the_name_is_taken_from_the_field():
    """Anybody can write anything there."""
    site = apple_site(scope="openid name")
    page = await posted(
        site, user_field(sub="1000002", email="bob@example.com", email_verified="true", roles=["admin"])
    )

    claims = site.app.scope["user"].claims
    assert (page.status_code, claims["sub"], claims["name"]) == (200, "1000001", "Alice Adams")
    assert {"email", "email_verified", "roles"}.isdisjoint(claims)


async def test_the_name_of_a_page_of_ours_is_escaped():
    """The 403 page names the account."""
    site = apple_site()
    browser = site.browser()
    await posted(site, user_field(name={"firstName": "<script>alert(1)</script>"}), browser=browser)
    page = await browser.get("/strong/x")

    assert site.app.scope["user"].name == "<script>alert(1)</script>"
    assert "<script>alert(1)" not in page.text


async def test_no_other_provider_has_such_a_field():
    """A name from a form counts for Apple alone."""
    site = Site(authorization_params={"response_mode": "form_post"}, scope="openid")
    browser = site.browser()
    form = await browser.submit(await browser.get("/page"), "alice", follow=False)
    page = await browser.submit(form, data={"user": user_field()})

    assert (page.status_code, site.app.scope["user"].name) == (200, None)


async def test_the_name_outlives_a_refresh():
    """It is in the session, though no token has it."""
    site = apple_site()
    browser, _ = await site.sign_in()
    site.app.at_work = lambda scope: scope["oidc"].access_token()
    site.clock.advance(3590)
    await browser.fetch("/page")
    await browser.fetch("/page")

    assert site.standin.count_grants("refresh_token") == 1
    assert site.app.scope["user"].name == "Alice Adams"


@pytest.mark.parametrize(
    "changes",
    [
        {"private_key": ECKey.generate_key("P-256").as_pem(private=True).decode()},
        {"team_id": "OTHERTEAM1"},
        {"key_id": "OTHERKEY12"},
    ],
)
async def test_a_wrong_key_team_or_key_id_fails_with_a_page(changes, caplog):
    """The log has the provider's error, and nothing of the key."""
    site = apple_site(**changes)
    _, page = await site.sign_in()

    assert (page.status_code, site.app.scopes) == (502, [])
    assert "invalid_client" in caplog.text
    assert "eyJ" not in caplog.text
    assert "PRIVATE KEY" not in caplog.text


async def test_each_call_has_a_secret_of_its_own():
    """Made when it is needed, and valid for minutes."""
    site = apple_site()
    _, first = await site.sign_in()
    site.clock.advance(86_400 * 200)
    _, much_later = await site.sign_in("1000002")

    secrets = [call.form["client_secret"] for call in site.standin.calls if call.path == "/auth/token"]
    lifetimes = [payload(secret)["exp"] - payload(secret)["iat"] for secret in secrets]
    assert (first.status_code, much_later.status_code, lifetimes) == (200, 200, [300, 300])


async def test_signing_out_is_local_and_takes_no_consent_back():
    """The next login at Apple is not like the first."""
    site = apple_site()
    browser, _ = await site.sign_in()

    page = await browser.post("/auth/logout", headers={"origin": ORIGIN})

    assert (page.path, site.standin.revoked) == ("/", [])
    assert (await browser.fetch("/page")).status_code == 401


async def test_an_app_can_have_tokens_revoked():
    """If its sign-out is the end of the account."""
    site = apple_site(metadata={"revocation_endpoint": "https://appleid.apple.com/auth/revoke"})
    browser, _ = await site.sign_in()
    await browser.post("/auth/logout", headers={"origin": ORIGIN})

    assert len(site.standin.revoked) == 1
    assert (await site.claims_of())["name"] == "Alice Adams"


async def test_a_user_who_cancels_gets_a_page():
    """It offers a way on."""
    site = apple_site()
    browser = site.browser()
    page = await browser.get("/auth/login?provider=it")
    back = await browser.submit(page, "cancel")

    assert (back.status_code, "cancelled" in back.text) == (403, True)


async def test_an_address_of_the_private_relay_is_verified():
    """It reaches the user."""
    site = apple_site()
    site.standin.personas["7"] = Account("7", "Dana Doe", "x1x@privaterelay.appleid.com")
    claims = await site.claims_of("7")

    assert (claims["is_private_email"], site.app.scope["user"].email_verified) == ("true", True)
