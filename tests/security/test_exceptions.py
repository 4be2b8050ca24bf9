"""No exception that leaves us carries a secret: not in its frames, its causes or its contexts.

Error reporters record the local variables of every frame, and those of the exceptions that came before.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

import anyio
import httpx
import pytest

from asgi_oidc import OIDCError, OIDCMiddleware, RefreshFailed, Rule, SessionEnded, StoreUnavailable
from asgi_oidc.errors import SettingsError, UnsupportedScope
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.token_endpoint import refresh_call
from asgi_oidc.provider.http import Http
from asgi_oidc.testing import Browser, FakeProvider
from asgi_oidc.testing.faults import FAULTS
from asgi_oidc.testing.in_process import http_scope
from tests.attacked_provider import own_path
from tests.internals import provider_of
from tests.protected_site import CLIENT_SECRET, ORIGIN, SECRET, Clock, Exchange, Message, Scope, nothing
from tests.scripted_store import ScriptedStore
from tests.token_site import LIFETIME, STORES, TokenSite

from .attacked_site import FAULTS_OF_APIS, FAULTS_OF_REGISTRATIONS
from .recorder import Recorder, reported
from .sizes import size

pytestmark = pytest.mark.usefixtures("one_or_three_providers")

API, ISSUER = "https://api.example.com", "https://id.example.com"
DAYS = 86_400  # seconds
WAITS = ("refresh_hangs_before_processing", "refresh_hangs_after_processing")  # for real, and "slow" ones too
# Faults that these calls never meet: nobody signs in or out, or gets new claims.
UNMET = (*FAULTS_OF_APIS, *FAULTS_OF_REGISTRATIONS, "callback_", "logout_token_", "revoke_", "userinfo_")
CAUSES = sorted(
    name for name in FAULTS if not name.endswith("_slow") and not name.startswith(UNMET) and name not in WAITS
)


async def call_api(oidc: Any) -> None:
    """Call an API with the user's token."""
    async with api_client(oidc, status=200) as client:
        await client.get(API)


async def call_api_that_refuses(oidc: Any) -> None:
    """Call an API that takes no token."""
    async with api_client(oidc, status=401) as client:
        await client.get(API)


def api_client(oidc: Any, *, status: int) -> httpx.AsyncClient:
    transport = httpx.MockTransport(lambda request: httpx.Response(status))
    return httpx.AsyncClient(transport=transport, auth=oidc.httpx_auth(API))


WAYS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "access_token": lambda oidc: oidc.access_token(),
    "resource": lambda oidc: oidc.access_token(resource="https://orders.example.com"),
    "exchange": lambda oidc: oidc.exchange_token(audience="orders"),
    "httpx_auth": call_api,
    "after a 401": call_api_that_refuses,
}


class Visit:
    """Somebody who is signed in, on a site whose secrets are all known."""

    def __init__(self, store: Any = "cookies", client: Any = None, **settings: Any) -> None:
        provider = FakeProvider(alg="ES256")
        self.recorder = Recorder(provider, CLIENT_SECRET, SECRET)
        self.client = client or Flaky(httpx.ASGITransport(app=self.recorder))
        spans = {"session_idle": 30 * DAYS, "session_lifetime": 30 * DAYS}
        self.site = TokenSite(store, provider=provider, http_client=self.client, **{**spans, **settings})
        self.site.app.at_work = nothing

    async def begin(self) -> tuple[Browser, Any]:
        """Sign in."""
        browser = await self.site.signed_in()
        oidc = self.site.app.scope["oidc"]
        self.recorder.found |= {oidc.id_token, oidc._access._active.session.id}  # no public name, on purpose
        self.recorder.found |= {cookie.value for cookie in browser.cookies}
        return browser, oidc

    def leaks(self, error: BaseException) -> list[str]:
        """Name the secrets that a report of this exception holds."""
        report = reported(error)
        return [secret for secret in self.recorder.all() if secret in report]


class Flaky(httpx.AsyncClient):
    """A client that keeps a call in its locals while it fails, as httpx does.

    Attributes:
        raises: makes what it raises.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        super().__init__(transport=transport)
        self.raises: Callable[[], BaseException] | None = None

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        headers, body = dict(request.headers), request.content
        if self.raises is not None:
            try:
                raise OSError(f"refused {len(headers)} {len(body)}")
            except OSError as error:
                raise self.raises() from error
        return await super().send(request, **options)


async def failure_of(way: Callable[[], Awaitable[Any]]) -> BaseException | None:
    """Return what a call raises."""
    try:
        await way()
    except Exception as error:  # noqa: BLE001  # the test looks at it
        return error
    return None


def is_bare(error: BaseException) -> bool:
    """Say whether nothing hangs on an exception."""
    return (error.__cause__, error.__context__, getattr(error, "__notes__", None)) == (None, None, None)


async def test_the_reporter_of_these_tests_finds_what_a_frame_holds():
    """A call that fails has its headers and its body in the frames of the library that makes it."""
    visit = Visit()
    await visit.begin()
    metadata = await provider_of(visit.site.middleware).metadata()
    call = refresh_call(metadata, Client("web", CLIENT_SECRET), "a-refresh-token-of-these-tests")
    visit.client.raises = lambda: httpx.ConnectError("no")

    error = await failure_of(lambda: Http(visit.client).send(call, endpoint="token"))

    assert error is not None
    assert all(text in reported(error) for text in ("a-refresh-token-of-these-tests", call.headers["authorization"]))


@pytest.mark.long
@pytest.mark.parametrize("fault", CAUSES)
async def test_no_failure_of_the_provider_brings_a_secret_out(fault):
    """Metadata and keys have run out as well, so that every fault can be met; the sample takes one way for each."""
    ways = list(WAYS.values())
    for way in size([ways[CAUSES.index(fault) % len(ways)]], ways):
        visit = Visit()
        _, oidc = await visit.begin()
        visit.site.clock.advance(2 * DAYS)
        with visit.site.provider.fault(fault):
            error = await failure_of(partial(way, oidc))

        assert error is None or (isinstance(error, OIDCError) and is_bare(error))
        assert error is None or visit.leaks(error) == []


UNREACHABLE: dict[str, Callable[[], BaseException]] = {
    "connect": lambda: httpx.ConnectError("All connection attempts failed"),
    "read": lambda: httpx.ReadTimeout("too slow"),
    "a bug": lambda: ZeroDivisionError("in a client of the app's own"),
    "in time": TimeoutError,
}


@pytest.mark.parametrize("why", UNREACHABLE)
@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("store", STORES)
async def test_a_provider_that_cannot_be_reached_brings_no_secret_out(store, name, why, caplog):
    """The frames of the HTTP library hold the Basic header and the refresh token."""
    visit = Visit(store)
    _, oidc = await visit.begin()
    visit.site.clock.advance(LIFETIME + 1)
    visit.client.raises = UNREACHABLE[why]

    error = await failure_of(lambda: WAYS[name](oidc))

    assert isinstance(error, RefreshFailed)
    assert error.code.startswith(("refresh_connect_", "refresh_token_", "exchange_connect_", "exchange_token_"))
    assert (is_bare(error), visit.leaks(error)) == (True, [])
    assert name == "exchange" or f"code={error.code}" in caplog.text  # nobody has to ask the exception why


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("broken", ["get", "add", "replace", "remove"])
async def test_a_store_that_fails_brings_no_secret_out(name, broken):
    """Its frames hold keys and addresses, and ours the id of the session."""
    store = ScriptedStore()
    visit = Visit(store)
    _, oidc = await visit.begin()
    visit.site.clock.advance(LIFETIME + 1)
    store.broken = {broken}

    with anyio.move_on_after(0):  # a store that takes no tokens is waited for, and nobody waits here
        error = await failure_of(lambda: WAYS[name](oidc))
        assert error is None or (isinstance(error, OIDCError) and is_bare(error))
        assert error is None or (visit.leaks(error), "s3cret" in reported(error)) == ([], False)


SESSIONS: dict[str, Callable[[OIDCMiddleware], Awaitable[Any]]] = {
    "of": lambda middleware: middleware.sessions.of("alice", issuer=ISSUER),
    "end": lambda middleware: middleware.sessions.end("alice", "x" * 43, issuer=ISSUER),
    "end_all": lambda middleware: middleware.sessions.end_all("alice", issuer=ISSUER),
}


@pytest.mark.parametrize("name", SESSIONS)
async def test_sessions_of_a_store_that_fails_bring_no_secret_out(name):
    """An address has a password, and the store's own error says it."""
    store = ScriptedStore()
    visit = Visit(store)
    await visit.begin()
    store.broken = {"get", "remove", "link", "linked", "unlink"}

    error = await failure_of(lambda: SESSIONS[name](visit.site.middleware))

    assert isinstance(error, StoreUnavailable)
    assert (error.code, is_bare(error), "s3cret" in reported(error)) == ("store_failed", True, False)


async def test_a_store_that_raises_our_own_error_brings_no_secret_out():
    """It may have been raised because of something else."""
    store = ScriptedStore()
    visit = Visit(store)
    await visit.begin()

    async def fail() -> None:
        try:
            raise OSError("redis://user:s3cret@host")
        except OSError as error:
            own = StoreUnavailable("own_code", "own words", retry_after=7)
            own.add_note("redis://user:s3cret@host")
            raise own from error

    store.before["linked"].append(fail)

    error = await failure_of(lambda: visit.site.middleware.sessions.of("alice", issuer=ISSUER))

    assert isinstance(error, StoreUnavailable)
    assert (error.code, error.detail, error.retry_after) == ("own_code", "own words", 7)
    assert (is_bare(error), "s3cret" in reported(error)) == (True, False)


async def test_a_token_that_an_api_refused_stays_inside():
    """It was sent by then, and is good for other calls."""
    visit = Visit()
    _, oidc = await visit.begin()

    with visit.site.provider.fault("refresh_invalid_grant"):
        error = await failure_of(lambda: call_api_that_refuses(oidc))

    assert isinstance(error, SessionEnded)
    assert (is_bare(error), visit.leaks(error)) == (True, [])


async def test_all_who_wait_for_one_refresh_get_an_error_of_their_own():
    """One exception that many raise collects the frames of them all."""
    visit = Visit()
    _, oidc = await visit.begin()
    visit.site.clock.advance(LIFETIME + 1)
    errors: list[BaseException] = []

    async def ask() -> None:
        error = await failure_of(oidc.access_token)
        assert error is not None
        errors.append(error)

    with visit.site.provider.fault("refresh_down"):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ask)

    assert (len({id(error) for error in errors}), {type(error) for error in errors}) == (20, {RefreshFailed})
    assert [error for error in errors if not is_bare(error) or visit.leaks(error)] == []


@pytest.mark.parametrize("name", WAYS)
async def test_a_fault_of_ours_brings_no_secret_out(name, caplog):
    """Nobody knows what its frames hold; the log has its class, and the lines that led to it."""
    visit = Visit()
    _, oidc = await visit.begin()
    visit.site.clock.now = cast(float, "no time")

    error = await failure_of(lambda: WAYS[name](oidc))

    assert isinstance(error, OIDCError)
    assert (error.code, is_bare(error), visit.leaks(error)) == ("unexpected_error", True, [])
    assert "unexpected_error raised=ValueError at=" in caplog.text


@pytest.mark.parametrize("name", WAYS)
async def test_a_cancelled_call_brings_no_secret_out(name):
    """A timeout of the app's own keeps the cancellation as its cause."""
    visit = Visit("memory")
    _, oidc = await visit.begin()
    visit.site.clock.advance(LIFETIME + 1)
    cancelled: list[BaseException] = []

    async def ask() -> None:
        try:
            await WAYS[name](oidc)
        except BaseException as error:
            cancelled.append(error)
            raise

    held = "token_exchange" if name == "exchange" else "refresh"
    with visit.site.provider.hold(held) as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await gate.until_held()
            tasks.cancel_scope.cancel()

    assert [type(error) for error in cancelled] == [anyio.get_cancelled_exc_class()]
    assert [secret for error in cancelled for secret in visit.leaks(error)] == []


# --- what leaves `await middleware(scope, receive, send)`


class BreakingClock(Clock):
    """A clock of the app's own that breaks when it is asked once too often."""

    def __init__(self) -> None:
        super().__init__()
        self.left = math.inf

    def __call__(self) -> float:
        self.left -= 1
        if self.left < 0:
            raise ZeroDivisionError("broken")
        return super().__call__()


async def serve(visit: Visit, scope: Scope, *messages: Message) -> BaseException | None:
    """Serve one connection, and return what comes out."""
    exchange = Exchange(*(messages or ({"type": "http.request", "body": b"", "more_body": False},)))
    return await failure_of(lambda: visit.site.middleware(scope, exchange.receive, exchange.send))


def scope_of(browser: Browser, path: str, *, method: str = "GET", **headers: str) -> Scope:
    """Write the request that a browser would make."""
    cookie = browser.jar.header(ORIGIN + "/", is_same_site=True, is_safe_navigation=True)
    told = {"accept": "text/html", "sec-fetch-site": "same-origin", "cookie": cookie, **headers}
    return http_scope(method, ORIGIN + path, told)


async def test_what_an_app_lets_through_brings_no_secret_out():
    """Its answer has begun, so nothing else can be told; our own frames are on the way."""
    visit = Visit()
    browser, _ = await visit.begin()
    visit.site.clock.advance(LIFETIME + 1)

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await scope["oidc"].access_token()

    visit.site.middleware.app = stream
    with visit.site.provider.fault("refresh_down"):
        error = await serve(visit, scope_of(browser, "/page"))

    assert isinstance(error, RefreshFailed)
    assert (is_bare(error), visit.leaks(error)) == (True, [])


@pytest.mark.parametrize("kind", ["http", "websocket", "lifespan"])
async def test_an_error_of_the_app_goes_on_as_it_is(kind):
    """With its cause, for whoever looks for it; our frames add no secret."""
    visit = Visit("memory")
    browser, _ = await visit.begin()
    raised = ZeroDivisionError("the app's own")
    cause = KeyError("its cause")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise raised from cause

    visit.site.middleware.app = app
    scope = {**scope_of(browser, "/page", origin=ORIGIN), "type": kind}

    error = await serve(visit, scope)

    assert (error is raised, raised.__cause__ is cause, visit.leaks(raised)) == (True, True, [])


async def test_an_unknown_scope_type_brings_no_secret_out():
    """Whoever made that up, it is refused."""
    visit = Visit()
    browser, _ = await visit.begin()

    error = await serve(visit, {**scope_of(browser, "/page"), "type": "webtransport"})

    assert isinstance(error, UnsupportedScope)
    assert (is_bare(error), visit.leaks(error)) == (True, [])


async def callback_of(visit: Visit) -> tuple[Browser, str, str]:
    """A login that has come back from the provider."""
    browser, url = await visit.site.at_callback()
    visit.recorder.found |= {cookie.value for cookie in browser.cookies}
    return browser, url.removeprefix(ORIGIN), "GET"


async def logout_of(visit: Visit) -> tuple[Browser, str, str]:
    """A sign-out of a session with a refresh token."""
    browser, _ = await visit.begin()
    return browser, "/auth/logout", "POST"


async def page_of(visit: Visit) -> tuple[Browser, str, str]:
    """A page whose check asks for the token."""
    browser, _ = await visit.begin()
    visit.site.clock.advance(LIFETIME + 1)
    return browser, "/checked", "GET"


async def websocket_of(visit: Visit) -> tuple[Browser, str, str]:
    """A websocket whose check asks for the token."""
    browser, path, _ = await page_of(visit)
    return browser, path, "WEBSOCKET"


async def login_of(visit: Visit) -> tuple[Browser, str, str]:
    """A login that begins beside a session."""
    browser, _ = await visit.begin()
    return browser, "/auth/login", "GET"


OURS = {"callback": callback_of, "logout": logout_of, "page": page_of, "websocket": websocket_of, "login": login_of}


@pytest.mark.long
@pytest.mark.parametrize("begin", OURS.values(), ids=OURS)
@pytest.mark.parametrize("store", STORES)
async def test_a_fault_of_ours_in_a_request_brings_no_secret_out(store, begin):
    """Wherever it happens: the code, the tokens and the session are in variables there.

    The sample takes every second place, even ones with one kind of store and odd ones with the other.
    """

    async def asks(user: Any, scope: Any) -> bool:
        return bool(await scope["oidc"].access_token())

    errors: list[BaseException | None] = []
    steps = size(list(STORES).index(store), 0)
    while not errors or errors[-1] is not None or steps < 5:
        clock = BreakingClock()
        visit = Visit(store, clock=clock, rules=[Rule("/checked", check=asks)])
        browser, path, method = await begin(visit)
        clock.left = steps
        scope = scope_of(browser, path, method=method, origin=ORIGIN)
        errors.append(await serve(visit, {**scope, "type": "websocket" if method == "WEBSOCKET" else "http"}))
        assert errors[-1] is None or visit.leaks(errors[-1]) == []
        steps += size(2, 1)

    assert any(error is not None for error in errors)


async def test_an_error_of_the_server_goes_on_as_it_is():
    """An outer middleware may end a request so, and looks for its own error."""
    visit = Visit(authorization_params={"response_mode": "form_post"})
    browser = visit.site.browser()
    await browser.get("/page")
    code = "a-code-that-was-half-received"
    raised = ZeroDivisionError("the server's own")
    messages = [{"type": "http.request", "body": f"code={code}&".encode(), "more_body": True}]

    async def receive() -> Message:
        if not messages:
            raise raised
        return messages.pop()

    form = {"content-type": "application/x-www-form-urlencoded"}
    scope = http_scope("POST", ORIGIN + own_path("callback"), form)
    error = await failure_of(lambda: visit.site.middleware(scope, receive, Exchange().send))

    assert (error is raised, code in reported(raised)) == (True, False)


async def test_a_cancelled_callback_brings_no_secret_out():
    """A timeout around the whole app keeps the cancellation as its cause."""
    visit = Visit()
    browser, path, _ = await callback_of(visit)
    scope = scope_of(browser, path)
    exchange = Exchange({"type": "http.request", "body": b"", "more_body": False})
    cancelled: list[BaseException] = []

    async def server() -> None:
        try:
            await visit.site.middleware(scope, exchange.receive, exchange.send)
        except BaseException as error:
            cancelled.append(error)
            raise

    with visit.site.provider.hold("code_exchange") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server)
            await gate.until_held()
            tasks.cancel_scope.cancel()

    assert [type(error) for error in cancelled] == [anyio.get_cancelled_exc_class()]
    assert [secret for error in cancelled for secret in visit.leaks(error)] == []


# --- what leaves the constructor

GOOD: dict[str, Any] = {
    "issuer": "https://id.example.com",
    "client_id": "web",
    "client_secret": CLIENT_SECRET,
    "base_url": ORIGIN,
    "secret": SECRET,
}


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    """Be an app."""


def variables(wrong: Mapping[str, str]) -> dict[str, str]:
    """Write settings as an environment, beside a secret of somebody else."""
    return {f"OIDC_{name.upper()}": value for name, value in {**GOOD, **wrong}.items()} | {
        "DATABASE": "s3cret-of-others"
    }


# None of them has a secret in a variable of its own.
MAKE: dict[str, Callable[[dict[str, Any]], OIDCMiddleware]] = {
    "keywords": lambda wrong: OIDCMiddleware(nobody, **{**GOOD, **wrong}),
    "environment": lambda wrong: OIDCMiddleware.from_env(nobody, environ=variables(wrong)),
    "both": lambda wrong: OIDCMiddleware.from_env(nobody, environ=variables({}), **{**GOOD, **wrong}),
}


@pytest.mark.parametrize("wrong", [{"leeway": "soon"}, {"issuer": "ftp://x"}, {"scope": "email"}], ids=str)
@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_an_error_about_a_setting_has_the_others_in_no_frame(make, wrong):
    """An app that does not start is reported like any other that fails."""
    with pytest.raises(SettingsError) as caught:
        make(wrong)

    report = reported(caught.value)
    assert (is_bare(caught.value), len(caught.value.problems)) == (True, 1)
    assert [secret for secret in (CLIENT_SECRET, SECRET, "s3cret-of-others") if secret in report] == []
