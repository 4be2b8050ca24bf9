"""A response that stays open ends with its session, as a websocket does; other responses need no watching."""

import contextlib
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio.testing
from starlette.requests import ClientDisconnect

from asgi_oidc import OIDCError
from asgi_oidc.asgi.open_responses import READS_AT_ONCE
from asgi_oidc.asgi.session_watch import CHECK_INTERVAL, CLOSE_DEADLINE, MAX_CAUSES, READ_INTERVAL, STORE_SILENCE_LIMIT
from asgi_oidc.testing import Browser
from asgi_oidc.testing.in_process import http_scope
from tests.asgi.test_open_websockets import ENDS, ENDS_AT_ONCE, SOON, End, fill_up, signs_out_here
from tests.logout_site import FORMS, LogoutSite
from tests.protected_site import ORIGIN, Message, Scope, Site, cookie_header
from tests.scripted_store import ScriptedStore

END: Message = {"type": "http.response.body", "body": b"", "more_body": False}
BIT: Message = {"type": "http.response.body", "body": b"data: x\n\n", "more_body": True}
DISCONNECT: Message = {"type": "http.disconnect"}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Use a clock that jumps to the next deadline when all tasks are waiting."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


class Stream:
    """A response with an app at one end and a browser at the other.

    Args:
        body: what the browser sends with its request.
    """

    def __init__(self, *body: Message) -> None:
        self.sent: list[Message] = []
        self.heard: list[Message] = []
        self.errors: list[BaseException] = []
        self.raised: BaseException | None = None
        self.is_open = anyio.Event()
        self.has_app_ended = anyio.Event()
        self.is_done = anyio.Event()
        self.may_send = anyio.Event()
        self.may_send.set()
        self._body = list(body) or [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive(self) -> Message:
        if self._body:
            return self._body.pop(0)
        await anyio.sleep_forever()
        raise AssertionError("never")

    async def send(self, message: Message) -> None:
        if message.get("body"):
            await self.may_send.wait()
        self.sent.append(message)

    async def until_done(self) -> None:
        """Wait until the app has returned."""
        with anyio.fail_after(10 * READ_INTERVAL):
            await self.is_done.wait()

    async def app(self, scope: Scope, receive: Any, send: Any) -> None:
        """Send events until the browser is gone; then try to send one more."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(BIT)
        self.is_open.set()
        while not self.heard or self.heard[-1] != DISCONNECT:
            self.heard.append(await receive())
        try:
            await send(BIT)
        except OSError as error:
            self.errors.append(error)
        self.has_app_ended.set()

    @property
    def is_ended(self) -> bool:
        """Has the browser got the end?"""
        return END in self.sent


class OpenStreams:
    """A site on which streams are opened; all end with the test."""

    def __init__(self, tasks: anyio.abc.TaskGroup) -> None:
        self.tasks = tasks

    async def open(
        self,
        site: Site,
        browser: Browser | None,
        *,
        path: str = "/events",
        stream: Stream | None = None,
        app: Any = None,
    ) -> Stream:
        """Open a stream in a browser, in a process of its choice."""
        stream = Stream() if stream is None else stream
        streaming, ordinary = app or stream.app, site.middleware.app

        async def app_of_both(scope: Scope, receive: Any, send: Any) -> None:
            await (streaming if scope["path"] == path else ordinary)(scope, receive, send)

        async def run() -> None:
            headers = {} if browser is None else {"cookie": cookie_header(browser)}
            scope = http_scope("GET", ORIGIN + path, headers)
            site.middleware.app = app_of_both
            try:
                await site.middleware(scope, stream.receive, stream.send)
            except Exception as error:  # noqa: BLE001  # the test looks at it
                stream.raised = error
            stream.is_done.set()

        self.tasks.start_soon(run)
        await stream.is_open.wait()
        site.middleware.app = ordinary
        return stream


@pytest.fixture
async def stage():
    async with anyio.create_task_group() as tasks:
        yield OpenStreams(tasks)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_an_open_response_ends_within_seconds_of_its_session(form, end: End, stage):
    """The browser gets the end, the app a disconnect, and responses of other sessions go on."""
    site = LogoutSite(form)
    alice, bob = await site.signed_in(), await site.signed_in("bob")
    stream, of_bob = await stage.open(site, alice), await stage.open(site, bob)

    await anyio.sleep(SOON)
    before = stream.is_ended
    await end(site, alice)
    began = anyio.current_time()
    await stream.until_done()

    assert (before, stream.sent[-1], stream.sent.count(END), len(stream.errors)) == (False, END, 1, 1)
    assert (stream.heard[-1], stream.raised) == (DISCONNECT, None)
    assert anyio.current_time() - began <= SOON
    if end in ENDS_AT_ONCE:
        assert not of_bob.is_ended


@pytest.mark.parametrize("form", ["cookies of many processes", "a store"])
@pytest.mark.parametrize("end", ENDS_AT_ONCE, ids=lambda end: end.__name__)
async def test_an_open_response_ends_when_another_process_signs_the_user_out(form, end: End, stage):
    """The sign-out may be served by another process than the response."""
    site = LogoutSite(form)
    other = LogoutSite(**{**site.settings, "provider": site.provider, "clock": site.clock})
    alice = await site.signed_in()
    stream = await stage.open(other, other.browser(jar=alice.jar.copy()))

    await end(site, alice)
    with anyio.fail_after(READ_INTERVAL):
        for _ in range(READ_INTERVAL):
            await anyio.sleep(1)
            site.clock.advance(1)
            if stream.has_app_ended.is_set():
                break

    assert (stream.is_ended, stream.heard[-1]) == (True, DISCONNECT)


@pytest.mark.parametrize("form", FORMS)
async def test_an_open_response_ends_for_a_user_over_the_revocation_limit(form, stage):
    """There is no space left for a revocation of the tokens alone, so the whole session ends."""
    site = LogoutSite(form, scope="openid profile email offline_access")
    site.provider.access_token_lifetime = 300
    alice, bob = await site.signed_in(), await site.signed_in("bob")
    stream, of_bob = await stage.open(site, site.browser(jar=alice.jar.copy())), await stage.open(site, bob)
    await anyio.sleep(SOON)
    fill_up(site, "alice")
    site.provider.id_token_overrides = {"roles": []}
    site.clock.advance(301)

    async def ask_for_the_token(scope: Scope) -> None:
        with contextlib.suppress(OIDCError):
            await scope["oidc"].access_token()

    site.app.at_work = ask_for_the_token
    await alice.fetch("/page")
    await stream.until_done()

    assert (stream.is_ended, of_bob.is_ended) == (True, False)


async def test_an_open_response_of_a_public_path_ends_with_the_session_of_its_user(stage):
    """So do websockets on public paths. Responses to anonymous users are not checked."""
    site = LogoutSite()
    alice = await site.signed_in()
    of_alice = await stage.open(site, alice, path="/public/events")
    of_anonymous = await stage.open(site, None, path="/public/events")

    await signs_out_here(site, alice)
    await of_alice.until_done()
    await anyio.sleep(SOON)

    assert (of_alice.is_ended, of_anonymous.is_ended) == (True, False)


async def test_a_response_that_has_just_started_may_finish(stage):
    """A page that ends the user's own sessions, sent in two parts, is shown completely."""
    site = LogoutSite("a store")
    alice = await site.signed_in()
    finished = anyio.Event()

    async def ends_all(scope: Scope, receive: Any, send: Any) -> None:
        await site.middleware.sessions.end_all("alice")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(BIT)
        await anyio.sleep(CHECK_INTERVAL - 0.1)
        await send({**BIT, "more_body": False})
        finished.set()

    await stage.open(site, await site.signed_in("bob"))  # so that looks are under way
    await anyio.sleep(CHECK_INTERVAL / 2)
    stream = Stream()
    stream.is_open.set()
    await stage.open(site, alice, path="/everywhere", stream=stream, app=ends_all)
    await stream.until_done()

    assert (finished.is_set(), stream.sent[1:], stream.raised) == (True, [BIT, {**BIT, "more_body": False}], None)


@pytest.mark.parametrize("signs_out", [False, True])
@pytest.mark.parametrize("takes", [CHECK_INTERVAL, CHECK_INTERVAL + 0.1])
async def test_a_stream_starts_right_after_a_sign_out_or_not_at_all(takes, signs_out, stage):
    """The limit counts from the request; with a live session, a stream may start at any time."""
    site = LogoutSite()
    alice = await site.signed_in()
    stream, last = Stream(), {**BIT, "more_body": False}

    async def slow(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        stream.is_open.set()
        await anyio.sleep(takes)
        await send(BIT)
        await send(last)

    await stage.open(site, alice, stream=stream, app=slow)
    if signs_out:
        await signs_out_here(site, alice)
    await stream.until_done()

    assert stream.sent[1:] == ([END] if signs_out and takes > CHECK_INTERVAL else [BIT, last])


@pytest.mark.parametrize("answer", [None, "a store that is down"])
async def test_while_the_store_is_down_a_response_stays_open_for_a_minute(answer, stage):
    """An outage does not end a session at once, but cannot keep one alive either."""
    site = LogoutSite("a store")
    store: ScriptedStore = site.settings["store"]
    stream = await stage.open(site, await site.signed_in())
    store.broken = {"get", "linked"} if answer else set()

    for _ in range(STORE_SILENCE_LIMIT - 4):
        await anyio.sleep(1)
        site.clock.advance(1)
    before = stream.is_ended
    for _ in range(15):
        await anyio.sleep(1)
        site.clock.advance(1)

    assert (before, stream.is_ended) == (False, answer is not None)


async def test_session_checks_are_batched_and_stop_at_the_first_store_failure(stage):
    """With ten thousand open responses, an unavailable store must not be called ten thousand times."""
    site = LogoutSite("a store")
    store: ScriptedStore = site.settings["store"]
    browsers = [await site.signed_in() for _ in range(2 * READS_AT_ONCE + 1)]
    streams = [await stage.open(site, browser) for browser in browsers]
    site.clock.advance(READ_INTERVAL - 1)
    await anyio.sleep(2 * CHECK_INTERVAL + 0.1)
    site.clock.advance(2)
    store.broken = {"get"}
    store.forget_calls()

    await anyio.sleep(CHECK_INTERVAL)
    asked = store.calls.count("get")
    await anyio.sleep(CHECK_INTERVAL)
    store.broken = set()
    store.forget_calls()
    await anyio.sleep(CHECK_INTERVAL)

    assert (asked, store.calls.count("get")) == (READS_AT_ONCE, len(streams))
    assert not any(stream.is_ended for stream in streams)


async def test_an_unreadable_record_does_not_block_the_check_of_others(stage):
    """A damaged record is no store outage; only its own response ends, after a while."""
    site = LogoutSite("a store")
    store: ScriptedStore = site.settings["store"]
    streams = [await stage.open(site, await site.signed_in()) for _ in range(2 * READS_AT_ONCE + 1)]
    site.clock.advance(READ_INTERVAL - 1)
    await anyio.sleep(2 * CHECK_INTERVAL + 0.1)
    site.clock.advance(2)
    store.answers["get"] = b"garbage"
    store.forget_calls()

    await anyio.sleep(CHECK_INTERVAL)
    asked, early = store.calls.count("get"), any(stream.is_ended for stream in streams)
    site.clock.advance(STORE_SILENCE_LIMIT + 1)
    await anyio.sleep(SOON)

    assert (asked, early, all(stream.is_ended for stream in streams)) == (len(streams), False, True)


async def test_a_session_in_use_elsewhere_keeps_its_response(stage):
    """Requests of the same session extend it; what is sent over the response does not."""
    site = LogoutSite("a store", session_idle=600)
    alice = await site.signed_in()
    stream = await stage.open(site, alice)

    for _ in range(3):
        site.clock.advance(500)
        await alice.fetch("/page")
        await anyio.sleep(SOON)
    in_use = stream.is_ended
    site.clock.advance(601)
    await anyio.sleep(SOON)

    assert (in_use, stream.is_ended) == (False, True)


async def test_an_app_that_keeps_sending_is_ended_once(stage, caplog):
    """It may ignore every error; the browser still gets one end, and the log one line."""
    caplog.set_level("INFO", "asgi_oidc")
    site = LogoutSite()
    alice = await site.signed_in()
    stream = Stream()

    async def stubborn(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while len(stream.errors) < 5:
            try:
                await send(BIT)
            except OSError as error:
                stream.errors.append(error)
            stream.is_open.set()
            await anyio.sleep(CHECK_INTERVAL)

    await stage.open(site, alice, stream=stream, app=stubborn)
    await signs_out_here(site, alice)
    await stream.until_done()

    assert (stream.sent.count(END), stream.sent[-1], caplog.text.count("response_ended")) == (1, END, 1)


async def test_a_browser_that_stops_reading_delays_nobody_else(stage):
    """The send to this browser never returns; its app is disconnected all the same, and so are others."""
    site = LogoutSite()
    alice = await site.signed_in()
    stream, other = Stream(), await stage.open(site, alice)
    got: list[str] = []

    async def stuck(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(BIT)
        stream.is_open.set()
        stream.may_send = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, BIT)
            while (message := await receive()) != DISCONNECT:
                pass
            got.append(message["type"])
            tasks.cancel_scope.cancel()

    await stage.open(site, alice, path="/stuck", stream=stream, app=stuck)
    await signs_out_here(site, alice)
    began = anyio.current_time()
    await stream.until_done()

    assert (got, stream.is_ended, other.is_ended) == (["http.disconnect"], False, True)
    assert anyio.current_time() - began <= SOON + CLOSE_DEADLINE


async def test_a_chunk_that_is_being_sent_is_finished_before_the_end(stage, caplog):
    """The end must not be sent in the middle of a message."""
    caplog.set_level("INFO", "asgi_oidc")
    site = LogoutSite()
    alice = await site.signed_in()
    stream = Stream()

    async def slow(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(BIT)
        stream.is_open.set()
        stream.may_send = anyio.Event()
        await send({**BIT, "body": b"the last"})

    await stage.open(site, alice, stream=stream, app=slow)
    await signs_out_here(site, alice)
    while "response_ended" not in caplog.text:  # noqa: ASYNC110  # a line of the log sets no event
        await anyio.sleep(0.1)
    stream.may_send.set()
    await stream.until_done()
    await anyio.sleep(CLOSE_DEADLINE)

    assert stream.sent[-2:] == [{**BIT, "body": b"the last"}, END]


class Wrapped(Exception):
    """What a framework makes of an `OSError`."""


def as_it_is(error: OSError) -> None:
    raise error


def as_another(error: OSError) -> None:
    raise Wrapped from error


def in_a_group(error: OSError) -> None:
    raise BaseExceptionGroup("several", [error, ExceptionGroup("inner", [Wrapped(), error])])


def in_groups_of_its_own(error: OSError) -> None:
    raise ExceptionGroup("several", [error, ExceptionGroup("inner", [error])])


def as_a_fault_of_the_app(error: OSError) -> None:
    raise Wrapped from ValueError("a fault of the app")


def as_a_fault_while_it_is_handled(error: OSError) -> None:
    raise Wrapped


def as_starlette_does(error: OSError) -> None:
    raise ClientDisconnect


def in_a_long_chain(error: OSError) -> None:
    chain: Exception = error
    for _ in range(MAX_CAUSES):
        wrapped = Wrapped()
        wrapped.__cause__ = chain
        chain = wrapped
    raise chain


@pytest.mark.parametrize(
    ("reaction", "comes_through"),
    [
        (as_it_is, None),
        (as_another, None),
        (as_starlette_does, None),
        (in_groups_of_its_own, None),
        (in_a_group, ExceptionGroup),
        (as_a_fault_of_the_app, Wrapped),
        (as_a_fault_while_it_is_handled, Wrapped),
        (in_a_long_chain, Wrapped),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
async def test_an_exception_of_the_app_after_the_end_is_not_an_error(reaction, comes_through, stage, caplog):
    """Servers would log a traceback for every sign-out. Other exceptions of the app still propagate."""
    caplog.set_level("INFO", "asgi_oidc")
    site = LogoutSite()
    alice = await site.signed_in()
    stream = Stream()

    async def goes_on(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            try:
                await send(BIT)
            except OSError as error:
                reaction(error)
            stream.is_open.set()
            await anyio.sleep(0.5)

    await stage.open(site, alice, stream=stream, app=goes_on)
    await signs_out_here(site, alice)
    await stream.until_done()

    assert (stream.is_ended, type(stream.raised)) == (True, comes_through or type(None))
    assert ("error_after_end raised=" in caplog.text) == (
        reaction in (as_another, as_starlette_does, in_groups_of_its_own)
    )


async def test_an_unrelated_exception_of_the_app_propagates(stage):
    """The response was not ended by us, so the exception has another cause."""
    site = LogoutSite()
    stream = Stream()

    async def breaks(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(BIT)
        stream.is_open.set()
        raise OSError("no such file")

    await stage.open(site, await site.signed_in(), stream=stream, app=breaks)
    await stream.until_done()

    assert str(stream.raised) == "no such file"


async def test_a_body_is_received_as_it_comes(stage):
    """The request body arrives in parts while the response is open."""
    site = LogoutSite()
    alice = await site.signed_in()
    body = [{"type": "http.request", "body": text, "more_body": more} for text, more in ((b"a", True), (b"b", False))]
    stream = Stream(*body)

    await stage.open(site, alice, stream=stream)
    await anyio.sleep(1)
    await signs_out_here(site, alice)
    await stream.until_done()

    assert stream.heard == [*body, DISCONNECT]


@pytest.mark.parametrize("is_broken", [False, True])
async def test_a_finished_response_is_left_alone(is_broken, stage):
    """It is neither remembered nor ended a second time, even if the app failed half-way."""
    site = LogoutSite()
    alice = await site.signed_in()
    stream = Stream()

    async def ends(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(BIT)
        stream.is_open.set()
        if is_broken:
            raise ValueError
        await send({**BIT, "more_body": False})
        await anyio.sleep(CHECK_INTERVAL)

    await stage.open(site, alice, stream=stream, app=ends)
    await stream.until_done()
    await signs_out_here(site, alice)
    await anyio.sleep(SOON)

    assert not stream.is_ended


async def test_a_response_that_finishes_during_a_check_is_left_alone(stage):
    """The check waits for the store while the app completes the response."""
    site = LogoutSite("a store")
    store: ScriptedStore = site.settings["store"]
    stream, may_end = Stream(), anyio.Event()

    async def ends(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(BIT)
        stream.is_open.set()
        await may_end.wait()
        await send({**BIT, "more_body": False})

    async def meanwhile() -> None:
        may_end.set()
        await stream.until_done()

    await stage.open(site, await site.signed_in(), stream=stream, app=ends)
    site.clock.advance(3600)
    store.before["get"].append(meanwhile)
    await stream.until_done()
    await anyio.sleep(SOON)

    assert not stream.is_ended


async def test_no_session_is_checked_when_no_response_is_open(stage):
    """No task waits in the background either."""
    site = LogoutSite("a store")
    store: ScriptedStore = site.settings["store"]
    alice = await site.signed_in()
    stream = await stage.open(site, alice)
    await signs_out_here(site, alice)
    await stream.until_done()
    await anyio.sleep(SOON)
    store.forget_calls()

    await anyio.sleep(10 * READ_INTERVAL)

    assert store.calls == []


async def test_a_failed_check_ends_all_open_responses(stage, caplog):
    """If a session cannot be checked, its response must not go on."""
    site = LogoutSite()
    alice = await site.signed_in()
    stream = await stage.open(site, alice)
    site.clock.now = "soon"  # type: ignore[assignment]  # a clock that is broken

    await stream.until_done()

    assert stream.is_ended
    assert "unexpected_error raised=" in caplog.text
