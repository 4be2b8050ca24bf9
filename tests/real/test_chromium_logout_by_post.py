"""A sign-out that is too long for a URL, in a real browser: a form to another site, through a third one, and back."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, expect

from asgi_oidc.testing import Client, FakeProvider, serve
from tests.real.processes import free_port
from tests.real.rules_site import signed_in
from tests.real.servers import server

pytestmark = pytest.mark.real

SECRET = "0123456789abcdef" * 2 + "fedcba9876543210" * 2
GROUPS = [f"00000000-0000-0000-0000-{number:012}" for number in range(60)]


@dataclass(frozen=True)
class Site:
    """An app on one site, and its provider on another."""

    origin: str
    provider: FakeProvider
    origins: list[bytes]
    """What the browser said of where its forms come from."""


@contextlib.contextmanager
def another_host(target: list[str], origins: list[bytes]) -> Iterator[str]:
    """Serve what providers lead through on the way, such as the provider of a provider; give its URL."""

    async def on_the_way(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":  # 307: the form goes on as it is
            origins.append(dict(scope["headers"])[b"origin"])
            headers = [(b"location", target[0].encode())]
            await send({"type": "http.response.start", "status": 307, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

    with serve(on_the_way, lifespan="off") as running:
        yield f"{running.url}/on/the/way"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """At localhost and 127.0.0.1, which are two sites; the ID Token is of 3 kB."""
    origin = f"http://localhost:{free_port()}"
    provider = FakeProvider(clients=[Client("web", "web-secret")])
    provider.id_token_overrides = {"groups": GROUPS}
    target, origins = list[str](), list[bytes]()
    with serve(provider) as running, another_host(target, origins) as on_the_way:
        provider.issuer = running.url
        target.append(provider.metadata["end_session_endpoint"])
        provider.metadata["end_session_endpoint"] = on_the_way
        environ = {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": "web",
            "OIDC_CLIENT_SECRET": "web-secret",
            "OIDC_BASE_URL": origin,
            "OIDC_SECRET": SECRET,
        }
        with server("uvicorn-h11", "tests.real.app:app", port=int(origin.rpartition(":")[2]), environ=environ):
            yield Site(origin, provider, origins)


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_form_leads_to_the_provider_and_back(chromium: Chromium, site: Site, has_scripts: bool) -> None:
    """By itself, or with the button; our content security policy stops none of the redirects after it."""
    context: BrowserContext = chromium.new_context(java_script_enabled=has_scripts)
    page = signed_in(context, f"{site.origin}/private", "Alice")
    asked = len(site.provider.calls)

    page.get_by_role("button", name="Sign out").click()
    if not has_scripts:
        page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#who")).to_have_text("nobody")

    (call,) = [call for call in site.provider.calls[asked:] if call.path.endswith("/end_session")]
    assert (call.method, site.origins[-1].decode(), page.url) == ("POST", site.origin, f"{site.origin}/")
    page.goto(f"{site.origin}/private")
    expect(page.locator("h1")).to_have_text("Sign in")
    context.close()
