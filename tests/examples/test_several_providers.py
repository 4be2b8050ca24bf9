"""The guide to several providers: its app behaves as the table says, and its settings are settings."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from html import escape
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from asgi_oidc import OAuth2Provider, OIDCMiddleware, Provider, Rule
from asgi_oidc.cli.demo_providers import EXAMPLE
from asgi_oidc.testing import Browser, FakeProvider, Response, serve
from tests.examples.guides import blocks, read_guide, run_block, section
from tests.protected_site import CLIENT_SECRET, ORIGIN, PROGRAM, SECRET
from tests.providers.three_providers import ThreeProviders
from tests.real.processes import free_port
from tests.real.servers import server

GUIDE = read_guide("several-providers")


@pytest.fixture(scope="module")
def addresses() -> Iterator[tuple[str, str]]:
    """Run the app of the guide; return its origin and that of the provider."""
    provider, port = FakeProvider(clients=[EXAMPLE]), free_port()
    with serve(provider) as running:
        provider.issuer = running.url
        environ = {
            "PROVIDER_URL": running.url,
            "CLIENT_SECRET": str(EXAMPLE.client_secret),
            "OIDC_BASE_URL": f"http://127.0.0.1:{port}",
            "OIDC_SECRET": secrets.token_urlsafe(32),
        }
        app = "examples.several-providers.two_providers:app"
        with server("uvicorn-h11", app, port=port, environ=environ) as process:
            yield environ["OIDC_BASE_URL"], running.url
            assert "Traceback" not in process.said, process.said


@contextlib.asynccontextmanager
async def browsing(addresses: tuple[str, str]) -> AsyncIterator[Browser]:
    """Open a browser that speaks with both over the network."""
    origin, provider = addresses
    async with httpx.AsyncHTTPTransport() as network:
        yield Browser(network, origin, {provider: network})


def link_to(name: str, page: Response) -> str:
    """Return the link to a provider on the page to choose one."""
    (found,) = (href for href, _ in page.page.links if f"provider={name}" in href)
    return found


async def sign_in(browser: Browser, name: str, path: str = "/me") -> Response:
    """Open a page, choose a provider, and sign in as alice."""
    await browser.click(link_to(name, await browser.get(path)))
    return await browser.submit(button="alice")


@pytest.mark.parametrize(("name", "title"), [("work", "Example GmbH"), ("hub", "Code Hub")])
async def test_the_user_chooses_a_provider(addresses, name, title):
    """The page afterwards says who came, and where."""
    async with browsing(addresses) as browser:
        choice = await browser.get("/me")
        page = await sign_in(browser, name)

    issuer = addresses[1] if name == "work" else "oauth2:hub"
    assert title in choice.text
    assert (page.status_code, page.path) == (200, "/me")
    assert f"alice at {issuer} ({name})" in page.text


@pytest.mark.parametrize(("path", "asks"), [("/staff/", False), ("/billing", True)])
async def test_a_page_that_the_hub_does_not_open_leads_to_the_company(addresses, path, asks):
    """403, then `Use another account`, then the page; at the company's provider, alice is signed in already."""
    async with browsing(addresses) as browser:
        await sign_in(browser, "hub")
        refused = await browser.get(path)
        page = await browser.click("Use another account")
        if asks:
            page = await browser.submit(button="alice")

    assert (refused.status_code, page.status_code, page.path) == (403, 200, path)
    assert "(work)" in page.text


async def test_the_provider_used_last_is_at_the_top(addresses):
    """Also after a sign-out."""
    async with browsing(addresses) as browser:
        await sign_in(browser, "hub")
        await browser.submit(button="Sign out")
        choice = await browser.get("/me")

    assert choice.text.index("provider=hub") < choice.text.index("provider=work")


async def test_the_internal_name_of_the_site_decides(addresses):
    """`choose_provider` looks at the host."""
    async with browsing(addresses) as browser:
        response = await browser.get("/me", headers={"host": "intranet.example.com"}, follow=False)

    assert response.location.startswith(f"{addresses[1]}/authorize")


async def test_a_script_gets_the_list(addresses):
    """As the table says."""
    async with browsing(addresses) as browser:
        refused = await browser.get("/me", headers=PROGRAM)

    assert [entry["name"] for entry in refused.json()["providers"]] == ["work", "hub"]


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """Stand for the app of the reader."""


def test_the_lines_of_the_guide_work_as_they_stand():
    """They are copied."""
    first, choose, welcome, migrated, hub = blocks(GUIDE.replace("\n   ", "\n"), "python")
    names: dict[str, Any] = {"app": nothing, "OAuth2Provider": OAuth2Provider}
    filled_in = first.replace('secret="...",\n    providers', f'secret="{secrets.token_urlsafe(32)}",\n    providers')

    run_block(filled_in, names)
    run_block(choose, names)
    run_block(welcome, names)
    run_block(migrated, names)
    provider = eval(hub.strip(), names)

    assert isinstance(names["app"], OIDCMiddleware)
    assert (names["Provider"], names["Rule"]) == (Provider, Rule)
    assert isinstance(provider, OAuth2Provider)
    assert names["choose_provider"]({"headers": [(b"host", b"intranet.example.com")]}) == "work"
    assert names["choose_provider"]({"headers": []}) is None


def test_the_variables_of_the_guide_are_settings(tmp_path):
    """They are copied, too."""
    (tmp_path / "github").write_text("a-secret")
    (block,) = blocks(GUIDE, "ini")
    variables = dict(line.split("=", 1) for line in block.splitlines())
    site = {"OIDC_BASE_URL": "https://app.example.com", "OIDC_SECRET": secrets.token_urlsafe(32)}
    file = {"OIDC_GITHUB_CLIENT_SECRET_FILE": str(tmp_path / "github")}

    middleware = OIDCMiddleware.from_env(nothing, environ={**variables, **site, **file})

    assert middleware.base_url == "https://app.example.com"


async def test_the_buttons_of_the_guide_lead_to_the_providers():
    """Its page is public, and its links name where to sign in."""
    names: dict[str, Any] = {"escape": escape, "HTMLResponse": HTMLResponse}
    run_block(blocks(section(GUIDE, "Your own buttons"), "python")[0], names)
    site = ThreeProviders()
    providers = {"work": site.providers["one"], "github": site.providers["two"]}
    starlette = Starlette(routes=[Route("/", names["welcome"])])
    app = OIDCMiddleware(starlette, providers=providers, base_url=ORIGIN, secret=SECRET, public=["/"])

    page = await Browser(app, ORIGIN).get("/")

    texts = {"Example GmbH": "work", "GitHub": "github"}
    links = {text: f"{ORIGIN}/auth/login?provider={name}&return_to=%2Fme" for text, name in texts.items()}
    assert {text: href for href, text in page.page.links} == links


async def test_one_provider_becomes_one_of_several_as_the_guide_says():
    """The redirect URI and the user stay, the session does not."""
    site = ThreeProviders({"one": {"callback_path": "/auth/callback"}})
    fake = site.fakes["one"]
    own: dict[str, Any] = {"base_url": ORIGIN, "secret": SECRET, "clock": site.clock}
    client: dict[str, Any] = {"issuer": fake.issuer, "client_id": "web", "client_secret": CLIENT_SECRET}
    flat = OIDCMiddleware(site.app, http_client=fake.http_client(), **client, **own)
    browser = Browser(flat, ORIGIN, {fake.issuer: fake}, clock=site.clock)
    await browser.sign_in("alice", "/private")
    before = site.app.scope["user"]
    browser.apps[ORIGIN] = site.middleware

    asked = await browser.get("/private")
    start = await browser.get("/auth/login?provider=one&return_to=/private", follow=False)
    await browser.sign_in("alice", "/auth/login?provider=one&return_to=/private")
    after = site.app.scope["user"]

    assert (asked.path, "%2Fauth%2Fcallback&" in start.location) == ("/auth/login?return_to=%2Fprivate", True)
    assert (before.issuer, before.sub) == (after.issuer, after.sub)
    assert (before.provider, after.provider) == (None, "one")
