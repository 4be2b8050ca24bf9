"""The fake provider behaves as a careful real one does."""

import urllib.parse
from typing import Any

import httpx
import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from asgi_oidc.testing import Browser, Client, FakeProvider, Persona
from tests.testing.relying_party import NOW, VERIFIER, RelyingParty


async def fetched(provider: FakeProvider, path: str, **kwargs: Any) -> httpx.Response:
    async with provider.http_client() as client:
        return await client.get(provider.issuer.rstrip("/") + path, **kwargs)


async def verified(provider: FakeProvider, id_token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set((await fetched(provider, "/jwks")).json())
    return jwt.decode(id_token, keys, algorithms=[provider.alg]).claims


async def signed_in(browser: Browser, sub: str = "alice") -> dict[str, Any]:
    return (await browser.sign_in(sub, "/private")).json()  # type: ignore[no-any-return]  # JSON


ISSUERS = ("https://id.example.com", "https://id.example.com/realms/one", "https://id.example.com/tenant/")


@pytest.mark.parametrize("issuer", ISSUERS)
async def test_a_whole_login_works_for_every_form_of_issuer(issuer):
    """An issuer may have a path and may end in a slash, and is spelt the same everywhere."""
    provider = FakeProvider(issuer)
    result = await signed_in(Browser(RelyingParty(provider), others={provider.origin: provider}))

    claims = await verified(provider, result["token"]["id_token"])
    assert (claims["iss"], result["response"]["iss"], provider.metadata["issuer"]) == (issuer,) * 3
    assert (await fetched(provider, "/.well-known/openid-configuration")).json() == provider.metadata


async def test_paths_outside_of_the_issuer_are_not_served():
    """A path that was forgotten must not work by luck."""
    provider = FakeProvider("https://id.example.com/realms/one")
    async with provider.http_client() as client:
        answer = await client.get("https://id.example.com/.well-known/openid-configuration")

    assert answer.status_code == 404


async def test_its_bare_address_says_where_to_start():
    """`asgi-oidc provider` prints that address, and people click it."""
    provider = FakeProvider("https://id.example.com")
    async with provider.http_client() as client:
        answer = await client.get("https://id.example.com/")

    assert (answer.status_code, "start at your app" in answer.text) == (404, True)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA", "RS512", "ES384", "ES512"])
async def test_id_tokens_are_really_signed(alg):
    """A test that never meets a real signature proves nothing."""
    provider = FakeProvider(alg=alg)

    claims = await verified(provider, provider.id_token("bob", nonce="n", access_token="at"))

    assert (claims["sub"], claims["nonce"], claims["email"]) == ("bob", "n", "bob@example.com")
    assert provider.metadata["id_token_signing_alg_values_supported"] == [alg]


def test_an_unknown_algorithm_is_refused():
    """A typing mistake should not wait for the first login."""
    with pytest.raises(ValueError, match="RS257"):
        FakeProvider(alg="RS257")


async def test_the_id_token_says_what_the_login_asked_for(provider):
    """Nonce, time of sign-in and acr come back from the request."""
    rp = RelyingParty(provider, acr_values="urn:example:mfa urn:example:password")
    result = await signed_in(Browser(rp, others={provider.origin: provider}))

    claims = jws.extract_compact(result["token"]["id_token"].encode()).payload
    assert b'"acr":"urn:example:mfa"' in claims
    assert b'"nonce":"a-nonce"' in claims
    assert f'"auth_time":{NOW}'.encode() in claims
    assert result["response"] == {
        "code": result["response"]["code"],
        "state": "a-state",
        "iss": provider.issuer,
    }


async def test_claims_may_be_left_to_userinfo():
    """Many providers keep profile and email out of the ID Token."""
    provider = FakeProvider(claims_in_id_token=False)
    result = await signed_in(Browser(RelyingParty(provider), others={provider.origin: provider}))

    claims = await verified(provider, result["token"]["id_token"])
    bearer = {"authorization": "Bearer " + result["token"]["access_token"]}
    userinfo = (await fetched(provider, "/userinfo", headers=bearer)).json()
    assert "email" not in claims
    assert (userinfo["sub"], userinfo["email"], userinfo["roles"]) == ("alice", "alice@example.com", ["admin"])


async def test_userinfo_can_be_signed():
    """Some providers answer userinfo as a signed JWT."""
    provider = FakeProvider(signed_userinfo=True)
    result = await signed_in(Browser(RelyingParty(provider), others={provider.origin: provider}))
    bearer = {"authorization": "Bearer " + result["token"]["access_token"]}
    answer = await fetched(provider, "/userinfo", headers=bearer)

    claims = await verified(provider, answer.text)
    assert answer.headers["content-type"] == "application/jwt"
    assert (claims["iss"], claims["aud"], claims["sub"]) == (provider.issuer, "web", "alice")


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer made-up"}, {"authorization": "Basic at"}])
async def test_userinfo_needs_an_access_token(provider, header):
    """Without one there is nothing to see."""
    answer = await fetched(provider, "/userinfo", headers=header)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


async def test_access_tokens_expire():
    """The clock of the test decides."""
    times = [NOW]
    provider = FakeProvider(clock=lambda: times[0])
    result = await signed_in(Browser(RelyingParty(provider), others={provider.origin: provider}))
    bearer = {"authorization": "Bearer " + result["token"]["access_token"]}
    before = await fetched(provider, "/userinfo", headers=bearer)
    times[0] += result["token"]["expires_in"]
    after = await fetched(provider, "/userinfo", headers=bearer)

    assert (before.status_code, after.status_code) == (200, 401)


# --- the authorization endpoint

NOT_EVEN_BACK = [{"client_id": "nobody"}, {"redirect_uri": "javascript:alert(1)"}, {"redirect_uri": "https://a/#b"}]


@pytest.mark.parametrize("changes", NOT_EVEN_BACK)
async def test_a_client_that_is_not_known_gets_no_redirect(provider, rp, browser, changes):
    """Else the provider would be an open redirector."""
    page = await browser.get(rp.authorization_url(**changes), follow=False)

    assert (page.status_code, page.location) == (400, "")


async def test_registered_redirect_uris_are_compared_as_text():
    """A client that names its URIs gets those and no others."""
    provider = FakeProvider(clients=[Client("web", redirect_uris=["https://app.example.com/callback"])])
    rp = RelyingParty(provider)
    browser = Browser(rp, others={provider.origin: provider})

    good = await browser.get(rp.authorization_url())
    bad = await browser.get(rp.authorization_url(redirect_uri="https://app.example.com/callback/"))
    assert (good.status_code, bad.status_code) == (200, 400)


async def test_a_duplicate_parameter_is_refused(rp, browser):
    """Which of the two counts would depend on the reader."""
    page = await browser.get(rp.authorization_url() + "&scope=openid")

    assert page.status_code == 400


REFUSED = [
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"scope": "profile"}, "invalid_scope"),
    ({"scope": None}, "invalid_scope"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"prompt": "none"}, "login_required"),
]


@pytest.mark.parametrize(("changes", "error"), REFUSED)
async def test_a_wrong_request_is_sent_back_with_an_error(rp, browser, changes, error):
    """The client learns the error, with its state and our issuer."""
    page = await browser.get(rp.authorization_url(**changes), follow=False)

    back = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page.location).query))
    assert (page.status_code, back["error"], back["state"]) == (303, error, "a-state")
    assert "code" not in back


async def test_cancel_is_access_denied(browser):
    """A person may change their mind."""
    await browser.get("/private")
    back = await browser.submit(button="Cancel")

    assert back.json()["response"]["error"] == "access_denied"


async def test_a_state_that_was_not_sent_does_not_come_back(rp, browser):
    """The provider makes nothing up."""
    await browser.get(rp.authorization_url(state=None))
    back = await browser.submit(button="alice")

    assert "state" not in back.json()["response"]


async def test_a_second_login_is_immediate(browser, provider):
    """The provider remembers the person by a cookie, as real ones do."""
    await browser.sign_in("bob", "/private")
    again = await browser.get("/private")

    assert again.json()["status"] == 200
    assert provider.count("/authorize") == 3  # page, button, immediate


@pytest.mark.parametrize("params", [{"prompt": "login"}, {"prompt": "select_account"}])
async def test_prompt_asks_even_those_who_are_known(provider, params):
    """A step-up must not be satisfied by an old sign-in."""
    browser = Browser(RelyingParty(provider, **params), others={provider.origin: provider})
    await browser.sign_in("bob", "/private")
    page = await browser.get("/private")

    assert page.page.forms


async def test_max_age_asks_again_once_it_is_over():
    """An old sign-in is not good enough, a fresh one is."""
    times = [NOW]
    provider = FakeProvider(clock=lambda: times[0])
    browser = Browser(RelyingParty(provider, max_age="60"), others={provider.origin: provider})
    await browser.sign_in("bob", "/private")
    times[0] += 60
    fresh = await browser.get("/private")
    times[0] += 1
    stale = await browser.get("/private")

    assert fresh.json()["status"] == 200
    assert stale.page.forms


async def test_prompt_none_works_for_those_who_are_known(rp, browser):
    """Silent sign-in needs a session at the provider."""
    await browser.sign_in("bob", "/private")
    back = await browser.get(rp.authorization_url(prompt="none"))

    assert back.json()["status"] == 200


async def test_login_hint_puts_the_persona_first(rp, browser):
    """The hinted one is one key press away."""
    page = await browser.get(rp.authorization_url(login_hint="bob@example.com"))

    assert page.page.forms[0].buttons[0].value == "bob"


async def test_sign_in_as_skips_the_page(browser, provider):
    """Most tests do not care about the page."""
    provider.sign_in_as("bob")
    back = await browser.get("/private")
    provider.sign_in_as(None)
    browser.cookies.clear()
    page = await browser.get("/private")

    assert back.json()["status"] == 200
    assert page.page.forms


async def test_the_page_escapes_what_it_shows():
    """Personas and parameters are text, never markup."""
    provider = FakeProvider(personas=[Persona("<i>", '"<b>', "&amp;")])
    page = await Browser(RelyingParty(provider), others={provider.origin: provider}).get("/private")

    button = page.page.forms[0].buttons[0]
    assert (button.value, button.text) == ("<i>", '"<b>&amp;')


async def test_form_post_posts_the_response(provider):
    """The page posts itself, and the browser does as it says."""
    rp = RelyingParty(provider, response_mode="form_post")
    back = await Browser(rp, others={provider.origin: provider}).sign_in("alice", "/private")

    assert (back.request.method, back.json()["status"]) == ("POST", 200)


# --- the token endpoint


async def fresh_code(browser: Browser, rp: RelyingParty) -> dict[str, str]:
    page = await browser.get(rp.authorization_url())
    back = page if page.location else await browser.submit(page, "alice", follow=False)
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back.location).query))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "made-up"}, "invalid_grant"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"redirect_uri": "https://app.example.com/"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_a_wrong_exchange_is_refused(browser, rp, changes, error):
    """Each part of the token call is checked."""
    answer = await rp.exchange(await fresh_code(browser, rp), **changes)

    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_a_code_works_once_and_its_reuse_revokes(browser, rp, provider):
    """A code seen twice was stolen (RFC 6749 §4.1.2)."""
    response = await fresh_code(browser, rp)
    first = await rp.exchange(response)
    second = await rp.exchange(response)
    bearer = {"authorization": "Bearer " + first.json()["access_token"]}

    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")
    assert (await fetched(provider, "/userinfo", headers=bearer)).status_code == 401


async def test_a_code_expires():
    """A code that was kept for later is worth nothing."""
    times = [NOW]
    provider = FakeProvider(clock=lambda: times[0])
    rp = RelyingParty(provider)
    response = await fresh_code(Browser(rp, others={provider.origin: provider}), rp)
    times[0] += 61

    assert (await rp.exchange(response)).json()["error"] == "invalid_grant"


SECRET = "pa+ss :%word"
FORM = {"client_id": "cl ient", "client_secret": SECRET}
ENCODED = httpx.BasicAuth("cl+ient", "pa%2Bss+%3A%25word")
CREDENTIALS: list[tuple[Any, dict[str, str], int]] = [
    (ENCODED, {}, 400),  # form-encoded, as RFC 6749 §2.3.1 says; 400 is for the code
    (httpx.BasicAuth("cl ient", SECRET), {}, 401),
    (None, FORM, 400),
    (None, FORM | {"client_secret": "wrong"}, 401),
    (None, {"client_id": "cl ient"}, 401),
    (ENCODED, FORM, 401),
    (None, {}, 401),
]


@pytest.mark.parametrize(("auth", "form", "status"), CREDENTIALS)
async def test_clients_prove_who_they_are(auth, form, status):
    """Basic is form-encoded, two ways at once are none."""
    provider = FakeProvider(clients=[Client("cl ient", SECRET)])
    async with provider.http_client() as client:
        data = {"grant_type": "authorization_code", "code": "made-up", **form}
        answer = await client.post(provider.metadata["token_endpoint"], data=data, auth=auth)

    assert answer.status_code == status


async def test_a_malformed_basic_header_is_refused(provider):
    """Bytes that are no base64 must not be an error of ours."""
    async with provider.http_client() as client:
        headers = {"authorization": "Basic ***"}
        answer = await client.post(provider.metadata["token_endpoint"], headers=headers)

    assert answer.json()["error"] == "invalid_client"


async def test_a_client_may_be_held_to_one_method():
    """A client that is registered for post alone is not taken with basic."""
    provider = FakeProvider(clients=[Client("web", SECRET, auth_methods=["client_secret_post"])])
    async with provider.http_client() as client:
        data = {"grant_type": "authorization_code", "code": "made-up"}
        auth = httpx.BasicAuth("web", "pa%2Bss+%3A%25word")
        answer = await client.post(provider.metadata["token_endpoint"], data=data, auth=auth)

    assert answer.status_code == 401


async def test_a_public_client_needs_no_secret(provider):
    """PKCE alone binds its code."""
    rp = RelyingParty(provider, client_id="spa")
    response = await fresh_code(Browser(rp, others={provider.origin: provider}), rp)
    form = {"client_id": "spa", "grant_type": "authorization_code", "code": response["code"]}
    form |= {"redirect_uri": rp.redirect_uri, "code_verifier": VERIFIER}
    async with provider.http_client() as client:
        answer = await client.post(provider.metadata["token_endpoint"], data=form)

    assert answer.status_code == 200


async def test_refresh_tokens_rotate_and_their_reuse_revokes(provider):
    """Of a stolen refresh token nobody keeps anything (RFC 9700 §4.14.2)."""
    rp = RelyingParty(provider, scope="openid offline_access")
    first = (await signed_in(Browser(rp, others={provider.origin: provider})))["token"]["refresh_token"]
    second = (await rp.token_call({"grant_type": "refresh_token", "refresh_token": first})).json()
    stolen = await rp.token_call({"grant_type": "refresh_token", "refresh_token": first})
    after = await rp.token_call({"grant_type": "refresh_token", "refresh_token": second["refresh_token"]})

    assert second["refresh_token"] != first
    assert "nonce" not in await verified(provider, second["id_token"])
    assert [stolen.json()["error"], after.json()["error"]] == ["invalid_grant"] * 2


# --- signing out


async def test_end_session_ends_the_session_and_sends_back(browser, provider, rp):
    """After logout the next login shows the page again."""
    id_token = (await signed_in(browser))["token"]["id_token"]
    query = {"id_token_hint": id_token, "post_logout_redirect_uri": "https://app.example.com/public"}
    url = f"{provider.metadata['end_session_endpoint']}?{urllib.parse.urlencode(query | {'state': 'x'})}"
    back = await browser.get(url)
    page = await browser.get("/private")

    assert back.url == "https://app.example.com/public?state=x"
    assert page.page.forms


async def test_end_session_without_a_state_sends_back_without_one(browser, provider):
    """The redirect URI is exactly what was registered."""
    query = {"client_id": "web", "post_logout_redirect_uri": "https://app.example.com/public"}
    back = await browser.get(f"{provider.metadata['end_session_endpoint']}?{urllib.parse.urlencode(query)}")

    assert back.url == "https://app.example.com/public"


async def test_end_session_by_post_without_a_redirect_uri_says_so(browser, provider):
    """There is a page for those who just want to leave."""
    await signed_in(browser)
    page = await browser.post(provider.metadata["end_session_endpoint"], {})

    assert (page.status_code, "Signed out" in page.text) == (200, True)


@pytest.mark.parametrize(
    "params",
    [
        {"id_token_hint": "made.up.token"},
        {"post_logout_redirect_uri": "https://evil.example"},
        {"client_id": "web", "post_logout_redirect_uri": "https://evil.example"},
        {"client_id": "web", "id_token_hint": "OF-ANOTHER-CLIENT"},
    ],
)
async def test_end_session_refuses_what_it_cannot_trust(params):
    """Logout must not be an open redirector either."""
    provider = FakeProvider(clients=[Client("web", post_logout_redirect_uris=["https://app.example.com"])])
    if params.get("id_token_hint") == "OF-ANOTHER-CLIENT":
        params = params | {"id_token_hint": provider.id_token(client_id="other")}

    assert (await fetched(provider, "/end_session", params=params)).status_code == 400


# --- keys, records, settings


@pytest.mark.parametrize(("keep_old", "count"), [(True, 2), (False, 1)])
async def test_keys_rotate(provider, keep_old, count):
    """New tokens name a new key; the old one stays or goes."""
    old = provider.key.kid
    new = provider.rotate_keys(keep_old=keep_old)
    kids = [key["kid"] for key in (await fetched(provider, "/jwks")).json()["keys"]]

    assert (len(kids), new in kids, old in kids) == (count, True, keep_old)
    assert (await verified(provider, provider.id_token()))["sub"] == "alice"


async def test_calls_are_recorded_as_they_came(provider, rp, browser):
    """Tests assert on what was really sent."""
    await browser.sign_in("alice", "/private")

    call = provider.calls[-1]
    assert (call.method, call.path, call.form["code_verifier"]) == ("POST", "/token", VERIFIER)
    assert call.headers["authorization"].startswith("Basic ")
    assert (provider.count("/token"), provider.count("/authorize")) == (1, 2)


async def test_claims_can_be_overridden(provider):
    """A table of wrong values needs no fault for each of them."""
    provider.id_token_overrides = {"exp": "soon", "sub": ...}
    provider.userinfo_overrides = {"email": None}
    claims = jws.extract_compact(provider.id_token(name="Other").encode()).payload

    assert b'"exp":"soon"' in claims
    assert b'"name":"Other"' in claims
    assert b'"sub"' not in claims


async def test_jwks_headers_can_be_set(provider):
    """A key set may say how long it is fresh."""
    provider.jwks_headers["cache-control"] = "max-age=60"

    assert (await fetched(provider, "/jwks")).headers["cache-control"] == "max-age=60"


async def test_anything_can_be_signed(provider):
    """Logout tokens and worse are made by hand."""
    token = provider.sign(b"[]", typ="logout+jwt")

    assert jws.extract_compact(token.encode()).headers()["typ"] == "logout+jwt"


async def test_the_issuer_can_move(provider):
    """A server knows its port only once it runs."""
    provider.issuer = "http://127.0.0.1:8000/x"

    assert provider.metadata["token_endpoint"] == "http://127.0.0.1:8000/x/token"
    assert provider.origin == "http://127.0.0.1:8000"


async def test_other_scope_types_are_refused(provider):
    """A websocket here is a mistake in the test."""
    with pytest.raises(NotImplementedError, match="websocket"):
        await provider({"type": "websocket"}, None, None)


def test_secrets_stay_out_of_reprs():
    """Test output ends up in logs."""
    assert "web-secret-for-tests" not in repr(Client())


@pytest.mark.parametrize(
    ("issuer", "path"),
    [
        ("https://id.example.com", "/.well-known/oauth-authorization-server"),
        ("https://id.example.com/realms/a", "/.well-known/oauth-authorization-server/realms/a"),
    ],
)
async def test_clients_of_apis_find_the_metadata_as_well(issuer, path):
    """They look where RFC 8414 §3.1 puts it, with the path of the issuer at the end."""
    provider = FakeProvider(issuer)
    async with provider.http_client() as client:
        found = await client.get(f"https://id.example.com{path}")

    assert found.json() == provider.metadata
