"""What one provider says or gives never counts at another: every attack, for every ordered pair of providers.

`own` is the provider that the attacker runs or has an account at, `other` is the one whose users it wants to reach.
Each attack has its counterpart: the same steps with the right provider work, in the same test or in the one beside it.
"""

from collections.abc import Callable
from typing import Any

import pytest

from asgi_oidc.testing import Browser
from tests.protected_site import ORIGIN, PROGRAM, login_cookies, session_cookies, who_am_i
from tests.providers.lookalike_providers import (
    PAIRS,
    SID,
    SUB,
    AttackedProviders,
    at,
    claims_of,
    param,
    with_params,
)
from tests.providers.three_providers import NAMES, issuer_of

pytestmark = [pytest.mark.long, pytest.mark.parametrize(("own", "other"), PAIRS)]


@pytest.fixture
async def site(own: str, other: str) -> AttackedProviders:
    """With the same user signed in at each of the providers; sessions are in a store for one order of each pair."""
    site = AttackedProviders(has_store=NAMES.index(own) > NAMES.index(other))
    await site.sign_victims_in()
    return site


async def outcome(browser: Browser, url: str) -> tuple[int, str]:
    """Open a callback as a program, which is told the code."""
    back = await browser.get(url, headers=PROGRAM, follow=False)
    return back.status_code, "signed in" if back.status_code == 303 else back.json()["error"]


# --- the authorization response: state, code, iss


async def test_the_state_of_one_at_the_callback_of_another(site, own, other):
    """The login that it belongs to was started elsewhere; there it still goes on."""
    browser, url = await site.at_callback(own)

    for moved in (at(other, url), with_params(at(other, url), iss=issuer_of(other))):
        assert await outcome(browser, moved) == (400, "provider_mismatch")

    assert [site.calls_of(name) for name in NAMES] == [0, 0, 0]
    assert await outcome(browser, url) == (303, "signed in")
    await site.assert_untouched(*NAMES)


@pytest.mark.parametrize("by_form", [False, True], ids=["query", "form"])
async def test_the_code_of_one_at_the_callback_of_another(own, other, by_form):
    """The attacker's own code, put into the login that a victim has in progress: it goes to the wrong provider."""
    site = AttackedProviders()
    await site.sign_victims_in()
    victim, url = await site.at_callback(other)
    _, attackers_url = await site.at_callback(own)

    injected = with_params(url, code=param(attackers_url, "code"))
    if by_form:
        refused = await victim.post(f"/auth/callback/{other}", {"code": param(attackers_url, "code")}, headers=PROGRAM)
        assert (refused.status_code, refused.json()["error"]) == (400, "transaction_missing")
    else:
        assert await outcome(victim, injected) == (400, "provider_refused")

    assert site.calls_of(own) == 0
    assert await who_am_i(victim) is None
    await site.assert_untouched(*NAMES)
    assert (await site.sign_in(other)).status_code == 303


async def test_the_issuer_of_another_in_the_response(site, own, other):
    """A response says who has sent it (RFC 9207)."""
    browser, url = await site.at_callback(own)

    assert await outcome(browser, with_params(url, iss=issuer_of(other))) == (400, "iss_mismatch")

    assert [site.calls_of(name) for name in NAMES] == [0, 0, 0]
    assert await who_am_i(browser) is None
    assert (await site.sign_in(own)).status_code == 303
    await site.assert_untouched(*NAMES)


async def test_a_provider_that_sends_the_browser_on_to_another(site, own, other):
    """The mix-up attack (RFC 9700 §4.4): the honest provider's code would go to the attacker's token endpoint."""
    browser = site.known_browser()
    url = await site.authorization_url(own, browser)

    for redirect_uri in (param(url, "redirect_uri"), f"{ORIGIN}/auth/callback/{other}"):
        forwarded = f"{issuer_of(other)}/authorize?" + with_params(url, redirect_uri=redirect_uri).partition("?")[2]
        back = (await browser.get(forwarded, follow=False)).location
        assert param(back, "code")
        assert (await outcome(browser, back))[1] in ("iss_mismatch", "provider_mismatch", "transaction_missing")

    assert [site.calls_of(name) for name in NAMES] == [0, 0, 0]
    assert await who_am_i(browser) is None
    await site.assert_untouched(*NAMES)


# --- the token answer: iss, sub, nonce, key


def relayed(site: AttackedProviders, own: str, id_token: Callable[[dict[str, Any]], str]) -> None:
    """Let a provider answer with an ID Token of its choice."""
    site.relays[own].rewrites["/token"] = lambda answer: {**answer, "id_token": id_token(answer)}


def own_claims(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the claims of the honest answer."""
    return dict(claims_of(answer["id_token"]))


async def test_an_id_token_with_the_issuer_of_another(site, own, other):
    """Well signed, by the provider that was asked, and about a user of another one."""
    relayed(site, own, lambda answer: site.fakes[own].sign({**own_claims(answer), "iss": issuer_of(other)}))

    refused = await site.sign_in(own)

    assert (refused.status_code, refused.json()["error"]) == (502, "claim_iss")
    await site.assert_untouched(*NAMES)
    assert (await site.sign_in(own)).status_code == 303


@pytest.mark.parametrize("claims_issuer", ["own", "other"])
@pytest.mark.parametrize("shares_keys", [False, True], ids=["own keys", "shared keys"])
async def test_an_id_token_that_another_has_signed(own, other, shares_keys, claims_issuer):
    """Its key has the same `kid`; and where two have the same key, the issuer still tells them apart."""
    site = AttackedProviders(shares_keys=shares_keys)
    await site.sign_victims_in()
    issuer = issuer_of(own if claims_issuer == "own" else other)
    relayed(site, own, lambda answer: site.fakes[other].sign({**own_claims(answer), "iss": issuer}))

    answer = await site.sign_in(own)

    code = "" if answer.status_code == 303 else answer.json()["error"]
    if not shares_keys:
        assert (answer.status_code, code) == (502, "signature")
    else:  # with the same key and the issuer of its own, it is the provider's own
        assert code == ("claim_iss" if claims_issuer == "other" else "")
    await site.assert_untouched(*NAMES)


@pytest.mark.parametrize(("shares_keys", "code"), [(False, "signature"), (True, "claim_iss")])
async def test_the_id_token_of_a_login_at_another(own, other, shares_keys, code):
    """A valid one, for this client and with the right nonce, which a user with an account at both can get."""
    site = AttackedProviders(shares_keys=shares_keys)
    await site.sign_victims_in()
    browser, others_url = await site.at_callback(other)
    authorization_url = await site.authorization_url(own, browser)
    stolen = site.fakes[other].id_token(SUB, nonce=param(authorization_url, "nonce"))
    relayed(site, own, lambda answer: stolen)

    url = (await browser.get(authorization_url, follow=False)).location
    assert await outcome(browser, url) == (502, code)

    assert await outcome(browser, others_url) == (303, "signed in")
    await site.assert_untouched(*NAMES)


async def test_the_nonce_of_another_login_in_the_same_browser(site, own, other):
    """An ID Token counts for the login that it was requested by."""
    browser, url = await site.at_callback(own)
    others = param(await site.authorization_url(other, browser), "nonce")
    relayed(site, own, lambda answer: site.fakes[own].sign({**own_claims(answer), "nonce": others}))

    assert await outcome(browser, url) == (502, "claim_nonce")
    await site.assert_untouched(*NAMES)


async def test_the_sub_of_a_user_of_another(site, own, other):
    """A provider can only name users of its own."""
    answer = await site.sign_in(own, browser := site.known_browser())

    session = (await browser.fetch("/auth/session")).json()
    assert (answer.status_code, session["sub"], session["issuer"]) == (303, SUB, issuer_of(own))
    assert session["provider"] == own
    if site.has_store:
        counts = [len(await site.middleware.sessions.of(SUB, issuer=issuer_of(name))) for name in (own, other)]
        assert counts == [2, 1]
    await site.assert_untouched(*NAMES)


@pytest.mark.parametrize("member", ["iss", "sub"])
async def test_userinfo_about_a_user_of_another(own, other, member):
    """It adds claims to the user of the ID Token, and never makes another user of it."""
    site = AttackedProviders()
    await site.sign_victims_in()
    site.fakes[own].claims_in_id_token = False
    foreign = {"iss": issuer_of(other)} if member == "iss" else {"sub": "somebody-of-another"}
    site.relays[own].rewrites["/userinfo"] = lambda answer: {**answer, **foreign}

    answer = await site.sign_in(own, browser := site.known_browser())

    if member == "sub":
        assert (answer.status_code, answer.json()["error"]) == (502, "userinfo_sub")
    else:  # of no meaning there, and ignored
        assert (await browser.fetch("/auth/session")).json()["claims"]["iss"] == issuer_of(own)
    await site.assert_untouched(*NAMES)
    assert (await site.sign_in(own)).status_code == 303


@pytest.mark.parametrize(
    ("signer", "issuer", "expected"),
    [
        ("own", "own", ""),
        ("other", "own", "signature"),
        ("other", "other", "signature"),
        ("own", "other", "userinfo_iss"),
    ],
)
async def test_userinfo_that_another_has_signed(own, other, signer, issuer, expected):
    """Signed userinfo is checked with the keys and the issuer of the provider that was asked."""
    site = AttackedProviders()
    await site.sign_victims_in()
    names = {"own": own, "other": other}
    site.fakes[own].claims_in_id_token = False
    claims = {"sub": SUB, "iss": issuer_of(names[issuer]), "aud": "web"}
    site.relays[own].rewrites["/userinfo"] = lambda _: site.fakes[names[signer]].sign(claims)

    answer = await site.sign_in(own)

    assert (answer.status_code, expected) == (502, answer.json()["error"]) if expected else answer.status_code == 303
    await site.assert_untouched(*NAMES)


# --- refreshes


@pytest.mark.parametrize("attack", ["none", "of another", "iss of another", "key of another", "sub of another"])
async def test_a_refresh_that_another_answers(site, own, other, attack):
    """The new ID Token must be of the same provider and the same user; the session stays as it was."""
    fakes, foreign = site.fakes, {"iss": issuer_of(other)}
    answers: dict[str, Callable[[dict[str, Any]], str]] = {
        "none": lambda answer: answer["id_token"],
        "of another": lambda answer: fakes[other].sign({**own_claims(answer), **foreign}),
        "iss of another": lambda answer: fakes[own].sign({**own_claims(answer), **foreign}),
        "key of another": lambda answer: fakes[other].sign(own_claims(answer)),
        "sub of another": lambda answer: fakes[own].sign({**own_claims(answer), "sub": "bob"}),
    }
    relayed(site, own, answers[attack])

    status = await site.refreshed(own)

    assert status == (200 if attack == "none" else 503)
    assert (await site.who_are_in())[own] == issuer_of(own)
    assert [fake.count_grants("refresh_token") for fake in fakes.values()] == [name == own for name in NAMES]
    await site.assert_untouched(*(name for name in NAMES if name != own))


async def test_a_refresh_token_goes_to_its_own_provider(site, own, other):
    """The session names the provider, regardless of other tokens in the browser."""
    token = list(site.fakes[own].memory.refresh_tokens)[-1]

    assert await site.refreshed(own) == 200
    assert await site.refreshed(other) == 200

    shown = {name: [call.form.get("refresh_token") for call in fake.calls] for name, fake in site.fakes.items()}
    assert [name for name in NAMES if token in shown[name]] == [own]


# --- sign-outs


@pytest.mark.parametrize("by", ["sub", "sid", "both"])
@pytest.mark.parametrize("shares_keys", [False, True], ids=["own keys", "shared keys"])
@pytest.mark.parametrize("has_store", [False, True], ids=["cookies", "store"])
async def test_a_logout_token_at_the_endpoint_of_another(own, other, shares_keys, by, has_store):
    """It ends the sessions of its own provider only, and only there."""
    site = AttackedProviders(has_store=has_store, shares_keys=shares_keys)
    await site.sign_victims_in()
    sub, sid = (None if by == "sid" else SUB), (None if by == "sub" else SID)
    fake, foreign = site.fakes[own], issuer_of(other)

    assert await site.hear(other, fake.logout_token(sub, sid=sid)) == (400, "claim_iss" if shares_keys else "signature")
    assert await site.hear(own, fake.logout_token(sub, sid=sid, iss=foreign)) == (400, "claim_iss")
    if not shares_keys:
        assert await site.hear(other, fake.logout_token(sub, sid=sid, iss=foreign)) == (400, "signature")
    await site.assert_untouched(*NAMES)

    assert await site.hear(own, fake.logout_token(sub, sid=sid)) == (200, "")
    assert (await site.who_are_in())[own] is None
    await site.assert_untouched(*(name for name in NAMES if name != own))


async def test_the_same_jti_at_both(site, own, other):
    """A token that was used at one provider uses up none of another's."""
    tokens = {name: site.fakes[name].logout_token("bob", jti="1") for name in (own, other)}

    heard = [await site.hear(name, tokens[name]) for name in (own, own, other)]

    assert heard == [(200, ""), (400, "claim_jti"), (200, "")]
    await site.assert_untouched(*NAMES)


async def test_the_frame_of_another(site, own, other):
    """Front-channel logout: neither the `iss` nor the endpoint of another provider ends the session."""
    frame = {"sec-fetch-dest": "iframe", "sec-fetch-mode": "navigate", "sec-fetch-site": "same-site"}
    victim = site.victims[own]

    for endpoint, issuer in ((other, other), (other, own), (own, other)):
        await victim.fetch(f"/auth/frontchannel-logout/{endpoint}?iss={issuer_of(issuer)}&sid={SID}", headers=frame)
    await site.assert_untouched(*NAMES)
    await victim.fetch(f"/auth/frontchannel-logout/{own}?iss={issuer_of(own)}&sid={SID}", headers=frame)

    assert (await site.who_are_in())[own] is None


async def test_signing_out_of_one(site, own, other):
    """The button ends the session of this browser, and leads to the provider that it came from."""
    gone = await site.victims[own].post("/auth/logout", headers={"origin": ORIGIN}, follow=False)

    assert gone.location.startswith(f"{issuer_of(own)}/")
    assert site.calls_of(own, "/revoke") == 1
    assert (await site.who_are_in())[own] is None
    await site.assert_untouched(*(name for name in NAMES if name != own))


async def test_sessions_ended_from_code(own, other):
    """`middleware.sessions` needs the issuer, and reaches no further."""
    site = AttackedProviders(has_store=True)
    await site.sign_victims_in()
    sessions = site.middleware.sessions

    ended = [
        await sessions.end(SUB, site.session_ids[other], issuer=issuer_of(own)),
        await sessions.end(SUB, site.session_ids[own], issuer=issuer_of(other)),
    ]
    assert ended == [False, False]
    await site.assert_untouched(*NAMES)

    assert await sessions.end_all(SUB, issuer=issuer_of(own)) == 1
    assert (await site.who_are_in())[own] is None
    await site.assert_untouched(*(name for name in NAMES if name != own))


# --- cookies


async def test_the_cookie_of_a_login_under_the_name_of_another(site, own, other):
    """A login in progress is sealed under its own name, which comes from its state."""
    browser, url = await site.at_callback(own)
    (name,) = login_cookies(browser)
    value = next(cookie.value for cookie in browser.cookies if cookie.name == name)
    victim, victims_url = await site.at_callback(other)
    (planted,) = login_cookies(victim)
    real = next(cookie.value for cookie in victim.cookies if cookie.name == planted)

    victim.jar.receive(f"{planted}={value}; Path=/; Secure", ORIGIN)
    assert await outcome(victim, victims_url) == (400, "transaction_missing")
    assert await outcome(victim, at(own, victims_url)) == (400, "transaction_missing")
    victim.jar.receive(f"{name}={value}; Path=/; Secure", ORIGIN)
    assert await outcome(victim, at(other, url)) == (400, "provider_mismatch")

    assert [site.calls_of(each) for each in NAMES] == [0, 0, 0]
    victim.jar.receive(f"{planted}={real}; Path=/; Secure", ORIGIN)
    assert await outcome(victim, victims_url) == (303, "signed in")
    await site.assert_untouched(*NAMES)


async def test_the_cookies_of_two_sessions_mixed(own, other):
    """The login of one provider with the tokens of another is no session of either."""
    site = AttackedProviders()
    await site.sign_victims_in()
    jars = {name: cookies_of(site.victims[name]) for name in (own, other)}
    (login,) = jars[own].keys() & jars[other].keys()
    tokens = {name: {key: value for key, value in jars[name].items() if key != login} for name in jars}

    mixtures = [
        {login: jars[own][login], **tokens[other]},
        {login: jars[own][login], **dict(zip(tokens[own], tokens[other].values(), strict=True))},
        {login: jars[own][login], **dict(zip(tokens[other], tokens[own].values(), strict=True))},
    ]
    for cookies in mixtures:
        assert await issuer_seen(site, cookies) is None

    assert await issuer_seen(site, {**jars[own], **tokens[other]}) == issuer_of(own)  # what is left behind is ignored
    await site.assert_untouched(*NAMES)


def cookies_of(browser: Browser) -> dict[str, str]:
    names = session_cookies(browser)
    return {cookie.name: cookie.value for cookie in browser.cookies if cookie.name in names}


async def issuer_seen(site: AttackedProviders, cookies: dict[str, str]) -> str | None:
    """Return the issuer of the session in some cookies."""
    browser = site.browser()
    for name, value in cookies.items():
        browser.jar.receive(f"{name}={value}; Path=/; Secure", ORIGIN)
    session = (await browser.fetch("/auth/session")).json()
    return None if "issuer" not in session else str(session["issuer"])


async def test_a_login_at_another_in_the_browser_of_a_session(site, own, other):
    """The same `sub` there is another user: the session before is over at once, and copies of it are."""
    victim = site.victims[own]
    copy = site.browser()
    copy.jar = victim.jar.copy()

    answer = await site.sign_in(other, victim)

    assert answer.status_code == 303
    assert await site.who_are_in() == {name: issuer_of(other if name == own else name) for name in NAMES}
    assert await who_am_i(copy) is None
    await site.assert_untouched(*(name for name in NAMES if name != own))
