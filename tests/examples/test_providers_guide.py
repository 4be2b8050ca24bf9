"""The guide to providers: its settings are settings, and what it says about signing out is what is sent."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc import OIDCMiddleware, Rule
from asgi_oidc.testing import Browser, FakeProvider
from tests.examples.guides import section

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FOLDER = ROOT / "examples" / "providers"
GUIDE = (FOLDER / "README.md").read_text(encoding="utf-8")
PAGES = {path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# "): path for path in FOLDER.glob("*.md")}
PROVIDERS = ("Google", "Microsoft Entra", "Okta", "Auth0", "Keycloak", "Amazon Cognito")
REQUIRED = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_BASE_URL", "OIDC_SECRET")
# What a reader fills in, as it looks in real life.
FILLED_IN = {
    "RANDOM-SECRET": "u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw",
    "CLIENT-SECRET": "GOCSPX-a9dEfHiQoZ7KsXjUw",
    "CLIENT-ID": "4u2lk9nhq0",
    "TENANT-ID": "8eaef023-2b34-4da1-9baa-8bc8c9d6a490",
    "POOL-ID": "eu-central-1_AbCdEf123",
    "REGION": "eu-central-1",
    "TENANT": "example",
    "REALM": "staff",
    "DOMAIN": "example.auth.eu-central-1.amazoncognito.com",
    "HOST": "id.example.com",
    "ORG": "example",
}


def section_of(provider: str) -> str:
    """Return what the page of a provider says."""
    return PAGES[provider].read_text(encoding="utf-8")


def blocks_of(provider: str) -> list[dict[str, str]]:
    """Return the variables of each block, filled in."""
    return variables_in(section_of(provider))


def variables_in(text: str) -> list[dict[str, str]]:
    """Return the variables of each block, filled in."""
    blocks = re.findall(r"```ini\n(.*?)```", text, re.DOTALL)
    return [dict(line.split("=", 1) for line in filled_in(block).splitlines()) for block in blocks]


def filled_in(text: str) -> str:
    """Replace what is written in capitals."""
    for placeholder, value in FILLED_IN.items():
        text = re.sub(rf"(?<![A-Z_-]){placeholder}(?![A-Z-])", value, text)
    return text


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_first_block_is_a_complete_configuration(provider):
    """It is copied as it stands, and only the placeholders are replaced."""
    environ = blocks_of(provider)[0]

    middleware = OIDCMiddleware.from_env(app, environ=environ)

    assert set(REQUIRED) <= set(environ)
    assert middleware.base_url == "https://app.example.com"
    assert re.search(r"(?<![A-Z])[A-Z]{2,}(?![A-Z])", environ["OIDC_ISSUER"]) is None


def test_several_providers_are_a_complete_configuration(tmp_path):
    """The variables of each provider carry its name, and a secret may stand in a file."""
    (tmp_path / "work").write_text("s3cret")
    (environ,) = variables_in(section(GUIDE, "Several providers"))
    environ["OIDC_WORK_DE_CLIENT_SECRET_FILE"] = str(tmp_path / "work")

    middleware = OIDCMiddleware.from_env(app, environ=environ, rules=[Rule("/x", providers=["google", "work-de"])])

    assert middleware.base_url == "https://app.example.com"


@pytest.mark.parametrize(
    ("provider", "number"), [(name, number) for name in PROVIDERS for number in range(1, len(blocks_of(name)))]
)
def test_every_other_block_fits_into_the_first(provider, number):
    """They show one more setting, which replaces or completes those above."""
    first, *_ = blocks = blocks_of(provider)

    middleware = OIDCMiddleware.from_env(app, environ={**first, **blocks[number]})

    assert middleware.base_url == first["OIDC_BASE_URL"]


@pytest.mark.parametrize("rule", re.findall(r"^(Rule\(.*\))$", "\n".join(map(section_of, PAGES)), re.MULTILINE))
def test_every_rule_is_a_rule(rule):
    """They are copied into a list."""
    assert eval(rule, {"Rule": Rule}).path == "/admin/*"


@pytest.mark.parametrize("provider", sorted({*PAGES} - {"Providers", "Providers that are not by the book"}))
def test_every_provider_has_the_same_parts_in_the_same_order(provider):
    """Readers look for the part that they need, and compare."""
    parts = ["1. ", "```ini", "**Refresh token.**", "**Roles and groups.**", "**Sign-out", "**Known limits.**"]
    page = section_of(provider)

    assert [part for part in parts if part not in page] == []
    assert sorted(parts, key=page.index) == parts
    assert "| fact | source |" in page or "Sources: [" in page


def test_every_page_is_in_the_table():
    """A stranger looks for the name of a provider there."""
    pages = {path.name for path in PAGES.values()} - {"README.md"}

    assert pages == set(re.findall(r"\]\(([\w-]+\.md)\)", GUIDE.partition("\n## ")[0]))


def test_every_provider_that_is_listed_elsewhere_has_a_page():
    """A name in the README leads here."""
    (named,) = re.findall(
        r"^\| \[Providers\]\[providers\] \| what to register and set at (.*) \|$", README, re.MULTILINE
    )

    assert re.split(", | and ", named) == list(PROVIDERS)
    assert [name for name in (*PROVIDERS, "GitHub") if not section_of(name)] == []


async def sign_out_with(**variables: str) -> str:
    """Sign in, sign out, and say where the browser is sent, with these variables of the guide."""
    provider = FakeProvider("https://id.example.com")
    environ = {
        "OIDC_ISSUER": "https://id.example.com",
        "OIDC_CLIENT_ID": "web",
        "OIDC_CLIENT_SECRET": str(provider.clients["web"].client_secret),
        "OIDC_BASE_URL": "https://app.example.com",
        "OIDC_SECRET": FILLED_IN["RANDOM-SECRET"],
        "OIDC_PUBLIC": "/",
        **variables,
    }
    middleware = OIDCMiddleware.from_env(app, environ=environ, http_client=provider.http_client())
    browser = Browser(middleware, "https://app.example.com", {"https://id.example.com": provider})
    await browser.sign_in("alice", "/page")
    return (await browser.post("/auth/logout", follow=False)).location


async def test_without_an_end_session_endpoint_signing_out_is_local():
    """The guide shows how to leave the session at Cognito as it is."""
    first, second = blocks_of("Amazon Cognito")

    location = await sign_out_with(
        OIDC_END_SESSION_PARAMETERS=first["OIDC_END_SESSION_PARAMETERS"], OIDC_METADATA=second["OIDC_METADATA"]
    )

    assert location == "https://app.example.com/"


async def test_cognito_gets_its_own_parameters():
    """It wants `logout_uri` and `client_id`."""
    first = blocks_of("Amazon Cognito")[0]

    url = urlsplit(await sign_out_with(OIDC_END_SESSION_PARAMETERS=first["OIDC_END_SESSION_PARAMETERS"]))

    assert parse_qs(url.query) == {"logout_uri": ["https://app.example.com"], "client_id": ["web"]}
