"""An open websocket ends with the session that it was opened with: signed out here or elsewhere, or run out."""

import contextlib
from collections.abc import Awaitable, Callable

import anyio

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
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.web.asgi_types import Message, Receive, Send

CLOSE_SESSION_OVER = 4401  # a code of our own, after the HTTP status (RFC 6455 §7.4.2)
CLOSE_TRY_AGAIN_LATER = 1013  # IANA WebSocket close code registry


class OpenWebsocket:
    """One websocket as the app has it; it can be cut off."""

    def __init__(self, active: ActiveSession, watcher: SessionWatcher, receive: Receive, send: Send) -> None:
        self._session = SessionWatch(active, watcher)
        self._feed = watcher.feed
        self._receive = receive
        self._send = send
        self._name = object()
        self._is_open = True
        self._code: int | None = None
        self._waiting: set[anyio.CancelScope] = set()
        self._nobody_waits = anyio.Event()
        self._is_cut = anyio.Event()

    async def run(self, call_app: Callable[[Receive, Send], Awaitable[None]]) -> None:
        """Call the app, and close the websocket when the session is over.

        What the app raises comes through, but for what it raises because it was told of the end.
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
        if error is not None and not is_due_to_end(error, of=self._name):
            raise error

    async def receive(self) -> Message:
        """Receive the next message, or the disconnect."""
        if self._code is None:
            with anyio.CancelScope() as waiting:
                self._waiting.add(waiting)
                try:
                    message = await self._receive()
                finally:
                    self._waiting.discard(waiting)
                    if self._code is not None and not self._waiting:
                        self._nobody_waits.set()
                self._is_open = self._is_open and message["type"] != "websocket.disconnect"
                if message["type"] == "websocket.receive":
                    self._session.note_use()
                return message
        await self._is_cut.wait()
        return {"type": "websocket.disconnect", "code": self._code, "reason": None}

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            ConnectionEnded: the websocket was closed.
        """
        if self._code is not None:
            raise ConnectionEnded("this websocket", of=self._name)
        if message["type"] in ("websocket.close", "websocket.http.response.start"):
            self._is_open = False
        await self._send(message)

    async def _watch(self) -> None:
        code = None
        while code is None:
            await anyio.sleep(CHECK_INTERVAL)
            code = await self._why_over()
        self._code = code
        # Shielded: an app that ends now, because it could not send, must not cut this short.
        with anyio.move_on_after(CLOSE_DEADLINE, shield=True):
            await self._leave_receive()
            await self._close(code)
        self._is_cut.set()

    async def _leave_receive(self) -> None:
        """Some servers do nothing else while somebody waits for a message."""
        for waiting in self._waiting:
            waiting.cancel()
        if self._waiting:
            await self._nobody_waits.wait()

    async def _close(self, code: int) -> None:
        if not self._is_open:
            return
        events.log(events.WEBSOCKET_CLOSED, code=code)
        with contextlib.suppress(Exception):  # the browser was faster: servers raise different things then
            await self._send({"type": "websocket.close", "code": code})

    async def _why_over(self) -> int | None:
        """Return the close code when the session is over, or when nobody can tell any more."""
        session = self._session
        try:
            await self._feed.poll()
            if session.is_known_to_be_over():
                return CLOSE_SESSION_OVER
            await session.write_down_use()
            if session.is_read_due() and await session.is_gone():
                return CLOSE_SESSION_OVER
        except StoreUnavailable:  # the requests of the same time write that down; ten thousand websockets need not
            if session.is_known_to_be_over():
                return CLOSE_SESSION_OVER
            return CLOSE_TRY_AGAIN_LATER if session.is_unseen_for_long() else None
        session.note_alive()
        return None
