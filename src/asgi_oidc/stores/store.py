"""What a session store does: seven small things, each of them atomic and on one key.

A new store is one class with these methods. `asgi_oidc.testing.SessionStoreContract` tells whether it does them right.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol


class SessionStore(Protocol):
    """Keeps bytes under keys, each for a lifetime.

    Keys, indexes and members are text of at most 200 characters of `A-Z a-z 0-9 : _ -`; values are sealed, at most
    1 MiB. Lifetimes are seconds, and everything is gone when its lifetime has passed. A method that cannot do its work
    raises; whatever it raises becomes `StoreUnavailable`.
    """

    async def get(self, key: str) -> bytes | None:
        """Return the value, None where there is none."""

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        """Write a value where there is none, and say whether it was written."""

    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        """Write `new` where `old` still stands, and say whether it was written; what is gone stays gone."""

    async def remove(self, key: str, *, only: bytes | None = None) -> bool:
        """Remove the value, or remove it only where it is this one; say whether it was removed."""

    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Sequence[str]:
        """Put a member into an index, for a lifetime of its own.

        Returns:
            Members that were dropped because there are more than `most`: those that would have ended first.
        """

    async def linked(self, index: str) -> Sequence[str]:
        """Return the members of an index whose lifetime has not passed."""

    async def unlink(self, index: str, member: str) -> None:
        """Take a member out of an index."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Keep connections open while the app runs, in this event loop; the store works without it, but slower.

        A store may leave it out. It never waits for a server that is down: the app starts without it.
        """
        return nullcontext()
