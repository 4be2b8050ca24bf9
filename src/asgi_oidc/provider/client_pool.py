"""HTTP clients that calls share while the app runs, one for each way of behaving in TLS."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import anyio

from asgi_oidc.provider.tls_contexts import TlsOptions

MAX_CLIENTS = 64  # one for each certificate; those that were used least recently are closed first
CLOSE_DEADLINE = 1.0  # seconds


class Closable(Protocol):
    """The part of an HTTP client that the pool uses."""

    async def aclose(self) -> None: ...


Client = TypeVar("Client", bound=Closable)


@dataclass(slots=True, eq=False)
class _Shared(Generic[Client]):
    """A client, and how many calls use it now."""

    client: Client
    calls: int = 0
    is_retired: bool = False


class ClientPool(Generic[Client]):
    """The clients of one event loop.

    Connections belong to the client that has opened them, so one that was opened with a certificate is never used
    without it, or with another one.
    """

    def __init__(self, make: Callable[[TlsOptions], Awaitable[Client]], *, most: int = MAX_CLIENTS) -> None:
        """Prepare.

        Args:
            make: makes a client.
            most: how many are kept open.
        """
        self._make = make
        self._most = most
        self._shared: OrderedDict[TlsOptions, _Shared[Client]] = OrderedDict()
        self._unused: list[Client] = []  # retired, and to be closed
        self._is_closed = False

    def add(self, options: TlsOptions, client: Client) -> None:
        """Share a client that has been made already."""
        self._shared[options] = _Shared(client)

    def get(self, options: TlsOptions) -> Client | None:
        """Return the client with these options; None if there is none."""
        shared = self._shared.get(options)
        return None if shared is None else shared.client

    @asynccontextmanager
    async def client(self, options: TlsOptions) -> AsyncIterator[Client]:
        """Use the client with these options for one call. Errors as in `make`."""
        shared = self._shared.get(options)
        if shared is None:
            shared = self._add(options, await self._make(options))
        shared.calls += 1
        try:
            self._retire_what_is_too_much(options)
            if self._unused:
                await self._close_unused()
            yield shared.client
        finally:
            shared.calls -= 1
            if shared.is_retired and not shared.calls:
                self._unused.append(shared.client)
                await self._close_unused()

    def retire(self, options: TlsOptions) -> None:
        """Close the client with these options when the calls that use it now are done."""
        shared = self._shared.pop(options, None)
        if shared is not None:
            shared.is_retired = True
            if not shared.calls:
                self._unused.append(shared.client)

    async def close(self) -> None:
        """Close all clients."""
        self._is_closed = True
        self._unused += [shared.client for shared in self._shared.values()]
        self._shared.clear()
        await self._close_unused()

    def _add(self, options: TlsOptions, made: Client) -> _Shared[Client]:
        shared = self._shared.setdefault(options, _Shared(made))
        if shared.client is not made:  # another call was faster
            self._unused.append(made)
        return shared

    def _retire_what_is_too_much(self, used: TlsOptions) -> None:
        self._shared.move_to_end(used)
        while len(self._shared) > (0 if self._is_closed else self._most):
            self.retire(next(iter(self._shared)))

    async def _close_unused(self) -> None:
        """Close clients that no call uses; their connections may belong to servers that do not answer any more."""
        while self._unused:
            client = self._unused.pop()
            with anyio.move_on_after(CLOSE_DEADLINE, shield=True):
                await client.aclose()
