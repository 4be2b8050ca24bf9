"""Passes the lifespan to the app; our own connections open at its start-up and close at its shutdown."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio

from asgi_oidc.asgi.start_up_notices import StartUpNotices
from asgi_oidc.audit.reporting import Reporter, reporting
from asgi_oidc.provider.http import OwnClient
from asgi_oidc.sessions.revocation_feed import RevocationFeed
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.web.asgi_types import ASGIApp, Message, Receive, Scope, Send

POLL_INTERVAL = 1.0  # seconds
FINISH_DEADLINE = 10.0  # seconds; as long as a call to the provider may take


class _Poll(NamedTuple):
    """A call that is made each `interval` seconds."""

    call: Callable[[], Awaitable[None]]
    interval: float


class Lifespan:
    """Serves the lifespan. It makes no call to the provider, so that the app starts while the provider is down."""

    def __init__(
        self,
        app: ASGIApp,
        own_client: OwnClient,
        notices: StartUpNotices,
        feed: RevocationFeed,
        shared: GuardedStore | None,
        *,
        polls: bool,
        wait_for_background_work: Sequence[Callable[[], Awaitable[None]]],
        deliver_events: Callable[[], Awaitable[None]] | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        """Set up the lifespan.

        Args:
            shared: the store that processes share; it may keep connections open.
            polls: whether to read the revocations of other processes every second, so that no request waits for them.
                Not needed if sessions are in a store: ended ones are deleted there.
            wait_for_background_work: each function waits until one kind of background work is done.
            deliver_events: waits until the audit events are delivered; None if nobody listens.
            reporter: reports what happens outside of requests.
        """
        self.app = app
        self._own_client = own_client
        self._notices = notices
        self._shared = shared
        self._polls: list[_Poll] = [_Poll(feed.try_to_catch_up, POLL_INTERVAL)] if polls and shared is not None else []
        self._wait_for_background_work = wait_for_background_work
        self._deliver_events = deliver_events
        self._reporter = reporter

    def poll(self, call: Callable[[], None], *, interval: float) -> None:
        """Make a call again and again while the app runs, each `interval` seconds; it must not wait."""

        async def call_at_once() -> None:
            call()

        self._polls.append(_Poll(call_at_once, interval))

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a lifespan."""
        with reporting(self._reporter):
            await self._serve(scope, receive if self._deliver_events is None else self._delivering(receive), send)

    def _delivering(self, receive: Receive) -> Receive:
        """Deliver the audit events before the app shuts down: `on_event` may need its connections."""

        async def receive_and_deliver() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown" and self._deliver_events is not None:
                await self._deliver_events()
            return message

        return receive_and_deliver

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_follow(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._own_client.open()
                self._notices.log_once()
            try:
                if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                    await self._shut_down()
            finally:
                await send(message)

        if self._shared is None:
            async with self._polling():
                await self.app(scope, receive, send_and_follow)
            return
        async with self._shared.running(), self._polling():
            await self.app(scope, receive, send_and_follow)

    @asynccontextmanager
    async def _polling(self) -> AsyncIterator[None]:
        if not self._polls:
            yield
            return
        error: Exception | None = None
        async with anyio.create_task_group() as tasks:
            is_stopping = anyio.Event()
            for poll in self._polls:
                tasks.start_soon(_poll, poll, is_stopping)
            try:
                yield
            except Exception as exc:  # noqa: BLE001  # raised below: a task group would wrap it
                error = exc
            finally:
                is_stopping.set()  # not cancelled: a read that is cut off would leave its connection open
        if error is not None:
            raise error

    async def _shut_down(self) -> None:
        """Wait for background work, then close connections: an interrupted refresh would lose its new refresh token."""
        with anyio.move_on_after(FINISH_DEADLINE):
            for wait_until_done in self._wait_for_background_work:
                await wait_until_done()
        if self._deliver_events is not None:
            await self._deliver_events()
        await self._own_client.close()


async def _poll(poll: _Poll, is_stopping: anyio.Event) -> None:
    while not is_stopping.is_set():
        await poll.call()
        with anyio.move_on_after(poll.interval):
            await is_stopping.wait()
