"""The revocation feed: tells the other processes which sessions were revoked, through a store.

Each process that serves requests reads the feed about once a second, in the background. A request waits for a read only
if the last one was some seconds ago.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.sessions.revocations import FOR_EVER, Revocation, Revocations, merged
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.store_failures import log_store_error

FRESH = 1.0  # seconds after a read in which the feed is not read again
STALE = 5.0  # seconds after a read from which a request waits for the next one
FULL_READ_DEADLINE = 10.0  # seconds for reading all lists
RECENT = 120  # seconds that a revocation stays in the list of recent ones, which every read fetches
RECENT_ALONE = 700  # the same if there are no other lists: longer than a login may wait for its callback
GAP = 60  # seconds without a read after which that list may have dropped unread ones: then all lists are read
MAX_LISTED = 100_000  # revocations in one list: 800 a second of recent ones, millions in the shards together
MAX_UNWRITTEN = 50_000  # revocations that wait for a store that is down; to cause one takes a login and a refresh
MAX_WRITTEN = 10_000  # names whose last revocation is known, and so can be removed when a newer one is written
SHARDS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"  # first characters of names


class RevocationFeed(Protocol):
    """Publishes revocations to the other processes, and reads theirs.

    Coroutines raise `StoreUnavailable` if a store is used and does not answer, unless they say otherwise.
    """

    def is_due(self) -> bool:
        """Return whether `poll` would read the feed."""

    async def poll(self) -> None:
        """Make sure that revocations older than a few seconds are known; usually returns at once."""

    async def catch_up(self) -> None:
        """Make sure that all revocations from before this call are known."""

    async def catch_up_together(self) -> None:
        """Do the same, but share one read between concurrent calls: for requests that an attacker can send in bulk."""

    async def try_to_catch_up(self) -> None:
        """Read the feed now, if the store answers; never raises."""

    async def write(self, revocations: Iterable[Revocation]) -> None:
        """Publish revocations."""

    async def write_soon(self, revocations: Iterable[Revocation]) -> None:
        """Publish revocations now, or as soon as the store answers again; never raises."""

    async def drained(self) -> None:
        """Wait until no read is under way in the background."""


async def try_to_write(feed: RevocationFeed, revocations: Iterable[Revocation]) -> None:
    """Publish revocations of sessions that are deleted from the store already, and only log a failure.

    Without the feed, open websockets and responses in other processes go on until they read the store the next time.
    """
    try:
        await feed.write(revocations)
    except StoreUnavailable as error:
        log_store_error(error)


class NoFeed:
    """`RevocationFeed` of a process that shares no store with others: every method does nothing."""

    def is_due(self) -> bool:
        """Return False: there is no feed to read."""
        return False

    async def poll(self) -> None:
        """Do nothing: there is no feed to read."""

    async def catch_up(self) -> None:
        """Do nothing: there is no feed to read."""

    async def catch_up_together(self) -> None:
        """Do nothing: there is no feed to read."""

    async def try_to_catch_up(self) -> None:
        """Do nothing: there is no feed to read."""

    async def write(self, revocations: Iterable[Revocation]) -> None:
        """Do nothing: there are no other processes."""

    async def write_soon(self, revocations: Iterable[Revocation]) -> None:
        """Do nothing: there are no other processes."""

    async def drained(self) -> None:
        """Do nothing: there is nothing to wait for."""


class StoredFeed:
    """`RevocationFeed` in a store that processes share.

    Each revocation is a member of an index of the store: of the list of recent ones, and, if sessions are in cookies,
    also of one of 64 shards that keep it for as long as such a session may live.
    """

    def __init__(
        self,
        revocations: Revocations,
        store: GuardedStore,
        *,
        prefix: str,
        lifetime: int | None,
        now: Callable[[], int],
        ticks: Callable[[], float],
    ) -> None:
        """Share `revocations` with the other processes.

        Args:
            prefix: of all keys in the store.
            lifetime: seconds that a revocation is kept for processes that start later; None if sessions are in a store
                themselves, and deleted from there.
            now: seconds since the epoch.
            ticks: seconds of a monotonic clock.
        """
        self._revocations = revocations
        self._store = store
        self._prefix = prefix
        self._lifetime = lifetime
        self._now = now
        self._ticks = ticks
        self._last_read_at: tuple[float, int] | None = None
        self._recent_members: set[str] = set()
        self._unwritten: dict[str, Revocation] = {}
        self._written: OrderedDict[str, Revocation] = OrderedDict()  # by name
        self._reads: SingleFlight[None] = SingleFlight()
        self._reads_begun = self._reads_done = (
            0  # number of the last read for `catch_up_together` that began, and that is done
        )

    def is_due(self) -> bool:
        """Return whether the last read was more than a second ago."""
        return self._seconds_since_read() > FRESH

    async def poll(self) -> None:
        """Read the feed in the background, or wait for the read if the last one is too long ago."""
        age = self._seconds_since_read()
        if age <= FRESH:
            return
        if age <= STALE:
            self._reads.start("in the background", self._try_to_read)
        else:  # not the same read as in the background, whose errors are only logged
            await self._reads.run("while they wait", self._read_store)

    async def catch_up(self) -> None:
        """Read the feed now; a read that began earlier may have missed something."""
        await self._read_store()

    async def catch_up_together(self) -> None:
        """Read the feed once for all concurrent callers; the read begins after each of the calls."""
        needed = self._reads_begun + 1
        while self._reads_done < needed:
            await self._reads.run("to catch up", self._numbered_read)

    async def try_to_catch_up(self) -> None:
        """Read the feed and only log a failure: the next request that has to wait reports it."""
        await self._try_to_read()

    async def write(self, revocations: Iterable[Revocation]) -> None:
        """Write revocations to their shard first, if there are shards, then to the list of recent ones."""
        for revocation in revocations:
            older = self._written.pop(revocation.name, revocation)
            newer = merged(revocation, older)
            for index, lifetime in self._lists(revocation.name):
                await self._link(index, _encode(newer), lifetime=lifetime)
            self._revocations.mark_published(revocation)
            if older not in (revocation, newer):
                await self._remove_older(older)
            self._remember_written(newer)

    async def write_soon(self, revocations: Iterable[Revocation]) -> None:
        """Write revocations; those that cannot be written are tried again with every read."""
        self._unwritten |= {revocation.name: revocation for revocation in revocations}
        while len(self._unwritten) > MAX_UNWRITTEN:
            del self._unwritten[next(iter(self._unwritten))]
        await self._retry_unwritten()

    async def drained(self) -> None:
        """Wait for the reads that requests began."""
        await self._reads.drained()

    async def _link(self, index: str, member: str, *, lifetime: int) -> None:
        if await self._store.link(index, member, lifetime=lifetime, most=MAX_LISTED):
            raise StoreUnavailable(
                "ended_log_full", f"more than {MAX_LISTED} revocations in one list: the oldest was dropped"
            )

    async def _retry_unwritten(self) -> None:
        try:
            for name, revocation in list(self._unwritten.items()):
                await self.write([revocation])
                if self._unwritten.get(name) == revocation:
                    del self._unwritten[name]
        except StoreUnavailable as error:
            log_store_error(error)

    def _lists(self, name: str) -> list[tuple[str, int]]:
        """Return the lists that a revocation belongs to, each with the seconds that it stays there."""
        if self._lifetime is None:
            return [(self._recent, RECENT_ALONE)]
        return [(self._shard(name[0]), self._lifetime), (self._recent, RECENT)]

    def _remember_written(self, revocation: Revocation) -> None:
        if revocation.covers_until == FOR_EVER:  # a session ends only once: no newer one will follow
            return
        self._written[revocation.name] = revocation
        if len(self._written) > MAX_WRITTEN:
            self._written.popitem(last=False)

    async def _remove_older(self, revocation: Revocation) -> None:
        """Remove a revocation that a newer one of the same name includes.

        Otherwise a user who signs out again and again could fill the lists.
        """
        try:
            for index, _ in self._lists(revocation.name):
                await self._store.unlink(index, _encode(revocation))
        except StoreUnavailable as error:  # harmless: the newer one is written
            log_store_error(error)

    async def _numbered_read(self) -> None:
        self._reads_begun += 1
        number = self._reads_begun
        await self._read_store()
        self._reads_done = max(self._reads_done, number)

    async def _try_to_read(self) -> None:
        try:
            await self._read_store()
        except StoreUnavailable as error:  # if it lasts, a later request waits for its own read and gets the error
            log_store_error(error)

    async def _read_store(self) -> None:
        await self._retry_unwritten()
        started_at = self._ticks(), self._now()
        shards = [self._shard(first) for first in SHARDS] if self._lifetime is not None else []
        members: list[str] = []
        for index in shards if self._seconds_since_read() > GAP else ():
            members += await self._store.linked(index)
            if self._ticks() - started_at[0] > FULL_READ_DEADLINE:
                raise StoreUnavailable(
                    "store_timeout", f"reading all revocations took more than {FULL_READ_DEADLINE:g} s"
                )
        recent = await self._store.linked(self._recent)
        new = [member for member in recent if member not in self._recent_members]
        revocations = [_decode(member) for member in (*members, *new)]
        # In the order in which they were made: if there are too many, the oldest are forgotten.
        for revocation in sorted(revocations, key=lambda revocation: revocation.made_at):
            self._revocations.add(revocation, now=self._now())
        self._last_read_at, self._recent_members = started_at, set(recent)

    def _seconds_since_read(self) -> float:
        """Return the seconds since the last read, by the clock that shows more.

        The wall clock may have been set back; the monotonic clock may have stopped while the machine slept.
        """
        if self._last_read_at is None:
            return float("inf")
        ticks, now = self._last_read_at
        return max(self._ticks() - ticks, abs(self._now() - now))

    def _shard(self, first: str) -> str:
        return f"{self._prefix}:ended:{first}"

    @property
    def _recent(self) -> str:
        return f"{self._prefix}:ended"


def _encode(revocation: Revocation) -> str:
    return f"{revocation.covers_until}:{revocation.effective_at}:{revocation.made_at}:{revocation.name}"


def _decode(member: str) -> Revocation:
    try:
        covers_until, effective_at, made_at, name = member.split(":")
        return Revocation(name, int(covers_until), int(effective_at), int(made_at))
    except ValueError as exc:
        raise StoreUnavailable(
            "store_garbage", "the revocation feed contains an entry that asgi-oidc did not write"
        ) from exc
