"""An open websocket ends with the session that it was opened with: signed out here or elsewhere, or run out."""

import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio

from asgi_oidc import events
from asgi_oidc.authenticate import is_over
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.parts import Parts
from asgi_oidc.sessions.session import ends_for_good_at
from asgi_oidc.sessions.sessions import Live

LOOK_EVERY = 2.0  # seconds
READ_EVERY = 60  # seconds after which the session is read anew, where it is in a store
BLIND = 60  # seconds without an answer of the store after which nobody can say that the session still lives
FAREWELL = 2.0  # seconds for the close to go out; then the app hears that it is over in any case

CLOSE_SESSION_OVER = 4401  # a code of our own, after the HTTP status (RFC 6455 §7.4.2)
CLOSE_TRY_AGAIN_LATER = 1013  # IANA WebSocket close code registry

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class OpenWebsocket:
    """One websocket as the app has it; it can be cut off.

    What comes over it is no use of the session: a page that nobody looks at talks as well.
    """

    def __init__(self, live: Live, parts: Parts, receive: Receive, send: Send) -> None:
        self._live = live
        self._parts = parts
        self._receive = receive
        self._send = send
        self._is_open = True
        self._code: int | None = None
        self._waiting: set[anyio.CancelScope] = set()
        self._nobody_waits = anyio.Event()
        self._is_cut = anyio.Event()
        self._opened = self._session = live.session
        self._looked_at = self._read_at = parts.now()

    async def run(self, call_app: Callable[[Receive, Send], Awaitable[None]]) -> None:
        """Call the app, and close the websocket when the session is over; what the app raises comes through."""
        error: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch)
            try:
                await call_app(self.receive, self.send)
            except Exception as exc:  # noqa: BLE001  # raised below: a task group would wrap it
                error = exc
            finally:
                tasks.cancel_scope.cancel()
        if error is not None:
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
                return message
        await self._is_cut.wait()
        return {"type": "websocket.disconnect", "code": self._code, "reason": None}

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            OSError: the websocket was closed (ASGI 3.0, "Disconnected Client").
        """
        if self._code is not None:
            raise OSError("this websocket was closed: its session is over")
        if message["type"] in ("websocket.close", "websocket.http.response.start"):
            self._is_open = False
        await self._send(message)

    async def _watch(self) -> None:
        code = None
        while code is None:
            await anyio.sleep(LOOK_EVERY)
            code = await self._why_over()
        self._code = code
        # Shielded: an app that ends now, because it could not send, must not cut this short.
        with anyio.move_on_after(FAREWELL, shield=True):
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
        try:
            if self._live.is_over or await self._is_over():
                return CLOSE_SESSION_OVER
        except StoreUnavailable:  # the requests of the same time write that down; ten thousand websockets need not
            return self._why_over_unseen()
        self._looked_at = self._parts.now()
        return None

    async def _is_over(self) -> bool:
        parts = self._parts
        await parts.log.poll()
        if parts.ended.is_outdated(self._opened):
            return True
        is_due = parts.store is not None and abs(parts.now() - self._read_at) > READ_EVERY
        if not is_due and not is_over(self._session, parts, now=parts.now()):
            return False
        # Other requests may have used the session since; those alone know until when it lives.
        newest = await parts.sessions.newest(self._session)
        self._read_at = parts.now()
        self._session = newest or self._session
        return newest is None

    def _why_over_unseen(self) -> int | None:
        """Judge by what this process knows: an outage ends no session, but it does not keep one either."""
        parts, now = self._parts, self._parts.now()
        if parts.ended.is_dead(self._session.login, now=now) or now >= ends_for_good_at(self._session, parts.limits):
            return CLOSE_SESSION_OVER
        return CLOSE_TRY_AGAIN_LATER if abs(now - self._looked_at) > BLIND else None
