"""The authorization response as a JWT (JARM): nothing in it counts before it is verified, and nothing else counts."""

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from asgi_oidc.testing import Browser, Client, FakeProvider, faults
from tests.attacked_provider import own_path
from tests.protected_site import NOW, ORIGIN, PROGRAM, Clock, Site, login_cookies, session_cookies, who_am_i

pytestmark = pytest.mark.usefixtures("one_or_three_providers")

ACCEPTED = ("jarm_aud_list", "jarm_no_kid")
REFUSED = {
    "jarm_alg_none": "alg_not_allowed",
    "jarm_bad_signature": "signature",
    "jarm_foreign_key": "signature",
    "jarm_made_up_kid": "kid_unknown",
    "jarm_five_parts": "token_encrypted",
    "jarm_lone_surrogate": "claims_malformed",
    "jarm_deep_claims": "parameters_too_long",
    "jarm_array_payload": "claims_malformed",
    "jarm_crit": "header_crit",
    "jarm_hs256_with_public_key": "alg_not_allowed",
    "jarm_hs256_with_oct_key": "alg_not_allowed",
    "jarm_hs256_with_client_secret": "alg_not_allowed",
    "jarm_small_rsa_key": "alg_not_allowed",
    "jarm_embedded_jwk": "kid_unknown",
    "jarm_huge": "parameters_too_long",
    "jarm_duplicate_code": "claims_malformed",
    "jarm_no_iss": "claim_iss",
    "jarm_wrong_iss": "claim_iss",
    "jarm_no_aud": "claim_aud",
    "jarm_wrong_aud": "claim_aud",
    "jarm_extra_aud": "claim_aud",
    "jarm_no_exp": "claim_exp",
    "jarm_expired": "claim_exp",
    "jarm_exp_text": "claim_exp",
    "jarm_exp_1e300": "claim_exp",
    "jarm_not_yet": "claim_nbf",
    "jarm_code_number": "claims_malformed",
    "jarm_response_and_code": "response_mixed",
    "jarm_response_and_error": "response_mixed",
    "jarm_two_responses": "parameter_repeated",
    "jarm_empty_response": "token_malformed",
    "jarm_not_a_jwt": "token_malformed",
    "jarm_state_beside": "response_mixed",
    "jarm_plain_response": "response_unsigned",
}
# They have tests of their own, or are refused only by clients that name an algorithm.
ELSEWHERE = ("jarm_not_asked_for", "jarm_in_query", "jarm_another_alg")


def signing_site(mode: str = "jwt", **settings: Any) -> Site:
    return Site(authorization_params={"response_mode": mode}, **settings)


def state_of(authorization_url: str) -> str:
    (state,) = parse_qs(urlsplit(authorization_url).query)["state"]
    return state


def response_url(site: Site, **claims: Any) -> str:
    """Return a callback with a response that the provider signed."""
    made = {"iss": site.provider.issuer, "aud": "web", "exp": int(site.clock.now) + 600, **claims}
    return f"{ORIGIN}{own_path('callback')}?{urlencode({'response': site.provider.sign(made)})}"


async def at_provider(site: Site, path: str = "/page") -> tuple[Browser, str]:
    """Open a browser that is at the provider, and return the `state` of its login."""
    browser = site.browser()
    page = await browser.get(path, follow=False)
    return browser, state_of(page.location)


@pytest.mark.parametrize("mode", ["jwt", "query.jwt", "form_post.jwt"])
async def test_a_signed_response_signs_in(mode):
    """In each of the response modes."""
    site = signing_site(mode)

    browser = await site.signed_in()

    assert (await who_am_i(browser), site.provider.count("/token")) == ("alice", 1)


def test_every_fault_has_a_rule():
    """A fault that is added to the fake provider must not be forgotten here."""
    tables = (faults.JARM_SIGNING, faults.JARM_CLAIMS, faults.JARM_PARAMS, faults.RESPONSE_MODES)

    assert {name for table in tables for name in table} <= {*ACCEPTED, *REFUSED, *ELSEWHERE}


@pytest.mark.parametrize(("fault", "code"), REFUSED.items())
async def test_a_response_that_fails_a_check_is_refused(fault, code):
    """The app never runs, and the code is never sent."""
    site = signing_site()

    response = await site.failed_login(fault)

    assert (response.json()["error"], response.status_code) == (code, 400)
    assert (site.provider.count("/token"), site.app.scopes, response.set_cookies) == (0, [], [])


@pytest.mark.parametrize("fault", ACCEPTED)
async def test_what_the_specification_allows_is_no_failure(fault):
    """The provider may write it in several ways."""
    site = signing_site()

    with site.provider.fault(fault):
        browser = await site.signed_in()

    assert session_cookies(browser)


async def test_a_response_that_was_to_be_posted_does_not_come_in_the_query():
    """As with a plain form_post."""
    site = signing_site("form_post.jwt")

    response = await site.failed_login("jarm_in_query")

    assert (response.status_code, response.json()["error"], site.provider.count("/token")) == (
        400,
        "response_mode",
        0,
    )


async def test_a_signed_response_to_a_plain_request_is_refused():
    """What was requested is what counts."""
    site = Site()

    response = await site.failed_login("jarm_not_asked_for")

    assert (response.status_code, response.json()["error"], site.provider.count("/token")) == (400, "response_mode", 0)
    assert site.provider.count("/jwks") == 0


async def test_a_signed_response_does_not_finish_a_plain_login_beside_a_signed_one():
    """Each login in progress has requested its own form of response."""
    site = signing_site()
    browser, _ = await at_provider(site)
    plain = site.restarted(authorization_params=...).browser_of(browser)
    state = state_of((await plain.get("/page", follow=False)).location)

    refused = await browser.get(response_url(site, state=state, code="x"), headers=PROGRAM, follow=False)

    assert (refused.status_code, refused.json()["error"], site.provider.count("/token")) == (400, "response_mode", 0)


async def test_a_response_from_the_future_is_refused():
    """`iat` is optional, and checked if it is there."""
    site = signing_site()
    browser, state = await at_provider(site)

    url = response_url(site, state=state, code="x", iat=NOW + 3600)
    refused = await browser.get(url, headers=PROGRAM, follow=False)

    assert (refused.status_code, refused.json()["error"]) == (400, "claim_iat")


@pytest.mark.parametrize(("before", "after"), [("jwt", "query"), ("query", "jwt")])
async def test_a_login_is_checked_by_what_it_has_requested(before, after):
    """The settings may change while users are at the provider."""
    site = signing_site(before)
    browser, url = await site.at_callback()
    restarted = site.restarted(authorization_params={"response_mode": after})

    page = await restarted.browser_of(browser).get(url)

    assert (page.status_code, page.json()["sub"]) == (200, "alice")


@pytest.mark.parametrize("error", [{"error": "access_denied"}, {"error": "login_required"}, {"code": "planted"}])
async def test_a_plain_response_is_never_acted_on(error, caplog):
    """Anyone can write it. It is logged; and the login can still be finished."""
    site = signing_site()
    browser = site.browser()
    started = await browser.get("/page", follow=False)
    login_page = await browser.get(started.location)
    answer = {**error, "state": state_of(started.location), "iss": site.provider.issuer}

    refused = await browser.get(f"{own_path('callback')}?{urlencode(answer)}", headers=PROGRAM, follow=False)

    assert (refused.status_code, refused.json()["error"], refused.set_cookies) == (400, "response_unsigned", [])
    assert error.get("error", "") in caplog.text
    assert (await browser.submit(login_page, "alice")).json()["sub"] == "alice"


async def test_a_signed_error_is_shown_as_what_it_is(caplog):
    """The provider vouches for it."""
    site = signing_site()
    browser, state = await at_provider(site)

    refused = await browser.get(response_url(site, state=state, error="access_denied"), headers=PROGRAM, follow=False)

    assert (refused.status_code, refused.json()["error"]) == (403, "provider_refused")
    assert ("access_denied" in caplog.text, "forged" in caplog.text) == (True, False)


async def test_a_login_page_that_expired_starts_one_fresh_login():
    """Keycloak asks for a new request so."""
    site = signing_site()
    browser, state = await at_provider(site, "/page?x=1")
    expired = {"error": "temporarily_unavailable", "error_description": "authentication_expired"}

    page = await browser.get(response_url(site, state=state, **expired))

    assert (await browser.submit(page, "alice")).url == f"{ORIGIN}/page?x=1"


async def test_a_response_without_a_login_in_progress_fetches_no_key():
    """Otherwise anyone could make this app call the provider."""
    site = signing_site()

    for _ in range(5):
        response = await site.browser().get(response_url(site, state="made-up", code="x"), follow=False)
        assert response.status_code == 400

    assert site.provider.count("/jwks") == 0


async def test_a_late_response_starts_one_fresh_login():
    """Its user took more than ten minutes; with keys that are cached, its `state` can be believed."""
    site = signing_site()
    await site.signed_in("bob")
    browser, state = await at_provider(site)
    site.clock.advance(601)

    fresh = await browser.get(response_url(site, state=state, code="x"), follow=False)

    assert (fresh.status_code, fresh.location.startswith(site.provider.issuer)) == (303, True)
    second = await site.browser().get(response_url(site, state=state_of(fresh.location), code="x"), follow=False)
    assert second.status_code == 400


async def test_a_late_response_means_nothing_where_none_is_requested():
    """It is not even verified."""
    site = Site()
    await site.signed_in("bob")

    refused = await site.browser().get(response_url(site, state="made-up", code="x"), follow=False)

    assert (refused.status_code, refused.location) == (400, "")


async def test_a_repeated_callback_of_a_signed_in_user_leads_home():
    """As with a plain response."""
    site = signing_site()
    browser, url = await site.at_callback()
    await browser.get(url)

    again = await browser.get(url, follow=False)

    assert (again.status_code, again.location, site.provider.count("/token")) == (303, f"{ORIGIN}/", 1)


async def renew(scope: Any) -> None:
    await scope["oidc"].access_token()


async def test_forged_responses_cost_an_id_token_no_look_at_the_keys():
    """They have a budget of their own: afterwards, a rotated key is still found."""
    site = signing_site(scope="openid offline_access")
    site.provider.access_token_lifetime = 20
    signed_in = await site.signed_in()
    browser, _ = await at_provider(site, "/page?b")
    forger = FakeProvider(site.provider.issuer, clock=site.clock, alg="ES256")
    forger.rotate_keys()
    for number in range(20):
        forged = forger.sign({"iss": forger.issuer, "aud": "web", "exp": NOW + 600}, kid=f"forged-{number}")
        url = f"{own_path('callback')}?{urlencode({'response': forged})}"
        response = await browser.get(url, headers=PROGRAM, follow=False)
        assert response.json()["error"] == "kid_unknown"
    fetched = site.provider.count("/jwks")
    site.provider.rotate_keys()
    site.clock.advance(21)  # too short for another fetch of the same budget
    site.app.at_work = renew

    page = await signed_in.get("/page")

    assert (page.json()["sub"], site.provider.count_grants("refresh_token")) == ("alice", 1)
    assert (fetched, site.provider.count("/jwks")) == (4, 5)


async def test_with_the_keys_unavailable_a_reload_can_still_finish_the_login():
    """The login is not used up."""
    site = signing_site()
    browser, url = await site.at_callback()
    with site.provider.fault("jwks_down"):
        refused = await browser.get(url, headers=PROGRAM, follow=False)

    assert (refused.status_code, len(login_cookies(browser))) == (503, 1)
    assert (await browser.get(url)).json()["sub"] == "alice"


def tokens_of(site: Site, state: str) -> dict[str, str]:
    """Return tokens of other kinds, signed by the same provider for the same client, as alike as they get."""
    common = {"iss": site.provider.issuer, "aud": "web", "exp": NOW + 600, "iat": NOW, "code": "x", "state": state}
    events: dict[str, object] = {"http://schemas.openid.net/event/backchannel-logout": {}}
    sign = site.provider.sign
    return {
        "ID Token": sign({**common, "sub": "alice", "nonce": "n"}),
        "userinfo": sign({**common, "sub": "alice"}),
        "access token": sign({**common, "sub": "alice"}, typ="at+jwt"),
        "logout token": sign({**common, "events": events}, typ="logout+jwt"),
        "untyped logout token": sign({**common, "events": events}),
        "introspection answer": sign({**common, "token_introspection": {}}, typ="token-introspection+jwt"),
        "untyped introspection answer": sign({**common, "token_introspection": {}}),
        "request object": sign(common, typ="oauth-authz-req+jwt"),
        "client assertion": sign(common, typ="client-authentication+jwt"),
        "DPoP proof": sign(common, typ="dpop+jwt"),
    }


@pytest.mark.parametrize("kind", tokens_of(Site(clock=Clock()), ""))
async def test_no_other_token_stands_in_for_a_response(kind):
    """Each is signed with a key of the provider, and for this client."""
    site = signing_site()
    browser, state = await at_provider(site)
    url = f"{own_path('callback')}?{urlencode({'response': tokens_of(site, state)[kind]})}"

    refused = await browser.get(url, headers=PROGRAM, follow=False)

    assert (refused.status_code, refused.json()["error"], site.provider.count("/token")) == (400, "token_typ", 0)


async def test_a_response_does_not_stand_in_for_an_id_token():
    """Even where the provider returns it as one."""
    site = signing_site()
    made = {"iss": site.provider.issuer, "aud": "web", "exp": NOW + 600, "code": "x", "state": "s"}
    site.provider.id_token_of = lambda *_args, **_options: site.provider.sign(made)  # type: ignore[method-assign]  # the fake provider's, not ours

    response = await site.failed_login()

    assert (response.status_code, response.json()["error"]) == (502, "claim_sub")


async def test_a_response_is_no_logout_token():
    """Nobody is signed out by it."""
    site = signing_site()
    browser = await site.signed_in()
    response = site.provider.sign({"iss": site.provider.issuer, "aud": "web", "exp": NOW + 600, "iat": NOW, "sid": "s"})

    answer = await site.browser().post(own_path("backchannel-logout"), {"logout_token": response})

    assert answer.status_code == 400
    assert await who_am_i(browser) == "alice"


async def test_the_provider_signs_with_an_algorithm_that_its_metadata_lists():
    """`authorization_signing_alg_values_supported` narrows the defaults."""
    provider = FakeProvider(clock=Clock(), alg="ES256", clients=[Client(authorization_signed_response_alg="PS256")])
    site = signing_site(provider=provider)

    assert await site.signed_in()
