"""Sends Redis commands in batches, without cancelling them, and limits how many batches run at once.

Commands that are called in the same turn of the event loop go out together, and so do those that wait for room: one
write, one round trip. No command waits for others to join it.

Two reads of the same key share one command, but only until it is sent. An answer that is under way may be older than
the second read: a session that was ended in between would still be signed in.

A Redis client whose command is cancelled may lose a connection of its pool, or leave an answer that the next command
would read. So each batch runs in a task of its own, and ends by the client's own timeouts, even if all its callers are
cancelled.
"""

import binascii
import itertools
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import anyio

from asgi_oidc.single_flight import SingleFlight

MAX_AT_ONCE = 64  # batches per event loop; each uses one connection at most
MAX_COMMANDS, MAX_BYTES = 64, 256 * 1024  # of one batch, so that nobody waits for long for the answers to others
CLUSTER_LANES, MAX_PER_CLUSTER_LANE = 16, 8  # commands to a cluster are limited per lane, a range of hash slots
SLOTS = 16_384  # hash slots of a cluster; the CRC of a key determines its slot


class Command(NamedTuple):
    """A command on one key.

    Attributes:
        run: runs it with a client, or adds it to a pipeline of the client.
        size: of its arguments, in bytes.
        is_read: whether all calls for this key that wait at the same moment can share one command.
    """

    key: str
    run: Callable[[Any], Any]
    size: int = 0
    is_read: bool = False


RunBatch = Callable[[Sequence[Command]], Awaitable[Sequence[object]]]


class _Call:
    """A command, and how many callers wait for its result."""

    __slots__ = ("callers", "command", "result", "traceback")

    def __init__(self, command: Command) -> None:
        self.command = command
        self.callers = 0
        self.result: object = None
        self.traceback: Any = None

    def finish(self, result: object) -> None:
        self.result = result
        if isinstance(result, BaseException):
            self.traceback = result.__traceback__

    def value(self) -> Any:
        if isinstance(self.result, BaseException):
            raise self.result.with_traceback(self.traceback)  # each caller would add its frames to the shared error
        return self.result


class _Batch:
    """Commands that are sent together."""

    __slots__ = ("calls", "name", "reads", "size")

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: list[_Call] = []
        self.reads: dict[str, _Call] = {}  # by key
        self.size = 0  # bytes

    def add(self, command: Command) -> _Call:
        """Add a command, or share one that reads the same key."""
        call = self.reads.get(command.key) if command.is_read else None
        if call is None:
            call = _Call(command)
            self.calls.append(call)
            self.size += command.size
            if command.is_read:
                self.reads[command.key] = call
        return call


class _Lane:
    """Commands that share a limit: how many batches run at once, and the batch that has not been sent yet."""

    __slots__ = ("open", "room")

    def __init__(self, max_at_once: int) -> None:
        self.room = anyio.Semaphore(max_at_once, fast_acquire=True)
        self.open: _Batch | None = None


class Batches:
    """Runs commands in batches, each in a task that is never cancelled, and limits how many run at once.

    An object belongs to one event loop.

    Args:
        run: runs a batch on one connection; returns, in order, a value or an error for each command.
        is_for_cluster: limit them per range of hash slots, so that a node that hangs does not block all commands; and
            send each command by itself, because in a pipeline, the clients do not look for nodes that have changed.
    """

    def __init__(self, run: RunBatch, *, is_for_cluster: bool) -> None:
        self._run = run
        lane_count, max_per_lane = (CLUSTER_LANES, MAX_PER_CLUSTER_LANE) if is_for_cluster else (1, MAX_AT_ONCE)
        self.max_connections = lane_count * max_per_lane
        self._lanes = [_Lane(max_per_lane) for _ in range(lane_count)]
        self._max_commands = 1 if is_for_cluster else MAX_COMMANDS
        self._flights: SingleFlight[None] = SingleFlight()  # by the names of batches
        self._numbers = itertools.count()

    async def call(self, command: Command) -> Any:
        """Run a command as soon as its lane has room; if the caller is cancelled after that, it still completes."""
        lane = self._lane(command.key)
        batch = lane.open
        if batch is None or not self._has_place(batch, command):
            batch = lane.open = _Batch(str(next(self._numbers)))
        call = batch.add(command)
        call.callers += 1
        try:
            # The task of the batch runs from the next turn of the event loop on; until then, others can join it.
            await self._flights.run_to_the_end(batch.name, partial(self._send, lane, batch))
        finally:
            call.callers -= 1
        return call.value()

    async def drained(self) -> None:
        """Wait until no command is running."""
        await self._flights.drained()

    def _has_place(self, batch: _Batch, command: Command) -> bool:
        if command.is_read and command.key in batch.reads:
            return True
        return len(batch.calls) < self._max_commands and batch.size + command.size <= MAX_BYTES

    async def _send(self, lane: _Lane, batch: _Batch) -> None:
        has_room = lane.room.value > 0
        await lane.room.acquire()
        try:
            if lane.open is batch:
                lane.open = None  # from here on, a read must not share a command of this batch
            # Commands whose callers have all given up while they waited for room are not sent.
            calls = batch.calls if has_room else [call for call in batch.calls if call.callers]
            results = await self._run([call.command for call in calls]) if calls else []
        except Exception as exc:  # noqa: BLE001  # any error, such as a lost connection: all callers get it
            results = [exc] * len(calls)
        finally:
            lane.room.release()
        for call, result in zip(calls, results, strict=True):
            call.finish(result)

    def _lane(self, key: str) -> _Lane:
        encoded = key.encode()  # an error here is only this caller's
        if len(self._lanes) == 1:
            return self._lanes[0]
        slot = binascii.crc_hqx(encoded, 0) % SLOTS
        return self._lanes[slot * len(self._lanes) // SLOTS]
