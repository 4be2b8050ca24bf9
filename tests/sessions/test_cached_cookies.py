"""Cached cookies are checked against the clock and the revocations with every request."""

import itertools
from collections.abc import Sequence

import msgspec
import pytest

from asgi_oidc.sessions.lifetimes import MAX_CLOCK_SETBACK, MAX_SKEW
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.sessions.session import Session
from asgi_oidc.web.cookies import Cookies
from tests.sessions.store_process import refreshed
from tests.sessions.test_in_cookies import Process, known
from tests.sessions.test_session import ID, LOGIN, SESSION, with_tokens
from tests.sessions.test_session_cookies import OTHER_ID, another


@pytest.fixture
async def process() -> Process:
    """A browser is signed in, and its cookies were opened."""
    process = Process()
    await process.begin()
    assert at_once(process) is not None
    return process


def seen(active: ActiveSession | None) -> tuple[Session, int, Sequence[str], int] | None:
    return (
        None if active is None else (active.session, active.browser_generation, active.left_behind, active.fresh_until)
    )


def at_once(process: Process) -> ActiveSession | None:
    return process.sessions.at_once(process.cookies.header)


async def test_cookies_are_decrypted_once(process):
    """It is the very same session, opened anew or not."""
    active = at_once(process)

    assert active is not None
    assert active.session is (await process.request()).session
    assert (active.session, active.browser_generation, active.is_over) == (SESSION, 0, False)


@pytest.mark.parametrize("header", [b"%s; _ga=2", b"_ga=1;%s", b"%s;other", b"x=1; %s; x=2", b"x=\xff;\t%s\t; \xfc=1"])
async def test_other_cookies_that_change_do_not_cause_another_decryption(process, header):
    """Those that count visits are others with every click."""
    active = at_once(process)
    assert active is not None

    again = process.sessions.at_once(header % process.cookies.header)

    assert again is not None
    assert again.session is active.session


async def test_a_cached_session_equals_one_that_was_just_opened(process):
    """Whatever else the process has opened: cookies of ours in any order, twice, changed, or left behind by others."""
    other = Process()
    await other.begin(another(SESSION))
    use = process.session_cookies.style.set_cookie(
        process.session_cookies.use_name, process.session_cookies.sealer.seal("seen", "x", b"[]"), max_age=9
    )
    own = [b"%s=%s" % (name.encode(), value.encode()) for name, value in process.cookies.items()]
    others = [b"%s=%s" % (name.encode(), value.encode()) for name, value in other.cookies.items()]
    pairs = [*own, *others, own[0] + b"A", use.partition(b";")[0], b"a=1"]

    for chosen in itertools.chain.from_iterable(itertools.permutations(pairs, count) for count in range(5)):
        header = b"; ".join(chosen)
        assert seen(process.sessions.at_once(header)) == seen(Process().sessions.at_once(header))


async def test_each_request_gets_its_own_copy_of_a_cached_session(process):
    """One that saw the end must not end all others."""
    one, other = at_once(process), at_once(process)
    assert one is not None
    assert other is not None

    one.is_over, one.session = True, refreshed(SESSION)

    assert (other.is_over, other.session) == (False, SESSION)
    assert known(at_once(process)) == (SESSION, 0)


@pytest.mark.parametrize(
    ("seconds", "is_active"),
    [(0, True), (599, True), (600, False), (-MAX_CLOCK_SETBACK, True), (-MAX_CLOCK_SETBACK - 1, False)],
)
async def test_limits_apply_to_cached_sessions(process, seconds, is_active):
    """Also when the clock is set back."""
    process.now += seconds

    assert (at_once(process) is not None) is is_active


@pytest.mark.parametrize(("now", "is_active"), [(4599, True), (4600, False)])
async def test_the_lifetime_is_final_however_often_a_session_is_used(process, now, is_active):
    """An hour, to the second."""
    process.take([process.session_cookies.write_use(ID, 4590, max_age=60)])
    header = process.cookies.header
    process.now = 4595
    assert process.sessions.at_once(header) is not None

    process.now = now
    assert (process.sessions.at_once(header) is not None) is is_active


@pytest.mark.parametrize(("now", "is_active"), [(1099, True), (1100, False)])
async def test_the_end_set_by_the_provider_applies_to_cached_sessions(now, is_active):
    """Enterprise Extensions: session_expiry."""
    process = Process()
    await process.begin(with_tokens(ends_at=1100))
    assert at_once(process) is not None

    process.now = now

    assert (at_once(process) is not None) is is_active


async def test_a_refresh_may_shorten_the_session(process):
    """The cookies still say otherwise."""
    sooner = msgspec.structs.replace(SESSION, tokens=with_tokens(generation=1, ends_at=1050).tokens)
    await process.sessions.change(SESSION, lambda current: sooner)

    process.now = 1049
    assert known(at_once(process)) == (sooner, 0)
    process.now = 1050
    assert at_once(process) is None


async def test_an_ended_session_is_never_found_in_the_cache(process):
    """Dead stays dead; nothing of it is remembered as alive."""
    await process.sessions.end(SESSION)

    assert at_once(process) is None
    process.now -= 50
    assert at_once(process) is None


@pytest.mark.parametrize("name", [{"sub": "alice", "sid": None}, {"sub": None, "sid": "s-1"}])
async def test_a_logout_at_the_provider_reaches_cached_sessions(name):
    """By user, or by session there."""
    process = Process()
    await process.begin(msgspec.structs.replace(SESSION, login=msgspec.structs.replace(LOGIN, sub="alice", sid="s-1")))
    assert at_once(process) is not None

    process.revocations.sign_out(issuer=LOGIN.issuer, now=process.now, **name)

    assert at_once(process) is None


async def test_ending_one_session_does_not_end_another(process):
    """But it is looked at again."""
    await process.sessions.end(another(SESSION, OTHER_ID))

    assert known(at_once(process)) == (SESSION, 0)


async def test_a_replaced_session_lives_as_long_as_its_grace(process):
    """For requests that are under way."""
    await process.sessions.expire_with_grace(ID, grace=30, successor=LOGIN)

    process.now += 29
    assert at_once(process) is not None
    process.now += 1
    assert at_once(process) is None


async def test_a_grace_is_no_longer_than_the_session_would_have_lived(process):
    """Whatever ends it first."""
    process.now += 590
    await process.sessions.expire_with_grace(ID, grace=30, successor=LOGIN)

    process.now += 9
    assert at_once(process) is not None
    process.now += 1
    assert at_once(process) is None


async def test_the_cookies_of_an_expired_cached_session_are_deleted(process):
    """By the provider, during this request: the answer takes its tokens away."""
    active = at_once(process)
    assert active is not None
    assert not process.sessions.is_due(active)

    active.is_over = True

    assert process.sessions.is_due(active)


async def test_leftover_cookies_of_another_session_are_deleted_with_the_next_response(process):
    """Once; the session goes on."""
    other = Process()
    await other.begin(another(SESSION))
    header = process.cookies.header + b"; " + other.cookies.header.partition(b"; ")[2]
    left = process.session_cookies.tokens_name(OTHER_ID)

    active = process.sessions.at_once(header)

    assert active is not None
    assert process.sessions.is_due(active)
    assert [line.partition(b"=")[0].decode() for line in process.sessions.cookies_due(active, Cookies(header))] == [
        left
    ]


async def test_over_the_revocation_limit_all_older_sessions_end():
    """A revocation that is dropped while it is needed fails closed, for cached sessions too."""
    process = Process(max_revocations=2)
    await process.begin()
    assert at_once(process) is not None

    for number in range(3):
        process.revocations.end(f"id-{number}", now=process.now)

    assert at_once(process) is None


async def test_refreshed_tokens_are_found_at_once(process):
    """The old refresh token is spent; the answer brings the new ones."""
    await process.sessions.change(SESSION, refreshed)

    active = at_once(process)

    assert known(active) == (refreshed(SESSION), 0)
    assert active is not None
    assert process.sessions.is_due(active)


async def test_tokens_refreshed_during_a_request_come_with_its_response(process):
    """By another request, after this one began."""
    active = at_once(process)
    assert active is not None
    assert not process.sessions.is_due(active)

    await process.sessions.change(SESSION, refreshed)

    assert process.sessions.is_due(active)
    assert process.answer(active) == [process.tokens_name]


async def test_the_last_use_is_due_when_the_answer_comes_late(process):
    """It counts from then on."""
    active = at_once(process)
    assert active is not None

    process.now += 60

    assert process.sessions.is_due(active)


async def test_activity_in_the_cache_keeps_a_session_active(process):
    """One that is open for an hour asks whether its session was used meanwhile."""
    for _ in range(3):
        process.now += 400
        active = at_once(process)
        assert active is not None
        process.answer(active)

    assert await process.sessions.newest(SESSION) is not None


@pytest.mark.parametrize("header", [b"", b"a=1", b"__Host-oidc-abcdefgh=x", b"\xff"])
def test_cookies_that_we_did_not_seal_are_not_cached(header):
    """Whoever has no session fills no memory."""
    process = Process()

    assert process.sessions.at_once(header) is None
    assert len(process.sessions._cache) == 0


async def test_every_letter_of_the_cookies_counts(process):
    """The table goes by the whole of them, never by a part."""
    header = process.cookies.header
    for place in range(len(header)):
        changed = header[:place] + bytes([header[place] ^ 1]) + header[place + 1 :]
        assert process.sessions.at_once(changed) is None

    assert process.sessions.at_once(header) is not None


async def test_the_cache_is_bounded_for_a_single_user_too(process):
    """Other cookies beside ours make another header; so may anybody who has a session."""
    own = process.cookies.header
    for number in range(400):
        assert process.sessions.at_once(own + b"; a=%d" % number + b"x" * 60_000) is not None

    assert len(process.sessions._cache) < 300
    assert process.sessions.at_once(own) is not None


async def test_the_cache_is_bounded_for_cookies_that_look_like_ours(process):
    """They are a part of what a session is found by."""
    own, name = process.cookies.header, process.session_cookies.name.encode()
    for number in range(400):
        assert process.sessions.at_once(own + b"; %s-%d=" % (name, number) + b"x" * 60_000) is not None

    assert len(process.sessions._cache) < 300


@pytest.mark.parametrize("is_ended", [True, False])
async def test_ended_sessions_are_not_cached(process, is_ended):
    """Whoever has had a session must not push those out who have one."""
    if is_ended:
        await process.sessions.end(SESSION)
    else:
        process.now += 600
    header = process.cookies.header

    assert at_once(process) is None
    assert process.sessions.at_once(header + b"; a=1") is None
    assert await process.sessions.open(Cookies(header)) is not None

    assert len(process.sessions._cache) == 0


async def test_refreshed_tokens_that_the_browser_lacks_are_not_cached(process):
    """They may be larger than its cookies, by which room is counted."""
    assert len(process.sessions._cache) == 1

    await process.sessions.change(SESSION, refreshed)

    for _ in range(2):
        assert known(at_once(process)) == (refreshed(SESSION), 0)
    assert len(process.sessions._cache) == 0


async def test_each_use_of_the_same_cookies_counts(process):
    """A request that is open for long asks when its session was last used."""
    process.now += 1
    assert at_once(process) is not None
    process.now += 590
    assert at_once(process) is not None

    process.now += 590

    assert await process.sessions.newest(SESSION) is not None


async def test_a_last_use_in_the_future_is_replaced(process):
    """The clock was set back by more than those of two machines differ."""
    active = at_once(process)
    assert active is not None

    process.now -= MAX_SKEW
    assert not process.sessions.is_due(active)
    process.now -= 1
    assert process.sessions.is_due(active)


async def test_caches_of_two_secrets_are_separate():
    """Rotation: a process that has forgotten a secret opens nothing of it, whatever another one has opened."""
    old, new = Process(secrets=[b"o" * 32]), Process(secrets=[b"n" * 32, b"o" * 32])
    await old.begin()
    header = old.cookies.header
    assert new.sessions.at_once(header) is not None

    gone = Process(secrets=[b"n" * 32])

    assert gone.sessions.at_once(header) is None
