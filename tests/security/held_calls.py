"""A gate before the provider: calls to one endpoint wait until the test opens it, so that nothing has to sleep."""

from typing import Any

import anyio
import httpx

from asgi_oidc.testing import FakeProvider

from .attacked_site import Scope


class Gate:
    """Stands before the provider and holds up the calls to one endpoint.

    Args:
        path: How the path of those calls ends.
    """

    def __init__(self, provider: FakeProvider, path: str) -> None:
        self._provider = provider
        self._path = path
        self._opened = anyio.Event()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Wait, then let the provider answer."""
        if scope["path"].endswith(self._path):
            await self._opened.wait()
        await self._provider(scope, receive, send)

    def open(self) -> None:
        """Let all pass from now on."""
        self._opened.set()

    def http_client(self) -> httpx.AsyncClient:
        """Give a client whose calls come here."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self))


def calls_of_ours(provider: FakeProvider) -> list[str]:
    """Say which calls the relying party made, the browser's left aside."""
    names = (call.path.rpartition("/")[2] for call in provider.calls)
    return [name for name in names if name not in ("authorize", "end_session")]
