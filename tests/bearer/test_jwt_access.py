"""Programs with a JWT access token get what its user may have; nothing else counts then."""

import base64
import json

import pytest

from asgi_oidc import Rule
from asgi_oidc.testing.keys import base64url, signing_key
from tests.bearer.token_calls import API, TokenSite, challenges, problem
from tests.protected_site import Site, cookie_header, who_am_i

DESCRIPTION = 'error_description="The access token is expired, revoked, malformed, or not valid for this API"'


async def test_a_valid_token_reaches_the_app_with_its_user():
    """The same app serves programs."""
    site = TokenSite()

    answer = await site.call_with(site.token())

    user = site.app.scope["user"]
    assert (answer.status, user.sub, user.issuer, user.provider) == (200, "alice", site.provider.issuer, None)
    assert (user.credential, user.is_machine, user.client_id) == ("bearer", False, "cli")
    assert user.claims == site.claims()
    assert site.app.scope["auth"].scopes == ["authenticated", "orders:read", "profile"]


async def test_a_token_seen_before_costs_no_look_at_the_keys():
    """The signature was checked once."""
    site = TokenSite()
    token = site.token()
    await site.call_with(token)
    site.provider.rotate_keys()
    site.clock.advance(60)

    answer = await site.call_with(token)

    assert (answer.status, site.provider.count("/jwks")) == (200, 1)


@pytest.mark.parametrize("cnf", [{"jkt": "0" * 43}, {"x5t#S256": "0" * 43}, {"jkt": "0" * 43, "x5t#S256": "0" * 43}])
async def test_a_token_that_is_bound_to_a_key_is_worth_nothing_alone(cnf):
    """Whoever has stolen it does not have the key; a token that was seen before is no exception."""
    site = TokenSite()
    token = site.token(cnf=cnf)

    answers = [await site.call_with(token) for _ in range(3)]

    assert ([answer.status for answer in answers], site.app.scopes) == ([401, 401, 401], [])


def wrong_tokens(site: TokenSite) -> dict[str, str]:
    """Return tokens that are wrong, by the code of the refusal."""
    now, good = int(site.clock.now), site.token()
    other_key = signing_key("ES256", 7)
    header, payload, _ = good.split(".")
    return {
        "claim_aud": site.token(aud="https://other.example.com"),
        "claim_iss": site.token(iss="https://evil.example"),
        "claim_exp": site.token(iat=now - 900, exp=now - 60),
        "claim_nbf": site.token(nbf=now + 3600),
        "claim_iat": site.token(iat=now + 300),
        "token_typ": site.token(nonce="n"),
        "kid_unknown": site.token(key=other_key),
        "signature": f"{header}.{payload}.{base64url(bytes(64))}",
        "alg_not_allowed": f"{base64url(json.dumps({'alg': 'none'}).encode())}.{payload}.",
        "token_opaque": "opaque",
    }


@pytest.mark.parametrize("path", ["/page", "/public/page"])
@pytest.mark.parametrize("code", wrong_tokens(TokenSite()))
async def test_a_wrong_token_is_refused_even_on_public_paths(code, path):
    """A wrong token never counts as no token; the client learns the code, and nothing else."""
    site = TokenSite(bearer={"introspect": False})

    answer = await site.call_with(wrong_tokens(site)[code], path)

    assert (answer.status, problem(answer)["error"], site.app.scopes) == (401, code, [])
    (challenge,) = challenges(answer)
    assert challenge.startswith("Bearer resource_metadata=")
    assert 'error="invalid_token"' in challenge
    assert DESCRIPTION in challenge
    assert answer.header(b"cache-control") == b"no-store"
    assert "login_url" not in problem(answer)


async def test_a_token_on_a_public_path_gives_the_user_to_the_app():
    """Pages and programs are treated alike."""
    site = TokenSite()

    answer = await site.call_with(site.token(), "/public/page")

    assert (answer.status, site.app.scope["user"].sub) == (200, "alice")


async def test_the_token_decides_and_not_the_cookie():
    """A request with both is judged by the header alone, in both directions."""
    site = TokenSite()
    cookie = {"cookie": cookie_header(await site.signed_in("bob"))}

    good = await site.call_with(site.token(), headers=cookie)
    sub = site.app.scope["user"].sub
    bad = await site.call_with(site.token(aud="other"), headers=cookie)

    assert (good.status, sub) == (200, "alice")
    assert (bad.status, problem(bad)["error"]) == (401, "claim_aud")
    assert not [name for exchange in (good, bad) for name, _ in exchange.sent[0]["headers"] if name == b"set-cookie"]


@pytest.mark.parametrize("value", ["Basic dXNlcjpwYXNz", "Negotiate abc", "BearerX abc", "Digest a=b", ""])
async def test_other_schemes_are_not_ours_and_the_cookie_counts(value):
    """A proxy in front may ask for a password of its own."""
    site = TokenSite()
    cookie = {"cookie": cookie_header(await site.signed_in("bob")), "authorization": value}

    answer = await site.call("/page", headers=cookie)

    assert (answer.status, site.app.scope["user"].sub, site.app.scope["user"].credential) == (200, "bob", "session")


async def test_without_the_setting_no_token_counts():
    """The header belongs to the app then, as before."""
    site = TokenSite()
    plain = Site(provider=site.provider, clock=site.clock)
    cookie = {"cookie": cookie_header(await plain.signed_in("bob"))}

    anonymous = await plain.call("/page", headers={"authorization": f"Bearer {site.token()}"})
    signed_in = await plain.call("/page", headers={**cookie, "authorization": f"Bearer {site.token()}"})

    assert (anonymous.status, challenges(anonymous)[0].split()[0]) == (401, "Cookie")
    assert (signed_in.status, plain.app.scope["user"].sub) == (200, "bob")


async def test_our_own_urls_act_on_cookies_only():
    """A token signs nobody out, and no token is needed to sign in."""
    site = TokenSite()
    browser = await site.signed_in("bob")

    out = await site.call_with(
        site.token(), "/auth/logout", method="POST", headers={"origin": "https://app.example.com"}
    )
    login = await site.call_with("garbage", "/auth/login")

    assert (out.status, login.status) == (303, 303)
    assert await who_am_i(browser) == "bob"


async def test_the_session_url_is_judged_by_the_token():
    """A single-page app that uses tokens asks the same question as one with a session."""
    site = TokenSite()
    cookie = {"cookie": cookie_header(await site.signed_in("bob"))}

    good = await site.call_with(site.token(), "/auth/session", headers=cookie)
    bad = await site.call_with("x.y", "/auth/session", headers=cookie)
    post = await site.call_with(site.token(), "/auth/session", method="POST")

    assert (good.status, problem(good)["sub"], problem(good)["credential"]) == (200, "alice", "bearer")
    assert problem(good)["expires_at"] == site.claims()["exp"]
    assert (bad.status, post.status) == (401, 405)


async def test_forms_and_scripts_of_other_sites_need_no_permission_with_a_token():
    """No browser sends a token along by itself, so there is nothing to forge."""
    site = TokenSite()
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}

    answer = await site.call_with(site.token(), method="POST", headers=foreign)

    assert (answer.status, site.app.scope["user"].sub) == (200, "alice")


async def test_the_response_is_kept_out_of_shared_caches():
    """Otherwise a cache would give one user's data to the next."""
    site = TokenSite()
    site.app.headers = [(b"cache-control", b"public, max-age=60"), (b"vary", b"Accept")]

    answer = await site.call_with(site.token())

    headers = [(name, value) for name, value in answer.sent[0]["headers"] if name in (b"vary", b"cache-control")]
    assert headers == [(b"vary", b"Accept"), (b"vary", b"Authorization"), (b"cache-control", b"private, max-age=60")]


async def test_scripts_of_a_permitted_origin_can_read_the_response():
    """A single-page app on another host calls the API with a token."""
    site = TokenSite(rules=[Rule("/page", origins=["https://spa.example.com"])])
    origin = {"origin": "https://spa.example.com"}

    good = await site.call_with(site.token(), headers=origin)
    bad = await site.call_with("x.y", headers=origin)

    assert good.header(b"access-control-allow-origin") == b"https://spa.example.com"
    assert bad.header(b"access-control-allow-origin") == b"https://spa.example.com"


async def test_no_part_of_a_token_is_logged(caplog):
    """Whoever reads the log must not be able to act as the user."""
    caplog.set_level("DEBUG")
    site = TokenSite()
    token = site.token(aud="https://other.example.com")

    await site.call_with(token)

    assert "claim_aud" in caplog.text
    assert not [part for part in token.split(".") if part in caplog.text]


async def test_without_the_keys_the_response_is_503():
    """Nobody gets in, and nobody is told that the token is wrong."""
    site = TokenSite()
    with site.provider.fault("jwks_down"):
        answer = await site.call_with(site.token())

    assert (answer.status, answer.header(b"retry-after") is not None, site.app.scopes) == (503, True, [])
    assert challenges(answer) == []


async def test_forged_tokens_do_not_cost_a_sign_in_its_look_at_the_keys():
    """Made-up key ids have a budget of their own."""
    site = TokenSite()
    for number in range(8):
        await site.call_with(site.token(key=signing_key("ES256", 20 + number)))
    site.provider.rotate_keys()

    await site.signed_in("bob")
    assert site.provider.count("/jwks") <= 6


def test_the_token_of_the_examples_is_what_it_says():
    """The helper above makes an ordinary token."""
    payload = TokenSite().token().split(".")[1]

    assert json.loads(base64.urlsafe_b64decode(payload + "=="))["aud"] == API
