"""Marks that all processes share: a log in a store, which each of them reads again every second while it is asked.

A request does not wait for that, unless nobody has looked for some seconds.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

from asgi_oidc import events
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.sessions.revocations import FOR_EVER, Revocation, Revocations, merged
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.stores.guarded_store import GuardedStore

FRESH = 1.0  # seconds since the last look in which nobody looks again
STALE = 5.0  # seconds after which a request waits for the next look
FULL_READ_DEADLINE = 10.0  # seconds for a look at everything
RECENT = 120  # seconds that a mark is in the list that is read again and again
RECENT_ALONE = 700  # the same where that list is all there is: longer than a login may wait for its callback
GAP = 60  # seconds without a look after which that list may have lost some: then all is read
MAX_LISTED = 100_000  # marks in one list; 800 a second for the recent ones, millions for the others
MAX_UNWRITTEN = 50_000  # marks that wait for a store which takes nothing; each cost its author a login and a refresh
MAX_WRITTEN = 10_000  # marks that are taken out when a newer one of the same name is written
SHARDS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"  # how names begin


class RevocationFeed(Protocol):
    """Where processes tell each other what ended. With a store, all that waits raises `StoreUnavailable`."""

    def is_due(self) -> bool:
        """Say whether `poll` has anything to do."""

    async def poll(self) -> None:
        """Know what ended some seconds ago; most often that takes no time."""

    async def catch_up(self) -> None:
        """Know all that ended before this call."""

    async def catch_up_together(self) -> None:
        """The same, where anybody can make many ask at once."""

    async def try_to_catch_up(self) -> None:
        """Know what ended by now, if that can be known; it raises nothing."""

    async def write(self, revocations: Iterable[Revocation]) -> None:
        """Tell the others."""

    async def write_soon(self, revocations: Iterable[Revocation]) -> None:
        """Tell the others, now or as soon as that can be done; it raises nothing."""

    async def drained(self) -> None:
        """Wait until no look is under way in the background."""


async def try_to_write(feed: RevocationFeed, revocations: Iterable[Revocation]) -> None:
    """Tell the others where the session is gone from a store: only websockets elsewhere live on for a while without."""
    try:
        await feed.write(revocations)
    except StoreUnavailable as error:
        events.log(events.STORE_FAILED, code=error.code, detail=error.detail)


class NoFeed:
    """`RevocationFeed` of a process that is alone, or knows nobody."""

    def is_due(self) -> bool:
        """Say that it has not."""
        return False

    async def poll(self) -> None:
        """There is nothing to hear."""

    async def catch_up(self) -> None:
        """There is nothing to hear."""

    async def catch_up_together(self) -> None:
        """There is nothing to hear."""

    async def try_to_catch_up(self) -> None:
        """There is nothing to hear."""

    async def write(self, revocations: Iterable[Revocation]) -> None:
        """There is nobody to tell."""

    async def write_soon(self, revocations: Iterable[Revocation]) -> None:
        """There is nobody to tell."""

    async def drained(self) -> None:
        """There is nothing to wait for."""


class StoredFeed:
    """`RevocationFeed` in a store."""

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
        """Share the marks of `revocations`.

        Args:
            prefix: of all keys.
            lifetime: seconds that a mark is kept for processes that start later; None where sessions are in a store
                themselves, and gone from there.
            now: seconds since the epoch.
            ticks: seconds that only go forward.
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
        self._reads_begun = self._reads_done = 0  # looks of those who catch up

    def is_due(self) -> bool:
        """Say whether nobody has looked for a second."""
        return self._seconds_since_read() > FRESH

    async def poll(self) -> None:
        """Look in the background, or wait when the last look is too long ago."""
        age = self._seconds_since_read()
        if age <= FRESH:
            return
        if age <= STALE:
            self._reads.start("in the background", self._try_to_read)
        else:  # not with the one in the background: nobody hears when that fails
            await self._reads.run("while they wait", self._read_store)

    async def catch_up(self) -> None:
        """Look now; a look that began before does not count."""
        await self._read_store()

    async def catch_up_together(self) -> None:
        """The same, in one look for all who ask meanwhile."""
        needed = self._reads_begun + 1
        while self._reads_done < needed:
            await self._reads.run("to catch up", self._numbered_read)

    async def try_to_catch_up(self) -> None:
        """Look, so that no request has to; what fails is found out by the next request that waits."""
        await self._try_to_read()

    async def write(self, revocations: Iterable[Revocation]) -> None:
        """Write to the list of all, then to the list of those that are news."""
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
        """Write; what cannot be written is tried again with every look."""
        self._unwritten |= {revocation.name: revocation for revocation in revocations}
        while len(self._unwritten) > MAX_UNWRITTEN:
            del self._unwritten[next(iter(self._unwritten))]
        await self._write_unwritten()

    async def drained(self) -> None:
        """Wait for the looks that requests began."""
        await self._reads.drained()

    async def _link(self, index: str, member: str, *, lifetime: int) -> None:
        if await self._store.link(index, member, lifetime=lifetime, most=MAX_LISTED):
            raise StoreUnavailable("ended_log_full", f"more than {MAX_LISTED} sign-outs at once")

    async def _write_unwritten(self) -> None:
        try:
            for name, revocation in list(self._unwritten.items()):
                await self.write([revocation])
                if self._unwritten.get(name) == revocation:
                    del self._unwritten[name]
        except StoreUnavailable as error:
            events.log(events.STORE_FAILED, code=error.code, detail=error.detail)

    def _lists(self, name: str) -> list[tuple[str, int]]:
        """Say in which lists a mark stands, and for how many seconds."""
        if self._lifetime is None:
            return [(self._recent, RECENT_ALONE)]
        return [(self._shard(name[0]), self._lifetime), (self._recent, RECENT)]

    def _remember_written(self, revocation: Revocation) -> None:
        if revocation.at == FOR_EVER:  # one session ends once
            return
        self._written[revocation.name] = revocation
        if len(self._written) > MAX_WRITTEN:
            self._written.popitem(last=False)

    async def _remove_older(self, revocation: Revocation) -> None:
        """Take out what a newer mark of the same name says as well: who signs out again and again fills no list."""
        try:
            for index, _ in self._lists(revocation.name):
                await self._store.unlink(index, _encode(revocation))
        except StoreUnavailable as error:  # the newer one is there, and counts
            events.log(events.STORE_FAILED, code=error.code, detail=error.detail)

    async def _numbered_read(self) -> None:
        self._reads_begun += 1
        number = self._reads_begun
        await self._read_store()
        self._reads_done = max(self._reads_done, number)

    async def _try_to_read(self) -> None:
        try:
            await self._read_store()
        except StoreUnavailable as error:  # the next one who asks later waits, and is told
            events.log(events.STORE_FAILED, code=error.code, detail=error.detail)

    async def _read_store(self) -> None:
        await self._write_unwritten()
        begun = self._ticks(), self._now()
        everything = [self._shard(first) for first in SHARDS] if self._lifetime is not None else []
        members: list[str] = []
        for index in everything if self._seconds_since_read() > GAP else ():
            members += await self._store.linked(index)
            if self._ticks() - begun[0] > FULL_READ_DEADLINE:
                raise StoreUnavailable("store_timeout", f"more than {FULL_READ_DEADLINE:g} s for all that has ended")
        recent = await self._store.linked(self._recent)
        revocations = [
            _decode(member) for member in (*members, *(it for it in recent if it not in self._recent_members))
        ]
        # In the order in which they were made: of too many, the oldest go.
        for revocation in sorted(revocations, key=lambda revocation: revocation.made_at):
            self._revocations.add(revocation, now=self._now())
        self._last_read_at, self._recent_members = begun, set(recent)

    def _seconds_since_read(self) -> float:
        """Seconds since the last look, by whichever clock says more: one may be set, the other may have slept."""
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
    return f"{revocation.at}:{revocation.effective_at}:{revocation.made_at}:{revocation.name}"


def _decode(member: str) -> Revocation:
    try:
        at, effective_at, made_at, name = member.split(":")
        return Revocation(name, int(at), int(effective_at), int(made_at))
    except ValueError as exc:
        raise StoreUnavailable("store_garbage", "a sign-out that asgi-oidc did not write") from exc
