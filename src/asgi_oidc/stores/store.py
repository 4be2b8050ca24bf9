"""The interface of a session store: seven small operations, each of them atomic and on one key.

To add a store, write a class with these methods, and test it with `asgi_oidc.testing.SessionStoreContract`.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol


class SessionStore(Protocol):
    """The interface of a session store: it keeps bytes under keys, each for a limited time.

    Keys, indexes and members are text of at most 200 characters from `A-Z a-z 0-9 : _ -`. Values are encrypted, and at
    most 1 MiB long. Lifetimes are in seconds; an entry is gone when its lifetime has passed. A method that fails raises
    any exception, which becomes `StoreUnavailable`.
    """

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None if there is none."""

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        """Write the value if there is none yet; return whether it was written."""

    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        """Write `new` if the value is still `old`; return whether it was written. Never writes a key that is gone."""

    async def remove(self, key: str, *, only: bytes | None = None) -> bool:
        """Remove the value, or only if it equals `only`; return whether it was removed."""

    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Sequence[str]:
        """Add a member to an index, with a lifetime of its own.

        Returns:
            The members that were dropped because there are more than `most`: those that would have expired first.
        """

    async def linked(self, index: str) -> Sequence[str]:
        """Return the members of an index that have not expired."""

    async def unlink(self, index: str, member: str) -> None:
        """Remove a member from an index."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Keep connections open while the app runs, in this event loop. The store also works without it, more slowly.

        A store may omit this method. It must not wait for a server that is down: the app starts anyway.
        """
        return nullcontext()
