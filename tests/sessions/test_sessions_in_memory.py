"""Sessions in a `MemoryStore`: nothing waits and nothing is sealed, and every guarantee of other stores holds."""

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import msgspec
import pytest

from asgi_oidc import MemoryStore
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.sessions.lifetimes import Limits
from asgi_oidc.sessions.plain_records import PlainRecords
from asgi_oidc.sessions.record_names import RecordNames
from asgi_oidc.sessions.session import with_changes
from asgi_oidc.sessions.session_records import RecordsOfStore
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.testing import Browser
from tests.internals import record_names_of, revocations_of, session_cookies_of, sessions_of
from tests.protected_site import NOW, OTHER_SECRET, SECRET, Clock, Site, cookie_header, session_cookies, who_am_i
from tests.sessions.test_session import SESSION
from tests.token_site import LIFETIME, TokenSite

PROGRAM = {"accept": "application/json"}


class DerivedStore(MemoryStore):
    """A store of the app's own: its methods may send the values anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        self.written.append(value)
        return await super().add(key, value, lifetime=lifetime)


class HangingStore(MemoryStore):
    """A store whose server does not answer."""

    async def get(self, key: str) -> bytes | None:
        await anyio.sleep_forever()
        return None


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


class EndingClock(Clock):
    """A clock at whose reading something happens, as it may in another thread."""

    def __init__(self) -> None:
        super().__init__()
        self.at_reading: dict[int, Callable[[], object]] = {}  # by how many readings are still to come
        self.readings = 0

    def __call__(self) -> float:
        self.readings += 1
        self.at_reading.pop(self.readings, lambda: None)()
        return super().__call__()


@pytest.fixture
def site(store: MemoryStore) -> Site:
    return Site(store=store)


def session_id_of(browser: Browser) -> str:
    """Give the value of the session cookie."""
    (name,) = session_cookies(browser)
    return next(cookie.value for cookie in browser.jar if cookie.name == name)


async def status_of(site: Site, session_id: str, **header: str) -> int:
    """Request a page with a session id in the site's own cookie."""
    cookie = f"{session_cookies_of(site.middleware).name}={session_id}"
    return (await site.call("/page", headers={"cookie": cookie, **PROGRAM, **header})).status


async def in_a_thread(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run a coroutine function in the event loop of another thread."""
    results: list[Any] = []

    async def run() -> None:
        results.append(await work())

    thread = threading.Thread(target=anyio.run, args=(run,))
    thread.start()
    await anyio.to_thread.run_sync(thread.join, 30)
    return results[0]


async def test_a_request_is_served_without_waiting(site, store):
    """A coroutine that never suspends ends at its first step."""
    browser = await site.signed_in()
    headers = {"cookie": cookie_header(browser), **PROGRAM}

    with pytest.raises(StopIteration) as ended:
        site.call("/page", headers=headers).send(None)

    assert ended.value.value.status == 200


async def test_a_session_that_another_thread_ends_is_gone_at_once(site):
    """Event loops in several threads may share a store; none of them keeps a session alive."""
    browser, elsewhere = await site.signed_in(), site.restarted()
    before = await browser.fetch("/page")

    count = await in_a_thread(lambda: elsewhere.middleware.sessions.end_all("alice"))

    assert (before.status_code, count, (await browser.fetch("/page")).status_code) == (200, 1, 401)


async def test_a_session_may_end_during_its_request():
    """The request goes on, but gets no new token, and does not bring the session back."""
    site = TokenSite("memory")
    browser = await site.signed_in()
    site.clock.advance(LIFETIME)

    async def end_and_ask(scope: Any) -> None:
        await site.middleware.sessions.end("alice", scope["oidc"].session_id)
        await site.ask_for_the_token(scope)

    site.app.at_work = end_and_ask
    during = await browser.fetch("/page")
    site.app.at_work = site.ask_for_the_token

    assert (during.status_code, (await browser.fetch("/page")).status_code, site.refreshes) == (401, 401, 0)


@pytest.mark.parametrize(
    "other",
    [
        {"secret": OTHER_SECRET},
        {"base_url": "https://app.example.com/admin"},
        {"client_id": "api", "client_secret": "x" * 32},
    ],
    ids=["secret", "base_url", "client_id"],
)
async def test_middlewares_that_share_a_store_do_not_share_sessions(site, other):
    """Neither the id of one counts at the other, nor does a sign-out there reach it."""
    browser, elsewhere = await site.signed_in(), site.restarted(**other)
    path = "/admin/page" if "base_url" in other else "/page"
    cookie = f"{session_cookies_of(elsewhere.middleware).name}={session_id_of(browser)}"

    answer = await elsewhere.call(path, headers={"cookie": cookie, **PROGRAM})
    listed = await elsewhere.middleware.sessions.of("alice")
    ended = await elsewhere.middleware.sessions.end_all("alice")

    assert (answer.status, listed, ended) == (401, [], 0)
    assert (await browser.fetch("/page")).status_code == 200


async def test_the_name_of_a_session_opens_nothing(site):
    """It is in logs and lists; only the id in the cookie leads to the record."""
    browser = await site.signed_in()
    name = (await site.middleware.sessions.of("alice"))[0].id
    key = record_names_of(site.middleware).key(name)

    statuses = [await status_of(site, value) for value in (name, key, name[:-1] + "A", "A" * 43, "")]

    assert (statuses, await status_of(site, session_id_of(browser))) == ([401] * 5, 200)


async def test_a_session_cookie_that_was_planted_twice_counts_for_nobody(site):
    """One of the two is somebody else's."""
    browser, other = await site.signed_in(), await site.signed_in("bob")
    header = f"{cookie_header(browser)}; {cookie_header(other)}"

    answer = await site.call("/page", headers={"cookie": header, **PROGRAM})

    assert answer.status == 401


async def test_a_record_is_read_only_under_its_secret(site):
    """A secret that is removed opens nothing any more, sealed or not."""
    browser = await site.signed_in()
    session_id = session_id_of(browser)

    both, new = site.restarted(secret=[OTHER_SECRET, SECRET]), site.restarted(secret=OTHER_SECRET)

    assert [await status_of(each, session_id) for each in (both, new, both)] == [200, 401, 200]


async def test_use_brings_a_session_under_the_new_secret(site):
    """So that the old one can be removed."""
    browser = await site.signed_in()
    session_id = session_id_of(browser)
    both, new = site.restarted(secret=[OTHER_SECRET, SECRET]), site.restarted(secret=OTHER_SECRET)
    both.clock.advance(61)

    statuses = [await status_of(each, session_id) for each in (both, new)]

    assert (statuses, len(await new.middleware.sessions.of("alice"))) == ([200, 200], 1)
    assert await new.middleware.sessions.end_all("alice") == 1


async def test_use_keeps_a_session_alive_and_a_pause_ends_it(site):
    """The last use is known to every process that shares the store."""
    browser, elsewhere = await site.signed_in(), site.restarted()
    statuses = []
    for _ in range(4):
        site.clock.advance(3000)
        statuses.append((await browser.fetch("/page")).status_code)
    elsewhere.clock.now = site.clock.now + 3500
    statuses.append((await elsewhere.browser_of(browser).fetch("/page")).status_code)
    site.clock.now = elsewhere.clock.now + 3600
    statuses.append((await browser.fetch("/page")).status_code)

    assert statuses == [200] * 5 + [401]


async def test_the_last_use_is_written_at_most_once_a_minute(site):
    """However busy the user is; lists show it."""
    browser = await site.signed_in()
    seen = []
    for _ in range(10):
        site.clock.advance(20)
        await browser.fetch("/page")
        seen.append((await site.middleware.sessions.of("alice"))[0].seen_at - NOW)

    assert seen == [0, 0, 60, 60, 60, 120, 120, 120, 180, 180]


@pytest.mark.parametrize("reading", [1, 2])
async def test_writing_the_last_use_brings_no_session_back(store, reading):
    """Another thread may remove it in the middle of a request."""
    clock = EndingClock()
    site = Site(store=store, clock=clock)
    browser = await site.signed_in()
    key = PlainRecords(record_names_of(site.middleware), Limits(idle=600, lifetime=3600)).key(session_id_of(browser))
    clock.advance(60)
    clock.at_reading = {clock.readings + reading: lambda: store._sessions.remove(key)}

    await browser.fetch("/page")

    assert clock.at_reading == {}
    assert store._sessions.get(key) is None
    assert (await browser.fetch("/page")).status_code == 401


async def test_the_session_that_is_unused_for_the_longest_time_goes_first():
    """A store with room for two takes a third."""
    site = Site(store=MemoryStore(max_sessions=2))
    alice, bob = await site.signed_in("alice"), await site.signed_in("bob")
    await alice.fetch("/page")

    erin = await site.signed_in("erin")

    assert [(await each.fetch("/page")).status_code for each in (alice, bob, erin)] == [200, 401, 200]


async def test_tokens_that_one_request_refreshes_are_there_for_the_next():
    """In another process that shares the store, too."""
    site = TokenSite("memory")
    browser = await site.signed_in()
    site.clock.advance(LIFETIME)
    await browser.fetch("/page")
    elsewhere = site.restarted()

    await browser.fetch("/page")
    answer = await elsewhere.browser_of(browser).fetch("/page")

    assert (answer.status_code, site.refreshes) == (200, 1)
    assert site.tokens[-1] == site.tokens[-2] != site.tokens[0]


async def test_a_user_who_is_signed_out_everywhere_is_gone_at_once(site):
    """Requests with other cookies in the same header find nothing either."""
    browser = await site.signed_in()
    headers = [f"theme={number}; {cookie_header(browser)}" for number in range(3)]
    before = [(await site.call("/page", headers={"cookie": each, **PROGRAM})).status for each in headers]

    await site.middleware.sessions.end_all("alice")

    after = [(await site.call("/page", headers={"cookie": each, **PROGRAM})).status for each in headers]
    assert (before, after) == ([200] * 3, [401] * 3)


@pytest.mark.parametrize("revoke", ["the session", "its tokens"])
async def test_a_revocation_counts_while_the_record_is_still_there(site, revoke):
    """A sign-out revokes the session first; a refresh that removes rights revokes the tokens from before it."""
    browser = await site.signed_in()
    before, session = await browser.fetch("/page"), site.app.scope["oidc"]._active.session
    refreshed = msgspec.structs.replace(session.tokens, generation=session.tokens.generation + 1)

    if revoke == "the session":
        revocations_of(site.middleware).end(session.id, now=site.clock.now)
    else:
        newer = msgspec.structs.replace(session, tokens=refreshed)
        revocations_of(site.middleware).revoke_older_tokens(newer, now=site.clock.now)

    assert (before.status_code, (await browser.fetch("/page")).status_code) == (200, 401)


async def test_a_session_that_begins_days_ahead_does_not_count(site):
    """A clock that is set back must not make it last for ever."""
    browser = await site.signed_in()

    statuses = []
    for seconds in (-3 * 86_400, 3 * 86_400):
        site.clock.advance(seconds)
        statuses.append((await browser.fetch("/page")).status_code)

    assert statuses == [401, 200]


async def test_tokens_that_could_not_be_written_are_used_and_written():
    """The refresh token may be good for one use only; another process needs them as well."""
    site = TokenSite("memory")
    browser, elsewhere = await site.signed_in(), site.restarted()
    session = site.app.scope["oidc"]._active.session
    tokens = with_changes(session.tokens, access_token="unsaved", generation=session.tokens.generation + 1)
    sessions_of(site.middleware).keep_unsaved(msgspec.structs.replace(session, tokens=tokens))

    statuses = [(await each.fetch("/page")).status_code for each in (browser, elsewhere.browser_of(browser))]

    written = elsewhere.app.scope["oidc"]._active.session.tokens.access_token
    assert (statuses, site.tokens[-1], written) == ([200, 200], "unsaved", "unsaved")


async def test_a_derived_store_gets_sealed_values():
    """Only `MemoryStore` itself is known to keep them in the process."""
    kept = DerivedStore()
    site = Site(store=kept)

    browser = await site.signed_in()

    records = [value for value in kept.written if len(value) > 64]
    assert len(records) == 1
    assert records[0].startswith(b"oidc-session-1")
    assert not [text for text in (b"alice", session_id_of(browser).encode()) if text in records[0]]
    assert (await browser.fetch("/page")).status_code == 200


async def test_a_derived_store_has_a_deadline():
    """It may wait for anything."""
    with pytest.raises(StoreUnavailable) as caught:
        await GuardedStore(HangingStore(), deadline=0.01).get("key")

    assert caught.value.code == "store_timeout"


async def test_a_store_that_is_replaced_gets_no_plain_record(store):
    """A store in memory gives way to one elsewhere while the app runs; in the middle of a change, too."""
    guarded, names = GuardedStore(store), RecordNames([b"s" * 32], context=("i", "c", "b"), default_issuer=None)
    stored = RecordsOfStore(guarded, names, Limits(idle=600, lifetime=3600))
    before = stored.current()
    await before.add(SESSION, lifetime=60)
    plain = await before.get(names.handle(SESSION.id))
    elsewhere = DerivedStore()

    guarded.replace_store(elsewhere)
    is_replaced = plain is not None and await before.replace(plain, SESSION, lifetime=60)
    await stored.current().add(SESSION, lifetime=60)

    assert (is_replaced, guarded.local) == (True, None)
    assert [value[:14] for value in elsewhere.written] == [b"oidc-session-1"]


async def test_a_record_that_does_not_fit_is_store_unavailable():
    """No exception leads to the frames that have the record."""
    guarded = GuardedStore(MemoryStore(max_bytes=200))
    names = RecordNames([b"s" * 32], context=("i", "c", "b"), default_issuer=None)
    stored = RecordsOfStore(guarded, names, Limits(idle=600, lifetime=3600)).current()

    with pytest.raises(StoreUnavailable, match="larger than max_bytes") as caught:
        await stored.add(SESSION, lifetime=60)

    assert (caught.value.code, caught.value.__context__, caught.value.__cause__) == ("store_failed", None, None)


def test_a_record_opens_only_with_the_id_of_its_session():
    """Whoever has another id, such as a handle from a log, gets no session."""
    names = RecordNames([b"s" * 32], context=("i", "c", "b"), default_issuer=None)
    plain = PlainRecords(names, Limits(idle=600, lifetime=3600))
    record = plain.write(SESSION)

    assert plain.open(SESSION.id, record) == SESSION
    assert plain.open(names.handle(SESSION.id), record) is None


async def test_no_repr_shows_a_session(site, store):
    """It may end in a log."""
    browser = await site.signed_in()
    plain = PlainRecords(record_names_of(site.middleware), Limits(idle=600, lifetime=3600))
    entry = store._values.get(plain.key(session_id_of(browser)))

    await browser.get("/page")
    sessions: Any = sessions_of(site.middleware)
    opened = sessions._lookup._opened.get(session_id_of(browser))
    shown = f"{store!r} {store._sessions!r} {store._values!r} {entry!r} {plain!r} {opened!r}"

    assert entry is not None
    assert [name for name, _ in opened.__rich_repr__()] == ["ends_at"]
    assert not [text for text in ("alice", session_id_of(browser), "oidc") if text in shown.replace("asgi_oidc", "")]


async def test_a_session_ends_for_this_process_too_when_its_own_page_signs_out(site):
    """The record is gone before the response is."""
    browser = await site.signed_in()
    header = cookie_header(browser)

    await browser.post("/auth/logout", follow=False)

    assert (await site.call("/page", headers={"cookie": header, **PROGRAM})).status == 401
    assert await who_am_i(browser) is None


def test_a_record_is_read_with_its_own_id_only():
    """Should a record ever get under another key, it signs nobody in."""
    records = PlainRecords(RecordNames([b"1" * 32], context=("a", "b"), default_issuer=None), Limits(3600, 86400))

    record = records.write(SESSION)

    assert (records.open(SESSION.id, record), records.open("B" * 43, record)) == (SESSION, None)
