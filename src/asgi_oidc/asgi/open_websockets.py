"""Closes an open websocket when the session that it was opened with ends: by a sign-out anywhere, or by expiry."""

import contextlib
from collections.abc import Awaitable, Callable

import anyio

from asgi_oidc import events, telemetry
from asgi_oidc.asgi.bearer_watch import watch_of
from asgi_oidc.asgi.session_watch import (
    CHECK_INTERVAL,
    CLOSE_DEADLINE,
    ConnectionEnded,
    SessionWatcher,
    is_caused_by_end,
)
from asgi_oidc.asgi.websocket_handshake import CLOSE_SESSION_OVER, CLOSE_TRY_AGAIN_LATER
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.policy.access_control import Active
from asgi_oidc.web.asgi_types import Message, Receive, Send


class OpenWebsocket:
    """One open websocket between the app and the server, which we can close."""

    def __init__(self, active: Active, watcher: SessionWatcher, receive: Receive, send: Send) -> None:
        self._session = watch_of(active, watcher)
        self._feed = watcher.feed
        self._receive = receive
        self._send = send
        self._identity = object()
        self._is_open = True
        self._close_code: int | None = None
        self._receives_under_way: set[anyio.CancelScope] = set()
        self._receives_done = anyio.Event()
        self._is_closed = anyio.Event()

    async def run(self, call_app: Callable[[Receive, Send], Awaitable[None]]) -> None:
        """Call the app, and close the websocket when the session is over.

        Exceptions of the app propagate, except those that it raises because we closed the websocket.
        """
        error: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch)
            try:
                await call_app(self.receive, self.send)
            except Exception as exc:  # noqa: BLE001  # raised below: a task group would wrap it
                error = exc
            finally:
                tasks.cancel_scope.cancel()
        if error is not None and not is_caused_by_end(error, connection=self._identity):
            raise error

    async def receive(self) -> Message:
        """Receive the next message, or the disconnect."""
        if self._close_code is None:
            with anyio.CancelScope() as receiving:
                self._receives_under_way.add(receiving)
                try:
                    message = await self._receive()
                finally:
                    self._receives_under_way.discard(receiving)
                    if self._close_code is not None and not self._receives_under_way:
                        self._receives_done.set()
                self._is_open = self._is_open and message["type"] != "websocket.disconnect"
                if message["type"] == "websocket.receive":
                    self._session.note_use()
                return message
        await self._is_closed.wait()
        return {"type": "websocket.disconnect", "code": self._close_code, "reason": None}

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            ConnectionEnded: the websocket was closed.
        """
        if self._close_code is not None:
            raise ConnectionEnded("this websocket", connection=self._identity)
        if message["type"] in ("websocket.close", "websocket.http.response.start"):
            self._is_open = False
        await self._send(message)

    async def _watch(self) -> None:
        code = None
        while code is None:
            await anyio.sleep(CHECK_INTERVAL)
            code = await self._find_close_code()
        self._close_code = code
        # Shielded: the app may return now because it cannot send, which cancels this task before the close is sent.
        with anyio.move_on_after(CLOSE_DEADLINE, shield=True):
            await self._cancel_receives()
            await self._close(code)
        self._is_closed.set()

    async def _cancel_receives(self) -> None:
        """Cancel pending receives: some servers send nothing while one of them waits for a message."""
        for receiving in self._receives_under_way:
            receiving.cancel()
        if self._receives_under_way:
            await self._receives_done.wait()

    async def _close(self, code: int) -> None:
        if not self._is_open:
            return
        events.log(events.WEBSOCKET_CLOSED, code=code)
        with contextlib.suppress(Exception):  # the browser has disconnected: servers raise different errors then
            await self._send({"type": "websocket.close", "code": code})

    @telemetry.untraced
    async def _find_close_code(self) -> int | None:
        """Return the close code if the session is over, or could not be checked for too long; otherwise None."""
        session = self._session
        try:
            await self._feed.poll()
            if session.is_known_to_be_over():
                return CLOSE_SESSION_OVER
            await session.save_last_use()
            if session.is_read_due() and not await session.reload():
                return CLOSE_SESSION_OVER
        except StoreUnavailable:  # not logged: requests log the outage already, and thousands of websockets may be open
            if session.is_known_to_be_over():
                return CLOSE_SESSION_OVER
            return CLOSE_TRY_AGAIN_LATER if session.is_unconfirmed_for_long() else None
        session.note_confirmed()
        return None
