"""The indexes of a store in memory: members of sets, each for a limited time."""

from collections.abc import Callable, Iterable

from asgi_oidc.stores.expiry_queue import ExpiryQueue
from asgi_oidc.stores.memory_values import EXPIRED_PER_WRITE

Member = tuple[str, str]  # the index, and the name in it


class MemoryIndexes:
    """Members by index, bounded in number. Not safe for threads: the caller holds a lock."""

    def __init__(self, *, max_members: int, clock: Callable[[], float]) -> None:
        self._max_members = max_members
        self._clock = clock
        self._indexes: dict[str, dict[str, float]] = {}  # when each member expires
        self._count = 0
        self._queue: ExpiryQueue[Member] = ExpiryQueue(self)

    def __len__(self) -> int:
        """Return how many members there are in all."""
        return self._count

    def expiry_of(self, name: Member) -> float | None:
        """Return when a member expires; None if there is none."""
        return self._indexes.get(name[0], {}).get(name[1])

    def expiries(self) -> Iterable[tuple[Member, float]]:
        """Return all members, and when they expire."""
        return [
            ((index, member), expires_at)
            for index, members in self._indexes.items()
            for member, expires_at in members.items()
        ]

    def link(self, index: str, member: str, *, lifetime: float, most: int) -> list[str]:
        """Add a member; beyond `most`, drop those that expire first, and return them."""
        members, now = self._indexes.setdefault(index, {}), self._clock()
        before, expires_at = members.get(member), now + lifetime
        members[member] = expires_at
        self._count += before is None
        self._queue.put((index, member), expires_at, before=before)
        self._make_room(now)
        in_order = self.members(index)
        dropped = in_order[: max(0, len(in_order) - most)]
        for name in dropped:
            self.unlink(index, name)
        return dropped

    def members(self, index: str) -> list[str]:
        """Return the members that have not expired, those that expire first in front; remove the expired ones."""
        now = self._clock()
        in_order = sorted((expires_at, name) for name, expires_at in self._indexes.get(index, {}).items())
        for expires_at, name in in_order:
            if expires_at > now:
                break
            self.unlink(index, name)
        return [name for expires_at, name in in_order if expires_at > now]

    def unlink(self, index: str, member: str) -> None:
        """Remove a member, if it is there."""
        members = self._indexes.get(index, {})
        self._count -= members.pop(member, None) is not None
        if not members:
            self._indexes.pop(index, None)

    def _make_room(self, now: float) -> None:
        for index, name in self._queue.expired(now, most=EXPIRED_PER_WRITE):
            self.unlink(index, name)
        while self._count > self._max_members:
            self.unlink(*self._queue.first())
