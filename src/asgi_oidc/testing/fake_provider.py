"""A fake OpenID Provider: one small ASGI app with real signed tokens, for tests and demos.

It imports nothing of the library, on purpose: a provider that shared our checks would share our mistakes.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Literal

import anyio
import httpx

from .endpoints import NAMES, Endpoint, endpoint_at, names_of
from .gates import Gate
from .logout import ProviderLogout
from .pages import message_page
from .wire import Answer, Call, Receive, Scope, Send, answer_lifespan, html_answer, read_call, send_answer

When = Literal["before", "after"]


class FakeProvider(ProviderLogout):
    """An OpenID Provider whose people, keys and faults belong to the test.

    `ProviderState` has its settings, `ProviderLogout` signs people out.
    """

    _gates: tuple[tuple[str, When, Gate], ...] = ()

    def http_client(self) -> httpx.AsyncClient:
        """Give a client that reaches this provider in process, whatever host is asked for."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self))

    def count(self, path: str) -> int:
        """Count the calls whose path ends so: `count("/token")`."""
        return sum(call.path.endswith(path) for call in self.calls)

    def count_grants(self, grant_type: str) -> int:
        """Count the calls to the token endpoint for this: `count_grants("refresh_token")`."""
        calls = (call for call in self.calls if call.path.endswith("/token"))
        return sum(call.form.get("grant_type") == grant_type for call in calls)

    @contextlib.contextmanager
    def hold(self, name: str, *, when: When = "before") -> Iterator[Gate]:
        """Let calls wait at a gate for a while; the end of the block opens it.

            with provider.hold("refresh") as gate:
                tasks.start_soon(browser.get, "/page")
                await gate.until_held()
                ...
                gate.open()

        Args:
            name: An endpoint (`token`, `revoke`, `userinfo`, ...), or what is asked of the token endpoint
                (`code_exchange`, `refresh`, `token_exchange`).
            when: `before` the provider does anything, or `after` it did and before the answer goes out. A
                call that is cancelled before was never processed.
        """
        if name not in NAMES:
            raise ValueError(f"nothing is named {name!r} here; there are: {', '.join(sorted(NAMES))}")
        entry = (name, when, Gate())
        self._gates = (*self._gates, entry)
        try:
            yield entry[2]
        finally:
            self._gates = tuple(it for it in self._gates if it is not entry)
            entry[2].open()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise NotImplementedError(f"the fake provider speaks http, not {scope['type']}")
        call = await read_call(scope, receive)
        self.calls.append(call)
        endpoint = endpoint_at(call, self.base_path)
        names = names_of(endpoint, call)
        await self._wait_at_gates(names, "before", call)
        answer = self._answer(endpoint, names, call)
        if "end_session" in names and self.backchannel_client is not None:
            await self.send_due_logouts()
        await self._wait_at_gates(names, "after", call)
        if math.isinf(answer.delay):
            await receive()  # the body was read, so this is the client giving up
            return
        await anyio.sleep(max(self.latency, answer.delay))
        await send_answer(answer, send)

    async def _wait_at_gates(self, names: Sequence[str], when: When, call: Call) -> None:
        for name, its_when, gate in self._gates:
            if name in names and its_when == when:
                await gate.hold(call)

    def _answer(self, endpoint: Endpoint | None, names: Sequence[str], call: Call) -> Answer:
        if endpoint is None:
            return html_answer(message_page("Not found", "The fake provider has no such page."), 404)
        answer = self.faults.answer_instead(names, self.setting())
        if answer is None:
            answer = endpoint.handle(self, call)
        return self.faults.change_answer(names, answer, self.setting())
