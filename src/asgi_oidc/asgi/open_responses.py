"""Ends responses that stay open, such as server-sent events, when the session of their user ends.

Most responses are complete at once, and are not watched. The others are checked every few seconds until they end, all
those of an event loop together.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

import anyio
from anyio.lowlevel import RunVar

from asgi_oidc import events
from asgi_oidc.asgi.session_watch import (
    CHECK_INTERVAL,
    CLOSE_DEADLINE,
    ConnectionEnded,
    SessionWatch,
    SessionWatcher,
    is_due_to_end,
)
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.errors.sanitized import call_sanitized
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.single_flight import run_var
from asgi_oidc.web.asgi_types import Message, Receive, Send

READS_AT_ONCE = 20  # of sessions in a store


def loop_time() -> float:
    """Read the clock of the event loop; on asyncio faster than anyio does, for every signed-in request needs it."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return anyio.current_time()


class OpenResponse:
    """One response that may stay open; it can be ended."""

    def __init__(self, active: ActiveSession, watcher: SessionWatcher, send: Send, *, begun_at: float) -> None:
        self.session = SessionWatch(active, watcher)
        self.begun_at = begun_at  # its request, by the clock of the event loop
        self.is_streaming = False
        self.is_ended = False
        self._send = send
        self._sending = 0
        self._nobody_sends = anyio.Event()
        self._has_gone_out = anyio.Event()
        self._waiting: set[anyio.CancelScope] = set()
        self._name = object()

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            ConnectionEnded: the response was ended.
        """
        if self.is_ended:
            await self._has_gone_out.wait()
            raise ConnectionEnded("this response", of=self._name)
        self._sending += 1
        try:
            await self._send(message)
        finally:
            self._sending -= 1
            if not self._sending:
                self._nobody_sends.set()

    async def receive(self, receive: Receive) -> Message:
        """Receive the next message, or the disconnect."""
        if not self.is_ended:
            with anyio.CancelScope() as waiting:
                self._waiting.add(waiting)
                try:
                    return await receive()
                finally:
                    self._waiting.discard(waiting)
        await self._has_gone_out.wait()
        return {"type": "http.disconnect"}

    async def end(self) -> None:
        """Send the end once, so that proxies and browsers see one, then let the app hear of it."""
        if self.is_ended:
            return
        self.is_ended = True
        events.log(events.RESPONSE_ENDED)
        try:
            with anyio.move_on_after(CLOSE_DEADLINE):
                if self._sending:
                    self._nobody_sends = anyio.Event()
                    await self._nobody_sends.wait()
                with contextlib.suppress(Exception):  # the browser was faster: servers raise different things then
                    await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:  # also when it is the app that ends it, and is cancelled: others of its tasks may wait
            self._has_gone_out.set()
            for waiting in self._waiting:
                waiting.cancel()

    async def begin_streaming(self) -> None:
        """End it before its first bit where its session ended meanwhile: until now, nobody has watched it.

        A request that is under way for a moment only when its session ends may finish.
        """
        if call_sanitized(self._is_over_by_now):
            await self.end()
        self.is_streaming = True

    def _is_over_by_now(self) -> bool:
        return loop_time() - self.begun_at > CHECK_INTERVAL and self.session.is_known_to_be_over()

    def explains(self, error: BaseException) -> bool:
        """Say whether an app raises this because the response was ended."""
        return is_due_to_end(error, of=self._name)


class _Watched:
    """The open responses of one event loop."""

    def __init__(self) -> None:
        self.responses: set[OpenResponse] = set()
        self.has_next_look = False
        self.look: asyncio.Task[None] | None = None  # asyncio itself would let it be collected half-way


class OpenResponses:
    """All responses of one middleware that stay open: one look serves them all."""

    def __init__(self, watcher: SessionWatcher) -> None:
        self._watcher = watcher
        self._watched: RunVar[_Watched] = run_var("open_responses")

    def watch(self, response: OpenResponse) -> None:
        """Look at a response every few seconds from now on, unless it was ended."""
        if response.is_ended:  # an app may try again and again to send
            return
        watched = self._watched_of_this_loop()
        watched.responses.add(response)
        if not watched.has_next_look:
            watched.has_next_look = True
            self._start(watched)

    def begin(self, active: ActiveSession, send: Send, *, begun_at: float) -> OpenResponse:
        """Begin a response that may stay open.

        Args:
            begun_at: when its request came, by the clock of the event loop.
        """
        return OpenResponse(active, self._watcher, send, begun_at=begun_at)

    def forget(self, response: OpenResponse) -> None:
        """Look at it no more: it has come to its own end."""
        self._watched_of_this_loop().responses.discard(response)

    def _watched_of_this_loop(self) -> _Watched:
        watched = self._watched.get(None)
        if watched is None:
            watched = _Watched()
            self._watched.set(watched)
        return watched

    def _start(self, watched: _Watched) -> None:
        """Look again and again while there is something to look at; in between, no task is left behind."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            import trio  # only where it runs already

            trio.lowlevel.spawn_system_task(self._look_again_and_again, watched)
            return
        self._look_later(loop, watched)

    def _look_later(self, loop: asyncio.AbstractEventLoop, watched: _Watched) -> None:
        loop.call_later(CHECK_INTERVAL, self._begin_look, loop, watched)

    def _begin_look(self, loop: asyncio.AbstractEventLoop, watched: _Watched) -> None:
        if not watched.responses:
            watched.has_next_look = False
            return
        watched.look = loop.create_task(self._look(watched))
        watched.look.add_done_callback(lambda _: self._look_later(loop, watched))

    async def _look_again_and_again(self, watched: _Watched) -> None:
        while watched.responses:
            await anyio.sleep(CHECK_INTERVAL)
            await self._look(watched)
        watched.has_next_look = False

    async def _look(self, watched: _Watched) -> None:
        # Not those that have only just begun: a request that is under way when its session ends may finish.
        begun_before = loop_time() - CHECK_INTERVAL
        responses = [response for response in watched.responses if response.begun_at <= begun_before]
        try:
            over = await self._find_over(responses) if responses else []
        except Exception as error:  # noqa: BLE001  # a look that breaks must keep nothing open, whatever it was
            events.log(events.UNEXPECTED_ERROR, error=error)
            over = responses
        async with anyio.create_task_group() as tasks:
            for response in over:
                if response in watched.responses:  # else it has come to its own end meanwhile
                    watched.responses.discard(response)
                    tasks.start_soon(response.end)

    async def _find_over(self, responses: Iterable[OpenResponse]) -> list[OpenResponse]:
        """Say whose session is over, or whose nobody can tell of any more."""
        over, unknown, unseen = list[OpenResponse](), list[OpenResponse](), list[OpenResponse]()
        can_tell = await self._hear()
        for response in responses:
            if response.session.is_known_to_be_over():
                over.append(response)
            elif not can_tell:
                unseen.append(response)
            elif response.session.is_read_due():
                unknown.append(response)
            else:
                response.session.note_alive()
        gone, not_read = await self._read(unknown)
        return [*over, *gone, *(each for each in (*unseen, *not_read) if each.session.is_unseen_for_long())]

    async def _hear(self) -> bool:
        """Hear what has ended elsewhere, and say whether that was to be had."""
        try:
            await self._watcher.feed.poll()
        except StoreUnavailable:  # the requests of the same time write that down; ten thousand responses need not
            return False
        return True

    async def _read(self, responses: Sequence[OpenResponse]) -> tuple[list[OpenResponse], list[OpenResponse]]:
        """Read sessions anew, some at once; a store that does not answer is not asked for the others."""
        gone, not_read = list[OpenResponse](), list[OpenResponse]()
        unreadable = list[OpenResponse]()  # a record that nobody can read says nothing about the others

        async def read(response: OpenResponse) -> None:
            try:
                if await response.session.is_gone():
                    gone.append(response)
                else:
                    response.session.note_alive()
            except StoreUnavailable as error:
                (unreadable if error.code == "store_garbage" else not_read).append(response)

        for start in range(0, len(responses), READS_AT_ONCE):
            if not_read:
                return gone, [*unreadable, *not_read, *responses[start:]]
            async with anyio.create_task_group() as tasks:
                for response in responses[start : start + READS_AT_ONCE]:
                    tasks.start_soon(read, response)
        return gone, [*unreadable, *not_read]
