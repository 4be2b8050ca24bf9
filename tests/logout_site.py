"""A site that the provider can sign people out of, with sessions in each of the places where they can be."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from asgi_oidc import MemoryStore
from asgi_oidc.testing import Browser
from asgi_oidc.testing.in_process import call_app
from tests.attacked_provider import own_path
from tests.protected_site import ORIGIN, Clock, Site
from tests.scripted_store import ScriptedStore

FORM = {"content-type": "application/x-www-form-urlencoded"}

# Where sessions are, and where is written what has ended.
FORMS: Mapping[str, Callable[[Clock], dict[str, Any]]] = {
    "cookies": lambda clock: {},
    "cookies of many processes": lambda clock: {"logout_store": ScriptedStore(clock)},
    "MemoryStore": lambda clock: {"store": MemoryStore(clock=clock)},
    "a store": lambda clock: {"store": ScriptedStore(clock)},
}


class Answer:
    """What the provider gets for a logout token."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status = status
        self.headers = dict(headers)
        self.names = [name for name, _ in headers]
        self.members: dict[str, Any] = json.loads(body)


class LogoutSite(Site):
    """A site with the provider's side of a logout.

    Args:
        form: a name of `FORMS`.
    """

    def __init__(self, form: str = "cookies", **settings: Any) -> None:
        clock = Clock()
        super().__init__(**{"clock": clock, **FORMS[form](clock), **settings})

    async def hear(self, token: str) -> Answer:
        """Post a logout token as the provider does."""
        return await self.post(urlencode({"logout_token": token}).encode())

    async def post(self, body: bytes, *, method: str = "POST", headers: Mapping[str, str] = FORM) -> Answer:
        """Post anything there."""
        return Answer(*await call_app(self.middleware, method, ORIGIN + own_path("backchannel-logout"), headers, body))


async def sid_of(browser: Browser) -> str:
    """Ask for the session at the provider that a browser has."""
    return str((await browser.fetch("/auth/session")).json()["claims"]["sid"])


async def are_in(*browsers: Browser) -> list[bool]:
    """Say who of them is signed in, by what the app answers."""
    return [(await browser.fetch("/page")).status_code == 200 for browser in browsers]
