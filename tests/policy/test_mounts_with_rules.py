"""The same rules decide the same wherever an app is mounted, and two sites in one app do not affect each other."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import litestar
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_oidc import Rule
from asgi_oidc.testing import Browser, Client, FakeProvider, Persona
from asgi_oidc.testing.in_process import http_scope
from tests.protected_site import (
    CLIENT_SECRET,
    ORIGIN,
    OTHER_SECRET,
    PROGRAM,
    SECRET,
    Clock,
    Exchange,
    Scope,
    Site,
    cookie_header,
)

ASGIApp = Any
PUBLIC = ["/", "/public/*", "/admin/help"]
RULES = [
    Rule("/admin/*", claims={"roles": "director"}),
    Rule("/reports/*", methods=["POST", "WEBSOCKET"], claims={"roles": "director"}),
    Rule("/api/*", scopes=["read:orders"], login=False),
    Rule("/strong", acr_values=["urn:example:mfa"]),
]
ROOT = Persona("root", "Ruth Root", "root@example.com", claims={"roles": ["director"]})
PAGE: Mapping[str, str | None] = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"}

# method, path below the mount, how it comes -> what nobody gets, a user, and a user with the role
TABLE: Mapping[tuple[str, str, str], tuple[str, str, str]] = {
    ("GET", "/", "page"): ("app", "app", "app"),
    ("GET", "/public/x", "fetch"): ("app", "app", "app"),
    ("GET", "/admin/help", "page"): ("app", "app", "app"),
    ("GET", "/page", "page"): ("login", "app", "app"),
    ("GET", "/page", "fetch"): ("401", "app", "app"),
    ("GET", "/page", "program"): ("401", "app", "app"),
    ("POST", "/page", "fetch"): ("401", "app", "app"),
    ("GET", "/admin", "page"): ("login", "403 page", "app"),
    ("GET", "/admin/users", "page"): ("login", "403 page", "app"),
    ("GET", "/admin/users", "fetch"): ("401", "403", "app"),
    ("DELETE", "/admin/users", "program"): ("401", "403", "app"),
    ("GET", "/reports/1", "page"): ("login", "app", "app"),
    ("POST", "/reports/1", "fetch"): ("401", "403", "app"),
    ("GET", "/api/orders", "page"): ("401", "403", "403"),
    ("GET", "/strong", "page"): ("login", "login", "login"),
    ("GET", "/strong", "fetch"): ("401", "401", "401"),
    ("WEBSOCKET", "/public/ws", "page"): ("app", "app", "app"),
    ("WEBSOCKET", "/ws", "page"): ("4401", "app", "app"),
    ("WEBSOCKET", "/admin/ws", "page"): ("4401", "4403", "app"),
    ("WEBSOCKET", "/reports/ws", "page"): ("4401", "4403", "app"),
}
HEADERS: Mapping[str, Mapping[str, str | None]] = {"page": PAGE, "fetch": {}, "program": PROGRAM}


class Placement(NamedTuple):
    """Where the middleware is.

    Attributes:
        prefix: the path of `base_url`.
        around: makes what answers at the origin.
    """

    prefix: str
    around: Callable[[ASGIApp], ASGIApp]


def rewriting(app: ASGIApp, *, take: str = "", root_path: str = "") -> ASGIApp:
    """Do as a proxy and a server do before an app sees a request."""

    async def rewritten(scope: Scope, receive: Any, send: Any) -> None:
        path, raw = scope["path"].removeprefix(take) or "/", scope["raw_path"].removeprefix(take.encode()) or b"/"
        await app({**scope, "path": path, "raw_path": raw, "root_path": root_path}, receive, send)

    return rewritten


def mounted(app: ASGIApp, *prefixes: str) -> ASGIApp:
    for prefix in reversed(prefixes):
        app = Starlette(routes=[Mount(prefix, app=app)])
    return app


def in_litestar(app: ASGIApp) -> ASGIApp:
    @litestar.asgi("/app", is_mount=True, copy_scope=False)
    async def mount(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return litestar.Litestar([mount], openapi_config=None, logging_config=None)


async def test_apps_in_one_another_do_not_hide_a_page_behind_the_root_path():
    """Each of the nested apps strips the root path; the rule applies to all paths that may be left."""

    @litestar.get("/panel", media_type="text/plain")
    async def panel() -> str:
        return "the panel"

    inner = litestar.Litestar([panel], openapi_config=None, logging_config=None)
    mount = litestar.asgi("/admin", is_mount=True, copy_scope=True)(inner)
    outer = litestar.Litestar([mount], openapi_config=None, logging_config=None)
    rules = [Rule("/admin/panel")]
    guarded = Site(inner=outer, base_url=f"{ORIGIN}/app", public="everything-but-rules", rules=rules).middleware
    got = {}
    apps: list[tuple[str, Any]] = [("bare", outer), ("guarded", guarded)]
    for name, app in apps:
        for path in ("/app/admin/panel", "/app/admin/app/panel", "/app/admin/x/app/panel", "/app/admin/apppanel"):
            exchange = Exchange({"type": "http.request"})
            scope = {**http_scope("GET", ORIGIN + path, {}), "root_path": "/app"}
            await app(scope, exchange.receive, exchange.send)
            got[name, path] = exchange.status

    assert {status for (name, _), status in got.items() if name == "bare"} == {200}
    assert {status for (name, _), status in got.items() if name == "guarded"} == {401}


@pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")
@pytest.mark.parametrize("path", ["/v1/admin", "/admin", "/v1/v1/admin"])
async def test_an_app_with_a_root_path_of_its_own_hides_nothing_where_base_url_ends_with_it(path):
    """The app strips it itself, which servers and proxies cannot see."""
    api = FastAPI(root_path="/v1")
    api.get("/admin")(lambda: "the admin")
    site = Site(inner=api, base_url=f"{ORIGIN}/v1", public="everything-but-rules", rules=[Rule("/admin")])

    assert (await site.browser().fetch(path)).status_code == (404 if path.count("v1") == 2 else 401)


PLACEMENTS = {
    "alone": Placement("", lambda app: app),
    "mounted": Placement("/app", lambda app: mounted(app, "/app")),
    "mounted twice": Placement("/a/b", lambda app: mounted(app, "/a", "/b")),
    "mounted in Litestar": Placement("/app", in_litestar),
    "below a server's root_path": Placement("/app", lambda app: rewriting(app, root_path="/app")),
    "below a server's root_path that the path lacks": Placement(
        "/app", lambda app: rewriting(app, take="/app", root_path="/app")
    ),
    "mounted below a server's root_path": Placement(
        "/app/b", lambda app: rewriting(mounted(app, "/b"), root_path="/app")
    ),
    "behind a proxy that strips": Placement("/app", lambda app: rewriting(app, take="/app")),
}


def new_site(prefix: str, **settings: Any) -> Site:
    site = Site(base_url=ORIGIN + prefix, public=PUBLIC, rules=RULES, **settings)
    site.provider.personas["root"] = ROOT
    return site


async def opened(app: ASGIApp, path: str, browser: Browser) -> str:
    """Say what becomes of a websocket from our own page."""
    headers = [(b"origin", ORIGIN.encode()), (b"cookie", cookie_header(browser).encode())]
    scope = {"type": "websocket", "path": path, "raw_path": path.encode(), "root_path": "", "headers": headers}
    exchange = Exchange({"type": "websocket.connect"})
    await app({**scope, "query_string": b"", "scheme": "wss", "subprotocols": []}, exchange.receive, exchange.send)
    return "app" if exchange.sent[0]["type"] == "websocket.accept" else str(exchange.sent[0]["code"])


async def outcome(app: ASGIApp, browser: Browser, method: str, path: str, how: str) -> str:
    if method == "WEBSOCKET":
        return await opened(app, path, browser)
    response = await browser.fetch(path, method=method, headers=HEADERS[how])
    if response.status_code == 303:
        assert response.location.startswith("https://id.example.com/authorize?")
        return "login"
    if response.status_code == 200:
        return "app"
    is_page = response.headers["content-type"].startswith("text/html")
    return f"{response.status_code} page" if is_page else str(response.status_code)


@pytest.mark.parametrize("name", PLACEMENTS)
async def test_the_rules_decide_alike_wherever_the_app_is(name):
    """The paths of rules are relative to the mount."""
    prefix, around = PLACEMENTS[name]
    site = new_site(prefix)
    app = around(site.middleware)
    anonymous, alice, root = (site.browser(app=app) for _ in range(3))
    await alice.sign_in("alice", f"{prefix}/page")
    page = await root.sign_in("root", f"{prefix}/admin/users?x=1")
    before = len(site.app.scopes)

    got = {
        asked: tuple([await outcome(app, browser, asked[0], prefix + asked[1], asked[2]) for browser in browsers])
        for browsers in [(anonymous, alice, root)]
        for asked in TABLE
    }

    assert (page.path, page.json()["sub"]) == (f"{prefix}/admin/users?x=1", "root")
    assert got == TABLE
    assert len(site.app.scopes) - before == sum(outcomes.count("app") for outcomes in TABLE.values())


@pytest.mark.parametrize("name", PLACEMENTS)
async def test_a_step_up_leads_back_below_the_mount(name):
    """So does the login URL that a script gets."""
    prefix, around = PLACEMENTS[name]
    site = new_site(prefix)
    browser = site.browser(app=around(site.middleware))
    await browser.sign_in("alice", f"{prefix}/page")

    challenge = await browser.fetch(f"{prefix}/strong")
    page = await browser.get(f"{prefix}/strong?x=1")

    assert challenge.json()["login_url"].startswith(f"{ORIGIN}{prefix}/auth/login?ask=")
    assert (page.status_code, page.path) == (200, f"{prefix}/strong?x=1")


async def test_a_proxy_that_strips_a_part_in_silence_opens_nothing_and_loses_nobody(caplog):
    """Without a root path the path is ambiguous: nothing is public until the server is configured, as the log says."""
    site = new_site("/app/b")
    browser = site.browser(app=rewriting(mounted(site.middleware, "/b"), take="/app"))

    page = await browser.sign_in("root", "/app/b/admin/users?x=1")
    refused = await (site.browser(app=browser.apps[ORIGIN])).fetch("/app/b/public/x")

    assert (page.path, page.json()["sub"], refused.status_code) == ("/app/b/admin/users?x=1", "root", 401)
    assert "set that part as root path of the server" in caplog.text


async def test_a_rule_with_the_path_of_the_mount_is_a_mistake():
    """Rules are relative to the mount, so it would match nothing."""
    with pytest.raises(Exception, match=r"paths are relative to base_url; write '/admin/\*'"):
        Site(base_url=f"{ORIGIN}/app", rules=[Rule("/app/admin/*", claims={"roles": "director"})])


class Pair(NamedTuple):
    """Two sites on one origin, each with a provider and a client of its own; a browser that knows both."""

    staff: Site
    shop: Site
    browser: Browser


def side_by_side(staff: ASGIApp, shop: ASGIApp) -> ASGIApp:
    return Starlette(routes=[Mount("/staff", app=staff), Mount("/shop", app=shop)])


def one_in_the_other(staff: ASGIApp, shop: ASGIApp) -> ASGIApp:
    """Answer as an app that is a site whole, and has another one mounted in it."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await (staff if f"{scope['path']}/".startswith("/staff/") else shop)(scope, receive, send)

    return app


def pair(arrangement: str, *, secrets: tuple[str, str]) -> Pair:
    clock, is_inside = Clock(), arrangement == "one in the other"
    sites = []
    for name, prefix, secret in (("staff", "/staff", secrets[0]), ("shop", "" if is_inside else "/shop", secrets[1])):
        client = Client(name, CLIENT_SECRET)
        provider = FakeProvider(f"https://{name}.example.com", clients=[client], clock=clock, alg="ES256")
        provider.personas["root"] = ROOT
        sites.append(
            Site(
                provider=provider,
                clock=clock,
                client_id=name,
                secret=secret,
                base_url=ORIGIN + prefix,
                public=["/public/*"],
                rules=[Rule("/admin/*", claims={"roles": "director"})],
            )
        )
    staff, shop = sites
    around = one_in_the_other if is_inside else side_by_side
    others = {site.provider.origin: site.provider for site in sites}
    app = around(staff.middleware, shop.middleware)
    return Pair(staff, shop, Browser(app, ORIGIN, others, clock=clock))


PAIRS = pytest.mark.parametrize(
    ("arrangement", "secrets"),
    [
        ("side by side", (SECRET, OTHER_SECRET)),
        ("side by side", (SECRET, SECRET)),
        ("one in the other", (SECRET, OTHER_SECRET)),
        ("one in the other", (SECRET, SECRET)),
    ],
)


@PAIRS
async def test_two_logins_at_two_providers_at_once_reach_their_own_callbacks(arrangement, secrets):
    """The logins start in one order and finish in the other."""
    staff, shop, browser = pair(arrangement, secrets=secrets)
    shops = shop.settings["base_url"].removeprefix(ORIGIN)
    first, second = browser.tab(), browser.tab()
    await first.get("/staff/admin/a?x=1")
    await second.get(f"{shops}/admin/b?x=2")

    of_shop = await second.submit(button="alice")
    of_staff = await first.submit(button="root")

    assert (of_staff.path, of_staff.json()["sub"]) == ("/staff/admin/a?x=1", "root")
    assert (of_shop.path, of_shop.status_code) == (f"{shops}/admin/b?x=2", 403)
    assert "Alice Adams" in of_shop.text
    for site, prefix in ((staff, "/staff"), (shop, shops)):
        (call,) = [call for call in site.provider.calls if call.path == "/token"]
        assert call.form["redirect_uri"] == f"{ORIGIN}{prefix}/auth/callback"


@PAIRS
async def test_a_session_of_one_is_none_of_the_other(arrangement, secrets):
    """It is not accepted under the other's cookie name either."""
    _, shop, browser = pair(arrangement, secrets=secrets)
    shops = shop.settings["base_url"].removeprefix(ORIGIN)
    await browser.sign_in("root", "/staff/admin/a")
    before = await browser.fetch(f"{shops}/admin/b")
    await browser.sign_in("root", f"{shops}/admin/b")
    kept = {cookie.name: cookie.value for cookie in browser.jar.starting_with("__Host-oidc-")}
    of_staff = [name for name in kept if name.startswith(next(iter(kept)))]
    of_shop = [name for name in kept if name not in of_staff]
    for name, other in zip(of_shop, of_staff, strict=True):
        browser.jar.receive(f"{name}={kept[other]}; Path=/; Secure", ORIGIN)

    after = await browser.fetch(f"{shops}/admin/b")

    assert (before.status_code, after.status_code, len(of_shop)) == (401, 401, 2)
    assert (await browser.fetch("/staff/admin/a")).json()["sub"] == "root"


@PAIRS
async def test_a_sign_out_of_one_leaves_the_other(arrangement, secrets):
    """The other site's cookies stay."""
    _, shop, browser = pair(arrangement, secrets=secrets)
    shops = shop.settings["base_url"].removeprefix(ORIGIN)
    await browser.sign_in("root", "/staff/admin/a")
    await browser.sign_in("alice", f"{shops}/b")

    await browser.fetch("/staff/auth/logout", method="POST")

    assert (await browser.fetch("/staff/admin/a")).status_code == 401
    assert (await browser.fetch(f"{shops}/b")).json()["sub"] == "alice"
    assert (await browser.fetch(f"{shops}/auth/session")).json()["sub"] == "alice"
