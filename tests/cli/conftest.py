"""The demo app in process: its middleware, the three providers, a browser between them."""

import httpx
import pytest

from asgi_oidc.cli.demo_app import protected_demo
from asgi_oidc.cli.demo_providers import DemoProviders, demo_providers
from asgi_oidc.testing import Browser, Persona

NOW = 1_800_000_000
HOME = "http://127.0.0.1:8000"
ISSUER = "http://127.0.0.1:9400"
MALLORY = Persona(
    "mallory",
    "<script>alert(1)</script>",
    "m&m@example.com",
    {"<img>": "<b>&amp;", "groups": ["<i>"] * 9, "quoted": "\"'"},
)


@pytest.fixture
def providers() -> DemoProviders:
    made = demo_providers(url=ISSUER, app_url=HOME, clock=lambda: NOW)
    made.example.personas[MALLORY.sub] = MALLORY
    return made


@pytest.fixture
def browser(providers: DemoProviders) -> Browser:
    http_client = httpx.AsyncClient(transport=httpx.ASGITransport(app=providers))
    app = protected_demo(base_url=HOME, providers=providers.settings(http_client), clock=lambda: NOW)
    return Browser(app, HOME, {ISSUER: providers}, clock=lambda: NOW)
