"""Back-channel logout: a valid logout token ends the sessions that it names, and no others."""

from typing import Any
from urllib.parse import urlencode

import anyio
import pytest

from asgi_oidc.protocol.logout_token import MAX_TOKEN_AGE
from asgi_oidc.testing.faults import FAULTS
from tests.attacked_provider import own_path
from tests.logout_site import FORM, FORMS, LogoutSite, are_in, sid_of
from tests.protected_site import PROGRAM, cookie_header, who_am_i
from tests.scripted_store import ScriptedStore

pytestmark = pytest.mark.usefixtures("one_or_three_providers")


STRANGE_SUBS = ["Alice", "alice ", "", "bob"]


@pytest.fixture(params=FORMS)
def site(request) -> LogoutSite:
    return LogoutSite(request.param)


async def signed_in_twice(site: LogoutSite) -> tuple[Any, Any]:
    return await site.signed_in(), await site.signed_in()


async def test_a_sign_out_by_sid_ends_that_session(site):
    """Another browser of the same user stays signed in."""
    one, other = await signed_in_twice(site)

    answer = await site.hear(site.provider.logout_token(None, sid=await sid_of(one)))

    assert (answer.status, await are_in(one, other)) == (200, [False, True])


async def test_a_sign_out_by_sub_ends_all_sessions_of_the_user(site):
    """Sessions of other users go on."""
    one, other, bob = await site.signed_in(), await site.signed_in(), await site.signed_in("bob")

    answer = await site.hear(site.provider.logout_token("alice"))

    assert (answer.status, await are_in(one, other, bob)) == (200, [False, False, True])


async def test_a_sign_out_by_both_ends_the_session_that_both_name(site):
    """The other session of the user goes on."""
    one, other = await signed_in_twice(site)

    answer = await site.hear(site.provider.logout_token("alice", sid=await sid_of(one)))

    assert (answer.status, await are_in(one, other)) == (200, [False, True])


async def test_copied_cookies_are_dead_after_a_backchannel_logout(site):
    """The session itself is over; it is not enough that one browser deletes its cookies."""
    browser = await site.signed_in()
    copies = [site.browser(jar=browser.jar.copy()) for _ in range(3)]

    await site.hear(site.provider.logout_token("alice"))

    assert await are_in(browser, *copies) == [False] * 4


async def test_who_was_signed_out_signs_in_again_at_once(site):
    """A login in the same second works, and can be signed out again; older cookies stay invalid."""
    olds = []
    for _ in range(3):
        browser = await site.signed_in()
        olds.append(browser)
        assert (await site.hear(site.provider.logout_token("alice"))).status == 200

    last = await site.signed_in()

    assert await are_in(*olds, last) == [False, False, False, True]


async def test_five_sessions_end_one_by_one_and_all_together(site):
    """The end of one must not hide the others from the sign-out by user."""
    browsers = [await site.signed_in() for _ in range(5)]

    await site.hear(site.provider.logout_token(None, sid=await sid_of(browsers[0])))
    before = await are_in(*browsers)
    await site.hear(site.provider.logout_token("alice"))

    assert before == [False, True, True, True, True]
    assert await are_in(*browsers) == [False] * 5


async def test_who_signed_out_here_can_still_be_signed_out_by_the_provider(site):
    """The provider notifies all apps, including the one that started the sign-out."""
    browser = await site.signed_in()
    sid = await sid_of(browser)
    await browser.fetch("/auth/logout", method="POST")

    assert (await site.hear(site.provider.logout_token("alice", sid=sid))).status == 200


async def test_a_provider_may_sign_out_whom_we_do_not_know(site):
    """A user without a session is signed out already."""
    answer = await site.hear(site.provider.logout_token("alice", sid="never-seen"))

    assert (answer.status, answer.headers[b"cache-control"], answer.members) == (200, b"no-store", {})
    assert b"set-cookie" not in answer.names


async def test_a_revocation_is_kept_as_long_as_a_session_can_live(site):
    """A copied cookie stays invalid until it expires, even if the clock is set back."""
    browser = await site.signed_in()
    thief = site.browser(jar=browser.jar.copy())
    await site.hear(site.provider.logout_token("alice"))

    for seconds in (3000, -7200, 12 * 3600, -12 * 3600):
        site.clock.advance(seconds)
        assert await are_in(thief) == [False]


async def test_a_sign_out_by_sub_leaves_who_is_called_almost_the_same(site):
    """`sub` is compared byte by byte."""
    browser = await site.signed_in("alice")

    for sub in STRANGE_SUBS[:2]:
        await site.hear(site.provider.logout_token(sub))

    assert await are_in(browser) == [True]


# --- a login that is under way


async def test_a_sign_out_between_the_token_call_and_the_session_wins(site):
    """The provider has signed the user out after it issued the tokens, so they must not start a session."""
    browser, url = await site.at_callback()
    answers = []
    with site.provider.hold("code_exchange", when="after") as gate:
        async with anyio.create_task_group() as tasks:

            async def come_back() -> None:
                answers.append(await browser.get(url, headers=PROGRAM, follow=False))

            tasks.start_soon(come_back)
            await gate.until_held()
            await site.hear(site.provider.logout_token("alice"))
            gate.open()

    (answer,) = answers
    assert (answer.status_code, answer.json()["error"]) == (400, "signed_out_meanwhile")
    assert await who_am_i(browser) is None


@pytest.mark.parametrize(
    ("method", "number", "status"),
    [
        ("add", 0, 303),  # before the provider is asked for tokens
        ("linked", 0, 303),
        ("add", 1, 400),
        ("link", 0, 400),
        ("link", 1, 400),
        ("linked", 1, 400),
    ],
)
async def test_a_sign_out_while_the_session_is_written_wins(method, number, status):
    """The order of the two writes to the store does not matter."""
    site = LogoutSite("a store")
    store: ScriptedStore = site.settings["store"]
    browser, url = await site.at_callback()
    heard = []

    async def sign_out() -> None:
        heard.append((await site.hear(site.provider.logout_token("alice"))).status)

    store.before[method] = [*[nothing] * number, sign_out]
    answer = await browser.get(url, headers=PROGRAM, follow=False)

    assert (answer.status_code, heard) == (status, [200])
    assert await who_am_i(browser) == ("alice" if status == 303 else None)


async def nothing() -> None:
    """Let it go on."""


async def test_a_login_that_starts_after_the_sign_out_lives(site):
    """Its code was issued before the sign-out, its tokens after it."""
    browser, url = await site.at_callback()

    await site.hear(site.provider.logout_token("alice"))
    await browser.get(url, follow=False)

    assert await are_in(browser) == [True]


# --- what is refused


LEGAL = ("logout_token_no_kid", "logout_token_no_exp")  # while one key fits; while iat and jti bound it
WRONG_TOKENS = sorted(name for name in FAULTS if name.startswith("logout_token_") and name not in LEGAL)


@pytest.mark.parametrize("fault", WRONG_TOKENS)
async def test_a_logout_token_that_is_wrong_changes_nothing(fault):
    """Every check of Back-Channel Logout 1.0 §2.6, and of JWTs in general, applies."""
    site = LogoutSite()
    browser = await site.signed_in()
    sid = await sid_of(browser)

    with site.provider.fault(fault):
        answers = [
            await site.hear(token)
            for token in (
                site.provider.logout_token("alice"),
                site.provider.logout_token("alice", sid=sid),
                site.provider.logout_token(None, sid=sid),
            )
        ]

    assert {(answer.status, answer.headers[b"cache-control"]) for answer in answers} <= {
        (400, b"no-store"),
        (413, b"no-store"),
    }
    assert {answer.members["error"] for answer in answers} == {"invalid_request"}
    assert await are_in(browser) == [True]


async def test_a_logout_token_without_exp_signs_out_once(site, caplog):
    """Ory Hydra sends no `exp`: `iat` and `jti` limit the token, and the log reports the missing claim once."""
    browser, other = await signed_in_twice(site)

    with site.provider.fault("logout_token_no_exp"):
        tokens = [site.provider.logout_token(None, sid=await sid_of(each)) for each in (browser, other)]
        answers = [await site.hear(token) for token in (*tokens, tokens[0])]

    assert [answer.status for answer in answers] == [200, 200, 400]
    assert answers[2].members["error_description"] == "claim_jti"
    assert await are_in(browser, other) == [False, False]
    assert caplog.text.count("logout_token_without_exp") == 1


async def test_an_old_logout_token_without_exp_is_refused(site):
    """Only its `iat` limits how long it can be used."""
    browser = await site.signed_in()
    with site.provider.fault("logout_token_no_exp"):
        token = site.provider.logout_token("alice")
    site.clock.advance(MAX_TOKEN_AGE + 30)  # and the leeway

    answer = await site.hear(token)

    assert (answer.status, answer.members["error_description"]) == (400, "claim_iat")
    assert await are_in(browser) == [True]


# --- the signature


def signing_with_both(**settings: Any) -> LogoutSite:
    """Make a site whose provider signs with ES256, and says that it knows RS256 too."""
    site = LogoutSite(**settings)
    site.provider.metadata["id_token_signing_alg_values_supported"] = ["RS256", "ES256"]
    return site


async def test_logout_tokens_are_signed_like_the_id_tokens_of_this_client():
    """Back-Channel Logout 1.0 §2.6: the algorithms of other clients do not count."""
    site = signing_with_both()
    browser = await site.signed_in()
    site.provider.alg = "RS256"

    answer = await site.hear(site.provider.logout_token("alice"))

    assert (answer.status, answer.members["error_description"]) == (400, "alg_not_allowed")
    assert await are_in(browser) == [True]


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
async def test_a_process_that_has_seen_no_id_token_loses_no_sign_out(alg):
    """A process that has just started does not know which algorithm this client has registered."""
    site = signing_with_both()
    site.provider.alg = alg
    browser = await site.signed_in()
    site.middleware = site.restarted().middleware

    answer = await site.hear(site.provider.logout_token("alice"))

    assert (answer.status, await are_in(site.browser_of(browser))) == (200, [False])


async def test_a_refresh_says_as_well_how_id_tokens_are_signed():
    """After the provider has changed the algorithm of a client, sign-outs still work."""
    site = signing_with_both(scope="openid offline_access")
    browser = await site.signed_in()
    site.provider.alg = "RS256"
    site.clock.advance(3590)

    async def ask_for_token(scope: Any) -> None:
        await scope["oidc"].access_token()

    site.app.at_work = ask_for_token
    await browser.fetch("/page")
    answer = await site.hear(site.provider.logout_token("alice"))

    assert answer.status == 200


async def test_algorithms_that_are_named_are_taken_by_their_word():
    """During a migration, both algorithms are listed."""
    site = LogoutSite(algorithms=["ES256", "RS256"])
    browser = await site.signed_in()
    site.provider.alg = "RS256"

    answer = await site.hear(site.provider.logout_token("alice"))

    assert (answer.status, await are_in(browser)) == (200, [False])


def test_the_table_of_invalid_logout_tokens_is_not_empty():
    """With an empty table, the test above would pass without testing anything."""
    assert len(WRONG_TOKENS) > 30


async def test_no_other_token_stands_in_for_a_logout_token(site):
    """All tokens are signed with the same keys."""
    browser = await site.signed_in()
    oidc = site.app.scope["oidc"]
    tokens = [
        oidc.id_token,
        await oidc.access_token(),
        site.provider.id_token("alice"),
        site.provider.id_token("alice", events={"http://schemas.openid.net/event/backchannel-logout": {}}, nonce="n"),
        site.provider.sign({"iss": site.provider.issuer, "aud": "web", "sub": "alice"}, typ="at+jwt"),
    ]

    answers = [await site.hear(token) for token in tokens]

    assert ([answer.status for answer in answers], await are_in(browser)) == ([400] * 5, [True])


async def test_a_logout_token_is_no_id_token(site):
    """It has no nonce, and its type differs."""
    browser, url = await site.at_callback()
    nonce = "x" * 43

    token = site.provider.logout_token("alice", nonce=nonce)
    with site.provider.fault():
        site.provider.id_token_overrides = {
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            "nonce": ...,
        }
        answer = await browser.get(url, headers=PROGRAM, follow=False)

    assert (answer.status_code, await who_am_i(browser), token.count(".")) == (502, None, 2)


async def test_a_logout_token_counts_once(site):
    """An eavesdropper must not be able to end later sessions with it."""
    token = site.provider.logout_token("alice")
    await site.signed_in()
    assert (await site.hear(token)).status == 200
    browser = await site.signed_in()

    again = await site.hear(token)

    assert (again.status, again.members["error_description"]) == (400, "claim_jti")
    assert await are_in(browser) == [True]


async def test_another_process_knows_a_logout_token_that_was_used():
    """Processes that share a store share this as well."""
    for form in ("a store", "cookies of many processes"):
        site = LogoutSite(form)
        other = LogoutSite(**{**site.settings, "provider": site.provider})
        token = site.provider.logout_token("alice")

        assert [(await each.hear(token)).status for each in (site, other)] == [200, 400]


async def test_the_sid_of_one_user_with_the_sub_of_another_changes_nothing(site):
    """The provider contradicts what it said at the login, so neither claim can be trusted."""
    alice, bob = await site.signed_in("alice"), await site.signed_in("bob")

    answer = await site.hear(site.provider.logout_token("bob", sid=await sid_of(alice)))

    assert (answer.status, answer.members["error_description"]) == (400, "claim_sub")
    assert await are_in(alice, bob) == [True, True]


async def test_the_sid_of_another_provider_changes_nothing(site):
    """Two providers may issue the same `sid`."""
    browser = await site.signed_in()
    token = site.provider.logout_token(None, sid=await sid_of(browser), iss="https://other.example.com")

    assert ((await site.hear(token)).status, await are_in(browser)) == (400, [True])


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post"])
async def test_only_a_post_signs_out(method):
    """Links and images make GET requests."""
    site = LogoutSite()
    browser = await site.signed_in()
    token = site.provider.logout_token("alice")

    query = urlencode({"logout_token": token}).encode()
    exchange = await site.call(own_path("backchannel-logout"), method=method, query_string=query)

    assert (exchange.status, exchange.header(b"allow")) == (405, b"POST")
    assert (exchange.header(b"cache-control"), await are_in(browser)) == (b"no-store", [True])


@pytest.mark.parametrize(
    ("headers", "write", "status"),
    [
        ({"content-type": "application/json"}, lambda token: b'{"logout_token":"%s"}' % token, 400),
        ({"content-type": "application/json"}, lambda token: b"logout_token=" + token, 400),
        ({"content-type": "multipart/form-data; boundary=x"}, lambda token: b"logout_token=" + token, 400),
        ({"content-type": "application/logout+jwt"}, lambda token: token, 400),
        ({}, lambda token: b"logout_token=" + token, 400),
        (FORM, lambda token: b"", 400),
        (FORM, lambda token: b"&&&", 400),
        (FORM, lambda token: b"logout_token=", 400),
        (FORM, lambda token: b"LOGOUT_TOKEN=" + token, 400),
        (FORM, lambda token: b"token=" + token, 400),
        (FORM, lambda token: b"logout_token=" + token + b"&logout_token=" + token, 400),
        (FORM, lambda token: b"logout_token=" + token + b"&logout_token=", 400),
        (FORM, lambda token: b"x=1&x=2&logout_token=" + token, 400),
        (FORM, lambda token: b"logout_token=" + token + b"%ff", 400),
        (FORM, lambda token: b"logout_token=" + token + b"&" + b"a=1&" * 100, 400),
        (FORM, lambda token: b"logout_token=" + token + b"&x=" + b"x" * 1_000_000, 413),
        (FORM, lambda token: b"\xff\xfe\x00", 400),
        (FORM, lambda token: b"logout_token=" + b"." * 10_000, 400),
    ],
)
async def test_what_is_no_form_with_one_logout_token_is_refused(headers, write, status):
    """The request is refused although the token in it is valid."""
    site = LogoutSite()
    browser = await site.signed_in()
    body = write(site.provider.logout_token("alice").encode())

    answer = await site.post(body, headers=headers)

    assert (answer.status, answer.headers[b"cache-control"], answer.members["error"]) == (
        status,
        b"no-store",
        "invalid_request",
    )
    assert await are_in(browser) == [True]


async def test_a_good_form_may_have_more_in_it(site):
    """A provider may send unknown parameters and a charset."""
    browser = await site.signed_in()
    body = urlencode({"logout_token": site.provider.logout_token("alice"), "more": "1"}).encode()

    answer = await site.post(body, headers={"content-type": "Application/X-WWW-Form-Urlencoded; charset=utf-8"})

    assert (answer.status, await are_in(browser)) == (200, [False])


async def test_cookies_do_not_matter_for_backchannel_logout(site):
    """The provider has no cookies, and the response must not reveal whether a browser has a session."""
    browser = await site.signed_in()

    answer = await site.post(b"logout_token=x", headers={**FORM, "cookie": cookie_header(browser)})

    assert (answer.status, b"set-cookie" in answer.names, await are_in(browser)) == (400, False, [True])


# --- bounded work, and outages


async def test_forged_key_ids_do_not_use_up_the_key_fetches_of_logins():
    """Anyone can send requests here; the next login must still be able to fetch a new key of the provider."""
    site = LogoutSite()
    await site.signed_in()
    fetched = site.provider.count("/jwks")

    for number in range(1000):
        answer = await site.hear(site.provider.logout_token("alice", header={"kid": f"made-up-{number}"}))
        assert answer.status == 400
    after_flood = site.provider.count("/jwks")
    site.provider.rotate_keys()
    browser = await site.signed_in("bob")

    assert (after_flood - fetched, await who_am_i(browser)) == (3, "bob")


async def test_an_unknown_key_is_fetched(site):
    """The provider may have changed its keys since the login."""
    browser = await site.signed_in()
    site.provider.rotate_keys()

    answer = await site.hear(site.provider.logout_token("alice"))

    assert (answer.status, await are_in(browser)) == (200, [False])


@pytest.mark.parametrize("form", ["a store", "cookies of many processes"])
@pytest.mark.parametrize("method", ["get", "add", "link", "linked"])
async def test_with_the_store_down_the_provider_is_asked_to_try_again(form, method):
    """A 200 would claim that the sessions have ended. The same request works later."""
    site = LogoutSite(form)
    store: ScriptedStore = site.settings.get("store") or site.settings["logout_store"]
    browser, token = await site.signed_in(), site.provider.logout_token("alice")

    store.broken = {method}
    down = await site.hear(token)
    store.broken = set()
    again = await site.hear(token)

    assert (down.status, down.members["error"], down.headers[b"cache-control"]) == (
        503,
        "temporarily_unavailable",
        b"no-store",
    )
    assert int(down.headers[b"retry-after"]) > 0
    assert (again.status, await are_in(browser)) == (200, [False])


async def test_with_no_keys_the_provider_is_asked_to_try_again():
    """Without keys, the token cannot be validated."""
    site = LogoutSite()
    browser = await site.signed_in()
    cold = LogoutSite(**{**site.settings, "provider": site.provider})

    with site.provider.fault("jwks_down"):
        answer = await cold.hear(site.provider.logout_token("alice"))

    assert (answer.status, await are_in(browser)) == (503, [True])


async def test_a_provider_that_hangs_up_does_not_stop_the_work():
    """Otherwise its token could be used up before the sessions have ended."""
    site = LogoutSite("a store")
    store: ScriptedStore = site.settings["store"]
    browser, token = await site.signed_in(), site.provider.logout_token("alice")
    reached, goes_on = anyio.Event(), anyio.Event()

    async def wait() -> None:
        reached.set()
        await goes_on.wait()

    store.before["remove"] = [wait]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(site.hear, token)
        await reached.wait()
        tasks.cancel_scope.cancel()
    goes_on.set()
    again = await site.hear(token)

    assert (again.status in (200, 400), await are_in(browser)) == (True, [False])
