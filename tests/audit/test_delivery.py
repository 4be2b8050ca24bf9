"""`on_event` may be slow, hang, or raise anything: no request notices, and no sign-in is lost to a flood."""

import asyncio
import logging
import threading
from contextvars import ContextVar
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import pytest

from asgi_oidc import audit
from asgi_oidc.audit.listener import LISTENER_DEADLINE, Listener
from asgi_oidc.audit.reporting import Reporter, report, report_session, reporting
from asgi_oidc.audit.trail import DRAIN_DEADLINE, MAX_EVENTS, MAX_REPEATABLE_EVENTS, AuditTrail
from tests.audit_site import AuditSite
from tests.protected_site import NOW, Clock, Exchange, cookie_header

TENANT: ContextVar[str] = ContextVar("tenant", default="none")  # of the app


class Trail:
    """An audit trail whose listener waits at a gate."""

    def __init__(self, **deadlines: float) -> None:
        self.clock, self.gate = Clock(), anyio.Event()
        self.heard: list[audit.AuditEvent] = []
        self.trail = AuditTrail(Listener(self.hear, clock=self.clock), clock=self.clock, **deadlines)

    async def hear(self, event: audit.AuditEvent) -> None:
        await self.gate.wait()
        self.heard.append(event)

    async def delivered(self) -> list[str]:
        self.gate.set()
        await self.trail.drained()
        return [event.name for event in self.heard]


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    """Return the log lines of one event."""
    return [record.getMessage() for record in caplog.records if getattr(record, "event", "") == event]


async def test_events_arrive_in_order_and_are_dated():
    """By the clock of the middleware, in milliseconds."""
    made = Trail()
    made.clock.now += 0.12345
    for code in ("a", "b", "c"):
        made.trail.add(audit.LoginFailed(code=code))
    made.trail.add(audit.SignedOut(by="user"))

    assert await made.delivered() == ["login_failed"] * 3 + ["signed_out"]
    assert [event.code for event in made.heard] == ["a", "b", "c", None]
    assert {event.at for event in made.heard} == {NOW + 0.123}


async def test_a_flood_of_forged_requests_costs_no_sign_in_its_place(caplog):
    """They have a queue of their own, and the gap is told in the trail and in the log."""
    made = Trail()
    for _ in range(MAX_REPEATABLE_EVENTS + 100):
        made.trail.add(audit.LoginFailed())
    for _ in range(MAX_EVENTS):
        made.trail.add(audit.SignedIn(kind="login"))
    for _ in range(50):
        made.trail.add(audit.LoginFailed())

    names = await made.delivered()
    assert names.count("signed_in") == MAX_EVENTS
    assert MAX_REPEATABLE_EVENTS <= names.count("login_failed") <= MAX_REPEATABLE_EVENTS + 1
    dropped = [event for event in made.heard if isinstance(event, audit.EventsDropped)]
    assert (sum(event.repeatable for event in dropped), sum(event.others for event in dropped)) in ((149, 0), (150, 0))
    assert lines(caplog, "events_dropped")[0].startswith("events_dropped repeatable=")


async def test_sign_ins_overtake_a_flood():
    """While forged requests fill their queue, the others are first."""
    made = Trail()
    for _ in range(MAX_REPEATABLE_EVENTS + 1):
        made.trail.add(audit.LoginFailed())
    made.trail.add(audit.SignedIn(kind="login"))

    names = await made.delivered()
    assert names.index("signed_in") < 4


async def test_a_flood_by_strangers_hides_no_user_who_was_refused():
    """Who attacks from within would else send forged callbacks first."""
    made = Trail()
    for _ in range(MAX_REPEATABLE_EVENTS + 1):
        made.trail.add(audit.LoginFailed())
    made.trail.add(audit.AccessDenied(why="/admin/*", sub="alice"))
    for _ in range(MAX_REPEATABLE_EVENTS + 1):
        made.trail.add(audit.AccessDenied(why="/admin/*", sub="mallory"))
    made.trail.add(audit.SignedOut(by="user"))

    names = await made.delivered()
    assert names.count("access_denied") == MAX_REPEATABLE_EVENTS
    assert made.heard[names.index("access_denied")].sub == "alice"
    assert names.index("signed_out") < 4


async def test_too_many_other_events_are_counted_too(caplog):
    """Even a trail that cannot keep up says so."""
    made = Trail()
    for _ in range(MAX_EVENTS + 20):
        made.trail.add(audit.SignedIn(kind="login"))

    assert "events_dropped" in await made.delivered()
    assert any(" others=" in line and "repeatable=0" in line for line in lines(caplog, "events_dropped"))


async def test_drops_are_told_once_a_minute(caplog):
    """A flood must not flood the log."""
    made = Trail()
    made.gate.set()
    for second in (0, 10, 70):
        made.clock.now = NOW + second
        for _ in range(MAX_REPEATABLE_EVENTS + 2):
            made.trail.add(audit.LoginFailed())
        made.trail._report_dropped()

    assert len(lines(caplog, "events_dropped")) == 2
    await made.delivered()


async def test_an_exception_of_the_listener_is_logged_once_a_minute_without_its_text(caplog):
    """Its text may hold anything."""

    async def hear(event):
        raise ValueError("s3cret")

    clock = Clock()
    listener = Listener(hear, clock=clock)
    for seconds in (0, 1, 2, 61):
        clock.now = NOW + seconds
        await listener.hear(audit.LoginFailed())

    first, second = lines(caplog, "on_event_failed")
    assert first.startswith("on_event_failed lost=1 raised=ValueError at=")
    assert second.startswith("on_event_failed lost=3 raised=ValueError at=")
    assert "s3cret" not in caplog.text


class Panic(BaseException):
    """As extension modules written in Rust raise it."""


@pytest.mark.parametrize("raised", [Panic("s3cret"), SystemExit(1), BaseExceptionGroup("s3cret", [Panic()])])
@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_what_is_no_exception_costs_one_event_and_is_logged_too(kind, raised, caplog):
    """The next one must not wait for something else to happen."""
    heard = []

    def hear(event: audit.AuditEvent) -> None:
        heard.append(event.name)
        if event.name == "login_failed":
            raise raised

    async def hear_async(event: audit.AuditEvent) -> None:
        hear(event)

    trail = AuditTrail(Listener(hear_async if kind == "async" else hear, clock=Clock()), clock=Clock())
    trail.add(audit.LoginFailed())
    trail.add(audit.SignedOut(by="user"))

    await trail.drained()

    assert heard == ["login_failed", "signed_out"]
    assert ["s3cret" in line for line in lines(caplog, "on_event_failed")] == [False]


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_listener_that_hangs_is_given_up_after_its_deadline(kind, caplog):
    """The next event is heard."""
    heard, release = [], threading.Event()

    async def hear_async(event):
        if event.code == "hangs":
            await anyio.sleep_forever()
        heard.append(event.code)

    def hear_sync(event):
        if event.code == "hangs":
            release.wait()
        heard.append(event.code)

    hear = hear_async if kind == "async" else hear_sync
    await Listener(hear, clock=Clock(), deadline=0.02).hear(audit.LoginFailed(code="hangs"))
    release.set()
    await Listener(hear, clock=Clock()).hear(audit.LoginFailed(code="next"))

    assert "next" in heard  # the thread that hung may return after it
    assert lines(caplog, "on_event_failed")[0].startswith("on_event_failed what='on_event took more than ")


async def test_a_function_that_is_not_async_runs_in_a_thread_one_event_at_a_time():
    """It may write to a file or a database."""
    threads: list[int] = []
    site = AuditSite(on_event=lambda event: threads.append(threading.get_ident()))
    await site.signed_in()
    await site.delivered()

    assert threads
    assert threading.get_ident() not in threads


async def test_a_function_that_hangs_occupies_one_thread():
    """Else it would take all threads of the app, one by one."""
    called, release = [], threading.Event()

    def hear(event: audit.AuditEvent) -> None:
        called.append(event.name)
        release.wait()

    listener = Listener(hear, clock=Clock(), deadline=0.05)
    try:
        for _ in range(4):
            await listener.hear(audit.LoginFailed())

        assert len(called) <= 1
    finally:
        release.set()


async def test_no_listener_runs_in_the_context_of_a_request():
    """The event may be of another request: its tenant, or whatever the app keeps there, would be the wrong one."""
    seen: list[str] = []

    async def hear(event: audit.AuditEvent) -> None:
        seen.append(TENANT.get())

    trail = AuditTrail(Listener(hear, clock=Clock()), clock=Clock())
    token = TENANT.set("acme")
    trail.add(audit.SignedOut(by="user"))
    await trail.drained()
    TENANT.reset(token)

    assert seen == ["none"]


async def test_every_kind_of_async_function_is_awaited():
    """Partials, objects, and functions that return an awaitable."""
    heard: list[str] = []

    async def hear(prefix: str, event: audit.AuditEvent) -> None:
        heard.append(f"{prefix} {event.name}")

    class Sink:
        async def __call__(self, event: audit.AuditEvent) -> None:
            heard.append(f"object {event.name}")

    functions: list[Any] = [partial(hear, "partial"), Sink(), lambda event: hear("lambda", event)]
    for function in functions:
        await Listener(function, clock=Clock()).hear(audit.SignedOut(by="user"))

    assert heard == ["partial signed_out", "object signed_out", "lambda signed_out"]


async def test_a_listener_that_raises_or_hangs_costs_no_request_anything(caplog):
    """The user is signed in and out as ever."""

    async def hear(event):
        if event.name == "signed_in":
            raise ExceptionGroup("many", [ValueError()])
        await anyio.sleep_forever()

    site = AuditSite(on_event=hear)
    browser = await site.signed_in()
    response = await browser.fetch("/auth/logout", method="POST")

    assert response.status_code == 303
    assert (await browser.fetch("/page")).status_code == 401


async def test_a_cancelled_task_of_the_listener_ends_no_delivery(anyio_backend_name):
    """On asyncio, to await a task that was cancelled raises the same as to be cancelled."""
    if anyio_backend_name == "trio":
        return

    async def hear(event):
        task = asyncio.ensure_future(asyncio.sleep(100))
        task.cancel()
        await task

    listener = Listener(hear, clock=Clock())
    await listener.hear(audit.LoginFailed())
    await listener.hear(audit.LoginFailed())


async def test_a_delivery_that_is_cancelled_ends(anyio_backend_name):
    """The event loop ends: to go on would keep it from that. On trio, a cancellation cannot be mistaken."""
    if anyio_backend_name == "trio":
        return
    made = Trail()
    for _ in range(2):
        made.trail.add(audit.SignedOut(by="user"))
    await anyio.wait_all_tasks_blocked()

    (task,) = made.trail._worker._tasks
    task.cancel()
    made.gate.set()
    await asyncio.wait([task])

    assert (task.cancelled(), made.heard) == (True, [])


async def test_events_of_a_thread_are_delivered_when_its_request_ends():
    """Frameworks run functions that are not async in threads."""
    site = AuditSite()
    browser = await site.signed_in()

    async def in_a_thread(scope):
        await anyio.to_thread.run_sync(partial(report, audit.RequestFailed, code="of_a_thread"))

    site.app.at_work = in_a_thread
    await browser.fetch("/page")
    event = await site.last(audit.RequestFailed)

    assert (event.code, event.path) == ("of_a_thread", "/page")


async def test_a_shutdown_delivers_what_waits_before_the_app_shuts_down():
    """The listener may need the connections that the app closes then."""
    order: list[str] = []

    async def hear(event):
        await anyio.lowlevel.checkpoint()
        order.append(event.name)

    async def app(scope, receive, send):
        while (message := await receive())["type"] != "lifespan.shutdown":
            order.append(message["type"])
            await send({"type": "lifespan.startup.complete"})
            report(audit.SignedOut, by="app")
        order.append("the app shuts down")
        report(audit.RequestFailed, code="late")
        await send({"type": "lifespan.shutdown.complete"})

    site = AuditSite(inner=app, on_event=hear)
    exchange = Exchange({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    await site.middleware({"type": "lifespan"}, exchange.receive, exchange.send)

    assert order == ["lifespan.startup", "signed_out", "the app shuts down", "request_failed"]


async def test_a_shutdown_waits_for_a_hanging_listener_only_so_long():
    """The server has to stop."""
    made = Trail(drain_deadline=0.02)
    made.trail.add(audit.SignedOut(by="user"))

    await made.trail.drained()

    assert made.heard == []
    made.gate.set()
    await made.trail.drained()
    assert DRAIN_DEADLINE + LISTENER_DEADLINE <= 10


async def test_without_on_event_nothing_is_composed_differently():
    """A request that nobody audits pays nothing."""
    site = AuditSite(on_event=None)
    composition = site.middleware._composition

    assert composition.serve_http == composition.http.serve
    assert composition.serve_websocket == composition.websockets.serve
    report(audit.LoginFailed, code="nobody hears it")
    report_session(None, audit.LoginFailed)


async def test_a_mounted_middleware_reports_to_its_own_listener():
    """And afterwards the outer one to its own again; an inner one without a listener reports to the outer one."""
    inner, outer = Trail(), Trail()
    outer_reporter, inner_reporter = Reporter(outer.trail, str), Reporter(inner.trail, str)

    with reporting(outer_reporter):
        with reporting(inner_reporter):
            report(audit.LoginFailed, code="inner")
        with reporting(None), reporting(inner_reporter, replaces=False):
            report(audit.LoginFailed, code="outer")
    report(audit.LoginFailed, code="neither")

    await inner.delivered()
    await outer.delivered()
    assert ([event.code for event in inner.heard], [event.code for event in outer.heard]) == (["inner"], ["outer"])


@pytest.mark.parametrize(
    ("path", "kept"),
    [("/\ud800", "/?"), ("/é", "/é"), ("/" + "x" * 600, "/" + "x" * 499 + "...")],
)
async def test_any_path_of_a_request_can_be_encoded(path, kept):
    """A server may give any text."""
    made = Trail()
    scope = {"type": "http", "path": path, "method": "GET"}
    with reporting(Reporter(made.trail, str).of_request("https://a.example", scope)):
        report(audit.CSRFRefused)
    await made.delivered()

    (event,) = made.heard
    assert (event.path, event.client_address) == (kept, None)
    assert msgspec.json.encode(event)


async def test_secrets_of_a_session_are_in_no_event(caplog):
    """Not the id, not a token, not a cookie, not a code."""
    caplog.set_level(logging.DEBUG)
    for form in ("cookies", "a store"):
        site = AuditSite(form, scope="openid offline_access")
        browser, url = await site.at_callback()
        await browser.get(url)
        await browser.fetch("/page")
        oidc = site.app.scope["oidc"]
        secrets = [
            url.partition("code=")[2].partition("&")[0],
            oidc.id_token,
            await oidc.access_token(),
            *(cookie.value for cookie in browser.jar),
        ]
        await browser.fetch("/page?code=s3cret", method="POST", headers={"origin": "https://evil.example"})
        await browser.fetch("/auth/logout", method="POST")
        await site.call("/page?code=x", headers={"cookie": cookie_header(browser)})

        written = b"\n".join(msgspec.json.encode(event) for event in await site.delivered()).decode()
        assert len(site.heard) > 2
        assert [secret for secret in [*secrets, "s3cret"] if secret and secret in written] == []
