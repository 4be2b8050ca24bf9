"""The guide to tenants: its app does what the page says."""

import importlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from asgi_oidc.testing import Browser, FakeProvider
from tests.protected_site import CLIENT_SECRET, ORIGIN, SECRET


@pytest.fixture
def tenants(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Make the app of the guide, whose database has two tenants; return it and their providers."""
    path = tmp_path / "tenants.db"
    for name, value in {"DATABASE": str(path), "OIDC_BASE_URL": ORIGIN, "OIDC_SECRET": SECRET}.items():
        monkeypatch.setenv(name, value)
    fakes = {name: FakeProvider(f"https://{name}.id.example.net", alg="ES256") for name in ("acme", "globex")}
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE tenants (name TEXT, issuer TEXT, client_id TEXT, client_secret TEXT)")
        for name, fake in fakes.items():
            database.execute("INSERT INTO tenants VALUES (?, ?, 'web', ?)", (name, fake.issuer, CLIENT_SECRET))
    module = importlib.reload(importlib.import_module("examples.tenants.app"))
    return module, fakes


async def test_the_look_up_reads_the_table(tenants):
    """A new object of the same row each time, and nothing for other names."""
    module, fakes = tenants
    source = module.Tenants()

    found = await source.get("acme")

    assert found.settings.issuer == fakes["acme"].issuer
    assert await source.get("made-up") is None


async def test_the_path_leads_to_the_tenant(tenants):
    """The discovery needs the network, so the login ends there; a made-up tenant is a 404."""
    module, fakes = tenants
    others = {fake.issuer: fake for fake in fakes.values()}
    browser = Browser(module.app, ORIGIN, others)

    home = await browser.get("/")
    made_up = await browser.get("/t/made-up/dashboard", follow=False)
    asked = await browser.get("/auth/login", follow=False)

    assert (home.status_code, made_up.status_code, asked.status_code) == (200, 404, 200)
    assert await module.choose_provider({"path": "/t/acme/dashboard"}) == "acme"
    assert await module.choose_provider({"path": "/other"}) is None
