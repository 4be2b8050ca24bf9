"""Sessions in cookies: an answer brings what has changed, and nothing that has ended."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from rich.pretty import pretty_repr

from asgi_oidc.errors import LoginLoop
from asgi_oidc.sessions.in_cookies import MAX_LAST_USES, CookieSessions
from asgi_oidc.sessions.kept_tokens import ALL_TOKENS
from asgi_oidc.sessions.lifetimes import Limits
from asgi_oidc.sessions.repository import LOCK_LIFETIME, ActiveSession
from asgi_oidc.sessions.revocation_feed import NoFeed, RevocationFeed
from asgi_oidc.sessions.revocations import MAX_PER_USER, MAX_REVOCATIONS, Revocations, plain_names
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.session import Session
from asgi_oidc.sessions.session_cookies import MAX_VALUE_LENGTH, SessionCookies
from asgi_oidc.testing.cookie_jar import CookieJar
from asgi_oidc.web.cookie_size import MAX_COOKIE_HEADER
from asgi_oidc.web.cookies import Cookies, CookieStyle
from tests.internals import sessions_of
from tests.protected_site import Site
from tests.sessions.store_process import refreshed
from tests.sessions.test_session import ID, ISSUER, LOGIN, SESSION, user, with_tokens
from tests.sessions.test_session_cookies import OTHER_ID, URL, another


class Process:
    """One process, and one browser in front of it."""

    def __init__(
        self,
        *,
        secrets: Sequence[bytes] = (b"s" * 32,),
        max_revocations: int = MAX_REVOCATIONS,
        log: RevocationFeed | None = None,
    ) -> None:
        self.now = SESSION.login.created_at
        self.session_cookies = SessionCookies(
            Sealer(secrets, context=("a", "b", "c")), CookieStyle(secure=True), "oidc-abcdefgh"
        )
        self.revocations = Revocations(plain_names, lifetime=10_000, needed_for=3600, max_revocations=max_revocations)
        limits = Limits(idle=600, lifetime=3600)
        self.sessions = CookieSessions(
            self.session_cookies,
            limits,
            self.revocations,
            log or NoFeed(),
            kept_tokens=ALL_TOKENS,
            max_cookie_header=MAX_COOKIE_HEADER,
            has_provider=lambda login: True,
            now=lambda: self.now,
            ticks=lambda: float(self.now),
        )
        self.window = CookieJar(lambda: self.now)

    @property
    def cookies(self) -> Cookies:
        return Cookies("; ".join(f"{cookie.name}={cookie.value}" for cookie in self.window).encode())

    def take(self, lines: list[bytes]) -> list[str]:
        """Put cookies into the browser, and name them."""
        for line in lines:
            self.window.receive(line.decode(), URL)
        return [line.partition(b"=")[0].decode() for line in lines]

    async def begin(self, session: Session = SESSION) -> None:
        self.take(await self.sessions.begin(session, self.cookies))

    async def request(self) -> ActiveSession:
        """Start a request."""
        active = await self.sessions.open(self.cookies)
        assert active is not None
        await self.sessions.touch(active)
        return active

    def answer(self, active: ActiveSession) -> list[str]:
        """Start its answer."""
        return self.take(self.sessions.cookies_due(active, self.cookies))

    @property
    def tokens_name(self) -> str:
        return self.session_cookies.tokens_name(ID)


def known(active: ActiveSession | None) -> tuple[Session, int] | None:
    """What a request knows: the session, and which tokens the browser has."""
    return None if active is None else (active.session, active.browser_generation)


@pytest.fixture
def process() -> Process:
    return Process()


class BusyLog(NoFeed):
    """While a request waits for it, something happens."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], object] = lambda: None

    def is_due(self) -> bool:
        return True

    async def poll(self) -> None:
        self.meanwhile()


async def test_tokens_refreshed_while_a_request_waits_for_revocations_are_found():
    """The old refresh token is spent by then."""
    log = BusyLog()
    process = Process(log=log)
    await process.begin()
    log.meanwhile = lambda: process.sessions.keep_unsaved(refreshed(SESSION))

    assert process.sessions.at_once(process.cookies.header) is None
    assert known(await process.request()) == (refreshed(SESSION), 0)


async def test_a_new_session_can_be_opened(process):
    """All of it is in the browser."""
    await process.begin()

    assert known(await process.sessions.open(process.cookies)) == (SESSION, 0)
    assert process.sessions.has_cookie(process.cookies)
    assert await process.sessions.open(Cookies(b"")) is None
    assert not process.sessions.has_cookie({})


async def test_a_response_without_changes_sets_no_cookie(process):
    """A cookie in every answer would keep caches and proxies busy."""
    await process.begin()
    process.now += 59

    assert process.answer(await process.request()) == []


async def test_the_activity_cookie_is_set_once_a_minute(process):
    """And ends with the idle limit."""
    await process.begin()
    process.now += 60

    assert process.answer(await process.request()) == [process.session_cookies.use_name]
    assert process.window[process.session_cookies.use_name].expires_at == process.now + 600
    assert (await process.request()).session == msgspec.structs.replace(SESSION, seen_at=1060)
    assert process.answer(await process.request()) == []


async def test_the_activity_cookie_expires_with_the_session(process):
    """Not with an idle limit that lies beyond the end."""
    await process.begin(with_tokens(ends_at=1100))
    process.now += 60

    process.answer(await process.request())

    assert process.window[process.session_cookies.use_name].expires_at == 1100


async def test_new_tokens_come_with_the_answer(process):
    """The login cookie stays as it is; both end together."""
    await process.begin()
    login = process.cookies[process.session_cookies.name]
    process.now += 30
    active = await process.request()
    active.session = await process.sessions.change(active.session, refreshed)

    assert process.answer(active) == [process.tokens_name]
    assert process.cookies[process.session_cookies.name] == login
    assert process.window[process.tokens_name].expires_at == process.window[process.session_cookies.name].expires_at
    assert known(await process.request()) == (refreshed(SESSION), 1)
    assert process.answer(await process.request()) == []


async def test_tokens_refreshed_by_another_request_come_with_every_response_that_lacks_them(process):
    """The request that refreshed them may never be answered."""
    await process.begin()
    one, two = await process.request(), await process.request()
    await process.sessions.change(one.session, refreshed)

    assert process.answer(two) == [process.tokens_name]
    assert process.session_cookies.open(process.cookies) == refreshed(SESSION)


async def test_whoever_comes_with_old_cookies_gets_the_newest_tokens(process):
    """The browser went away before it got them."""
    await process.begin()
    await process.sessions.change((await process.request()).session, refreshed)

    active = await process.request()

    assert known(active) == (refreshed(SESSION), 0)
    assert await process.sessions.newest(SESSION) == refreshed(SESSION)
    assert process.answer(active) == [process.tokens_name]


async def test_kept_tokens_are_found_however_they_were_kept(process):
    """`keep_unsaved` is for stores; here it is the same."""
    await process.begin()

    process.sessions.keep_unsaved(refreshed(SESSION))

    assert known(await process.request()) == (refreshed(SESSION), 0)


async def test_a_failed_refresh_is_remembered_and_brings_no_cookie(process):
    """It is the same tokens still."""
    await process.begin()
    active = await process.request()
    await process.sessions.change(active.session, lambda current: with_tokens(retry_at=1010))

    assert process.answer(active) == []
    assert (await process.request()).session.tokens.retry_at == 1010


async def test_tokens_that_have_become_too_large_stay_here(process, caplog):
    """The request goes on, and the log says why the next process will not know them."""
    await process.begin()
    active = await process.request()
    large = with_tokens(generation=1, access_token="xxxx!" * MAX_VALUE_LENGTH)
    await process.sessions.change(active.session, lambda current: large)

    assert process.answer(active) == []
    assert "tokens_not_kept" in caplog.text
    assert "xxxx" not in caplog.text
    assert (await process.request()).session == large


async def test_a_request_that_saw_the_end_deletes_the_tokens(process):
    """The provider has withdrawn the session; the other cookies may be those of a newer one by now."""
    await process.begin()
    active = await process.request()
    active.is_over = True

    process.answer(active)

    assert list(process.cookies) == [process.session_cookies.name]
    assert await process.sessions.open(process.cookies) is None


async def test_a_session_that_ends_during_a_request_is_not_saved_again(process):
    """No slower answer brings it back, neither its tokens nor its last use."""
    await process.begin()
    process.now += 60
    active = await process.request()
    await process.sessions.change(active.session, refreshed)
    copy = process.cookies

    await process.sessions.end(active.session)

    assert process.sessions.cookies_due(active, copy) == []
    assert await process.sessions.newest(active.session) is None
    assert await process.sessions.change(active.session, refreshed) is None
    assert process.revocations.is_ended(ID)


async def test_ending_a_session_ends_those_that_it_replaced(process):
    """Their grace too."""
    new = msgspec.structs.replace(SESSION, login=msgspec.structs.replace(LOGIN, replaced=[OTHER_ID]))
    await process.sessions.expire_with_grace(OTHER_ID, grace=30, successor=LOGIN)

    await process.sessions.end(new)

    assert await process.sessions.newest(another(SESSION)) is None


async def test_the_end_forgets_the_tokens(process):
    """Nothing of a session stays in memory."""
    await process.begin()
    await process.sessions.change(SESSION, refreshed)

    await process.sessions.end(SESSION)

    active: Any = await process.sessions.open(process.cookies)
    assert active.session == SESSION


@pytest.mark.parametrize("seconds", [600, 3600])
async def test_a_session_that_expires_during_a_request_is_not_saved_again(process, seconds):
    """After expiry no slower request brings it back."""
    await process.begin()
    active, cookies = await process.request(), process.cookies

    process.now += seconds

    assert process.sessions.cookies_due(active, cookies) == []


async def test_a_session_in_its_grace_is_not_saved_again(process):
    """Its answer would disturb the new one, which has taken over."""
    await process.begin()
    process.now += 60
    active = await process.request()

    await process.sessions.expire_with_grace(ID, grace=30, successor=LOGIN)

    assert process.answer(active) == []
    assert await process.sessions.newest(active.session) is not None
    assert [process.revocations.is_revoked(LOGIN, now=process.now + after) for after in (29, 30)] == [False, True]


async def test_token_cookies_of_older_sessions_are_deleted(process):
    """A login that came as a form from the provider's site saw none of them."""
    await process.begin(another(SESSION))
    process.take(process.session_cookies.write(SESSION, {}, max_age=60))
    left = process.session_cookies.tokens_name(OTHER_ID)
    assert left in process.cookies

    process.answer(await process.request())

    assert left not in process.cookies
    assert process.answer(await process.request()) == []


async def test_deleting_takes_every_cookie(process):
    """Signed out is signed out."""
    await process.begin()
    process.take([process.session_cookies.write_use(ID, 1060, max_age=60)])

    process.take(process.sessions.delete(process.cookies))

    assert process.cookies == {}


async def test_one_holder_has_the_lock(process):
    """In this process, and for each session by itself."""
    sessions = process.sessions

    assert await sessions.lock(SESSION, "one")
    assert not await sessions.lock(SESSION, "two")
    assert await sessions.lock(another(SESSION), "two")
    await sessions.unlock(SESSION, "two")
    assert not await sessions.lock(SESSION, "two")
    await sessions.unlock(SESSION, "one")
    assert await sessions.lock(SESSION, "two")
    await sessions.unlock(another(SESSION, "none"), "one")


@pytest.mark.parametrize(("seconds", "is_free"), [(LOCK_LIFETIME - 1, False), (LOCK_LIFETIME, True), (0, False)])
async def test_no_lock_lasts(process, seconds, is_free):
    """An event loop may end in the middle of a refresh."""
    await process.sessions.lock(SESSION, "one")

    process.now += seconds

    assert await process.sessions.lock(SESSION, "two") is is_free


async def test_tokens_are_never_unsaved(process):
    """The next answer brings them to the browser: nothing has to be written later."""
    await process.begin()

    process.sessions.keep_unsaved(refreshed(SESSION))

    assert not process.sessions.has_unsaved(ID)
    assert process.tokens_name in process.answer(await process.request())


async def test_last_uses_are_bounded(process):
    """The longest unused is forgotten: it is as if its request had not seen the later ones."""
    await process.begin()
    open_for_long = await process.request()
    for number in range(MAX_LAST_USES):
        await process.sessions.touch(ActiveSession(another(SESSION, f"session-{number}"), browser_generation=0))
    process.now += 599
    before = await process.sessions.newest(open_for_long.session)
    process.now += 1

    assert before is not None
    assert await process.sessions.newest(open_for_long.session) is None
    assert len(process.sessions._last_uses) == MAX_LAST_USES  # a bound of memory, which nothing else shows


async def test_a_session_at_the_provider_is_known_by_its_user(process):
    """A sign-out that names the session of one and the user of another is a mistake; what is unknown is none."""
    process.revocations.remember_user(user("alice"), sid="s1")

    assert [await process.sessions.is_sid_of_another_user("s1", user(sub)) for sub in ("alice", "bob")] == [False, True]
    assert not await process.sessions.is_sid_of_another_user("s2", user("bob"))
    assert await process.sessions.end_all(issuer=ISSUER, sub="alice", sid="s1") == 0


async def test_a_name_that_several_users_had_says_nothing(process):
    """A provider that gives one name twice must still be able to sign out each of them."""
    for sub in ("alice", "bob", "alice"):
        process.revocations.remember_user(user(sub), sid="s1")

    assert [await process.sessions.is_sid_of_another_user("s1", user(sub)) for sub in ("alice", "bob", "carol")] == [
        False
    ] * 3


def of_sid(sid: str, sub: str) -> Session:
    """Make a session with these names."""
    return msgspec.structs.replace(SESSION, login=msgspec.structs.replace(LOGIN, sid=sid, sub=sub))


@pytest.mark.parametrize("how", ["fades", "ends"])
async def test_one_user_cannot_fill_the_memory_with_revocations(process, how):
    """Beyond the most, what the user had before is over at once, in other browsers too; nobody else pays for it."""
    other, of_bob = of_sid("s1", "alice"), of_sid("s2", "bob")
    newest = msgspec.structs.replace(LOGIN, id=OTHER_ID, sub="alice", began=LOGIN.began + 1)
    for number in range(MAX_PER_USER + 50):
        if how == "fades":
            await process.sessions.expire_with_grace(f"id-{number}", grace=30, successor=newest)
        else:
            await process.sessions.end(another(other, f"id-{number}"))

    dead = [process.revocations.is_revoked(login, now=process.now) for login in (other.login, of_bob.login, newest)]
    assert (len(process.revocations._entries), dead) == (MAX_PER_USER + 1, [True, False, False])


async def test_one_user_cannot_fill_the_memory_with_token_revocations(process):
    """Each session has one revocation, however often it happens; over the limit, all older sessions of the user end."""
    sessions = [another(of_sid("s1", "alice"), f"id-{number}") for number in range(MAX_PER_USER + 50)]
    for session in sessions:
        for generation in (1, 2):
            await process.sessions.revoke_older_tokens(refreshed(session, generation))

    dead = [
        process.revocations.is_revoked(session.login, now=process.now) for session in (sessions[0], of_sid("s2", "bob"))
    ]
    assert (len(process.revocations._entries), dead) == (MAX_PER_USER + 1, [True, False])


async def test_outdated_tokens_open_nothing_and_bring_nothing(process):
    """Whoever has newer ones in memory goes on with those."""
    await process.begin()
    active = await process.request()
    assert process.sessions.at_once(process.cookies.header) is not None
    process.revocations.revoke_older_tokens(refreshed(SESSION, 5), now=process.now)

    assert process.sessions.at_once(process.cookies.header) is None
    assert await process.sessions.newest(SESSION) is None
    active.is_over = True
    assert process.answer(active) == []
    process.sessions.keep_unsaved(refreshed(SESSION, 5))
    assert await process.sessions.newest(SESSION) == refreshed(SESSION, 5)
    assert process.sessions.at_once(process.cookies.header) is not None


async def test_sessions_of_others_that_a_user_takes_over_count_against_those_others(process):
    """Two accounts of one person alternate: each has its own revocations, and one for everything."""
    other, newest = of_sid("s1", "alice").login, of_sid("s2", "bob").login
    for number in range(MAX_PER_USER + 50):
        await process.sessions.expire_with_grace(f"id-{number}", grace=0, successor=newest, other=other)

    dead = [process.revocations.is_revoked(login, now=process.now) for login in (other, newest)]
    assert (len(process.revocations._entries), dead) == (MAX_PER_USER + 1, [True, False])


async def test_who_takes_over_too_many_sessions_of_unknown_users_is_stopped(process):
    """A form_post login does not show which user it replaces, so no single revocation could end those sessions."""
    for number in range(MAX_PER_USER):
        await process.sessions.expire_with_grace(f"id-{number}", grace=0, successor=LOGIN)

    with pytest.raises(LoginLoop) as stopped:
        await process.sessions.expire_with_grace("one more", grace=0, successor=LOGIN)

    assert (stopped.value.code, len(process.revocations._entries)) == ("login_loop_signed_in", MAX_PER_USER)


async def test_a_user_may_make_revocations_again_when_old_ones_expire(process):
    """Whoever signs in every few minutes, for days."""
    for number in range(MAX_PER_USER):
        await process.sessions.expire_with_grace(f"id-{number}", grace=30, successor=LOGIN)
    process.now += 10_000
    await process.sessions.expire_with_grace("of another", grace=30, successor=of_sid("s1", "bob").login)

    await process.sessions.expire_with_grace("later", grace=30, successor=LOGIN)

    assert process.revocations.is_revoked(msgspec.structs.replace(LOGIN, id="later", sub="x"), now=process.now + 30)


async def test_the_repr_of_an_open_session_shows_no_cookies_or_tokens():
    """Error reporters print what they find, and the table of opened sessions holds whole cookies."""
    site = Site()
    browser = await site.signed_in()
    await browser.get("/page")

    opened = list(sessions_of(site.middleware)._cache._values.values())
    printed = " ".join(f"{each!r} {pretty_repr(each)}" for each in opened)

    assert "CachedSession(ends_at=" in printed
    assert [cookie.name for cookie in browser.jar if cookie.value in printed] == []
