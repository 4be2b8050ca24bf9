"""The same URLs get the same decisions, mounted or not, and behind any proxy."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from asgi_oidc import OIDCMiddleware
from asgi_oidc.testing import Browser
from tests.protected_site import ORIGIN, Site, session_cookies

ADMIN = ORIGIN + "/admin"


async def show(request: Request) -> JSONResponse:
    return JSONResponse({"sub": request.user.sub, "path": request.url.path, "url": str(request.url_for("users"))})


SUB_APP = Starlette(routes=[Route("/", show), Route("/users", show, name="users"), Route("/open", show)])


async def home(request: Request) -> JSONResponse:
    return JSONResponse({"is_open": True})


def mounted() -> tuple[Site, Browser]:
    site = Site(inner=SUB_APP, base_url=ADMIN, public=["/open"])
    outer = Starlette(routes=[Route("/", home), Mount("/admin", app=site.middleware)])
    return site, site.browser(app=outer)


async def test_a_mount_protects_its_part_alone():
    """`url_for` still finds the routes of the mounted app."""
    _, browser = mounted()
    outside = await browser.get("/")

    page = await browser.sign_in("alice", "/admin/users?x=1")

    assert outside.json() == {"is_open": True}
    assert page.path == "/admin/users?x=1"
    assert page.json() == {"sub": "alice", "path": "/admin/users", "url": ADMIN + "/users"}


async def test_the_urls_of_ours_are_below_the_mount():
    """So are the redirect URI and the start page."""
    site, browser = mounted()
    await browser.sign_in("alice", "/admin/users")

    response = await browser.fetch("/admin/auth/session")
    gone = await browser.post("/admin/auth/logout", follow=False)

    assert (response.status_code, response.json()["sub"]) == (200, "alice")
    assert session_cookies(browser) == []
    assert "post_logout_redirect_uri=https%3A%2F%2Fapp.example.com%2Fadmin" in gone.location
    (call,) = [call for call in site.provider.calls if call.path == "/token"]
    assert call.form["redirect_uri"] == ADMIN + "/auth/callback"


@pytest.mark.parametrize(("path", "status"), [("/admin/open", 200), ("/admin/users", 401), ("/admin/", 401)])
async def test_public_paths_are_those_below_the_mount(path, status):
    """Patterns are relative to the wrapped app."""
    _, browser = mounted()

    assert (await browser.fetch(path)).status_code == status


CASES = [
    ("mounted", ADMIN, "/admin/users", "/admin"),
    ("nested", ORIGIN + "/a/b", "/a/b/users", "/a/b"),
    ("below a server's root_path", ORIGIN + "/api/admin", "/api/admin/users", "/api/admin"),
    ("server's root_path, stripped path", ORIGIN + "/api/admin", "/admin/users", "/api/admin"),
    ("around the app, path whole", ADMIN, "/admin/users", ""),
    ("stripping proxy", ADMIN, "/users", ""),
    ("stripping proxy, root_path set", ADMIN, "/users", "/admin"),
    ("root_path with a slash", ADMIN, "/admin/users", "/admin/"),
]


@pytest.mark.parametrize(("case", "base_url", "path", "root_path"), CASES)
async def test_a_path_is_protected_however_it_is_mounted(case, base_url, path, root_path):
    """Servers and proxies present the same URL in different scopes."""
    site = Site(base_url=base_url, public=["/open", "/static/*"])

    assert (await site.call(path, root_path=root_path, headers={"accept": "*/*"})).status == 401
    assert site.app.scopes == []


# Where the server's root_path is not in the path, Starlette's own mount finds nothing either.
FOUND = [case for case in CASES if case[0] != "server's root_path, stripped path"]


@pytest.mark.parametrize(("case", "base_url", "path", "root_path"), FOUND)
async def test_our_own_urls_are_found_however_it_is_mounted(case, base_url, path, root_path):
    """Otherwise a callback would not be recognized, and would start the next login."""
    site = Site(base_url=base_url)
    callback = path.removesuffix("/users") + "/auth/callback"

    exchange = await site.call(callback, root_path=root_path, headers={"accept": "*/*"})

    assert exchange.status == 400
    assert b"transaction_missing" in exchange.sent[1]["body"]


@pytest.mark.parametrize(("path", "root_path"), [("/admin/users", "/admin"), ("/users", ""), ("/admin/users", "")])
async def test_a_login_leads_back_below_the_mount(path, root_path):
    """It does so even if a proxy has stripped the prefix."""
    site = Site(base_url=ADMIN)
    exchange = await site.call(path, root_path=root_path, headers={"accept": "text/html"}, query_string=b"x=1")
    browser = site.browser()
    for name, value in exchange.sent[0]["headers"]:
        if name == b"set-cookie":
            browser.jar.receive(value.decode(), ORIGIN)
    site.provider.sign_in_as("alice")
    back = await browser.get((exchange.header(b"location") or b"").decode(), follow=False)

    response = await browser.get(back.location, follow=False)

    assert response.headers["location"] == ADMIN + "/users?x=1"


async def test_a_litestar_mount_is_no_endless_login():
    """Litestar's mount strips the prefix and adds a slash: `/auth/callback/`."""
    site = Site(base_url=ADMIN)

    exchange = await site.call(
        "/auth/callback/",
        raw_path=b"/admin/auth/callback",
        headers={"accept": "text/html"},
        query_string=b"code=x&state=y.2",
    )

    assert exchange.status == 400


async def test_a_mount_that_is_not_that_of_base_url_is_said_once(caplog):
    """The developer has to know, but every request would repeat the warning."""
    site = Site(base_url=ADMIN)

    for _ in range(3):
        await site.call("/other/public/x", root_path="/other", headers={"accept": "*/*"})

    warnings = [record for record in caplog.records if "mount_mismatch" in record.getMessage()]
    assert len(warnings) == 1
    assert "no path is public" in warnings[0].getMessage()
    assert "make base_url end with the path that the app is mounted on" in warnings[0].getMessage()
    assert warnings[0].getMessage().endswith("that clients send'")


@pytest.mark.parametrize("root_path", ["/users", "/x", "/open", "/ope"])
async def test_a_root_path_that_a_client_chose_opens_nothing(root_path):
    """One server takes the root path from a request header."""
    site = Site(public=["/open", "/x"])

    for path in ("/users", root_path + "/users", root_path + "/open", "/openusers"):
        exchange = await site.call(path, root_path=root_path, headers={"accept": "*/*"})
        assert exchange.status == 401


def test_an_app_without_routes_has_none(site):
    """Starlette reads the routes of every mounted app."""
    assert site.middleware.routes == []
    assert Site(inner=SUB_APP).middleware.routes == SUB_APP.routes


async def test_it_is_added_to_a_starlette_app_as_any_middleware():
    """`add_middleware` passes keywords to the constructor."""
    site = Site()
    app: Any = Starlette(routes=[Route("/users", show, name="users")])
    kept = {name: value for name, value in site.settings.items() if value is not ...}
    app.add_middleware(OIDCMiddleware, clock=site.clock, **kept)

    assert (await site.browser(app=app).sign_in("alice", "/users")).json()["sub"] == "alice"


async def test_two_mounts_on_one_host_are_two_sites():
    """Their cookies do not collide, and a sign-out of one leaves the other signed in."""
    one = Site(inner=SUB_APP, base_url=ORIGIN + "/one")
    two = one.restarted(inner=SUB_APP, base_url=ORIGIN + "/two")
    outer = Starlette(routes=[Mount("/one", app=one.middleware), Mount("/two", app=two.middleware)])
    browser = one.browser(app=outer)

    await browser.sign_in("alice", "/one/users")
    before = (await browser.fetch("/two/users")).status_code
    await browser.sign_in("alice", "/two/users")
    cookies = session_cookies(browser)  # of each a login and its tokens
    await browser.fetch("/one/auth/logout", method="POST")

    assert (before, len(cookies)) == (401, 4)
    assert (await browser.fetch("/one/users")).status_code == 401
    assert (await browser.fetch("/two/users")).json()["sub"] == "alice"
