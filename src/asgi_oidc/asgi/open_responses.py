"""Ends responses that stay open, such as server-sent events, when the session of their user ends.

Most responses are complete at once and need no watching. A response that is sent in parts is checked every few seconds
until it ends; one task checks all of them on the same event loop.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

import anyio
from anyio.lowlevel import RunVar

from asgi_oidc import events, telemetry
from asgi_oidc.asgi.bearer_watch import watch_of
from asgi_oidc.asgi.session_watch import (
    CHECK_INTERVAL,
    CLOSE_DEADLINE,
    ConnectionEnded,
    SessionWatcher,
    is_caused_by_end,
)
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.errors.sanitized import call_sanitized
from asgi_oidc.policy.access_control import Active
from asgi_oidc.single_flight import run_var
from asgi_oidc.web.asgi_types import Message, Receive, Send

READS_AT_ONCE = 20  # concurrent reads of sessions from a store, so that many open responses do not flood it


def loop_time() -> float:
    """Return the time of the event loop.

    On asyncio this is faster than `anyio.current_time`; every signed-in request calls it.
    """
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return anyio.current_time()


class OpenResponse:
    """One response that may stay open, and that we can end."""

    def __init__(self, active: Active, watcher: SessionWatcher, send: Send, *, requested_at: float) -> None:
        self.session = watch_of(active, watcher)
        self.requested_at = requested_at  # when its request came, by the clock of the event loop
        self.is_streaming = False
        self.is_ended = False
        self._send = send
        self._sends_under_way = 0
        self._sends_done = anyio.Event()
        self._end_sent = anyio.Event()
        self._receives_under_way: set[anyio.CancelScope] = set()
        self._identity = object()

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            ConnectionEnded: the response was ended.
        """
        if self.is_ended:
            await self._end_sent.wait()
            raise ConnectionEnded("this response", connection=self._identity)
        self._sends_under_way += 1
        try:
            await self._send(message)
        finally:
            self._sends_under_way -= 1
            if not self._sends_under_way:
                self._sends_done.set()

    async def receive(self, receive: Receive) -> Message:
        """Receive the next message, or the disconnect."""
        if not self.is_ended:
            with anyio.CancelScope() as receiving:
                self._receives_under_way.add(receiving)
                try:
                    return await receive()
                finally:
                    self._receives_under_way.discard(receiving)
        await self._end_sent.wait()
        return {"type": "http.disconnect"}

    async def end(self) -> None:
        """Complete the response for proxies and browsers, once, then let the app receive a disconnect."""
        if self.is_ended:
            return
        self.is_ended = True
        events.log(events.RESPONSE_ENDED)
        try:
            with anyio.move_on_after(CLOSE_DEADLINE):
                if self._sends_under_way:
                    self._sends_done = anyio.Event()
                    await self._sends_done.wait()
                # If the browser has disconnected, servers raise different errors.
                with contextlib.suppress(Exception):
                    await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:  # even if the app's task runs this and is cancelled: other tasks of the app may wait for the end
            self._end_sent.set()
            for receiving in self._receives_under_way:
                receiving.cancel()

    async def begin_streaming(self) -> None:
        """Note that the first part of the body is about to be sent; end the response if its session is already over.

        Responses are watched from here on only. One whose request came less than `CHECK_INTERVAL` ago may finish.
        """
        if call_sanitized(self._has_session_ended_since_request):
            await self.end()
        self.is_streaming = True

    def _has_session_ended_since_request(self) -> bool:
        return loop_time() - self.requested_at > CHECK_INTERVAL and self.session.is_known_to_be_over()

    def has_caused(self, error: BaseException) -> bool:
        """Return whether the app raised this error because we ended the response."""
        return is_caused_by_end(error, connection=self._identity)


class _WatchedResponses:
    """The open responses of one event loop."""

    def __init__(self) -> None:
        self.responses: set[OpenResponse] = set()
        self.is_check_scheduled = False
        self.check: asyncio.Task[None] | None = None  # asyncio keeps only weak references to its tasks


class OpenResponses:
    """All open responses of one middleware; those on the same event loop are checked together."""

    def __init__(self, watcher: SessionWatcher) -> None:
        self._watcher = watcher
        self._watched: RunVar[_WatchedResponses] = run_var("open_responses")

    def watch(self, response: OpenResponse) -> None:
        """Check a response every few seconds from now on, unless we have ended it."""
        if response.is_ended:  # the app may keep trying to send
            return
        watched = self._watched_of_this_loop()
        watched.responses.add(response)
        if not watched.is_check_scheduled:
            watched.is_check_scheduled = True
            self._start_checking(watched)

    def begin(self, active: Active, send: Send, *, requested_at: float) -> OpenResponse:
        """Return a response that may stay open; it is not watched yet.

        Args:
            requested_at: when its request came, by the clock of the event loop.
        """
        return OpenResponse(active, self._watcher, send, requested_at=requested_at)

    def forget(self, response: OpenResponse) -> None:
        """Stop checking a response: the app has completed it."""
        self._watched_of_this_loop().responses.discard(response)

    def _watched_of_this_loop(self) -> _WatchedResponses:
        watched = self._watched.get(None)
        if watched is None:
            watched = _WatchedResponses()
            self._watched.set(watched)
        return watched

    def _start_checking(self, watched: _WatchedResponses) -> None:
        """Check the responses at intervals until none is open.

        On asyncio, a timer starts each check, so that no task is pending in between when the loop is closed.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            import trio  # an optional dependency, present if trio runs this code

            trio.lowlevel.spawn_system_task(self._check_at_intervals, watched)
            return
        self._schedule_check(loop, watched)

    def _schedule_check(self, loop: asyncio.AbstractEventLoop, watched: _WatchedResponses) -> None:
        loop.call_later(CHECK_INTERVAL, self._start_check, loop, watched)

    def _start_check(self, loop: asyncio.AbstractEventLoop, watched: _WatchedResponses) -> None:
        if not watched.responses:
            watched.is_check_scheduled = False
            return
        watched.check = loop.create_task(self._check(watched))
        watched.check.add_done_callback(lambda _: self._schedule_check(loop, watched))

    async def _check_at_intervals(self, watched: _WatchedResponses) -> None:
        while watched.responses:
            await anyio.sleep(CHECK_INTERVAL)
            await self._check(watched)
        watched.is_check_scheduled = False

    async def _check(self, watched: _WatchedResponses) -> None:
        # A request that came less than CHECK_INTERVAL ago may finish even if its session has ended.
        latest = loop_time() - CHECK_INTERVAL
        responses = [response for response in watched.responses if response.requested_at <= latest]
        try:
            over = await self._find_ended(responses) if responses else []
        except Exception as error:  # noqa: BLE001  # fail closed: if the check itself breaks, no response stays open
            events.log(events.UNEXPECTED_ERROR, error=error)
            over = responses
        async with anyio.create_task_group() as tasks:
            for response in over:
                if response in watched.responses:  # otherwise the app has completed it meanwhile
                    watched.responses.discard(response)
                    tasks.start_soon(response.end)

    @telemetry.untraced
    async def _find_ended(self, responses: Iterable[OpenResponse]) -> list[OpenResponse]:
        """Return the responses whose session is over, or could not be checked for too long."""
        over, to_read, unchecked = list[OpenResponse](), list[OpenResponse](), list[OpenResponse]()
        is_feed_read = await self._poll_revocations()
        for response in responses:
            if response.session.is_known_to_be_over():
                over.append(response)
            elif not is_feed_read:
                unchecked.append(response)
            elif response.session.is_read_due():
                to_read.append(response)
            else:
                response.session.note_confirmed()
        deleted, not_read = await self._read_sessions(to_read)
        unchecked += not_read
        return [*over, *deleted, *(response for response in unchecked if response.session.is_unconfirmed_for_long())]

    async def _poll_revocations(self) -> bool:
        """Read the revocations of other processes; return False if the store is unavailable."""
        try:
            await self._watcher.feed.poll()
        except StoreUnavailable:  # not logged: requests log the outage already, and thousands of responses may be open
            return False
        return True

    async def _read_sessions(self, responses: Sequence[OpenResponse]) -> tuple[list[OpenResponse], list[OpenResponse]]:
        """Read sessions again, some at a time; stop when the store does not answer.

        Returns:
            The responses whose session no longer exists, and those whose session could not be read.
        """
        deleted, not_read = list[OpenResponse](), list[OpenResponse]()
        unreadable = list[OpenResponse]()  # damaged records: no reason to stop reading the others

        async def read(response: OpenResponse) -> None:
            try:
                if await response.session.reload():
                    response.session.note_confirmed()
                else:
                    deleted.append(response)
            except StoreUnavailable as error:
                (unreadable if error.code == "store_garbage" else not_read).append(response)

        for start in range(0, len(responses), READS_AT_ONCE):
            if not_read:
                return deleted, [*unreadable, *not_read, *responses[start:]]
            async with anyio.create_task_group() as tasks:
                for response in responses[start : start + READS_AT_ONCE]:
                    tasks.start_soon(read, response)
        return deleted, [*unreadable, *not_read]
