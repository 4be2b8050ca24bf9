"""Finds what expires first, with a few bytes for each entry."""

import heapq
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Generic, Protocol, TypeVar

BUCKET = 64  # seconds; the names that expire within the same ones wait in one list
FAR = 1e15  # seconds; a lifetime may be infinite, the number of a bucket may not

Name = TypeVar("Name")


class Expiring(Protocol[Name]):
    """What has the names, and knows when each expires."""

    def __len__(self) -> int:
        """Return how many names there are."""

    def expiry_of(self, name: Name) -> float | None:
        """Return when a name expires; None if it is gone."""

    def expiries(self) -> Iterable[tuple[Name, float]]:
        """Return all names with their expiries."""


class ExpiryQueue(Generic[Name]):
    """Names in the order in which they expire.

    They wait in unsorted lists, one for each `BUCKET`; only the list whose time has come is sorted. A name whose expiry
    moves back stays where it is, and is moved when it is found there: a session in use is moved once in its idle time,
    not with each use.
    """

    def __init__(self, owner: Expiring[Name]) -> None:
        self._owner = owner
        self._waiting: dict[int, list[Name]] = {}
        self._sorted: list[tuple[float, int, Name]] = []  # a heap; the number decides between equal expiries
        self._sorted_until = 0  # the first bucket whose names still wait
        self._numbers = count()
        self._filed = 0

    def __len__(self) -> int:
        """Return how many names are filed, outdated ones included."""
        return self._filed

    def put(self, name: Name, expires_at: float, *, before: float | None) -> None:
        """File a name that its owner has already.

        Args:
            before: when it would have expired until now; None if it is new.
        """
        if before is not None and before <= expires_at:
            return
        self._file(name, expires_at)
        if self._filed > 2 * len(self._owner) + 16:
            self._waiting, self._sorted, self._filed = {}, [], 0
            for each, at in self._owner.expiries():
                self._file(each, at)

    def first(self) -> Name:
        """Return the name that expires first; there has to be one."""
        while (found := self._first_sorted()) is None:
            self._sort(min(self._waiting))
        return found[1]

    def expired(self, now: float, *, most: int) -> Iterator[Name]:
        """Yield up to `most` names that have expired; the caller must drop each before taking the next."""
        if now // BUCKET >= self._sorted_until:
            self._sorted_until = int(now // BUCKET) + 1
            for bucket in [bucket for bucket in self._waiting if bucket < self._sorted_until]:
                self._sort(bucket)
        for _ in range(most):
            found = self._first_sorted()
            if found is None or found[0] > now:
                return
            yield found[1]

    def _file(self, name: Name, expires_at: float) -> None:
        self._filed += 1
        bucket = int(min(expires_at, FAR) // BUCKET)
        if bucket < self._sorted_until:
            heapq.heappush(self._sorted, (expires_at, next(self._numbers), name))
        else:
            self._waiting.setdefault(bucket, []).append(name)

    def _sort(self, bucket: int) -> None:
        self._sorted_until = max(self._sorted_until, bucket + 1)
        names = self._waiting.pop(bucket)
        self._filed -= len(names)
        for name in names:
            expires_at = self._owner.expiry_of(name)
            if expires_at is not None:
                self._file(name, expires_at)

    def _first_sorted(self) -> tuple[float, Name] | None:
        while self._sorted:
            expires_at, _, name = self._sorted[0]
            current = self._owner.expiry_of(name)
            if current == expires_at:
                return expires_at, name
            heapq.heappop(self._sorted)
            self._filed -= 1
            if current is not None and current > expires_at:
                self._file(name, current)
        return None
