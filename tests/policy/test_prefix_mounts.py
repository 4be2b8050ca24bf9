"""Some mounts match plain prefixes, so `/adminusers` may be served as `/admin` and `users`: the rule for it applies."""

from typing import Any

import falcon.asgi
import litestar
import pytest
from litestar import types
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_oidc import Rule
from asgi_oidc.testing import Browser
from tests.protected_site import Exchange, Site

RULES = [Rule("/admin/*", claims={"roles": "director"})]
DOCS = [Rule("/api/*", claims={"roles": "director"})]


async def answer(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse(f"served {scope['path']}")(scope, receive, send)


@litestar.asgi("/admin", is_mount=True, copy_scope=True)
async def mount(scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
    await answer(scope, receive, send)


def of_litestar(*handlers: Any) -> litestar.Litestar:
    return litestar.Litestar([*handlers], openapi_config=None, logging_config=None)


def of_falcon(sink: str = "/admin") -> Any:
    async def drain(request: Any, response: Any, **_: Any) -> None:
        response.text = f"served {request.path}"

    app: Any = falcon.asgi.App()
    app.add_sink(drain, sink)
    return app


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"served {request.url.path}")


async def signed_in(site: Site) -> Browser:
    browser = site.browser()
    await browser.sign_in("alice", "/page")
    return browser


SERVED: dict[str, Any] = {
    "litestar": of_litestar(mount),
    "falcon": of_falcon(),
    "starlette": Starlette(routes=[Route("/admin{rest:path}", page)]),
}


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize("path", ["/admin/users", "/adminusers", "/admin1", "/adminusers//x", "/admin%75sers"])
async def test_a_rule_holds_for_what_a_mount_takes_for_a_path_below_it(name, path):
    """The mount serves `/adminusers` as `/admin` and `users`."""
    site = Site(inner=SERVED[name], rules=RULES)
    browser = await signed_in(site)

    assert (await browser.fetch(path)).status_code == 403


@pytest.mark.parametrize("name", SERVED)
async def test_what_such_a_mount_takes_is_public_only_where_it_is_in_each_reading(name):
    """Neither the whole path nor the rest behind the mount is enough alone."""
    site = Site(inner=SERVED[name], public=["/adminusers", "/admin/help/*", "/adminpages", "/admin/pages"])

    paths = ("/adminusers", "/adminhelp", "/adminpages")
    got = [(await site.browser().fetch(path)).status_code for path in paths]

    assert got == [401, 401, 200]


async def test_a_page_that_begins_like_a_rule_is_not_closed_where_nothing_matches_so():
    """`/apidocs` is a page of its own if no mount matches plain prefixes."""
    falcon_app: Any = falcon.asgi.App()

    class Resource:
        async def on_get(self, request: Any, response: Any) -> None:
            response.text = "served"

    for path in ("/apidocs", "/api/orders"):
        falcon_app.add_route(path, Resource())

    @litestar.get(["/apidocs", "/api/orders"], media_type="text/plain")
    async def docs() -> str:
        return "served"

    apps: list[Any] = [
        Starlette(routes=[Mount("/api", Starlette(routes=[Route("/orders", page)])), Route("/apidocs", page)]),
        of_litestar(docs),
        falcon_app,
    ]
    for app in apps:
        site = Site(inner=app, rules=DOCS)
        browser = await signed_in(site)
        got = [(await browser.fetch(path)).status_code for path in ("/apidocs", "/api/orders", "/api")]
        assert got == [200, 403, 403]


async def test_a_mount_that_comes_while_the_app_serves_is_heeded():
    """Cached matches are dropped."""
    app = of_litestar()
    site = Site(inner=app, rules=RULES)
    browser = await signed_in(site)
    before = (await browser.fetch("/adminusers")).status_code

    app.register(mount)
    after = (await browser.fetch("/adminusers")).status_code

    assert (before, after) == (404, 403)


@pytest.mark.parametrize("is_started", [True, False], ids=["lifespan", "first request"])
async def test_an_opaque_app_is_reported_once(is_started, caplog):
    """The warning names the rules that may be bypassed and the fix."""
    site = Site(rules=[*RULES, Rule("/*", scopes=["read"])])
    if is_started:
        exchange = Exchange({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
        await site.middleware({"type": "lifespan"}, exchange.receive, exchange.send)

    await site.call("/page")
    await site.call("/page")

    (told,) = [record.getMessage() for record in caplog.records if "mounts_unknown" in record.getMessage()]
    assert "app=tests.protected_site.App rules=/admin/* " in told
    assert "set plain_prefixes" in told


@pytest.mark.parametrize(
    "settings",
    [
        {"rules": RULES, "plain_prefixes": []},
        {"rules": RULES, "inner": SERVED["litestar"]},
        {"rules": RULES, "inner": Starlette(routes=[Mount("/metrics", answer)])},
        {"rules": [Rule("/*")]},
        {"rules": [Rule("/api/*", origins=["https://spa.example.com"])]},
        {},
    ],
    ids=["told", "read", "elsewhere", "everything", "permission", "no rules"],
)
async def test_mounts_without_rules_are_not_reported(settings, caplog):
    """A warning that is always there is ignored."""
    site = Site(**settings)

    await site.call("/page")

    assert "mounts_unknown" not in caplog.text


async def test_the_prefixes_of_an_app_can_be_set():
    """The setting is for apps that cannot be inspected."""
    site = Site(rules=RULES, plain_prefixes=["/admin"])
    browser = await site.signed_in()

    assert (await browser.fetch("/adminusers")).status_code == 403
    assert (await browser.fetch("/xadmin")).status_code == 200


async def test_the_prefixes_of_an_app_are_shown():
    """`explain` and `asgi-oidc rules` show them."""
    middleware = Site(inner=SERVED["litestar"], rules=RULES).middleware

    told = str(middleware.explain("/adminusers"))

    assert "\n  also read      as /admin/users, if the app strips a prefix\n" in told
    assert "Rule('/admin/*', claims={'roles': 'director'})" in told
    assert "\n  /admin...    matched as a plain prefix: also read as /admin/...\n" in middleware.explain_all()
    assert "also read" not in str(middleware.explain("/users"))
