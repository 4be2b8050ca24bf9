"""The clients' end of a logout: what gets logout tokens, and people who are signed in to several clients."""

import urllib.parse
from collections.abc import Callable
from typing import Any

import anyio
from joserfc import jwt
from joserfc.jwk import KeySet

from asgi_oidc.testing import Browser, Client, FakeProvider
from asgi_oidc.testing.wire import Answer, Call, Receive, Scope, Send, read_call, send_answer
from tests.testing.relying_party import NOW, RelyingParty

APP = "https://app.example.com"


class Receiver:
    """The back-channel endpoints of all clients, a path each: `/web` answers 200, and `misdeeds` what else."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.misdeeds: dict[str, int | str] = {}
        self.before: list[Callable[[], object]] = []
        """Called, each once, before the next answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = await read_call(scope, receive)
        self.calls.append(call)
        while self.before:
            self.before.pop()()
        misdeed = self.misdeeds.get(call.path, 200)
        if misdeed == "raises":
            raise RuntimeError("a bug in an app")
        if misdeed == "hangs":
            await anyio.sleep_forever()
        await send_answer(Answer(int(misdeed)), send)

    def tokens(self, provider: FakeProvider) -> dict[str, dict[str, Any]]:
        keys = KeySet.import_key_set({"keys": provider.published_keys})
        return {call.path: jwt.decode(call.form["logout_token"], keys).claims for call in self.calls}


def with_back_channel(client_id: str) -> Client:
    return Client(client_id, backchannel_logout_uri=f"{APP}/{client_id}")


def provider_with_clients() -> FakeProvider:
    """Give a provider of which all clients but one have a back channel."""
    clients = [with_back_channel("web"), with_back_channel("shop"), with_back_channel("wiki"), Client("quiet")]
    return FakeProvider(clients=clients, clock=lambda: NOW)


async def sign_in(browser: Browser, sub: str, *client_ids: str) -> None:
    """Sign in to these clients: with a click at the first one, and silently at the others."""
    rp = browser.apps[APP]
    assert isinstance(rp, RelyingParty)
    for client_id in client_ids:
        await browser.sign_in(sub, rp.authorization_url(client_id=client_id))


def another(browser: Browser) -> Browser:
    return Browser(browser.apps[APP], others=browser.apps)


async def is_signed_in(browser: Browser) -> bool:
    """Say whether the provider still knows this browser."""
    return not (await browser.get("/private")).page.forms


def sids_of(provider: FakeProvider, sub: str = "alice") -> list[str]:
    return list(dict.fromkeys(it.sid for it in provider.memory.sign_ins.values() if it.persona.sub == sub))


def end_session_url(provider: FakeProvider, **params: str) -> str:
    return f"{provider.metadata['end_session_endpoint']}?{urllib.parse.urlencode(params)}"
