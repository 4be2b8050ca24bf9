"""A callback signs the user in if everything is valid; any failure has a code, a page and a next step."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc.login.login_transactions import MAX_RESTARTED
from asgi_oidc.testing import Browser
from tests.attacked_provider import own_path
from tests.protected_site import ORIGIN, PROGRAM, Site, login_cookies, session_cookies, who_am_i

pytestmark = pytest.mark.usefixtures("one_or_three_providers")


FAULTS = [
    ("token_500", 503, "token_unavailable"),
    ("token_html", 502, "token_not_json"),
    ("token_not_json", 502, "token_not_json"),
    ("token_json_array", 502, "token_not_json"),
    ("token_oauth_error", 400, "provider_refused"),
    ("token_invalid_client", 502, "provider_refused"),
    ("token_redirect", 502, "token_redirect"),
    ("token_huge", 502, "token_too_large"),
    ("token_gzip", 502, "token_compressed"),
    ("token_gzip_bomb", 502, "token_compressed"),
    ("token_deep_json", 502, "token_not_json"),
    ("token_no_id_token", 502, "id_token_missing"),
    ("token_no_access_token", 502, "access_token_missing"),
    ("token_type_dpop", 502, "token_type"),
    ("token_wrong_types", 502, "access_token_missing"),
    ("jwks_down", 503, "jwks_unavailable"),
    ("jwks_html", 502, "jwks_not_json"),
    ("jwks_empty", 502, "kid_unknown"),
    ("callback_no_iss", 400, "iss_missing"),
    ("callback_wrong_iss", 400, "iss_mismatch"),
    ("callback_error_access_denied", 403, "provider_refused"),
    ("callback_error_server_error", 503, "provider_refused"),
    ("callback_error_and_code", 403, "provider_refused"),
    ("callback_no_code", 400, "code_missing"),
    ("callback_double_code", 400, "parameter_repeated"),
    ("callback_double_state", 400, "parameter_repeated"),
    ("callback_no_state", 400, "transaction_missing"),
    ("callback_wrong_state", 400, "transaction_missing"),
    ("id_token_wrong_iss", 502, "claim_iss"),
    ("id_token_wrong_aud", 502, "claim_aud"),
    ("id_token_extra_aud", 502, "claim_aud"),
    ("id_token_wrong_azp", 502, "claim_azp"),
    ("id_token_expired", 502, "claim_exp"),
    ("id_token_iat_future", 502, "claim_iat"),
    ("id_token_exp_1e300", 502, "claim_exp"),
    ("id_token_no_exp", 502, "claim_exp"),
    ("id_token_wrong_nonce", 502, "claim_nonce"),
    ("id_token_no_nonce", 502, "claim_nonce"),
    ("id_token_bad_at_hash", 502, "claim_at_hash"),
    ("id_token_sub_empty", 502, "claim_sub"),
    ("id_token_sub_too_long", 502, "claim_sub"),
    ("id_token_sub_number", 502, "claim_sub"),
    ("id_token_no_sub", 502, "claim_sub"),
    ("id_token_alg_none", 502, "alg_not_allowed"),
    ("id_token_bad_signature", 502, "signature"),
    ("id_token_foreign_key", 502, "signature"),
    ("id_token_made_up_kid", 502, "kid_unknown"),
    ("id_token_five_parts", 502, "token_encrypted"),
    ("id_token_duplicate_sub", 502, "claims_malformed"),
    ("id_token_lone_surrogate", 502, "claims_malformed"),
    ("id_token_deep_claims", 502, "claims_malformed"),
    ("id_token_array_payload", 502, "claims_malformed"),
    ("id_token_crit", 502, "header_crit"),
    ("id_token_hs256_with_public_key", 502, "alg_not_allowed"),
    ("id_token_hs256_with_oct_key", 502, "alg_not_allowed"),
    ("id_token_huge", 502, "id_token_malformed"),
]


@pytest.mark.parametrize(("fault", "status", "code"), FAULTS)
async def test_a_login_that_cannot_be_finished_says_why_by_a_code(site, fault, status, code):
    """No session is created."""
    response = await site.failed_login(fault)

    assert (response.status_code, response.json()["error"]) == (status, code)
    assert re.fullmatch("[0-9a-f]{12}", response.json()["reference"])
    assert not any(line.startswith("__Host-oidc-") and "Max-Age=0" not in line for line in response.set_cookies)


@pytest.mark.parametrize(
    "fault", ["callback_unknown_params", "token_expires_in_text", "id_token_no_kid", "jwks_junk_keys"]
)
async def test_oddities_of_real_providers_are_no_failure(site, fault):
    """They are allowed by the specifications, or harmless."""
    with site.provider.fault(fault):
        assert await site.signed_in()


@pytest.mark.parametrize("fault", ["token_oauth_error", "callback_error_access_denied", "id_token_wrong_nonce"])
async def test_a_failed_login_shows_a_page_with_a_next_step(site, fault, caplog):
    """The page has a fixed text and the reference from the log, and nothing that the provider sent."""
    with site.provider.fault(fault):
        browser, url = await site.at_callback(path="/page?x=1")
        page = await browser.get(url)

    (reference,) = re.findall(r"<code>([0-9a-f]{12})</code>", page.text)
    assert f"reference={reference}" in caplog.text
    assert "PHISHING" not in page.text
    assert page.headers["content-type"].startswith("text/html")
    assert (await browser.click("Try again", page)).path == "/page?x=1"


async def test_the_providers_words_stand_in_no_answer(site):
    """Even escaped, a text that others choose could deceive users."""
    response = await site.failed_login("callback_error_access_denied")

    assert "PHISHING" not in response.text


async def test_a_failed_login_is_used_up(site):
    """Its cookie is deleted, and its code is never sent again."""
    with site.provider.fault("id_token_wrong_nonce"):
        browser, url = await site.at_callback()
        await browser.get(url, headers=PROGRAM)

    assert login_cookies(browser) == []
    assert site.provider.count("/token") == 1


# --- repeated, bookmarked, planted


async def test_a_repeated_callback_of_a_signed_in_user_leads_home(site):
    """The user pressed the back button, or reloaded the page."""
    browser, url = await site.at_callback()
    await browser.get(url)
    tokens = site.provider.count("/token")

    page = await browser.get(url)

    assert (page.path, page.json()["sub"], site.provider.count("/token")) == ("/", "alice", tokens)


async def test_a_bookmarked_callback_starts_one_fresh_login(site):
    """The user may still have a session at the provider."""
    _, url = await site.at_callback()
    browser = site.browser()

    page = await browser.get(url)
    assert page.page.forms
    assert (await browser.submit(page, "alice")).path == "/"


async def test_a_browser_without_cookies_enters_no_redirect_loop(site):
    """The second callback without a login cookie is an error page."""
    site.provider.sign_in_as("alice")
    browser = site.browser()
    response = await browser.get("/page", follow=False)
    hops = 0
    while response.location:
        browser.jar.clear()
        response = await browser.get(response.location, follow=False)
        hops += 1

    assert (response.status_code, "Allow cookies" in response.text, hops < 8) == (400, True, True)


@pytest.mark.parametrize("fault", ["callback_no_state", "callback_wrong_state"])
async def test_a_provider_that_loses_the_state_causes_no_redirect_loop(site, browser, fault):
    """Tabs that come back late look the same, so a few fresh logins are allowed before the error page."""
    site.provider.sign_in_as("alice")

    with site.provider.fault(fault):
        page = await browser.get("/page")

    assert (page.status_code, "could not be finished" in page.text) == (400, True)
    assert (site.provider.count("/authorize") <= 1 + MAX_RESTARTED, site.provider.count("/token")) == (True, 0)


async def test_a_callback_without_a_login_in_progress_is_refused(browser):
    """A code planted by someone else must not sign this browser in."""
    back = await browser.get(f"{own_path('callback')}?code=x&state=y", headers=PROGRAM)

    assert (back.status_code, back.json()["error"]) == (400, "transaction_missing")


async def test_a_callback_of_another_browser_is_not_used(site):
    """It carries the attacker's code and the attacker's state (RFC 9700 §4.7)."""
    _, url = await site.at_callback("bob")
    victim = site.browser()

    await victim.get(url)

    assert (await who_am_i(victim), site.provider.count("/token")) == (None, 0)


async def test_two_callbacks_at_once_make_one_token_call(site):
    """It may be a double click, or an attacker's race."""
    browser, url = await site.at_callback()
    copied = site.browser(jar=browser.jar.copy())

    first = await browser.get(url, follow=False)
    second = await copied.get(url, headers=PROGRAM, follow=False)

    assert (first.status_code, second.json()["error"]) == (303, "transaction_missing")
    assert site.provider.count("/token") == 1


async def test_with_the_provider_down_a_reload_can_still_finish_the_login():
    """The login is not consumed before the metadata is available."""
    site = Site()
    browser, url = await site.at_callback()
    fresh = site.restarted()
    again = fresh.browser_of(browser)
    with site.provider.fault("discovery_down"):
        failed = await again.get(url)

    assert failed.status_code == 503
    assert (await again.get(url)).json()["sub"] == "alice"


async def test_the_code_is_sent_with_the_verifier_of_this_login(site):
    """PKCE needs it, and the redirect URI has to be the same as in the authorization request."""
    await site.signed_in()

    (call,) = [call for call in site.provider.calls if call.path == "/token"]
    assert call.form["grant_type"] == "authorization_code"
    assert call.form["redirect_uri"] == ORIGIN + own_path("callback")
    assert len(call.form["code_verifier"]) == 43


async def test_a_rotated_key_is_found_at_the_next_login(site):
    """No restart is needed."""
    await site.signed_in()
    site.provider.rotate_keys()

    assert await site.signed_in("bob")
    assert site.provider.count("/jwks") == 2


async def test_the_destination_is_absolute_and_on_our_origin(site):
    """No spelling of a path can become a host."""
    browser, url = await site.at_callback(path="/page?next=//evil.example")

    response = await browser.get(url, follow=False)

    assert response.headers["location"] == ORIGIN + "/page?next=//evil.example"
    assert (response.status_code, response.headers["cache-control"]) == (303, "no-store")


async def test_an_error_without_the_issuer_that_was_promised_is_logged_as_what_it_says(caplog):
    """The provider omits the promised `iss` from errors; a cancelled login must still be reported as cancelled."""
    site = Site()

    answer = await site.failed_login("callback_error_access_denied", "callback_no_iss")

    assert (answer.status_code, answer.json()["error"]) == (403, "provider_refused")
    assert "access_denied" in caplog.text


@pytest.mark.parametrize(
    ("issuer", "base_url"),
    [
        ("https://id.example.com/realms/one", ORIGIN),
        ("https://id.example.com/tenant/", ORIGIN),
        ("https://id.example.com", ORIGIN + "/"),
    ],
)
async def test_every_form_of_issuer_and_base_url_signs_in(issuer, base_url):
    """Both may have a path or a trailing slash."""
    site = Site()
    site.provider.issuer = issuer
    site = site.restarted(issuer=issuer, base_url=base_url)

    assert await site.signed_in()


async def test_endpoints_by_hand_sign_in_without_discovery():
    """Some providers have no discovery document."""
    site = Site()
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    site = site.restarted(metadata={name: site.provider.metadata[name] for name in names})

    assert await site.signed_in()
    assert site.provider.count("/openid-configuration") == 0


async def test_a_trusted_audience_is_taken():
    """`trusted_audiences` lists the other clients that may be in `aud`."""
    site = Site(trusted_audiences=["another-client"])

    with site.provider.fault("id_token_extra_aud"):
        assert await site.signed_in()


@pytest.mark.parametrize(("algorithms", "status"), [(["ES256"], 200), (["RS256"], 502)])
async def test_algorithms_that_are_named_are_taken_by_their_word(algorithms, status):
    """The setting takes precedence over the metadata."""
    site = Site(algorithms=algorithms)
    site.provider.metadata["id_token_signing_alg_values_supported"] = ["RS256"]

    assert (await site.browser().sign_in("alice", "/page")).status_code == status


@pytest.mark.parametrize(("listed", "status"), [(["ES256", "none"], 200), (None, 200), ([], 200), (["RS256"], 502)])
async def test_the_default_algorithms_are_narrowed_by_the_metadata(listed, status):
    """A token signed with an algorithm that the provider does not list is suspicious."""
    site = Site()
    site.provider.metadata["id_token_signing_alg_values_supported"] = listed

    assert (await site.browser().sign_in("alice", "/page")).status_code == status


async def test_an_error_of_the_provider_is_logged_on_one_line(site, caplog):
    """Line breaks in it could forge log lines."""
    browser, url = await site.at_callback()
    state = parse_qs(urlsplit(url).query)["state"][0]
    error = f"{own_path('callback')}?error=x%0Alogin_succeeded&state={state}&iss={site.provider.issuer}"

    response = await browser.get(error, headers=PROGRAM)

    assert (response.status_code, response.json()["error"]) == (502, "provider_refused")
    assert "\nlogin_succeeded" not in "".join(record.getMessage() for record in caplog.records)
    assert session_cookies(browser) == []


async def open_tabs(browser: Browser) -> None:
    """Keep a few logins in progress."""
    for number in range(3):
        await browser.get(f"/tab{number}", follow=False)


async def test_a_callback_deletes_its_own_login_only(site, browser):
    """Logins in other tabs go on."""
    await open_tabs(browser)

    await browser.sign_in("alice", "/page")

    assert len(login_cookies(browser)) == 3
