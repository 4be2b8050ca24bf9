"""A login at a provider without OpenID Connect: the user API says who signs in, over the token of that login alone."""

from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc import OAuth2Provider
from asgi_oidc.testing import GitHubStandIn
from asgi_oidc.testing.wire import Answer
from tests.protected_site import ORIGIN, PROGRAM
from tests.providers.oauth2_site import HUB, WORK, Hub, OAuth2Site, hub_endpoints, hub_site

# --- the request


async def test_the_request_has_state_and_pkce_and_no_nonce():
    """State and code_challenge bind the code to this browser; there is no ID Token to put a nonce into."""
    site = hub_site(scope="a b", authorization_params={"theme": "dark"})

    response = await site.browser().get("/auth/login?provider=hub", follow=False)

    query = parse_qs(urlsplit(response.location).query)
    assert response.location.startswith(f"{HUB}/authorize?")
    assert query["redirect_uri"] == [f"{ORIGIN}/auth/callback/hub"]
    assert (query["scope"], query["theme"], query["response_type"]) == (["a b"], ["dark"], ["code"])
    assert query["code_challenge_method"] == ["S256"]
    assert (len(query["code_challenge"][0]), len(query["state"][0])) == (43, 43)
    assert "nonce" not in query


async def test_a_request_without_scopes_has_no_empty_scope():
    """GitHub Apps have permissions instead."""
    response = await hub_site().browser().get("/auth/login?provider=hub", follow=False)

    assert "scope" not in parse_qs(urlsplit(response.location).query, keep_blank_values=True)


# --- who signs in


async def test_the_user_api_says_who_signs_in():
    """The issuer is a text that no OpenID provider can have, so nobody else's `sub` is this user's."""
    user = {"id": 7, "login": "zoe", "avatar": "https://x.example/7.png", "plan": {"name": "pro"}}
    site = hub_site(user, claims={"preferred_username": "login", "picture": "avatar"})

    await site.signed_in()

    assert (site.user.issuer, site.user.sub, site.user.provider) == ("oauth2:hub", "7", "hub")
    standard = {"preferred_username": "zoe", "picture": "https://x.example/7.png"}
    assert site.user.claims == {"iss": "oauth2:hub", "aud": "web", "sub": "7", **user, **standard}
    assert site.oidc.id_token is None


async def test_the_user_api_is_called_with_the_token_of_this_login():
    """A token from anywhere else may have been issued to another app (token substitution)."""
    site = hub_site()

    await site.signed_in()

    (call,) = [call for call in site.hub.calls if call.path == "/user"]
    access_token = await site.oidc.access_token()
    assert call.headers["authorization"] == f"Bearer {access_token}"
    assert access_token not in str(call.query)


async def test_an_id_token_in_the_token_answer_is_never_believed():
    """Nobody has checked it."""
    site = hub_site(token_members={"id_token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0."})

    await site.signed_in()

    assert (site.user.sub, site.oidc.id_token) == ("1000001", None)


async def test_the_user_api_cannot_speak_of_the_login():
    """`acr`, `auth_time`, `iss` or `sid` of such an answer would open pages, or end sessions."""
    of_the_login = {"acr": "mfa", "auth_time": 1, "sid": "s", "amr": ["pwd"], "session_expiry": 1, "nonce": "n"}
    site = hub_site({"id": "7", "iss": "https://work.id.example.net", "sub": "alice", "aud": "other", **of_the_login})

    await site.signed_in()

    assert site.user.claims == {"iss": "oauth2:hub", "aud": "web", "sub": "7", "id": "7"}


@pytest.mark.parametrize(
    ("granted", "scopes"),
    [("a,b", ["a", "b"]), ("a b", ["a", "b"]), ("a, b", ["a", "b"]), ("", []), (None, ["a", "b", "c"])],
)
async def test_granted_scopes_are_separated_by_commas_or_spaces(granted, scopes):
    """GitHub uses commas; an answer without scopes means those requested (RFC 6749 §5.1)."""
    site = hub_site(token_members={"scope": granted}, scope="a b c")

    await site.signed_in()

    assert site.app.scope["auth"].scopes == ["authenticated", *scopes]


async def test_the_same_id_at_two_providers_is_two_people():
    """Each name is an issuer of its own."""
    site = hub_site({"id": "alice"})
    await site.signed_in()
    at_hub = (site.user.issuer, site.user.sub)

    await site.signed_in("alice", at="work")

    assert (at_hub, (site.user.issuer, site.user.sub)) == (("oauth2:hub", "alice"), (WORK, "alice"))


# --- answers that sign nobody in

SUBJECTS = [
    {},
    {"id": None},
    {"id": True},
    {"id": 7.0},
    {"id": ""},
    {"id": {}},
    {"id": [7]},
    {"id": "a" * 256},
    {"id": 10**400},
    {"id": "a\nb"},
    {"data": {"id": 7}},
]


@pytest.mark.parametrize("user", SUBJECTS, ids=lambda user: ascii(user)[:30])
async def test_a_subject_that_is_no_id_is_refused(user):
    """Two users whose ids look alike after rounding or cutting would be one."""
    site = hub_site(user)

    assert await site.failure() == (502, "user_api_subject")
    assert not site.app.scopes


FAULTS = [
    ("userinfo_down", 503, "user_api_unavailable"),
    ("userinfo_500", 503, "user_api_unavailable"),
    ("userinfo_refuses", 502, "provider_refused"),
    ("userinfo_forbids", 502, "user_api_status"),
    ("userinfo_html", 502, "user_api_not_json"),
    ("userinfo_json_array", 502, "user_api_not_json"),
    ("userinfo_not_json", 502, "user_api_not_json"),
    ("userinfo_huge", 502, "user_api_too_large"),
    ("userinfo_no_sub", 502, "user_api_subject"),
    ("userinfo_sub_null", 502, "user_api_subject"),
    ("userinfo_sub_empty", 502, "user_api_subject"),
    ("userinfo_sub_bool", 502, "user_api_subject"),
    ("userinfo_sub_float", 502, "user_api_subject"),
    ("userinfo_sub_object", 502, "user_api_subject"),
    ("userinfo_sub_huge", 502, "user_api_too_large"),
    ("token_500", 503, "token_unavailable"),
    ("token_html", 502, "token_not_json"),
    ("token_json_array", 502, "token_not_json"),
    ("token_redirect", 502, "token_redirect"),
    ("token_no_access_token", 502, "access_token_missing"),
    ("token_wrong_types", 502, "access_token_missing"),
    ("token_type_dpop", 502, "token_type"),
    ("token_oauth_error", 400, "provider_refused"),
    ("token_invalid_client", 502, "provider_refused"),
]


@pytest.mark.parametrize(("fault", "status", "code"), FAULTS)
async def test_an_unusable_answer_signs_nobody_in(fault, status, code):
    """Each failure has a code of its own, and the next login works."""
    site = hub_site()
    with site.hub.fault(fault):
        assert await site.failure() == (status, code)
    assert not site.app.scopes

    await site.signed_in()


class Redirecting(Hub):
    """A provider whose user API has moved."""

    def why_no_userinfo(self, *_: object) -> Answer:
        """Send every call elsewhere."""
        return Answer(302, b"", {"location": "https://collector.example.org/user"})


async def test_a_redirect_of_the_user_api_is_not_followed():
    """It would take the access token elsewhere."""
    site = OAuth2Site(Redirecting(), lambda **client: OAuth2Provider(**hub_endpoints(), **client))

    assert await site.failure() == (502, "user_api_redirect")


async def test_the_log_has_what_the_provider_says(caplog):
    """The reason is often in it: GitHub and Discord call it `message`, Facebook nests it."""
    site = OAuth2Site(GitHubStandIn(), lambda **client: OAuth2Provider.github(**{**client, "client_secret": "wrong"}))

    assert await site.failure() == (502, "provider_refused")
    assert "The client_id and/or client_secret passed are incorrect." in caplog.text


# --- the response


@pytest.mark.parametrize(
    ("fault", "code"), [("callback_wrong_iss", "iss_mismatch"), ("callback_double_state", "parameter_repeated")]
)
async def test_a_response_of_another_provider_is_refused(fault, code):
    """GitHub sends `iss` (RFC 9207)."""
    site = OAuth2Site(GitHubStandIn())

    with site.hub.fault(fault):
        assert await site.failure() == (400, code)


async def test_a_response_without_iss_is_accepted():
    """Nothing promises it: there is no metadata."""
    site = OAuth2Site(GitHubStandIn())

    with site.hub.fault("callback_no_iss"):
        await site.signed_in()


async def test_without_the_setting_iss_means_nothing():
    """A client that does not know the issuer has nothing to compare (RFC 9207 §2.4)."""
    site = hub_site()

    with site.hub.fault("callback_wrong_iss"):
        await site.signed_in()


async def test_the_response_of_one_provider_is_not_accepted_at_the_callback_of_another():
    """The path of the callback tells whose response it is (RFC 9700 §4.4.2.2)."""
    site = OAuth2Site(GitHubStandIn())
    browser = site.browser()
    callback = await site.callback(browser)

    response = await browser.get(callback.replace("/callback/hub", "/callback/work"), headers=PROGRAM)

    assert (response.status_code, response.json()["error"]) == (400, "provider_mismatch")
    assert site.work.count("/token") == 0


# --- signing out


async def test_a_sign_out_is_local():
    """OAuth 2.0 has no other one; the page does not claim one, and the session has ended."""
    site = hub_site()
    browser = await site.signed_in()

    response = await browser.post("/auth/logout", headers={"origin": ORIGIN}, follow=False)

    assert response.location == f"{ORIGIN}/"
    assert (await browser.get("/private", headers=PROGRAM)).status_code == 401


@pytest.mark.parametrize(("revocation_endpoint", "calls"), [(f"{HUB}/revoke", 1), (None, 0)])
async def test_a_sign_out_revokes_the_refresh_token_where_that_is_possible(revocation_endpoint, calls):
    """RFC 7009, if the settings name the endpoint."""
    site = hub_site(revocation_endpoint=revocation_endpoint)
    browser = await site.signed_in()

    await browser.post("/auth/logout", headers={"origin": ORIGIN}, follow=False)

    assert site.hub.count("/revoke") == calls


@pytest.mark.parametrize("form", [{"logout_token": "a.b.c"}, {}])
async def test_a_logout_token_is_refused(form):
    """There is no key that could have signed it."""
    site = hub_site()
    browser = await site.signed_in()

    response = await site.browser().post("/auth/backchannel-logout/hub", form, headers=PROGRAM)

    assert response.status_code == 400
    assert (await browser.get("/private")).status_code == 200


async def test_a_front_channel_logout_does_not_exist():
    """Only OpenID Connect has it."""
    site = hub_site()
    browser = await site.signed_in()

    response = await browser.get("/auth/frontchannel-logout/hub?iss=oauth2:hub&sid=1")

    assert response.status_code == 404
    assert (await browser.get("/private")).status_code == 200
