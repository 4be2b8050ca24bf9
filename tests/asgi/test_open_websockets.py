"""An open websocket closes when its session ends, by a sign-out here or at the provider or by expiry, and only then."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
import trio.testing

from asgi_oidc import OIDCError
from asgi_oidc.asgi.session_watch import CHECK_INTERVAL, READ_INTERVAL, STORE_SILENCE_LIMIT
from asgi_oidc.sessions.revocations import MAX_PER_USER
from asgi_oidc.sessions.session import UserId
from asgi_oidc.testing import Browser
from tests.internals import revocations_of
from tests.logout_site import FORMS, LogoutSite, sid_of
from tests.protected_site import ORIGIN, Scope, Site, cookie_header
from tests.scripted_store import ScriptedStore

SOON = 2 * CHECK_INTERVAL + 1  # seconds: a few


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Use a clock that jumps to the next deadline when all tasks are waiting."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


class Socket:
    """A websocket with an app at one end and a browser at the other.

    Args:
        first: what the app says to the browser, if it does not accept.
        stays: whether the app goes on when the browser is gone.
    """

    def __init__(self, first: Any = None, *, stays: bool = False) -> None:
        self.stays = stays
        self.first = first or {"type": "websocket.accept"}
        self.to_app, self.from_browser = anyio.create_memory_object_stream[dict[str, Any]](100)
        self.sent: list[Any] = []
        self.heard: list[Any] = []
        self.errors: list[str] = []
        self.is_closed = anyio.Event()
        self.has_app_ended = anyio.Event()

    async def receive(self) -> dict[str, Any]:
        return await self.from_browser.receive()

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message["type"] == "websocket.close":
            self.is_closed.set()

    @property
    def code(self) -> int | None:
        """What it was closed with."""
        return next((message["code"] for message in self.sent if message["type"] == "websocket.close"), None)

    async def app(self, scope: Scope, receive: Any, send: Any) -> None:
        """Accept, receive until the disconnect, then try to send another message."""
        await receive()
        await send(self.first)
        while True:
            message = await receive()
            self.heard.append(message)
            if message["type"] == "websocket.disconnect":
                break
        if self.stays:
            await anyio.sleep_forever()
        try:
            await send({"type": "websocket.send", "text": "more"})
        except OSError:
            self.errors.append("OSError")
        self.has_app_ended.set()


class OpenSockets:
    """Sites whose app is at the other end of one websocket after another."""

    def __init__(self, site: Site, tasks: anyio.abc.TaskGroup) -> None:
        self.site = site
        self.tasks = tasks

    async def connect(
        self,
        browser: Browser,
        *,
        site: Site | None = None,
        path: str = "/ws",
        ending: Any = None,
        stays: bool = False,
    ) -> Socket:
        """Open a websocket in a browser, in a process of its choice."""
        socket = Socket(ending, stays=stays)
        site = site or self.site
        site.middleware.app = _only_websockets(site.app, socket.app)
        headers = [(b"origin", ORIGIN.encode()), (b"cookie", cookie_header(browser).encode())]
        scope = {"type": "websocket", "path": path, "headers": headers, "query_string": b""}
        self.tasks.start_soon(site.middleware, scope, socket.receive, socket.send)
        await socket.to_app.send({"type": "websocket.connect"})
        while not socket.sent:
            await anyio.lowlevel.checkpoint()
        return socket


def _only_websockets(http: Any, websocket: Any) -> Any:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await (websocket if scope["type"] == "websocket" else http)(scope, receive, send)

    return app


@pytest.fixture
async def stage_of():
    """Make stages; all their websockets end with the test."""
    async with anyio.create_task_group() as tasks:
        yield lambda site: OpenSockets(site, tasks)
        tasks.cancel_scope.cancel()


async def signs_out_here(site: LogoutSite, browser: Browser) -> None:
    await browser.fetch("/auth/logout", method="POST")


async def signs_out_at_the_provider(site: LogoutSite, browser: Browser) -> None:
    assert (await site.hear(site.provider.logout_token(None, sid=await sid_of(browser)))).status == 200


async def is_idle_too_long(site: LogoutSite, browser: Browser) -> None:
    site.clock.advance(3600)


async def is_signed_in_too_long(site: LogoutSite, browser: Browser) -> None:
    for _ in range(13):
        await browser.fetch("/page")
        site.clock.advance(3590)


async def is_ended_by_the_app(site: LogoutSite, browser: Browser) -> None:
    if site.settings.get("store"):
        await site.middleware.sessions.end_all("alice")
    else:
        await signs_out_here(site, browser)


ENDS_AT_ONCE = [signs_out_here, signs_out_at_the_provider, is_ended_by_the_app]
ENDS = [*ENDS_AT_ONCE, is_idle_too_long, is_signed_in_too_long]
End = Callable[[LogoutSite, Browser], Awaitable[None]]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_a_websocket_is_closed_within_seconds_of_its_session(form, end: End, stage_of):
    """The app gets a disconnect and can send nothing more; other websockets go on."""
    site = LogoutSite(form)
    alice, bob = await site.signed_in(), await site.signed_in("bob")
    stage = stage_of(site)
    socket, of_bob = await stage.connect(alice), await stage.connect(bob)

    await anyio.sleep(SOON)
    before = socket.code
    await end(site, alice)
    began = anyio.current_time()
    await socket.has_app_ended.wait()

    assert (before, socket.code, socket.errors) == (None, 4401, ["OSError"])
    assert anyio.current_time() - began <= SOON
    assert socket.heard[-1] == {"type": "websocket.disconnect", "code": 4401, "reason": None}
    assert [message["type"] for message in socket.sent] == ["websocket.accept", "websocket.close"]
    if end in ENDS_AT_ONCE:
        assert of_bob.code is None


@pytest.mark.parametrize("form", ["cookies of many processes", "a store"])
@pytest.mark.parametrize("end", ENDS_AT_ONCE, ids=lambda end: end.__name__)
async def test_a_websocket_is_closed_when_another_process_signs_the_user_out(form, end: End, stage_of):
    """The sign-out may be served by another process than the websocket."""
    site = LogoutSite(form)
    other = LogoutSite(**{**site.settings, "provider": site.provider, "clock": site.clock})
    browser = await site.signed_in()
    socket = await stage_of(site).connect(browser, site=other)

    await end(site, browser)
    site.clock.advance(CHECK_INTERVAL)
    with anyio.fail_after(SOON):
        await socket.is_closed.wait()

    assert socket.code == 4401


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("then", "code"), [({"roles": []}, 4401), ({}, None)], ids=["a role is lost", "as before"])
async def test_a_websocket_does_not_outlive_the_rights_that_it_was_opened_with(form, then, code, stage_of):
    """A refresh may remove a role; a user who still has the right can open it again."""
    site = LogoutSite(form, scope="openid profile email offline_access")
    site.provider.access_token_lifetime = 300
    browser = await site.signed_in()
    others = [site]
    if form in ("cookies of many processes", "a store"):
        others.append(LogoutSite(**{**site.settings, "provider": site.provider, "clock": site.clock}))
    sockets = [await stage_of(site).connect(site.browser(jar=browser.jar.copy()), site=other) for other in others]
    site.provider.id_token_overrides = then
    site.clock.advance(301)

    async def ask_for_the_token(scope: Scope) -> None:
        await scope["oidc"].access_token()

    site.app.at_work = ask_for_the_token
    await browser.fetch("/page")
    site.clock.advance(CHECK_INTERVAL)
    await anyio.sleep(SOON)

    assert [socket.code for socket in sockets] == [code] * len(others)


def fill_up(site: LogoutSite, sub: str) -> None:
    """Let a user make as many revocations as one may."""
    revocations = revocations_of(site.middleware)
    for number in range(MAX_PER_USER):
        revocations.end(f"earlier-{number}", user=UserId(site.provider.issuer, sub), now=site.clock.now)


@pytest.mark.parametrize("form", FORMS)
async def test_a_websocket_is_closed_for_a_user_over_the_revocation_limit(form, stage_of):
    """No space is left for a revocation of the tokens alone, so the session ends; other users are not affected."""
    site = LogoutSite(form, scope="openid profile email offline_access")
    site.provider.access_token_lifetime = 300
    browser, bob = await site.signed_in(), await site.signed_in("bob")
    others = [site]
    if form in ("cookies of many processes", "a store"):
        others.append(LogoutSite(**{**site.settings, "provider": site.provider, "clock": site.clock}))
    sockets = [await stage_of(site).connect(site.browser(jar=browser.jar.copy()), site=other) for other in others]
    of_bob = await stage_of(site).connect(bob)
    fill_up(site, "alice")
    site.provider.id_token_overrides = {"roles": []}
    site.clock.advance(301)

    async def ask_for_the_token(scope: Scope) -> None:
        with contextlib.suppress(OIDCError):
            await scope["oidc"].access_token()

    site.app.at_work = ask_for_the_token
    await browser.fetch("/page")
    site.clock.advance(CHECK_INTERVAL)
    await anyio.sleep(SOON)

    assert [socket.code for socket in sockets] == [4401] * len(others)
    assert of_bob.code is None


@pytest.mark.parametrize("activity", [False, True])
async def test_rights_lost_in_another_process_close_a_websocket_within_a_minute(activity, stage_of):
    """The record in the store shows it, even if the websocket is in use all the time."""
    site = LogoutSite("a store", scope="openid profile email offline_access", websocket_activity=activity)
    site.provider.access_token_lifetime = 300
    other = LogoutSite(**{**site.settings, "provider": site.provider, "clock": site.clock})
    browser = await site.signed_in()
    socket = await stage_of(site).connect(site.browser(jar=browser.jar.copy()), site=other)
    site.provider.id_token_overrides = {"roles": []}
    site.clock.advance(301)
    site.settings["store"].broken = {"link"}

    async def ask_for_the_token(scope: Scope) -> None:
        await scope["oidc"].access_token()

    site.app.at_work = ask_for_the_token
    assert (await browser.fetch("/page")).status_code == 200
    for _ in range(READ_INTERVAL + 2 * int(SOON)):
        await socket.to_app.send({"type": "websocket.receive", "text": "still here"})
        site.clock.advance(1)
        await anyio.sleep(1)

    assert socket.code == 4401


async def test_requests_of_the_same_session_keep_a_websocket_open(stage_of):
    """Requests in any tab extend the session; websocket messages do not."""
    for form in FORMS:
        site = LogoutSite(form)
        browser = await site.signed_in()
        socket = await stage_of(site).connect(browser)

        for _ in range(3):
            site.clock.advance(3000)
            await browser.fetch("/page")
            await anyio.sleep(SOON)
        assert socket.code is None
        site.clock.advance(3000)
        await socket.to_app.send({"type": "websocket.receive", "text": "still here"})
        await anyio.sleep(SOON)
        assert socket.code is None
        site.clock.advance(600)
        await anyio.sleep(SOON)
        assert socket.code == 4401


async def test_websocket_messages_pass_unchanged(stage_of):
    """In both directions, until the browser disconnects."""
    site = LogoutSite()
    socket = await stage_of(site).connect(await site.signed_in())

    for number in range(3):
        await socket.to_app.send({"type": "websocket.receive", "text": str(number)})
    await anyio.sleep(10 * CHECK_INTERVAL)
    await socket.to_app.send({"type": "websocket.disconnect", "code": 1001})
    await socket.has_app_ended.wait()

    assert [message.get("text") for message in socket.heard] == ["0", "1", "2", None]
    assert [message["type"] for message in socket.sent] == ["websocket.accept", "websocket.send"]


async def test_a_disconnected_browser_is_sent_no_close(stage_of):
    """The app may go on working for a while after the disconnect."""
    site = LogoutSite()
    browser = await site.signed_in()
    socket = await stage_of(site).connect(browser, stays=True)

    await socket.to_app.send({"type": "websocket.disconnect", "code": 1001})
    await browser.fetch("/auth/logout", method="POST")
    await anyio.sleep(SOON)

    assert ([message["type"] for message in socket.sent], len(socket.heard)) == (["websocket.accept"], 1)


async def test_exceptions_of_a_websocket_app_propagate():
    """Frameworks look at the class of the exception."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            raise LookupError("of the app")
        await Site().app(scope, receive, send)

    site = LogoutSite(inner=app)
    browser, url = await site.at_callback()
    await browser.get(url, follow=False)
    headers = [(b"origin", ORIGIN.encode()), (b"cookie", cookie_header(browser).encode())]
    socket = Socket()

    with pytest.raises(LookupError, match="of the app"):
        await site.middleware(
            {"type": "websocket", "path": "/ws", "headers": headers, "query_string": b""}, socket.receive, socket.send
        )


async def test_websockets_of_anonymous_users_are_not_watched(stage_of):
    """On a public path without a session, there is nothing that could end."""
    site = LogoutSite()
    socket = await stage_of(site).connect(site.browser(), path="/public/ws")

    site.clock.advance(100_000)
    await anyio.sleep(SOON)

    assert socket.code is None


@pytest.mark.parametrize(
    "ending",
    [
        {"type": "websocket.close", "code": 1000},
        {"type": "websocket.http.response.start", "status": 403, "headers": []},
    ],
)
async def test_a_websocket_that_the_app_closed_is_not_closed_again(ending, stage_of):
    """The app has closed it, or answered with a response instead."""
    site = LogoutSite()
    browser = await site.signed_in()
    socket = await stage_of(site).connect(browser, ending=ending)

    await browser.fetch("/auth/logout", method="POST")
    with anyio.fail_after(SOON):
        await socket.has_app_ended.wait()

    assert [message["type"] for message in socket.sent] == [ending["type"]]


# --- outages


async def test_an_outage_of_the_store_ends_no_websocket_for_a_while(stage_of):
    """An outage signs no user out; but after a minute, the session can no longer be assumed to be active."""
    for form in ("cookies of many processes", "a store"):
        site = LogoutSite(form)
        store: ScriptedStore = site.settings.get("store") or site.settings["logout_store"]
        socket = await stage_of(site).connect(await site.signed_in())

        store.broken = {"get", "linked"}
        site.clock.advance(STORE_SILENCE_LIMIT - 1)
        await anyio.sleep(SOON)
        before = socket.code
        site.clock.advance(2)
        await anyio.sleep(SOON)

        assert (before, socket.code) == (None, 1013)


async def test_an_outage_keeps_no_session_alive(stage_of):
    """If this process knows that the session is over, the websocket closes."""
    site = LogoutSite("a store", session_lifetime=30)
    store: ScriptedStore = site.settings["store"]
    socket = await stage_of(site).connect(await site.signed_in())

    store.broken = {"get", "linked"}
    site.clock.advance(30)
    await anyio.sleep(SOON)

    assert socket.code == 4401


async def test_a_record_that_is_gone_ends_the_websocket_within_minutes(stage_of):
    """An operator may delete records with the store's own tools."""
    site = LogoutSite("a store")
    store: ScriptedStore = site.settings["store"]
    socket = await stage_of(site).connect(await site.signed_in())

    store.answers["get"] = None
    site.clock.advance(READ_INTERVAL + 1)
    await anyio.sleep(SOON)

    assert socket.code == 4401


async def test_a_watch_that_breaks_closes_the_websocket(stage_of):
    """A check that fails must not leave the websocket open."""
    site = LogoutSite()
    browser = await site.signed_in()
    headers = [(b"origin", ORIGIN.encode()), (b"cookie", cookie_header(browser).encode())]
    socket = Socket()
    site.middleware.app = _only_websockets(site.app, socket.app)
    await socket.to_app.send({"type": "websocket.connect"})

    async with anyio.create_task_group() as tasks:

        async def connect() -> None:
            with pytest.raises(ExceptionGroup):
                await site.middleware(
                    {"type": "websocket", "path": "/ws", "headers": headers, "query_string": b""},
                    socket.receive,
                    socket.send,
                )
            socket.errors.append("raised")

        tasks.start_soon(connect)
        while not socket.sent:
            await anyio.lowlevel.checkpoint()
        site.clock.now = "broken"  # type: ignore[assignment]  # a clock that fails

    assert socket.errors == ["raised"]
