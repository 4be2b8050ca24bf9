"""The app itself: how it is made, what it does when something breaks, and what tools find in it."""

from functools import partial
from typing import Any

import pytest

from asgi_oidc import OIDCMiddleware, SettingsError
from asgi_oidc.forward_auth import ForwardAuth, upstream
from asgi_oidc.forward_auth.answers import Answer, for_nginx
from asgi_oidc.forward_auth.checks import MAX_URL_LENGTH, MAX_URLS
from asgi_oidc.integrations.find_middlewares import middlewares
from asgi_oidc.testing.in_process import call_app
from tests.forward_auth.forward_site import HANDSHAKE, ForwardSite
from tests.protected_site import ORIGIN, SECRET, Exchange

ENVIRON = {
    "OIDC_ISSUER": "https://id.example.com",
    "OIDC_CLIENT_ID": "web",
    "OIDC_BASE_URL": ORIGIN,
    "OIDC_SECRET": SECRET,
    "OIDC_PUBLIC": "/public/*",
}


class Broken(Exception):
    """What a broken part raises."""


async def raises(scope: Any, receive: Any, send: Any) -> None:
    raise Broken


async def says_nothing(scope: Any, receive: Any, send: Any) -> None:
    pass


async def test_it_is_made_from_variables_as_the_middleware_is():
    """Keywords take precedence."""
    app = ForwardAuth.from_env(trusted_proxies=["127.0.0.1"], environ=ENVIRON, public=["/open"])

    assert [app.app.explain(path).is_public for path in ("/open", "/public/x")] == [True, False]


@pytest.mark.parametrize("environ", [{}, {**ENVIRON, "OIDC_PUBLIC": "public"}, {**ENVIRON, "OIDC_MADE_UP": "1"}])
def test_invalid_variables_are_refused(environ):
    """As by the middleware."""
    with pytest.raises(SettingsError, match="OIDC_"):
        ForwardAuth.from_env(environ=environ)


KEY = "-----BEGIN PRIVATE KEY-----\ndamaged, and still secret\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize("wrong", [{"base_url": "http://x"}, {"trusted_proxies": ["x"]}, {"signing_keys": [KEY]}])
def test_no_frame_of_invalid_settings_shows_a_secret(wrong):
    """Error reporters record the variables of every frame."""
    right: dict[str, Any] = {"issuer": ENVIRON["OIDC_ISSUER"], "client_id": "web", "base_url": ORIGIN, "secret": SECRET}
    options: dict[str, Any] = {"token_header": "X-Identity", "signing_keys": [KEY], "trusted_proxies": []}
    shown: list[str] = []
    for make in (
        partial(ForwardAuth, **{**right, **options, **wrong}),
        partial(ForwardAuth.from_env, environ=ENVIRON, **{**options, **wrong}),
    ):
        with pytest.raises(SettingsError) as refused:
            make()
        traceback = refused.value.__traceback__
        assert refused.value.__cause__ is refused.value.__context__ is None
        while traceback is not None:
            frame, traceback = traceback.tb_frame, traceback.tb_next
            if "/src/asgi_oidc/" in frame.f_code.co_filename:
                shown.append(str(frame.f_locals))

    assert shown
    assert [each for each in shown if SECRET in each or "still secret" in each] == []


def test_tools_find_the_middleware_in_it():
    """`asgi-oidc rules` and `doctor` explain what it decides."""
    app = ForwardSite().app

    assert list(middlewares(app)) == [app.app]
    assert isinstance(app.app, OIDCMiddleware)


async def test_it_starts_and_stops_with_its_server():
    """The middleware closes its connections then."""
    exchange = Exchange({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    await ForwardSite().app({"type": "lifespan", "asgi": {"version": "3.0"}}, exchange.receive, exchange.send)

    assert [message["type"] for message in exchange.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


@pytest.mark.parametrize("proxy", ["nginx", "traefik"])
@pytest.mark.parametrize("headers", [{}, {**HANDSHAKE, "origin": ORIGIN}])
async def test_whatever_breaks_is_no_yes(proxy, headers):
    """A server answers an exception with 500, which each proxy takes for a no."""
    site = ForwardSite()
    cookie = await site.cookie()
    site.app.app.app = raises
    with pytest.raises(Broken):
        await site.ask(cookie=cookie, headers=headers, proxy=proxy)
    site.app.app.app = says_nothing
    silent = await site.ask(cookie=cookie, headers=headers, proxy=proxy)

    assert (silent.status, silent.all("x-user")) == (403, [])


@pytest.mark.parametrize("status", [None, 204, 302, 503])
@pytest.mark.parametrize("proxy", ["nginx", "traefik"])
async def test_only_a_200_to_a_request_that_was_let_through_is_a_yes(proxy, status):
    """What the middleware still answers after that, such as an error, is for the browser."""
    site = ForwardSite()
    cookie = await site.cookie()

    async def breaks_off(scope: Any, receive: Any, send: Any) -> None:
        scope[upstream.KEY].user = scope["user"]
        if status is not None:
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    site.app.app.app = breaks_off
    reply = await site.ask(cookie=cookie, proxy=proxy)

    assert (reply.status in (302, 401, 403, 503), reply.all("x-user")) == (True, [])


def test_nginx_gets_no_more_cookies_than_it_can_pass_on():
    """Those that are deleted are left out first."""
    lines = [*(b"gone%d=; Max-Age=0" % number for number in range(4)), *(b"new%d=x" % number for number in range(4))]

    answer = for_nginx(Answer(200, [(b"set-cookie", line) for line in lines]))

    assert [name for name, _ in answer.headers] == [b"x-auth-cookie-%d" % number for number in range(1, 7)]
    assert [line for _, line in answer.headers][:4] == lines[4:]


async def test_a_head_request_for_the_app_has_no_body():
    """As everywhere (RFC 9110 §9.3.2)."""
    status, _, body = await call_app(ForwardSite().app, "HEAD", f"{ORIGIN}/public/x", {}, b"")

    assert (status, body) == (403, b"")


async def test_what_is_remembered_of_urls_is_bounded():
    """Anybody can ask for new ones."""
    site = ForwardSite()
    for number in range(MAX_URLS + 10):
        assert (await site.ask(f"/public/{number}")).status == 200
    assert (await site.ask("/public/" + "x" * 600)).status == 200

    known = site.app._checks._urls
    assert (len(known) <= MAX_URLS, max(map(len, known)) <= MAX_URL_LENGTH) == (True, True)
