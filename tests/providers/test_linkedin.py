"""A site with LinkedIn as a ready-made provider."""

from urllib.parse import parse_qs, urlsplit

from tests.protected_site import ORIGIN
from tests.providers.ready_made_site import linkedin_site


async def test_a_user_signs_in():
    """Without a nonce in the ID Token, and without PKCE."""
    site = linkedin_site()
    claims = await site.claims_of()

    assert (claims["name"], claims["email"]) == ("Alice Adams", "alice@example.com")
    assert site.app.scope["user"].email_verified is True


async def test_an_address_that_is_not_verified_does_not_count():
    """The claim is a text, and says "false"."""
    site = linkedin_site()
    claims = await site.claims_of("1000003")

    assert (claims["email_verified"], site.app.scope["user"].email_verified) == ("false", False)


async def test_the_request_has_no_code_challenge():
    """LinkedIn would refuse the token call."""
    response = await linkedin_site().browser().get("/auth/login?provider=it", follow=False)
    query = parse_qs(urlsplit(response.location).query)

    assert response.location.startswith("https://www.linkedin.com/oauth/v2/authorization?")
    assert ("code_challenge" in query, len(query["state"][0]) >= 43) == (False, True)


async def test_a_nonce_that_is_wrong_is_refused():
    """That it may be missing is the only exception."""
    site = linkedin_site()
    site.standin.id_token_overrides = {"nonce": "of another login"}
    _, page = await site.sign_in()

    assert (page.status_code, site.app.scopes) == (502, [])


async def test_the_log_names_the_exceptions(caplog):
    """Before anybody signs in, with the risk."""
    await linkedin_site().browser().get("/")

    for setting in ("allow_missing_nonce", "allow_missing_pkce", "allow_code_injection"):
        assert setting in caplog.text


async def test_signing_out_is_local():
    """LinkedIn has no sign-out of its own, and no refresh token."""
    site = linkedin_site()
    browser, _ = await site.sign_in()

    page = await browser.post("/auth/logout", headers={"origin": ORIGIN})

    assert page.path == "/"
    assert (await browser.fetch("/page")).status_code == 401


async def test_a_client_with_pkce_can_use_it():
    """LinkedIn enables it for some apps; then the code is bound to the login."""
    site = linkedin_site(allow_missing_pkce=False, allow_code_injection=False)
    site.standin.pkce = "optional"
    claims = await site.claims_of()

    assert claims["name"] == "Alice Adams"
    assert all("code_challenge" in call.params for call in site.standin.calls if "authorization" in call.path)


async def test_a_user_who_cancels_gets_a_page():
    """LinkedIn's error has a name of its own."""
    browser = linkedin_site().browser()
    page = await browser.get("/auth/login?provider=it")
    back = await browser.submit(page, "cancel")

    assert (back.status_code, "cancelled" in back.text) == (403, True)
