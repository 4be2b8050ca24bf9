"""Nested apps may strip `root_path` repeatedly; a path is public only if it is in every reading."""

from typing import Any

import litestar
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_oidc import OIDCMiddleware, Rule
from asgi_oidc.testing.in_process import http_scope
from tests.internals import explainer_of
from tests.protected_site import ORIGIN, Exchange, Site, cookie_header

APP = f"{ORIGIN}/app"
SPA = "https://spa.example.com"


class OwnMiddleware(OIDCMiddleware):
    """As an app may define it, to change a method."""


def litestar_in_litestar(mount: str, *pages: str) -> Any:
    @litestar.get(list(pages), media_type="text/plain")
    async def page() -> str:
        return "the page"

    inner = litestar.Litestar([page], openapi_config=None, logging_config=None)
    mounted = litestar.asgi(mount, is_mount=True, copy_scope=True)(inner)
    return litestar.Litestar([mounted], openapi_config=None, logging_config=None)


async def status(app: Any, path: str, *, root_path: str = "/app", **headers: str) -> int:
    exchange = Exchange({"type": "http.request"})
    await app({**http_scope("GET", ORIGIN + path, headers), "root_path": root_path}, exchange.receive, exchange.send)
    return exchange.status


async def test_a_path_that_another_reading_closes_is_not_opened():
    """The outer app strips the root path, and the inner one strips it again in the middle of the rest."""
    inner = litestar_in_litestar("/static", "/secret", "/files/logo")
    site = Site(inner=inner, base_url=APP, public=["/static/files/*"])

    hidden = "/app/static/files/app/secret"

    assert (await status(inner, hidden), await status(site.middleware, hidden)) == (200, 401)
    assert await status(site.middleware, "/app/static/files/logo") == 200


@pytest.mark.parametrize("public", [["/static/assets/images/*"], "everything-but-rules"])
async def test_a_public_reading_does_not_override_a_rule_of_another_reading(public):
    """It does not matter how narrow the public pattern is."""
    inner = litestar_in_litestar("/static", "/secret")
    site = Site(inner=inner, base_url=APP, public=public, rules=[Rule("/static/secret")])

    hidden = "/app/static/assets/images/app/secret"

    assert (await status(inner, hidden), await status(site.middleware, hidden)) == (200, 401)


@pytest.mark.parametrize(
    "hidden",
    [
        "/app/admin/panel",
        "/app/admin/apppanel",
        "/app/admin//apppanel",
        "/app//admin/apppanel/",
        "/app/admin/x//apppanel",
        "/app/admin/x/app//panel",
    ],
)
async def test_an_odd_spelling_meets_the_rules_that_the_plain_one_meets(hidden):
    """That includes words that a mount cuts."""
    inner = litestar_in_litestar("/admin", "/panel")
    rules = [Rule("/admin/panel", claims={"roles": "director"})]
    site = Site(inner=inner, base_url=APP, rules=rules)
    browser = site.browser()
    await browser.sign_in("alice", "/app/page")
    cookie = cookie_header(browser)

    assert (await status(inner, hidden), await status(site.middleware, hidden, cookie=cookie)) == (200, 403)
    assert await status(site.middleware, "/app/admin/x//apppane", cookie=cookie) == 404


@pytest.mark.parametrize("root_path", ["/other", "/open", "/app/x", "other", ".*"])
@pytest.mark.parametrize("path", ["/open", "/app/open", "/other/open", "/app/x/open"])
async def test_nothing_is_open_where_the_root_path_is_not_that_of_base_url(root_path, path):
    """One server lets clients choose the root path. For the same reason, no rule's `origins` apply there."""
    rules = [Rule("/open/*", origins=[SPA])]
    site = Site(base_url=APP, public="everything-but-rules", rules=rules)

    exchange = await site.call(path, root_path=root_path, headers={"origin": SPA})

    assert (exchange.status, exchange.header(b"access-control-allow-origin")) == (401, None)


@pytest.mark.parametrize("root_path", ["", "/", "/app", "/app/"])
async def test_a_page_is_open_where_the_root_path_is_that_of_base_url(root_path):
    """The server may also leave it empty if a proxy has stripped it."""
    site = Site(base_url=APP, public=["/open"], rules=[Rule("/open", origins=[SPA])])

    exchange = await site.call("/open", root_path=root_path, headers={"origin": SPA})

    assert (exchange.status, exchange.header(b"access-control-allow-origin")) == (200, SPA.encode())


@pytest.mark.parametrize("base_path", ["", "/app"])
@pytest.mark.parametrize("hidden", ["/static/files{}/static/secret", "/static/files/x{}/static/secret"])
async def test_a_root_path_that_a_mount_makes_may_be_taken_off_again(base_path, hidden):
    """Starlette adds its mount to `root_path`, and each Litestar app below strips that."""
    inner = Starlette(routes=[Mount("/static", app=litestar_in_litestar("/files", "/secret"))])
    site = Site(
        inner=inner, base_url=ORIGIN + base_path, public=["/static/files/*"], rules=[Rule("/static/files/secret")]
    )
    path = base_path + hidden.format(base_path)

    got = [await status(app, path, root_path=base_path) for app in (inner, site.middleware)]

    assert got == [200, 401]


@pytest.mark.parametrize("path", ["/v1/admin", "/v1/v1/admin", "/admin"])
@pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")
async def test_a_root_path_that_an_app_sets_itself_leads_past_no_rule(path, caplog):
    """Neither the server nor `base_url` knows of it, so the log warns."""
    api = FastAPI(root_path="/v1", openapi_url=None)
    api.get("/admin")(lambda: "the admin")
    api.get("/v1/admin")(lambda: "the admin")
    site = Site(inner=api, public="everything-but-rules", rules=[Rule("/admin")])

    got = [await status(app, path, root_path="") for app in (api, site.middleware)]

    assert got == [200, 401 if path != "/v1/v1/admin" else 200]
    assert "root_path_of_app" in caplog.text


async def test_a_page_that_is_named_like_the_root_path_is_open_where_nothing_takes_that_off_again():
    """`/app/static/app.css` is an ordinary file; only in nested Litestar apps might it be read as `.css`."""
    plain = Starlette(routes=[Route("/static/{name}", lambda request: PlainTextResponse("the file"))])
    nested = litestar_in_litestar("/", "/static/app.css")
    sites = [Site(inner=app, base_url=APP, public=["/static/*"]) for app in (plain, nested)]

    assert [await status(site.middleware, "/app/static/app.css") for site in sites] == [200, 401]


@pytest.mark.parametrize("middleware", [OIDCMiddleware, OwnMiddleware])
def test_a_middleware_in_a_mount_is_looked_into(middleware, caplog):
    """Also one of a class of the app: otherwise a warning asks for a setting that nobody needs."""
    guarded = Starlette(routes=[Route("/page", PlainTextResponse("the page"))])
    settings = Site().settings | {"base_url": f"{ORIGIN}/inner"}
    inner = middleware(guarded, **settings)
    outer = Site(inner=Starlette(routes=[Mount("/inner", inner)]), rules=[Rule("/inner/admin/*", scopes=["admin"])])

    assert explainer_of(outer.middleware).policy.bypassable_rules() == {}
