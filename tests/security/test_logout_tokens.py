"""The endpoint that anyone may call: whatever is posted to the back-channel, nothing breaks, leaks or opens."""

import logging
from urllib.parse import urlencode

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_oidc import OIDCError
from asgi_oidc.testing.faults import FAULTS
from asgi_oidc.testing.in_process import call_app
from tests.attacked_provider import own_path
from tests.internals import replay_cache_of, revocations_of
from tests.logout_site import FORM, LogoutSite, are_in, sid_of
from tests.protected_site import ORIGIN
from tests.scripted_store import ScriptedStore

from .sizes import size

pytestmark = pytest.mark.usefixtures("one_or_three_providers")

SUB, SID, JTI = "subject-4711", "sid-4711-of-somebody", "jti-4711"
STATUSES = (400, 413)


@pytest.mark.parametrize("fault", sorted(name for name in FAULTS if name.startswith("logout_token_")))
async def test_nothing_of_a_token_is_in_a_log_line_or_an_answer(fault, caplog):
    """Neither the token nor whom it names, however wrong it is."""
    caplog.set_level(logging.DEBUG)
    site = LogoutSite()
    with site.provider.fault(fault):
        token = site.provider.logout_token(SUB, sid=SID, jti=JTI)

    answer = await site.hear(token)

    said = " ".join([*(record.getMessage() for record in caplog.records), str(answer.members), str(answer.headers)])
    assert [word for word in (*token.split("."), SUB, SID, JTI) if len(word) > 4 and word in said] == []
    assert answer.status in (*STATUSES, 200)


async def test_a_refusal_says_which_check_failed(caplog):
    """Whoever runs the provider, or the app, has to find the mistake."""
    caplog.set_level(logging.WARNING)
    site = LogoutSite()

    answer = await site.hear(site.provider.logout_token("alice", aud="somebody-else"))

    (line,) = (record.getMessage() for record in caplog.records if "logout_refused" in record.getMessage())
    assert (answer.members["error_description"], "code=claim_aud" in line) == ("claim_aud", True)


async def test_refusals_flood_no_log_and_hide_no_other_reason(caplog):
    """Anybody can post here; whoever runs the provider still sees each reason once a minute."""
    caplog.set_level(logging.INFO)
    site = LogoutSite()

    for _ in range(2):
        for _ in range(5):
            await site.hear("forged")
            await site.hear(site.provider.logout_token("alice", aud="somebody-else"))
        site.clock.advance(60)

    refusals = [record for record in caplog.records if "logout_refused" in record.getMessage()]
    warnings = [record.getMessage() for record in refusals if record.levelno == logging.WARNING]
    assert (len(refusals), len(warnings), sum("code=claim_aud" in line for line in warnings)) == (20, 4, 2)


@given(st.binary(max_size=300), st.sampled_from([b"", b"logout_token=", b"logout_token=a.b.c&", b"&="]))
@settings(max_examples=size(60, 2000), deadline=None)
def test_any_bytes_get_a_clear_refusal(body, before):
    """Nothing that is posted makes this fail in another way."""
    site = LogoutSite()

    url = ORIGIN + own_path("backchannel-logout")
    status, headers, _ = anyio.run(call_app, site.middleware, "POST", url, FORM, before + body)

    assert (status in STATUSES, dict(headers)[b"cache-control"]) == (True, b"no-store")


CLAIMS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
EVENTS: dict[str, object] = {"http://schemas.openid.net/event/backchannel-logout": {}}
NAMES = ["iss", "aud", "iat", "exp", "jti", "events", "sub", "sid", "nonce", "azp", "nbf"]


@given(st.dictionaries(st.sampled_from(NAMES), CLAIMS, min_size=1, max_size=4))
@settings(max_examples=size(60, 2000), deadline=None)
def test_claims_of_any_kind_end_nobody_elses_session(claims):
    """The signature is right: a provider with a mistake, or another one of the same keys."""
    site = LogoutSite()

    async def hear() -> tuple[int, list[bool]]:
        browser = await site.signed_in("bob")
        now = site.provider.now()
        good = {"iss": site.provider.issuer, "aud": "web", "iat": now, "exp": now + 120, "jti": "j", "events": EVENTS}
        token = site.provider.sign({**good, "sub": "alice", **claims}, typ="logout+jwt")
        return (await site.hear(token)).status, await are_in(browser)

    status, stays = anyio.run(hear)

    assert status in (200, *STATUSES)
    assert stays == [claims.get("sub") != "bob" or status != 200]


@pytest.mark.parametrize("form", ["a store", "cookies of many processes"])
@pytest.mark.parametrize("answer", [None, 1, "yes", [1], b"bytes", object()], ids=str)
@pytest.mark.parametrize("method", ["get", "add", "link", "linked", "remove"])
async def test_a_store_that_answers_nonsense_makes_no_200_that_did_nothing(form, method, answer):
    """The guard itself is broken: either the sessions are over, or the provider hears that they are not."""
    site = LogoutSite(form)
    store: ScriptedStore = site.settings.get("store") or site.settings["logout_store"]
    browser = await site.signed_in()

    store.answers[method] = answer
    heard = await site.hear(site.provider.logout_token("alice"))
    store.answers.clear()

    assert heard.status in (200, 400, 503)
    assert heard.status != 200 or await are_in(browser) == [False]


@pytest.mark.parametrize("clock", [lambda: "soon", lambda: None, lambda: float("nan")], ids=["text", "none", "nan"])
async def test_a_broken_clock_signs_nobody_out_and_says_so(clock):
    """A token whose time cannot be checked is not accepted."""
    site = LogoutSite()
    browser = await site.signed_in()
    token = site.provider.logout_token("alice")
    now, site.clock.now = site.clock.now, clock()

    with pytest.raises(OIDCError, match="unexpected_error"):
        await site.hear(token)
    site.clock.now = now

    assert await are_in(browser) == [True]


async def test_a_thousand_forged_tokens_make_bounded_calls():
    """Signed by a stranger, each with a key name of its own: three looks at the keys, and nothing else changes."""
    site = LogoutSite()
    browser, stranger = await site.signed_in(), LogoutSite().provider
    sid, before = await sid_of(browser), len(site.provider.calls)
    used, revocations = replay_cache_of(site.middleware), revocations_of(site.middleware)
    await site.hear(stranger.logout_token("alice", sid=sid, header={"kid": "the first"}))  # the log keeps its reason
    remembered = [len(used._names), len(revocations._entries)]

    statuses = {
        (await site.hear(stranger.logout_token("alice", sid=sid, header={"kid": f"k-{number}"}))).status
        for number in range(size(200, 1000))
    }

    assert (statuses, len(site.provider.calls) - before) == ({400}, 3)
    assert await are_in(browser) == [True]
    assert [len(used._names), len(revocations._entries)] == remembered


async def test_while_the_keys_are_away_no_sign_in_pays_for_it():
    """The provider is down: what strangers post must not use up what people need when it is back."""
    site = LogoutSite()
    cold = LogoutSite(**{**site.settings, "provider": site.provider, "clock": site.clock})
    token = site.provider.logout_token("alice")
    with site.provider.fault("jwks_down"):
        statuses = {(await cold.hear(token)).status for _ in range(50)}
    calls = site.provider.count("/jwks")

    site.clock.advance(30)
    browser = await cold.signed_in()

    assert (statuses, calls <= 4, await are_in(browser)) == ({503}, True, [True])


async def test_a_client_that_breaks_is_no_reason_for_a_200():
    """It raises what httpx does not."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise RuntimeError("a transport of the user's own")

    site = LogoutSite()
    browser = await site.signed_in()
    broken = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    cold = LogoutSite(**{**site.settings, "provider": site.provider, "http_client": broken})

    answer = await cold.hear(site.provider.logout_token("alice"))

    assert (answer.status, await are_in(browser)) == (503, [True])


async def test_two_posts_of_one_token_at_once_are_one_sign_out():
    """A provider may send it twice; the second is told, or shares what the first did."""
    site = LogoutSite("a store")
    browser, token = await site.signed_in(), site.provider.logout_token("alice")
    statuses = []

    async def hear() -> None:
        statuses.append((await site.hear(token)).status)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(hear)

    assert (200 in statuses, set(statuses) <= {200, 400}, await are_in(browser)) == (True, True, [False])
    assert (await site.post(urlencode({"logout_token": token}).encode())).status == 400
