"""The guide to several providers: its second app adds a provider to an account, and never one of somebody else."""

import importlib
from collections.abc import Callable
from types import ModuleType

import pytest

from asgi_oidc import OIDCMiddleware
from asgi_oidc.testing import Browser, Response
from tests.protected_site import ORIGIN, SECRET
from tests.providers.three_providers import ThreeProviders, issuer_of


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The app of the guide, without accounts."""
    for name, value in {"OIDC_BASE_URL": ORIGIN, "OIDC_SECRET": SECRET}.items():
        monkeypatch.setenv(name, value)
    return importlib.reload(importlib.import_module("examples.several-providers.linked_accounts"))


@pytest.fixture
def open_browser(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Browser]:
    """Open browsers on the app; its providers are called `one`, `two` and `three` here."""
    site = ThreeProviders()
    monkeypatch.setattr(app, "providers", site.providers)  # the example names real ones, which no test may call
    guarded = OIDCMiddleware(app.starlette, providers=site.providers, base_url=ORIGIN, secret=SECRET, clock=site.clock)
    others = {fake.issuer: fake for fake in site.fakes.values()}
    return lambda: Browser(guarded, ORIGIN, others, clock=site.clock)


async def add(browser: Browser, name: str, *, sub: str) -> Response:
    """Press the button that adds a provider, and sign in there."""
    await browser.get("/me")
    await browser.submit(button=f"Add {name}")
    return await browser.submit(button=sub)


async def test_a_user_adds_another_way_in(app, open_browser):
    """Both logins lead to one account from then on."""
    browser = open_browser()
    await browser.sign_in("alice", "/me", provider="one")
    question = await add(browser, "two", sub="bob")
    page = await browser.submit(button="Add")

    assert "Add Bob Brown (two) to account 1?" in question.text
    assert (page.path, "account 1" in page.text) == ("/me", True)
    assert app.accounts == {(issuer_of("one"), "alice"): "account 1", (issuer_of("two"), "bob"): "account 1"}


async def test_nothing_is_added_without_an_answer(app, open_browser):
    """Users may have signed in with the wrong account."""
    browser = open_browser()
    await browser.sign_in("alice", "/me", provider="one")
    await add(browser, "two", sub="bob")

    assert list(app.accounts) == [(issuer_of("one"), "alice")]


async def test_a_login_that_has_an_account_is_not_moved(app, open_browser):
    """Its owner would lose that account."""
    await open_browser().sign_in("bob", "/me", provider="two")
    browser = open_browser()
    await browser.sign_in("alice", "/me", provider="one")
    page = await add(browser, "two", sub="bob")

    assert (page.status_code, "already belongs to another account" in page.text) == (409, True)
    assert app.accounts[issuer_of("two"), "bob"] == "account 1"


async def test_another_browser_cannot_answer(app, open_browser):
    """A link from somebody else's page would add the reader's login to the account of its author."""
    author, reader = open_browser(), open_browser()
    await author.sign_in("alice", "/me", provider="one")
    await add(author, "two", sub="bob")

    page = await reader.sign_in("chloe", "/auth/login?provider=two&return_to=/link/confirm")

    assert (page.status_code, "Nothing to add" in page.text) == (409, True)
    assert list(app.accounts) == [(issuer_of("one"), "alice")]
