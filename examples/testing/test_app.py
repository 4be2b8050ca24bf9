"""How to test an app behind sign-in: `pytest`, in this folder."""

import secrets

import httpx
import pytest
from app import create_api, create_app

from asgi_oidc import OIDCMiddleware, User
from asgi_oidc.integrations.fastapi import require
from asgi_oidc.testing import Browser, FakeProvider, Persona

pytestmark = pytest.mark.anyio
ORIGIN = "https://app.example.com"


@pytest.fixture
def anyio_backend() -> str:
    """FastAPI runs on asyncio."""
    return "asyncio"


@pytest.fixture
def provider() -> FakeProvider:
    """A provider of this test's own."""
    return FakeProvider("https://id.example.com")


@pytest.fixture
def app(provider: FakeProvider) -> OIDCMiddleware:
    """The app, signed up at that provider."""
    app: OIDCMiddleware = create_app(
        issuer=provider.issuer,
        client_id="web",
        client_secret=provider.clients["web"].client_secret,
        base_url=ORIGIN,
        secret=secrets.token_urlsafe(32),
        http_client=provider.http_client(),
    )
    return app


@pytest.fixture
def browser(app: OIDCMiddleware, provider: FakeProvider) -> Browser:
    """A browser with an empty cookie jar."""
    return Browser(app, ORIGIN, {provider.issuer: provider})


async def test_a_page_greets_its_user(browser: Browser) -> None:
    page = await browser.sign_in("alice", "/me")

    assert (page.status_code, "Hello, Alice Adams" in page.text) == (200, True)


async def test_a_script_without_a_session_gets_401(browser: Browser) -> None:
    answer = await browser.fetch("/reports")

    assert (answer.status_code, answer.json()["error"]) == (401, "login_required")


@pytest.mark.parametrize(("roles", "status"), [(["admin"], 200), (["reader"], 403), ([], 403)])
async def test_only_admins_read_reports(
    browser: Browser, provider: FakeProvider, roles: list[str], status: int
) -> None:
    provider.personas["dana"] = Persona("dana", "Dana Doe", "dana@example.com", {"roles": roles})

    await browser.sign_in("dana", "/me")

    assert (await browser.fetch("/reports")).status_code == status


async def test_signing_out_ends_the_session(browser: Browser) -> None:
    await browser.sign_in("alice", "/me")

    await browser.submit(button="Sign out")

    assert (await browser.fetch("/me")).status_code == 401


async def test_a_provider_that_is_down_gives_a_503_page(browser: Browser, provider: FakeProvider) -> None:
    with provider.fault("discovery_down"):
        page = await browser.get("/me")

    assert (page.status_code, "Reference" in page.text) == (503, True)


async def test_a_route_without_signing_in() -> None:
    api = create_api()
    tester = User("tester", "https://id.example.com", {})
    api.dependency_overrides[require(claims={"roles": "admin"})] = lambda: tester

    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url=ORIGIN) as client:
        answer = await client.get("/reports")

    assert answer.json() == {"for": "tester"}
