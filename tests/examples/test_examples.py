"""Each example is started as its README says, and a user signs in and out over real HTTP."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path

import httpx
import pytest

from asgi_oidc.cli.demo_providers import EXAMPLE
from asgi_oidc.testing import Browser, FakeProvider, Persona, serve
from tests.real.processes import free_port
from tests.real.servers import server

FOLDER = Path(__file__).parents[2] / "examples"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.py"))
WHOLE = [name for name in EXAMPLES if name != "starlette_mount"]
LONGEST = 40  # lines

Start = Callable[[str], str]


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    """The fake provider on a port of its own, with the client that the demo has for the examples."""
    fake = FakeProvider(clients=[EXAMPLE])
    with serve(fake) as running:
        fake.issuer = running.url
        yield fake


@pytest.fixture(scope="module")
def start(provider: FakeProvider) -> Iterator[Start]:
    """Starts an example when it is first asked for, and gives its origin."""
    with ExitStack() as running:
        yield cache(lambda name: running.enter_context(example(name, provider)))


@contextmanager
def example(name: str, provider: FakeProvider) -> Iterator[str]:
    """Run an example on a free port and give its origin."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    environ = {
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": EXAMPLE.client_id,
        "OIDC_CLIENT_SECRET": str(EXAMPLE.client_secret),
        "OIDC_BASE_URL": origin + ("/admin" if name == "starlette_mount" else ""),
        "OIDC_SECRET": secrets.token_urlsafe(32),
    }
    with server("uvicorn-h11", f"examples.{name}:app", port=port, environ=environ) as process:
        yield origin
        assert "Traceback" not in process.said, process.said


@asynccontextmanager
async def browsing(origin: str, provider: FakeProvider) -> AsyncIterator[Browser]:
    """Give a browser that speaks with the example and the provider over the network."""
    async with httpx.AsyncHTTPTransport() as network:
        yield Browser(network, origin, {provider.issuer: network})


@pytest.mark.parametrize("name", WHOLE)
async def test_a_user_signs_in_and_out(name, start, provider):
    """The way of a person: the link on the public page, the greeting, the button."""
    async with browsing(start(name), provider) as browser:
        await browser.get("/")
        await browser.click("Sign in")
        me = await browser.submit(button="chloe")
        home = await browser.submit(button="Sign out")
        after = await browser.fetch("/me")

    assert (me.status_code, me.path, "Hello, Chloë Čapková" in me.text) == (200, "/me", True)
    assert (home.status_code, home.url.startswith(browser.origin), "Welcome" in home.text) == (200, True, True)
    assert any("/end_session" in step.url for step in home.history)
    assert after.status_code == 401


@pytest.mark.parametrize("name", WHOLE)
async def test_a_name_is_escaped(name, start, provider):
    """A name that is markup must not become part of the page."""
    provider.personas["mallory"] = Persona("mallory", "<script>alert(1)</script>", "mallory@example.com")
    async with browsing(start(name), provider) as browser:
        me = await browser.sign_in("mallory", "/me")

    assert (me.status_code, "<script>" in me.text, "Hello, &lt;script&gt;" in me.text) == (200, False, True)


async def test_fastapi_knows_the_user(start, provider):
    """Both dependencies, and the provider in the OpenAPI document."""
    async with browsing(start("fastapi_app"), provider) as browser:
        stranger = await browser.get("/")
        anonymous = await browser.fetch("/api/me")
        await browser.sign_in("alice", "/me")
        friend, me = await browser.get("/"), await browser.fetch("/api/me")
        document = await browser.fetch("/openapi.json")

    assert ("Welcome, stranger" in stranger.text, "Welcome, Alice Adams" in friend.text) == (True, True)
    assert (anonymous.status_code, anonymous.json()["error"]) == (401, "login_required")
    assert me.json() == {"sub": "alice", "name": "Alice Adams", "email": "alice@example.com"}
    scheme = document.json()["components"]["securitySchemes"]["SignIn"]
    assert scheme["openIdConnectUrl"] == f"{provider.issuer}/.well-known/openid-configuration"


async def test_only_the_mounted_path_asks_for_a_user(start, provider):
    """The rest of the site is left alone, and our own URLs move below the mount."""
    async with browsing(start("starlette_mount"), provider) as browser:
        home = await browser.get("/")
        elsewhere = await browser.get("/auth/login")
        refused = await browser.fetch("/admin/")
        admin = await browser.sign_in("alice", "/admin/")

    assert (home.status_code, home.history, elsewhere.status_code) == (200, (), 404)
    assert refused.status_code == 401
    assert refused.json()["login_url"].startswith(f"{browser.origin}/admin/auth/login?")
    assert (admin.path, "Hello, Alice Adams" in admin.text) == ("/admin/", True)
    assert any(step.url.startswith(f"{browser.origin}/admin/auth/callback?") for step in admin.history)


async def test_a_mounted_app_builds_its_urls_and_signs_out(start, provider):
    """Starlette's `url_for` has to see through the middleware; "Sign out" ends at the provider too."""
    async with browsing(start("starlette_mount"), provider) as browser:
        await browser.get("/")
        await browser.click("Administration")
        admin = await browser.submit(button="alice")
        reloaded = await browser.click("Reload")
        out = await browser.submit(button="Sign out")
        after = await browser.fetch("/admin/")

    assert reloaded.text == admin.text
    assert any("/end_session" in step.url for step in out.history)
    assert after.status_code == 401


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short_and_in_the_readme(name):
    """An example is for reading, and found from its README."""
    lines = (FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()

    assert len(lines) <= LONGEST
    assert f"[{name}.py]({name}.py)" in README


def test_the_readme_names_the_client_that_the_demo_knows():
    """Copied as they stand, the commands have to work."""
    named = f"OIDC_CLIENT_ID={EXAMPLE.client_id} OIDC_CLIENT_SECRET={EXAMPLE.client_secret}"

    assert named in README
    assert "OIDC_ISSUER=http://127.0.0.1:9400" in README
