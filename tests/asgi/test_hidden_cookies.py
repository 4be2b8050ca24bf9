"""The setting `hide_cookies`: the app never gets our cookies, and all others byte for byte."""

from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc import Provider
from asgi_oidc.asgi.hidden_cookies import without_cookies
from asgi_oidc.testing import Browser, FakeProvider
from tests.protected_site import CLIENT_SECRET, ORIGIN, PROGRAM, Scope, Site

TAG = b"abcdefgh"
OURS = b"__Host-oidc-abcdefgh"
PAIRS = st.one_of(
    st.binary(max_size=20).filter(lambda pair: b";" not in pair and TAG not in pair),
    st.sampled_from([b"theme=dark", b" theme=a=b", b"", b" ", b" __Host-oidc-zzzzzzzz=x", b" note=oidc-abcdefgh"]),
)


def cookie_headers(scope: Any) -> list[bytes]:
    return [bytes(value) for name, value in scope["headers"] if name == b"cookie"]


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (OURS + b"=v", None),
        (OURS + b"=v; theme=dark", b"theme=dark"),
        (b"theme=dark; " + OURS + b"=v", b"theme=dark"),
        (b"a=1; " + OURS + b"=v;  b=2 ;c", b"a=1;  b=2 ;c"),
        (b"oidc-abcdefgh=v; oidc-abcdefgh.1=v; oidc-last-abcdefgh=work;", None),
        (b"a=oidc-abcdefgh", b"a=oidc-abcdefgh"),  # a value is none of ours
        (b"\xa0" + OURS + b"=v; a=\xff\x00", b"a=\xff\x00"),  # some frameworks trim such spaces
        (OURS + b"; a=1", b"a=1"),
        (b"__Host-oidc-other234=v", b"__Host-oidc-other234=v"),  # of another middleware, maybe inside this app
        (b"", b""),
    ],
)
def test_our_cookies_are_removed_and_others_are_not_touched(value, left):
    """Not their order, spaces or odd bytes."""
    headers = [(b"host", b"x"), (b"cookie", value), (b"cookie", b"b=2"), (b"x-cookie", OURS)]

    kept = [header for header in headers if header[1] != value or header[0] != b"cookie"]
    found = without_cookies(headers, TAG)

    assert found == (kept if left is None else [headers[0], (b"cookie", left), *kept[1:]])


def test_a_server_that_does_not_lower_names_hides_nothing_from_us():
    """ASGI wants them in lower case, and frameworks find them anyway."""
    assert without_cookies([(b"Cookie", OURS + b"=v; a=1")], TAG) == [(b"Cookie", b"a=1")]


@given(st.lists(st.one_of(PAIRS, st.just(OURS + b"=secret"), st.just(b" " + OURS + b".1=secret"))))
def test_nothing_of_ours_is_left_and_nothing_else_is_lost(pairs):
    """Whatever browsers, proxies and attackers send."""
    [*found] = without_cookies([(b"cookie", b";".join(pairs))], TAG)

    left = b";".join(value for _, value in found)
    others = [pair for pair in pairs if OURS not in pair]
    assert b"secret" not in left
    assert [pair.strip(b" \t") for pair in left.split(b";") if pair.strip(b" \t")] == [
        pair.strip(b" \t") for pair in others if pair.strip(b" \t")
    ]


async def test_the_app_sees_the_user_and_not_the_cookies():
    """On pages, on public paths and in checks of routes."""
    site = Site(hide_cookies=True, public=["/public"])
    browser = await site.signed_in()
    browser.jar.receive("theme=dark; Path=/; Secure", f"{ORIGIN}/")

    seen: list[tuple[list[bytes], str | None]] = []

    async def at_work(scope: Scope) -> None:
        seen.append((cookie_headers(scope), getattr(scope["user"], "sub", None)))

    site.app.at_work = at_work
    for path in ("/page", "/public"):
        await browser.get(path, headers=PROGRAM)

    assert seen == [([b"theme=dark"], "alice")] * 2


async def test_a_session_goes_on_although_the_app_does_not_see_it():
    """And the app's response still brings cookies of ours."""
    browser = await Site(hide_cookies=True).signed_in()

    assert (await browser.get("/page")).status_code == 200
    assert (await browser.post("/auth/logout")).status_code == 200
    assert (await browser.fetch("/page", headers=PROGRAM)).status_code == 401


async def test_a_websocket_does_not_get_them_either():
    """Its handshake has the same headers."""
    site = Site(hide_cookies=True)
    browser = await site.signed_in()

    await open_websocket(site, browser)

    scope = site.app.scopes[-1]
    assert (scope["type"], scope["user"].sub, cookie_headers(scope)) == ("websocket", "alice", [])


async def open_websocket(site: Site, browser: Browser) -> None:
    """Open a websocket with the cookies of a browser, which disconnects."""
    cookies = browser.jar.header(f"{ORIGIN}/ws", is_same_site=True, is_safe_navigation=False)
    headers = [(b"origin", ORIGIN.encode()), (b"cookie", cookies.encode())]
    scope = {"type": "websocket", "path": "/ws", "raw_path": b"/ws", "query_string": b"", "headers": headers}
    received = [{"type": "websocket.disconnect", "code": 1001}, {"type": "websocket.connect"}]

    async def receive() -> Any:
        return received.pop()

    async def send(message: Any) -> None:
        await anyio.lowlevel.checkpoint()

    await site.middleware(scope, receive, send)


async def test_the_function_that_chooses_a_provider_does_not_get_them():
    """It is the app's code too."""
    seen: list[list[bytes]] = []
    fakes = {name: FakeProvider(issuer=f"https://{name}.example.com") for name in ("one", "two")}
    providers = {
        name: Provider(issuer=fake.issuer, client_id="web", client_secret=CLIENT_SECRET, http_client=fake.http_client())
        for name, fake in fakes.items()
    }

    def choose(scope: Any) -> str:
        seen.append(cookie_headers(scope))
        return "one"

    alone: dict[str, Any] = dict.fromkeys(("issuer", "client_id", "client_secret", "http_client"), ...)
    site = Site(**alone, providers=providers, choose_provider=choose, hide_cookies=True)
    browser = Browser(site.middleware, ORIGIN, {fake.origin: fake for fake in fakes.values()})
    browser.jar.receive("theme=dark; Path=/; Secure", f"{ORIGIN}/")
    for _ in range(2):  # the first leaves the cookie of a login in progress
        await browser.get("/page", follow=False)

    assert seen == [[b"theme=dark"]] * 2
