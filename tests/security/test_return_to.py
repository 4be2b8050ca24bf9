"""No redirect after a login leaves the site, as a real WHATWG URL parser judges it."""

import json
import random
from urllib.parse import parse_qsl, quote, urlsplit

import ada_url
import pytest

from asgi_oidc.testing import Browser, FakeProvider

from .attacked_site import NOW, ORIGIN, AttackedSite, Exchange, http_scope
from .return_paths import PATHS, origin_of, return_path
from .sizes import size

pytestmark = pytest.mark.usefixtures("one_or_three_providers", "quiet")

NAVIGATION = ((b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document"), (b"host", b"evil.example"))


@pytest.fixture
def stage() -> AttackedSite:
    """Ed25519 signs fastest, and everybody is alice."""
    provider = FakeProvider(clock=lambda: NOW, alg="EdDSA")
    provider.sign_in_as("alice")
    return AttackedSite(provider)


async def final_location(browser: Browser, authorization_url: str) -> str:
    """Follow a login from the provider to the end, and give the Location of the last redirect as it stands."""
    at_provider = await browser.get(authorization_url, follow=False)
    back = await browser.get(at_provider.location, follow=False)
    assert back.status_code == 303
    return back.headers["location"]


async def final_location_of(stage: AttackedSite, query: str) -> str:
    browser = stage.browser()
    begun = await browser.get(f"/auth/login?{query}", follow=False)
    assert begun.location.startswith("https://id.example.com/authorize?")
    return await final_location(browser, begun.location)


@pytest.mark.long
async def test_no_generated_return_path_leaves_the_site(stage: AttackedSite) -> None:
    """The parameter is anybody's to choose: it comes with a link."""
    source = random.Random("return_to")
    hostile, left = 0, []

    for _ in range(size(130, 10_000)):
        asked = return_path(source)
        location = await final_location_of(stage, "return_to=" + quote(asked, safe=source.choice(("", "/:@\\"))))
        hostile += origin_of(asked) not in ("", ORIGIN)
        if origin_of(location) != ORIGIN or not location.startswith(f"{ORIGIN}/"):
            left.append((asked, location))
        # A second parser behind us may take the path for a whole URL: it must not be one.
        if origin_of(location.removeprefix(ORIGIN)) != ORIGIN:
            left.append((asked, location))

    print(f"{hostile} of them would leave the site")
    assert left == []
    assert hostile > size(20, 1_500)


@pytest.mark.parametrize("path", PATHS)
async def test_an_honest_return_path_is_kept_byte_for_byte(stage: AttackedSite, path: str) -> None:
    """A check that sends everybody home would pass the test above."""
    location = await final_location_of(stage, "return_to=" + quote(path, safe=""))

    assert location == ORIGIN + path


@pytest.mark.parametrize(
    "path",
    [
        *("/auth", "/auth/", "/auth/login", "/auth/logout?x=1", "/auth/callback?code=x&state=y", "/auth/session"),
        *(
            "/%61uth/logout",
            "/auth%2flogout",
            "/auth%2Flogin",
            "/%61%75%74%68/login?return_to=/%61uth/login",
            "/aut%68",
        ),
    ],
)
async def test_no_login_comes_back_to_one_of_our_own_urls(stage: AttackedSite, path: str) -> None:
    """It would sign out at once, or in again and again."""
    location = await final_location_of(stage, "return_to=" + quote(path, safe=""))

    assert location == f"{ORIGIN}/"


@pytest.mark.parametrize(
    "query",
    [
        "return_to=/page&return_to=/other",
        "return_to=/page&return_to=//evil.example",
        "return_to",
        "return_to=",
        "return_to=%ff%fe",
        "RETURN_TO=/page",
        "return_to%5B%5D=/page",
        "&&&",
        "returnTo=//evil.example&next=//evil.example&redirect_uri=//evil.example&rd=//evil.example",
    ],
)
async def test_an_odd_query_ends_at_home_or_is_refused(stage: AttackedSite, query: str) -> None:
    """Two return paths are a quarrel about which one counts: neither does."""
    browser = stage.browser()
    begun = await browser.get(f"/auth/login?{query}", follow=False)

    if begun.status_code == 400:
        return
    assert await final_location(browser, begun.location) == f"{ORIGIN}/"


@pytest.mark.long
async def test_the_path_of_the_request_itself_never_leaves_the_site(stage: AttackedSite) -> None:
    """No parameter is needed: whoever is sent to `//evil.example` would be sent back there."""
    source = random.Random("request path")
    left = []

    for _ in range(size(130, 10_000)):
        asked = return_path(source)
        path, _, query = asked.partition("?")
        exchange = Exchange({"type": "http.request", "body": b""})
        scope = http_scope(path, headers=NAVIGATION, query_string=query.encode("utf-8", "replace"))
        if source.random() < 0.5:
            scope["raw_path"] = source.choice(
                (quote(path).encode(), path.encode("latin-1", "replace"), b"//evil.example")
            )
        await stage.middleware(scope, exchange.receive, exchange.send)
        if exchange.status != 303:
            continue  # the path of one of our own URLs, or of a public page
        browser = stage.browser()
        for line in exchange.headers(b"set-cookie"):
            browser.jar.receive(line.decode(), ORIGIN)
        [authorization_url] = exchange.headers(b"location")
        location = await final_location(browser, authorization_url.decode())
        if origin_of(location) != ORIGIN or origin_of(location.removeprefix(ORIGIN)) != ORIGIN:
            left.append((asked, location))

    assert left == []


@pytest.mark.long
async def test_a_foreign_referer_does_not_reach_the_login_url(stage: AttackedSite) -> None:
    """A 401 tells a script where to sign in, and to come back to the page that the script runs on."""
    source = random.Random("referer")
    left = []

    for _ in range(size(130, 10_000)):
        referer = source.choice(("", ORIGIN, ORIGIN + "/", ORIGIN + ":443", ORIGIN + ".evil")) + return_path(source)
        exchange = Exchange({"type": "http.request", "body": b""})
        headers = [(b"referer", referer.encode("utf-8", "replace"))]
        await stage.middleware(http_scope("/page", headers=headers), exchange.receive, exchange.send)
        assert exchange.status == 401
        login = ada_url.URL(_login_url(exchange.body))
        asked = dict(parse_qsl(urlsplit(str(login.href)).query)).get("return_to", "/")
        if login.origin != ORIGIN or login.pathname != "/auth/login" or origin_of(asked) != ORIGIN:
            left.append((referer, str(login.href)))

    assert left == []


def _login_url(body: bytes) -> str:
    return str(json.loads(body)["login_url"])


async def test_logging_out_never_goes_where_a_request_says(stage: AttackedSite) -> None:
    """Where a sign-out ends is a setting, and no parameter."""
    browser = await stage.signed_in()
    query = "post_logout_redirect_uri=https://evil.example&return_to=//evil.example&state=x"

    gone = await browser.post(f"/auth/logout?{query}", {"post_logout_redirect_uri": "//evil.example"}, follow=False)

    assert gone.location.startswith("https://id.example.com/end_session?")
    assert dict(parse_qsl(urlsplit(gone.location).query))["post_logout_redirect_uri"] == ORIGIN
