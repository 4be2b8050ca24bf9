"""No secret stands where Python prints things by itself: in signatures, in `help()`, and in reprs.

Notebooks, documentation builders and error reporters print all of that without being asked.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from rich.pretty import pretty_repr

from asgi_oidc import MemoryStore, OIDCMiddleware, SessionStore
from asgi_oidc.testing import Browser, Client, FakeProvider

from .attacked_site import ORIGIN, AttackedSite, CountingApp

PLANTED = "planted-4711-" + secrets.token_urlsafe(16)
CLIENT_SECRET = "client-secret-4711-" + secrets.token_urlsafe(16)
SECRETS = [secrets.token_urlsafe(32), secrets.token_urlsafe(32)]

# In a process of its own: what is copied from the environment when a module is imported would else go unseen.
EVERY_HELP_TEXT = """
import importlib, inspect, pkgutil, pydoc
import asgi_oidc

names = [each.name for each in pkgutil.walk_packages(asgi_oidc.__path__, "asgi_oidc.")]
modules = [asgi_oidc, *(importlib.import_module(name) for name in names if not name.endswith("__main__"))]
for module in modules:
    print(pydoc.render_doc(module, renderer=pydoc.plaintext))
    for name, value in vars(module).items():
        # Whatever else it has imported is rendered where it is defined.
        if getattr(value, "__module__", "") == module.__name__ and callable(value):
            print(pydoc.render_doc(value, renderer=pydoc.plaintext))
            try:
                print(name, inspect.signature(value))
            except ValueError:  # it has none
                pass
"""


def test_no_signature_and_no_help_text_prints_the_environment() -> None:
    """A default argument is printed whole: one `os.environ` there shows every password of the process."""
    environ = {**os.environ, "DATABASE_PASSWORD": PLANTED, "OIDC_CLIENT_SECRET": PLANTED, "OIDC_SECRET": PLANTED}

    printed = subprocess.run(
        [sys.executable, "-c", EVERY_HELP_TEXT], env=environ, capture_output=True, text=True, check=True
    ).stdout

    assert "from_env(" in printed
    assert "class SignIn(" in printed
    assert PLANTED not in printed
    assert "environ(" not in printed


def everything_in(*roots: object) -> Iterator[object]:
    """Give each object of ours that the roots lead to: through attributes, containers and closures."""
    waiting, seen = list(roots), set[int]()
    kept = []  # so that no id is given to another object meanwhile
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        kept.append(each)
        if isinstance(each, Mapping):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple | set | frozenset):
            waiting += list(each)
        elif callable(each) and getattr(each, "__closure__", None):
            waiting += [cell.cell_contents for cell in each.__closure__]  # type: ignore[attr-defined]  # it is there
        if getattr(each, "__self__", None) is not None:
            waiting.append(each.__self__)  # type: ignore[attr-defined]  # it is there
        if type(each).__module__.startswith("asgi_oidc"):
            yield each
            slots = [slot for kind in type(each).__mro__ for slot in getattr(kind, "__slots__", ())]
            names = [*vars(each)] if hasattr(each, "__dict__") else []
            waiting += [getattr(each, name) for name in [*slots, *names] if hasattr(each, name)]


@dataclass
class StoreWithAPassword(SessionStore):
    """A store of the user's own: its repr is not ours to trust."""

    inner: SessionStore
    url: str

    async def get(self, key: str) -> bytes | None:
        return await self.inner.get(key)

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        return await self.inner.add(key, value, lifetime=lifetime)

    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        return await self.inner.replace(key, old, new, lifetime=lifetime)

    async def remove(self, key: str, *, only: bytes | None = None) -> bool:
        return await self.inner.remove(key, only=only)

    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Any:
        return await self.inner.link(index, member, lifetime=lifetime, most=most)

    async def linked(self, index: str) -> Any:
        return await self.inner.linked(index)

    async def unlink(self, index: str, member: str) -> None:
        await self.inner.unlink(index, member)


@dataclass
class AppWithAPassword(CountingApp):
    """An app whose repr shows what it was made with."""

    password: str

    def __post_init__(self) -> None:
        super().__init__()


@pytest.mark.parametrize("setting", [None, "store", "logout_store"])
async def test_nothing_that_the_middleware_holds_prints_a_secret(setting: str | None) -> None:
    """An error reporter prints the local variables of every frame, and so any object of ours."""
    provider = FakeProvider(clients=[Client("web", CLIENT_SECRET)])
    store = StoreWithAPassword(MemoryStore(), f"mongodb://user:{PLANTED}@host")
    where = {setting: store} if setting else {}
    stage = AttackedSite(
        provider,
        AppWithAPassword(PLANTED),
        client_secret=CLIENT_SECRET,
        secret=SECRETS,
        scope="openid email offline_access",
        authorization_params={"login_hint": PLANTED},
        keep_forms=True,
        **where,
    )
    provider.clock = stage.clock
    browser = Browser(stage.middleware, ORIGIN, {provider.origin: provider}, clock=stage.clock)
    page = await browser.sign_in("alice", "/page")
    assert page.status_code == 200
    await browser.get("/page")
    tokens = [call.form[name] for call in provider.calls for name in ("code", "code_verifier") if name in call.form]
    cookies = [cookie.value for cookie in browser.cookies]
    hidden = {PLANTED, CLIENT_SECRET, *SECRETS, *tokens, *cookies}
    assert len(hidden) > 5

    ours = list(everything_in(stage.middleware))

    assert len(ours) > 30
    assert any(type(each).__name__.endswith("CachedSession") for each in ours)
    assert {type(each).__qualname__ for each in ours if shows(each, hidden)} == set()


def shows(each: object, hidden: set[str]) -> bool:
    printed = f"{each!r} {each} {pretty_repr(each)}"
    return any(secret in printed for secret in hidden)


@pytest.mark.parametrize(
    "url",
    [
        f"redis://user:{PLANTED}@host",
        f"rediss+sentinel://:{PLANTED}@h1,h2/service",
        f"postgresql://app:{PLANTED}@db/app",
    ],
)
def test_the_address_of_a_store_prints_no_password(url: str) -> None:
    """The URL of a store is the one setting that often holds a password in its midst."""
    middleware = OIDCMiddleware(
        CountingApp(),
        issuer="https://id.example.com",
        client_id="web",
        base_url=ORIGIN,
        secret=SECRETS,
        store=url,
    )

    assert [type(each) for each in everything_in(middleware) if shows(each, {PLANTED})] == []
