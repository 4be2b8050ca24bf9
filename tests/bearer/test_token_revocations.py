"""A sign-out by the provider ends the tokens that were issued before it, in every process that shares a store."""

from typing import Any

import pytest

from asgi_oidc import MemoryStore
from asgi_oidc.protocol.bearer_token import MAX_LIFETIME
from asgi_oidc.sessions.revocations import Revocations, plain_names
from asgi_oidc.sessions.session import UserId
from tests.bearer.token_calls import TokenSite, problem
from tests.logout_site import FORMS
from tests.protected_site import NOW, Clock
from tests.scripted_store import ScriptedStore

LONG = MAX_LIFETIME - 600  # seconds


def long_token(site: TokenSite, **changes: Any) -> str:
    return site.token(exp=int(site.clock.now) + LONG, **changes)


@pytest.fixture(params=FORMS)
def site(request: pytest.FixtureRequest) -> TokenSite:
    """A site in each form that sessions and sign-outs can be kept in."""
    clock = Clock()
    return TokenSite(clock=clock, **FORMS[request.param](clock))


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize(
    ("claims", "sub", "sid", "is_over"),
    [
        ({}, "alice", None, True),
        ({"sid": "s1"}, "alice", None, True),
        ({"sid": "s1"}, None, "s1", True),
        ({"sid": "s1"}, "alice", "s1", True),
        ({}, "alice", "s1", True),
        ({"sid": "s2"}, "alice", "s1", False),
        ({"sid": "s2"}, None, "s1", False),
        ({}, None, "s1", False),
        ({}, "bob", None, False),
        ({"sub": "bob", "sid": "s1"}, "alice", "s1", False),
    ],
)
async def test_a_sign_out_ends_the_tokens_that_it_is_about(site, is_known, claims, sub, sid, is_over):
    """Known tokens as well as those that are seen for the first time, and no others."""
    token = site.token(**claims)
    if is_known:
        assert (await site.call_with(token)).status == 200
    site.clock.advance(10)
    await site.sign_out(sub, sid)

    answers = [await site.call_with(token) for _ in range(2)]

    assert [answer.status for answer in answers] == ([401, 401] if is_over else [200, 200])
    if is_over:
        assert problem(answers[0])["error"] == "token_revoked"


@pytest.mark.parametrize(("seconds", "is_over"), [(0, True), (2, True), (3, False)])
async def test_a_token_that_was_issued_afterwards_counts(site, seconds, is_over):
    """The user has signed in again; tokens count in seconds, so the first ones are not told from older ones."""
    await site.sign_out("alice")
    site.clock.advance(seconds)

    answer = await site.call_with(site.token())

    assert answer.status == (401 if is_over else 200)


async def test_tokens_count_by_the_clock_of_the_provider_that_dates_them_and_the_sign_out(site):
    """It may be ahead by the leeway; else tokens of the last seconds before the sign-out would live on."""
    ahead = int(site.clock.now) + 25
    before, after = site.token(iat=ahead - 3), site.token(iat=ahead + 3)
    assert (await site.call_with(before)).status == 200
    site.provider.clock = lambda: ahead
    await site.sign_out("alice")

    answers = [await site.call_with(token) for token in (before, after)]

    assert [answer.status for answer in answers] == [401, 200]


async def test_a_sign_out_is_remembered_for_as_long_as_a_token_may_live(site):
    """Dead stays dead, however long that is."""
    token = long_token(site)
    site.clock.advance(10)
    await site.sign_out("alice")
    for _ in range(4):
        site.clock.advance(LONG // 4 - 10)
        assert (await site.call_with(token)).status == 401


async def test_a_process_that_starts_later_knows_of_the_sign_out():
    """It reads what the others have written, also if sessions are in the store themselves."""
    for keyword in ("store", "logout_store"):
        clock = Clock()
        settings: dict[str, Any] = {keyword: ScriptedStore(clock)}
        site = TokenSite(clock=clock, **settings)
        token = long_token(site)
        site.clock.advance(10)
        await site.sign_out("alice")
        site.clock.advance(3600)

        answer = await site.restarted().call_with(token)

        assert (answer.status, problem(answer)["error"]) == (401, "token_revoked")


async def test_another_process_knows_of_the_sign_out_within_seconds():
    """It reads the feed in between."""
    clock = Clock()
    site = TokenSite(clock=clock, logout_store=ScriptedStore(clock))
    other, token = site.restarted(), long_token(site)
    await other.call_with(token)
    site.clock.advance(10)
    await site.sign_out("alice")
    other.clock.now = site.clock.now + 10

    assert (await other.call_with(token)).status == 401


@pytest.mark.parametrize("path", ["/page", "/public/page"])
@pytest.mark.parametrize("is_known", [True, False])
async def test_a_store_that_is_down_lets_nobody_in(path, is_known):
    """Whether the user was signed out cannot be told."""
    clock = Clock()
    store = ScriptedStore(clock)
    site = TokenSite(clock=clock, logout_store=store)
    token = long_token(site)
    if is_known:
        await site.call_with(token)
    site.app.scopes.clear()
    site.clock.advance(60)
    store.broken = {"linked"}

    answer = await site.call_with(token, path)

    assert (answer.status, answer.header(b"retry-after"), site.app.scopes) == (503, b"5", [])


async def test_the_sessions_of_the_user_end_too():
    """As before."""
    site = TokenSite(store=MemoryStore())
    browser = await site.signed_in("alice")
    await site.sign_out("alice")

    assert (await browser.fetch("/auth/session")).status_code == 401


async def test_a_sign_out_here_ends_the_session_and_not_the_tokens_of_other_clients():
    """The provider says what else ends, with a logout token."""
    site = TokenSite()
    token, browser = site.token(), await site.signed_in("alice")
    await browser.post("/auth/logout")

    assert (await site.call_with(token)).status == 200


def test_when_too_many_sign_outs_are_remembered_all_older_tokens_end():
    """It fails closed: a sign-out that had to be forgotten may have been about any of them."""
    revocations = Revocations(plain_names, lifetime=10_000, needed_for=10_000, max_revocations=2)
    names = revocations.names_of_token(UserId("https://id.example.com", "alice"), None)
    for number in range(4):
        revocations.sign_out(issuer="https://id.example.com", sub=f"user-{number}", sid=None, now=NOW + number)

    assert revocations.is_token_revoked(names, issued_at=NOW + 1)
    assert not revocations.is_token_revoked(names, issued_at=NOW + 2)
