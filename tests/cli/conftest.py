"""The demo app in process: its middleware, the fake provider, a browser between them."""

import pytest

from asgi_oidc.cli.demo_app import protected_demo
from asgi_oidc.testing import Browser, Client, FakeProvider, Persona

NOW = 1_800_000_000
HOME = "http://127.0.0.1:8000"
ISSUER = "http://127.0.0.1:9400"
MALLORY = Persona(
    "mallory",
    "<script>alert(1)</script>",
    "m&m@example.com",
    {"<img>": "<b>&amp;", "groups": ["<i>"] * 9, "quoted": "\"'"},
)
ALICE = Persona("alice", "Alice Adams", "alice@example.com", {"roles": ["admin"]})


@pytest.fixture
def provider() -> FakeProvider:
    client = Client("demo", redirect_uris=[f"{HOME}/auth/callback"], post_logout_redirect_uris=[HOME])
    return FakeProvider(ISSUER, clients=[client], personas=[ALICE, MALLORY], clock=lambda: NOW)


@pytest.fixture
def browser(provider: FakeProvider) -> Browser:
    app = protected_demo(
        base_url=HOME,
        issuer=ISSUER,
        client=provider.clients["demo"],
        http_client=provider.http_client(),
        clock=lambda: NOW,
    )
    return Browser(app, HOME, {ISSUER: provider}, clock=lambda: NOW)
