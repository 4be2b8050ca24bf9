"""The metadata of an API that is mounted below a path: an outer app or a proxy serves it at the root of the site."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from asgi_oidc import Bearer, OIDCError, OIDCMiddleware, UnsupportedScope
from tests.bearer.test_resource_metadata import PATH, api_site, ask, document
from tests.bearer.token_calls import API, challenges, problem
from tests.protected_site import NOW, ORIGIN, SECRET, Exchange


def mounted(path: str, **settings: Any) -> OIDCMiddleware:
    """Make a middleware for an app that is mounted below a path."""
    return OIDCMiddleware(
        Starlette(),
        issuer="https://id.example.com",
        client_id="web",
        base_url=f"{ORIGIN}{path}",
        secret=SECRET,
        clock=lambda: NOW,
        **{"bearer": Bearer(API), **settings},
    )


async def test_an_outer_app_serves_the_metadata_of_all_that_it_mounts():
    """A mounted app never gets requests for the root of the site."""
    admin, reports = (
        mounted("/admin"),
        mounted("/reports", bearer=Bearer([f"{ORIGIN}/reports", f"{ORIGIN}/reports/mcp"])),
    )
    routes: list[BaseRoute] = [Mount("/admin", app=admin), Mount("/reports", app=reports)]
    for middleware in (admin, reports):
        metadata = middleware.protected_resource_metadata
        routes += [Route(path, metadata) for path in metadata.paths]
    outer = Starlette(routes=routes)

    found = {
        path: document(await ask(outer, f"{PATH}{path}"))["resource"] for path in ("/admin", "/reports", "/reports/mcp")
    }

    assert found == {path: f"{ORIGIN}{path}" for path in found}
    assert (await ask(outer, f"{PATH}/admin", "HEAD")).status == 200
    assert (await ask(outer, f"{PATH}/admin", "OPTIONS")).status == 204
    assert (await ask(outer, f"{PATH}/admin", "POST")).status == 405
    assert (await ask(outer, f"{PATH}/other")).status == 404


@pytest.mark.parametrize(
    ("scope", "resource"),
    [
        ({"path": f"{PATH}/admin"}, f"{ORIGIN}/admin"),
        ({"path": f"{PATH}/admin/"}, f"{ORIGIN}/admin"),
        ({"path": f"{PATH}/admin/mcp"}, f"{ORIGIN}/admin/mcp"),
        ({"path": PATH}, f"{ORIGIN}/admin"),
        ({"path": f"{PATH}/admin/mcp", "root_path": PATH}, f"{ORIGIN}/admin/mcp"),
        ({"path": "/admin/mcp", "root_path": PATH}, f"{ORIGIN}/admin/mcp"),
        ({"path": "", "root_path": f"{PATH}/admin"}, f"{ORIGIN}/admin"),
        ({"path": "/", "root_path": f"{PATH}/admin/mcp"}, f"{ORIGIN}/admin/mcp"),
        ({"path": "/mcp", "root_path": f"/v1{PATH}/admin"}, f"{ORIGIN}/admin/mcp"),
        ({"path": "/"}, f"{ORIGIN}/admin"),
        ({"path": "/admin/mcp"}, f"{ORIGIN}/admin/mcp"),
        ({"path": f"{PATH}/other"}, None),
        ({"path": "/other", "root_path": PATH}, None),
        ({"path": "/other"}, None),
        ({"path": f"{PATH}x"}, None),
    ],
)
async def test_the_app_for_the_outer_app_finds_the_resource_in_any_mount(scope, resource):
    """Some frameworks take the path of the mount off, others do not; the metadata of another API is not ours."""
    app = mounted("/admin", bearer=Bearer([f"{ORIGIN}/admin", f"{ORIGIN}/admin/mcp"])).protected_resource_metadata

    answer = await ask(app, "/", **scope)

    assert answer.status == (404 if resource is None else 200)
    assert resource is None or problem(answer)["resource"] == resource


async def test_the_app_for_the_outer_app_knows_the_hosts():
    """As the middleware does."""
    site = api_site(base_url=[ORIGIN, "https://b.example.org"])
    app = site.middleware.protected_resource_metadata

    named, unknown = [await ask(app, PATH, headers=[(b"host", host)]) for host in (b"b.example.org", b"x.example")]

    assert document(named)["resource"] == "https://b.example.org"
    assert document(unknown)["resource"] == ORIGIN
    assert app.paths == (PATH,)


@pytest.mark.parametrize("path", [PATH, f"{PATH}/admin"])
async def test_a_mounted_app_answers_below_its_own_path(path):
    """A proxy that serves several apps on one site can pass such requests on."""
    site = api_site(base_url=f"{ORIGIN}/admin")

    answer = await site.call(f"/admin{path}", root_path="/admin")

    assert document(answer)["resource"] == f"{ORIGIN}/admin"


async def test_only_http_is_served():
    """Nobody opens a websocket there."""
    app = mounted("/admin").protected_resource_metadata

    with pytest.raises(UnsupportedScope):
        await app({"type": "websocket"}, Exchange().receive, Exchange().send)


def test_without_bearer_there_is_no_metadata():
    """A route to it would be a mistake."""
    with pytest.raises(OIDCError) as caught:
        _ = mounted("/admin", bearer=None).protected_resource_metadata

    assert caught.value.code == "no_bearer"


def test_explain_says_that_we_answer():
    """A developer who looks for the route does not find it in the app."""
    middleware = api_site().middleware

    assert "answers this URL itself" in str(middleware.explain(PATH))
    assert PATH in middleware.explain_all()


async def test_a_challenge_below_a_path_leads_to_the_root_of_the_site():
    """The readings of a path are those below `base_url`."""
    site = api_site(base_url=f"{ORIGIN}/admin", bearer=Bearer([f"{ORIGIN}/admin", f"{ORIGIN}/admin/mcp"]))

    answers = [await site.call(f"/admin/{path}", root_path="/admin") for path in ("mcp/x", "page")]

    assert f'="{ORIGIN}{PATH}/admin/mcp"' in challenges(answers[0])[0]
    assert f'="{ORIGIN}{PATH}/admin"' in challenges(answers[1])[0]
