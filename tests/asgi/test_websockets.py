"""A websocket is refused before it is accepted, or passed to the app."""

from typing import Any

import anyio
import pytest

from asgi_oidc import AccessTokenExpired, MemoryStore, NotSignedIn, RefreshFailed, StepUpRequired, StoreUnavailable
from asgi_oidc.testing import Browser
from tests.protected_site import ORIGIN, Exchange, Site, cookie_header, who_am_i


async def connect(
    site: Site, path: str = "/ws", *, origin: str | None = ORIGIN, browser: Browser | None = None, **scope: Any
) -> Exchange:
    headers = [] if origin is None else [(b"origin", origin.encode())]
    if browser is not None:
        headers.append((b"cookie", cookie_header(browser).encode()))
    exchange = Exchange({"type": "websocket.connect"})
    made = {"type": "websocket", "path": path, "headers": headers, "query_string": b"", **scope}
    await site.middleware(made, exchange.receive, exchange.send)
    return exchange


DENIAL: dict[str, Any] = {"extensions": {"websocket.http.response": {}}}


async def test_without_session_it_is_refused_with_401_where_the_server_can(site):
    """The console of the browser then shows the reason."""
    exchange = await connect(site, **DENIAL)

    assert [message["type"] for message in exchange.sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert (exchange.status, exchange.header(b"content-type")) == (401, b"application/problem+json")
    assert site.app.scopes == []


@pytest.mark.parametrize("scope", [{}, {"extensions": None}, {"extensions": {}}])
async def test_without_session_it_is_closed_with_4401_elsewhere(site, scope):
    """Browsers see a close before the accept as a 403."""
    assert (await connect(site, **scope)).sent == [{"type": "websocket.close", "code": 4401}]
    assert site.app.scopes == []


async def test_a_refusal_answers_the_connect(site):
    """ASGI wants `websocket.connect` to be received first, and only once, even if the app has done so already."""

    async def impatient(scope: Any, receive: Any, send: Any) -> None:
        raise NotSignedIn

    async def patient(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise NotSignedIn

    received = []
    for there in (site, Site(inner=impatient, public=["/ws"]), Site(inner=patient, public=["/ws"])):
        exchange = Exchange({"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006})
        scope = {"type": "websocket", "path": "/ws", "headers": [(b"origin", ORIGIN.encode())], "query_string": b""}
        await there.middleware(scope, exchange.receive, exchange.send)
        received.append((await exchange.receive())["type"])

    assert received == ["websocket.disconnect"] * 3


async def test_a_websocket_from_our_own_origin_reaches_the_app(site):
    """The app gets the user as well."""
    exchange = await connect(site, browser=await site.signed_in())

    assert [message["type"] for message in exchange.sent] == ["websocket.accept"]
    assert exchange.sent[0].get("headers", []) == []
    assert (site.app.scope["user"].sub, "authenticated" in site.app.scope["auth"].scopes) == ("alice", True)


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", ORIGIN + ".evil.example", "http://app.example.com"]
)
async def test_a_signed_in_websocket_from_another_origin_is_refused(site, origin):
    """Browsers let any site open a websocket with our cookies."""
    browser = await site.signed_in()
    before = len(site.app.scopes)

    denied = await connect(site, origin=origin, browser=browser, **DENIAL)
    closed = await connect(site, origin=origin, browser=browser)

    assert (denied.status, closed.sent) == (403, [{"type": "websocket.close", "code": 4403}])
    assert len(site.app.scopes) == before


async def test_a_public_websocket_is_open_to_anonymous_users(site):
    """Pages of any site may open it, but without the user."""
    exchange = await connect(site, "/public/ws", origin="https://evil.example")

    assert exchange.sent == [{"type": "websocket.accept"}]
    assert site.app.scope["user"].is_authenticated is False


@pytest.mark.parametrize(("origin", "sub"), [(ORIGIN, "alice"), ("https://evil.example", None), (None, None)])
async def test_a_public_websocket_sees_the_user_only_from_our_own_origin(site, origin, sub):
    """Another site must not act for the user, even on a public path."""
    await connect(site, "/public/ws", origin=origin, browser=await site.signed_in())

    assert site.app.scope["user"].sub == sub


async def test_the_session_activity_cookie_comes_with_the_accept(site):
    """An app that uses only websockets keeps its session in use as well."""
    browser = await site.signed_in()
    site.clock.advance(60)

    exchange = await connect(site, browser=browser)

    (line,) = (value for name, value in exchange.sent[0]["headers"] if name == b"set-cookie")
    browser.jar.receive(line.decode(), ORIGIN)
    site.clock.advance(3599)
    assert await who_am_i(browser) == "alice"


async def test_headers_of_the_app_stay_in_the_accept(site):
    """It may choose a subprotocol and set cookies of its own."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"x-app", b"1")]})

    site = Site(inner=app)
    browser, url = await site.at_callback()
    await browser.get(url, follow=False)
    site.clock.advance(60)

    accepted = (await connect(site, browser=browser)).sent[0]

    assert (accepted["subprotocol"], accepted["headers"][0]) == ("chat", (b"x-app", b"1"))
    assert [name for name, _ in accepted["headers"][1:]] == [b"set-cookie"]


async def test_an_open_websocket_is_closed_with_its_session():
    """It closes within seconds, and the app gets a disconnect."""
    heard = []
    has_accepted = anyio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        has_accepted.set()
        heard.append(await receive())

    site = Site()
    browser = await site.signed_in()
    site.middleware.app = app
    exchanges: list[Exchange] = []

    async with anyio.create_task_group() as tasks:

        async def open_one() -> None:
            exchanges.append(await connect(site, browser=browser))

        tasks.start_soon(open_one)
        await has_accepted.wait()
        await browser.fetch("/auth/logout", method="POST")

    assert (heard[0]["type"], heard[0]["code"]) == ("websocket.disconnect", 4401)
    assert exchanges[0].sent[-1] == {"type": "websocket.close", "code": 4401}


async def test_our_own_urls_are_no_websockets(site):
    """For websockets, these paths are protected like any others."""
    assert (await connect(site, "/auth/session")).sent == [{"type": "websocket.close", "code": 4401}]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotSignedIn(), 401, 4401),
        (StepUpRequired(max_age=60), 401, 4401),
        (AccessTokenExpired(), 401, 4401),
        (RefreshFailed(), 503, 1013),
        (StoreUnavailable(), 503, 1013),
        (StepUpRequired(acr_values=[]), 500, 1011),
    ],
)
@pytest.mark.parametrize("has_received", [True, False])
async def test_an_error_of_ours_from_the_app_before_accept_is_a_refusal(error, status, code, has_received):
    """As for requests; the server would only see an app that failed."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if has_received:
            await receive()
        raise error

    site = Site()
    browser = await site.signed_in()
    site.middleware.app = app

    assert (await connect(site, browser=browser, **DENIAL)).status == status
    assert (await connect(site, browser=browser)).sent == [{"type": "websocket.close", "code": code}]


@pytest.mark.parametrize("path", ["/ws", "/public/ws"])
async def test_an_error_of_the_app_after_accept_propagates(path):
    """So do all other exceptions, at any time."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        raise NotSignedIn

    site = Site()
    browser = await site.signed_in()
    site.middleware.app = app

    with pytest.raises(NotSignedIn):
        await connect(site, path, browser=browser)


async def test_a_public_websocket_whose_app_needs_a_user_is_refused():
    """The app asked for the token of an anonymous user."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await scope["oidc"].access_token()

    assert (await connect(Site(inner=app), "/public/ws", **DENIAL)).status == 401


async def test_a_public_websocket_says_when_the_session_could_not_be_looked_up():
    """The app saw an anonymous user who may be signed in."""

    class Down(MemoryStore):
        async def get(self, key: str) -> bytes | None:
            raise OSError

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await scope["oidc"].access_token()

    known = await Site(store=MemoryStore()).signed_in()

    assert (await connect(Site(inner=app, store=Down()), "/public/ws", browser=known, **DENIAL)).status == 503
