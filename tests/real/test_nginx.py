"""nginx with its defaults lets our cookies through, whatever other sites make of them."""

import contextlib
import secrets
from collections.abc import AsyncIterator

import httpx
import pytest

from asgi_oidc.testing import Browser, Client, FakeProvider, Persona, serve
from asgi_oidc.web.cookie_size import MAX_COOKIE_HEADER, session_share
from tests.real.app import protected_app
from tests.real.nginx import nginx
from tests.real.processes import free_port

SESSION_SHARE = session_share(MAX_COOKIE_HEADER)
pytestmark = pytest.mark.real

SECRET = "0123456789abcdef" * 2 + "fedcba9876543210" * 2
EVIL = "https://evil.example/"
# Of the answer that signs in; by itself it takes 4 kB of headers from an app.
LARGE_ANSWERS = "proxy_buffer_size 16k; proxy_buffers 8 16k;"


@contextlib.asynccontextmanager
async def site(persona: Persona, *, more: str = "") -> AsyncIterator[Browser]:
    """Serve an app behind nginx, and open a browser on it."""
    provider = FakeProvider(clients=[Client("web", "web-secret")], personas=[persona], alg="ES256")
    port, app_port = free_port(), free_port()
    origin = f"http://localhost:{port}"
    with serve(provider) as running:
        provider.issuer = running.url
        app = protected_app(
            issuer=running.url, client_id="web", client_secret="web-secret", base_url=f"{origin}/", secret=SECRET
        )
        with serve(app, port=app_port), nginx(port, app=app_port, more=more):
            async with httpx.AsyncHTTPTransport() as transport:
                yield Browser(transport, origin, {running.url: transport})


async def be_led_here(browser: Browser) -> None:
    for number in range(20):
        path = f"/private/{number}?{'x' * 1900}"
        await browser.get(f"/auth/login?return_to={path}", initiator=EVIL, follow=False)
        await browser.get(path, initiator=EVIL, follow=False)


async def test_a_browser_that_other_sites_have_filled_is_let_through():
    """Three visits were enough for a 400 to everything, sign-out included, for ten minutes."""
    async with site(Persona("alice", "Alice", "alice@example.com")) as browser:
        await be_led_here(browser)
        page = await browser.sign_in("alice", "/private")
        await be_led_here(browser)
        again = await browser.get("/private")
        out = await browser.submit(again, "Sign out", follow=False)

    assert [answer.status_code for answer in (page, again, out)] == [200, 200, 303]


async def test_the_largest_session_is_let_through():
    """With all that can stand beside it. (The answer that signs in is larger than nginx takes of an app by itself.)"""
    groups = [secrets.token_urlsafe(27) for _ in range(110)]  # nothing that could be compressed
    persona = Persona("alice", "Alice", "alice@example.com", {"groups": groups})
    async with site(persona, more=LARGE_ANSWERS) as browser:
        await be_led_here(browser)
        page = await browser.sign_in("alice", "/private")
        sizes = [len(cookie.name) + len(cookie.value) for cookie in browser.jar.starting_with("oidc-")]
        await be_led_here(browser)
        again = await browser.get("/private")
        out = await browser.submit(again, "Sign out", follow=False)

    assert [answer.status_code for answer in (page, again, out)] == [200, 200, 200]
    assert "id_token_hint" in out.text  # too long for a URL, so the page sends it as a form
    assert sum(sizes) > SESSION_SHARE * 0.75
