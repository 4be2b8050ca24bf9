"""Logins with a FAPI 2.0 profile: what is merely unusual elsewhere ends them."""

from typing import Any

import pytest

from asgi_oidc.testing import Client, FakeProvider
from asgi_oidc.testing.client_keys import ClientKey
from tests.protected_site import PROGRAM, Site, login_cookies

KEY = ClientKey("ES256")


def profiled_site(**settings: Any) -> Site:
    """Return a site with the profile, and a provider that has all it demands."""
    provider = FakeProvider(alg="ES256", clients=[Client("web", None, jwks=[KEY.public_jwk])])
    return Site(**{"provider": provider, "client_secret": ..., "client_key": KEY.pem, "profile": "fapi2", **settings})


async def test_the_profile_is_all_that_has_to_be_set():
    """A key and one switch: the request is pushed, the client authenticates by its key, the tokens are bound."""
    site = profiled_site()

    await site.signed_in()

    (pushed,) = [call for call in site.provider.calls if call.path == "/par"]
    (redeemed,) = [call for call in site.provider.calls if call.path == "/token"]
    assert {"client_assertion", "client_secret"} & pushed.form.keys() == {"client_assertion"}
    assert "dpop" in redeemed.headers


async def test_a_provider_that_cannot_do_it_gets_no_call(caplog):
    """The log names everything that it lacks; nothing weaker is tried."""
    site = profiled_site()
    site.provider.metadata |= {
        "authorization_response_iss_parameter_supported": False,
        "dpop_signing_alg_values_supported": ["RS256"],
    }

    page = await site.browser().get("/page")

    assert (page.status_code, [call.path for call in site.provider.calls]) == (
        502,
        ["/.well-known/openid-configuration"],
    )
    assert "code=profile_unsupported" in caplog.text
    assert "iss_parameter_supported must be true; dpop_signing_alg_values_supported must have ES256" in caplog.text


@pytest.mark.parametrize(("profile", "code"), [("fapi2", "iss_missing"), (None, "provider_refused")])
async def test_an_error_needs_an_issuer_too(profile, code, caplog):
    """RFC 9207 §2: without `iss`, it may be from anyone. Elsewhere, users should see what went wrong."""
    site = profiled_site(profile=profile)

    refused = await site.failed_login("callback_error_access_denied", "callback_no_iss")

    assert refused.json()["error"] == code
    assert f"code={code}" in caplog.text


@pytest.mark.parametrize(("profile", "pushes"), [("fapi2", 0), (None, 1)])
async def test_a_callback_that_fits_no_login_starts_none(profile, pushes):
    """The user starts the next login by a click: it is not the response that asks for it."""
    site = profiled_site(profile=profile, par="always")
    browser = site.browser()

    page = await browser.get("/auth/callback?code=x&state=y", follow=False)

    assert (page.status_code, site.provider.count("/par")) == (400 if profile else 303, pushes)
    assert login_cookies(browser) == [] or not profile


@pytest.mark.parametrize("profile", ["fapi2", None])
async def test_a_login_that_took_too_long_is_over(profile):
    """With a profile, the page says so, and has a link to sign in again."""
    site = profiled_site(profile=profile, par="always")
    browser, url = await site.at_callback()
    site.clock.advance(24 * 3600)

    page = await browser.get(url, follow=False)

    assert (page.status_code, site.provider.count("/token")) == (400 if profile else 303, 0)
    assert "/auth/login" in page.text or not profile


async def test_a_repeated_callback_of_a_signed_in_user_leads_home():
    """It calls nobody."""
    site = profiled_site()
    browser, url = await site.at_callback()
    await browser.get(url)
    calls = len(site.provider.calls)

    back = await browser.get(url, follow=False)

    assert (back.status_code, len(site.provider.calls)) == (303, calls)


async def test_a_program_gets_the_code_of_a_refusal():
    """As without a profile."""
    site = profiled_site()

    refused = await site.browser().get("/auth/callback?code=x&state=y", headers=PROGRAM, follow=False)

    assert (refused.status_code, refused.json()["error"]) == (400, "transaction_missing")


@pytest.mark.parametrize(
    ("profile", "before"), [("fapi2", {"dpop": "never"}), ("fapi2-message-signing", {"dpop": "always"})]
)
async def test_a_login_that_has_requested_less_is_not_finished(profile, before):
    """Another process may still have the settings of yesterday: its logins bind no tokens, or get plain responses."""
    weak = profiled_site(profile=None, **before)
    browser, url = await weak.at_callback()
    strong = weak.restarted(profile=profile, dpop=...)

    refused = await strong.browser_of(browser).get(url, headers=PROGRAM, follow=False)

    assert (refused.status_code, refused.json()["error"], strong.provider.count("/token")) == (
        400,
        "transaction_missing",
        0,
    )
