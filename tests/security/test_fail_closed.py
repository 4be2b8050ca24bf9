"""A guard that breaks stays shut: no fault of the clock, the client, the hook, the app or the server lets anyone in."""

import ssl
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc import LoginRefused
from asgi_oidc.testing import FakeProvider
from tests.attacked_provider import own_path

from .attacked_site import NOW, AttackedSite, Broken, CountingApp, Exchange, Scope, attempt, http_scope, who_am_i

pytestmark = pytest.mark.usefixtures("one_or_three_providers")


def raising(*_: object, **__: object) -> Any:
    raise Broken("this part is broken")


@pytest.fixture
def stage() -> AttackedSite:
    return AttackedSite(FakeProvider(clock=lambda: NOW, alg="EdDSA"))


@pytest.mark.parametrize(
    "clock",
    [
        raising,
        lambda: None,
        lambda: "soon",
        lambda: float("nan"),
        lambda: float("inf"),
        lambda: -float("inf"),
        lambda: 10**30,
    ],
    ids=["raises", "none", "text", "nan", "inf", "-inf", "huge"],
)
async def test_a_broken_clock_lets_nobody_in(stage: AttackedSite, clock: Callable[[], Any]) -> None:
    """A session whose end cannot be checked has ended."""
    browser = await stage.signed_in()
    cookie = "; ".join(f"{it.name}={it.value}" for it in browser.cookies if "oidc" in it.name).encode()
    broken = AttackedSite(stage.provider, clock=clock)

    for path in ("/page", "/auth/session", own_path("callback")):
        answer = await attempt(broken, http_scope(path, headers=[(b"cookie", cookie)]))
        assert answer is None or answer.status >= 300

    assert broken.app.visits == []


async def test_a_clock_that_goes_back_brings_no_session_back_to_life(stage: AttackedSite) -> None:
    """After a sign-out, time does not matter any more."""
    browser = await stage.signed_in()
    copy = stage.browser(jar=browser.jar.copy())
    await browser.post("/auth/logout", follow=False)

    for now in (NOW - 1, NOW - 3600, 0, NOW + 30):
        stage.clock.now = now
        assert await who_am_i(copy) is None


async def hook_that_raises(user: Any, claims: Any) -> None:
    raise Broken("no database")


async def hook_that_refuses(user: Any, claims: Any) -> None:
    raise LoginRefused("not on the list")


async def hook_that_changes_sub(user: Any, claims: Any) -> None:
    claims["sub"] = "admin"


async def hook_that_drops_sub(user: Any, claims: Any) -> Any:
    return {"iss": claims["iss"]}


async def hook_that_changes_iss(user: Any, claims: Any) -> Any:
    return {**claims, "iss": "https://evil.example"}


async def hook_that_returns_text(user: Any, claims: Any) -> Any:
    return "welcome"


async def hook_that_returns_false(user: Any, claims: Any) -> Any:
    return False


async def hook_that_returns_a_list(user: Any, claims: Any) -> Any:
    return [("iss", claims["iss"]), 7]


async def hook_that_adds_no_json(user: Any, claims: Any) -> Any:
    return {**claims, "where": object()}


async def hook_that_adds_too_much(user: Any, claims: Any) -> Any:
    return {**claims, "much": "x" * 100_000}


async def hook_that_nests_too_deep(user: Any, claims: Any) -> Any:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    return {**claims, "deep": deep}


async def hook_that_spoils_the_user(user: Any, claims: Any) -> Any:
    user.claims["sub"] = "admin"


async def hook_that_is_cancelled(user: Any, claims: Any) -> Any:
    with anyio.fail_after(0):
        await anyio.sleep_forever()


@pytest.mark.parametrize(
    ("hook", "status"),
    [
        (hook_that_raises, 500),
        (hook_that_refuses, 403),
        (hook_that_changes_sub, 500),
        (hook_that_drops_sub, 500),
        (hook_that_changes_iss, 500),
        (hook_that_returns_text, 500),
        (hook_that_returns_false, 500),
        (hook_that_returns_a_list, 500),
        (hook_that_adds_no_json, 500),
        (hook_that_adds_too_much, 500),
        (hook_that_nests_too_deep, 500),
        (hook_that_is_cancelled, 500),
    ],
)
async def test_a_hook_that_breaks_signs_nobody_in(stage: AttackedSite, hook: Any, status: int) -> None:
    """It decides who may come in: without its word, nobody."""
    stage = AttackedSite(stage.provider, on_login=hook)
    browser, callback = await stage.login_in_progress()

    page = await browser.get(callback)

    assert page.status_code == status
    assert page.page.links
    assert await who_am_i(browser) is None
    assert stage.app.visits == []
    assert browser.cookies.starting_with("__Host-oidc-") == []


async def test_a_hook_that_spoils_its_user_spoils_nothing(stage: AttackedSite) -> None:
    """It sees a copy; what counts is what it returns."""
    browser = await AttackedSite(stage.provider, on_login=hook_that_spoils_the_user).signed_in()

    assert await who_am_i(browser) == "alice"


async def test_the_claims_that_a_hook_returns_are_the_session(stage: AttackedSite) -> None:
    """A hook that works is heard."""

    async def trim(user: Any, claims: Any) -> Any:
        return {"iss": claims["iss"], "sub": user.sub, "is_admin": False}

    browser = await AttackedSite(stage.provider, on_login=trim).signed_in()

    assert (await browser.fetch("/auth/session")).json()["claims"].keys() == {"iss", "sub", "is_admin"}


class RaisingTransport(httpx.AsyncBaseTransport):
    """A client whose calls fail in some way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (httpx.ConnectError("no route"), 503),
        (httpx.ConnectTimeout("slow"), 503),
        (httpx.ReadError("gone"), 503),
        (httpx.RemoteProtocolError("nonsense"), 503),
        (httpx.TooManyRedirects("round and round"), 503),
        (httpx.InvalidURL("odd"), 503),
        (httpx.PoolTimeout("busy"), 503),
        (OSError("no file handles"), 503),
        (TimeoutError("slow"), 503),
        (ssl.SSLError("bad certificate"), 503),
        (Broken("odd"), 503),
        (RuntimeError("client is closed"), 503),
        (KeyError("x"), 503),
    ],
    ids=lambda it: type(it).__name__,
)
async def test_a_client_that_fails_signs_nobody_in(error: Exception, status: int) -> None:
    """An outage is no success."""
    stage = AttackedSite(http_client=httpx.AsyncClient(transport=RaisingTransport(error)))

    page = await stage.browser().get("/page")

    assert page.status_code == status
    assert stage.app.visits == []
    assert str(error) not in page.text


async def test_a_client_with_credentials_of_its_own_sends_none_to_the_provider(stage: AttackedSite) -> None:
    """A shared client's cookies and `auth` are not ours to pass on."""
    client = stage.provider.http_client()
    client.cookies.set("shared", "by-all", domain="id.example.com")
    client.auth = httpx.BasicAuth("somebody", "else")
    client.follow_redirects = True
    careful = AttackedSite(stage.provider, http_client=client)

    await careful.signed_in()

    [token_call] = [call for call in stage.provider.calls if call.path.endswith("/token")]
    assert "shared" not in token_call.cookies
    assert all("c29tZWJvZHk6ZWxzZQ" not in str(call.headers) for call in stage.provider.calls)


class RaisingApp(CountingApp):
    """An app that fails after it was called."""

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        self.visits.append((scope["path"], scope["user"].sub))
        raise Broken("the app is broken")


async def test_an_exception_of_the_app_is_the_servers_to_see() -> None:
    """It is no login error of ours: it comes through as it is."""
    stage = AttackedSite(inner=RaisingApp(), public=["/public"])
    exchange = Exchange({"type": "http.request", "body": b""})

    with pytest.raises(Broken):
        await stage.middleware(http_scope("/public"), exchange.receive, exchange.send)

    assert stage.app.visits == [("/public", None)]
    assert exchange.sent == []


@pytest.mark.parametrize("path", ["/page", "/auth/login", "/auth/session", "/auth/callback", "/auth/logout"])
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_a_server_that_cannot_send_does_not_get_the_app_instead(
    stage: AttackedSite, path: str, kind: str
) -> None:
    """When our refusal cannot be sent, nothing else is."""
    exchange = Exchange({"type": "websocket.connect" if kind == "websocket" else "http.request"})
    scope = http_scope(own_path("callback") if path == "/auth/callback" else path, type=kind)

    with pytest.raises(Broken):
        await stage.middleware(scope, exchange.receive, raising)

    assert stage.app.visits == []


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://id.example.com/x",
            "http://127.0.0.1:6379/x",
            "http://localhost/x",
            "http://[::1]/x",
            "//id.example.com/x",
        ),
        *(
            "https://user:password@id.example.com/x",
            "https://id.example.com/x#y",
            "javascript:alert(1)",
            "file:///etc/passwd",
        ),
        *(
            "https://evil.example\\@id.example.com/x",
            "https://id.example.com/a\r\nb",
            "https:id.example.com",
            "https://",
            "",
            7,
        ),
    ],
)
async def test_the_metadata_send_no_call_and_no_browser_to_an_odd_place(
    stage: AttackedSite, name: str, url: Any
) -> None:
    """A hijacked discovery document must not turn us against our own machine, or a user to a script."""
    stage.provider.metadata[name] = url

    page = await stage.browser().get("/page")

    assert page.status_code == 502
    assert [call.path for call in stage.provider.calls] == ["/.well-known/openid-configuration"]
