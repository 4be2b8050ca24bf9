"""A fake OpenID Provider: one small ASGI app with real signed tokens, for tests and demos.

It deliberately imports nothing from the rest of the library: if it shared our checks, it would share our mistakes.
"""

import contextlib
import math
from collections.abc import Collection, Iterator, Sequence
from typing import Literal

import anyio
import httpx

from .client_certificates import ClientCertificate, presenting
from .endpoints import ENDPOINTS, Endpoint, endpoint_at, names_of
from .endpoints.token_call import GRANT_NAMES
from .gates import Gate
from .logout import ProviderLogout
from .pages import message_page
from .web_urls import origin_of
from .wire import Answer, Call, Receive, Scope, Send, answer_lifespan, html_answer, read_call, send_answer

When = Literal["before", "after"]


class FakeProvider(ProviderLogout):
    """An OpenID Provider whose users, keys and faults are under the control of the test.

    `ProviderState` has its settings, `ProviderLogout` signs users out.
    """

    _gates: tuple[tuple[str, When, Gate], ...] = ()

    def http_client(self, client_certificate: ClientCertificate | None = None) -> httpx.AsyncClient:
        """Return a client that sends every request to this provider in process, whatever the host.

        Args:
            client_certificate: What it presents in the TLS handshake.
        """
        app = self if client_certificate is None else presenting(self, client_certificate.pem)
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=app))

    @property
    def origins(self) -> Sequence[str]:
        """The origins at which it answers."""
        return (self.origin,) if self.mtls_url is None else (self.origin, origin_of(self.mtls_url))

    def _endpoints(self) -> Collection[Endpoint]:
        return ENDPOINTS.values()

    def _endpoint_of(self, call: Call) -> Endpoint | None:
        return endpoint_at(call, self.mtls_path if self.is_mtls(call) else self.base_path)

    def count(self, path: str) -> int:
        """Count the calls whose path ends with `path`: `count("/token")`."""
        return sum(call.path.endswith(path) for call in self.calls)

    def count_grants(self, grant_type: str) -> int:
        """Count the calls to the token endpoint with this grant type: `count_grants("refresh_token")`."""
        calls = (call for call in self.calls if call.path.endswith("/token"))
        return sum(call.form.get("grant_type") == grant_type for call in calls)

    @contextlib.contextmanager
    def hold(self, name: str, *, when: When = "before") -> Iterator[Gate]:
        """Make calls wait at a gate until it is opened, at the latest at the end of the block.

            with provider.hold("refresh") as gate:
                tasks.start_soon(browser.get, "/page")
                await gate.until_held()
                ...
                gate.open()

        Args:
            name: An endpoint (`token`, `revoke`, `userinfo`, ...), or a grant of the token endpoint
                (`code_exchange`, `refresh`, `token_exchange`).
            when: `before` the provider processes the call, or `after` that and before it sends the answer. A
                call that is cancelled while it waits `before` is never processed.
        """
        names = {endpoint.name for endpoint in self._endpoints()} | set(GRANT_NAMES.values())
        if name not in names:
            raise ValueError(f"unknown name {name!r}; expected one of: {', '.join(sorted(names))}")
        held = (name, when, Gate())
        self._gates = (*self._gates, held)
        try:
            yield held[2]
        finally:
            self._gates = tuple(entry for entry in self._gates if entry is not held)
            held[2].open()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise NotImplementedError(f"the fake provider serves only http, not {scope['type']}")
        call = await read_call(scope, receive)
        self.calls.append(call)
        endpoint = self._endpoint_of(call)
        names = names_of(endpoint, call, self.default_grant_type)
        await self._wait_at_gates(names, "before", call)
        await self.fetch_client_document(call)
        await self.fetch_client_keys(call)
        answer = self._answer(endpoint, names, call)
        if "end_session" in names and self.backchannel_client is not None:
            await self.send_due_logouts()
        await self._wait_at_gates(names, "after", call)
        if math.isinf(answer.delay):
            await receive()  # the body was read, so this returns when the client disconnects
            return
        await anyio.sleep(max(self.latency, answer.delay))
        await send_answer(answer, send)

    async def _wait_at_gates(self, names: Sequence[str], when: When, call: Call) -> None:
        for name, gate_when, gate in self._gates:
            if name in names and gate_when == when:
                await gate.hold(call)

    def _answer(self, endpoint: Endpoint | None, names: Sequence[str], call: Call) -> Answer:
        if endpoint is None:
            text = "The fake provider has no such page. It works: to sign in, start at your app, not here."
            return html_answer(message_page("Not found", text), 404)
        answer = self.faults.answer_instead(names, self.setting())
        if answer is None:
            answer = endpoint.handle(self, call)
        return self.faults.change_answer(names, answer, self.setting())
