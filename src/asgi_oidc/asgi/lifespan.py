"""The lifespan is the app's: we keep connections open meanwhile, and hang up after it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import anyio

from asgi_oidc.asgi.start_up_notices import StartUpNotices
from asgi_oidc.provider.http import Http
from asgi_oidc.sessions.revocation_feed import RevocationFeed
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.web.asgi_types import ASGIApp, Message, Receive, Scope, Send

POLL_INTERVAL = 1.0  # seconds
FINISH_DEADLINE = 10.0  # seconds; as long as a call to the provider may take


class Lifespan:
    """Passes the lifespan through. The provider is not asked for anything: the app starts while it is down."""

    def __init__(
        self,
        app: ASGIApp,
        http: Http,
        notices: StartUpNotices,
        feed: RevocationFeed,
        shared: GuardedStore | None,
        *,
        polls: bool,
        work: Sequence[Callable[[], Awaitable[None]]],
    ) -> None:
        """Set up the lifespan.

        Args:
            shared: the store that keeps connections open.
            polls: whether revocations of other processes are asked for every second, so that no request waits for
                that. Where sessions are in a store, ended ones are gone from there.
            work: each waits until some work in the background is done.
        """
        self.app = app
        self._http = http
        self._notices = notices
        self._feed = feed
        self._shared = shared
        self._polls = polls
        self._work = work

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a lifespan."""

        async def watched_send(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._http.open()
                self._notices.tell()
            try:
                if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                    await self._finish()
            finally:
                await send(message)

        if self._shared is None:
            await self.app(scope, receive, watched_send)
            return
        async with self._shared.running(), self._polling():
            await self.app(scope, receive, watched_send)

    @asynccontextmanager
    async def _polling(self) -> AsyncIterator[None]:
        if not self._polls:
            yield
            return
        error: Exception | None = None
        async with anyio.create_task_group() as tasks:
            is_over = anyio.Event()
            tasks.start_soon(self._poll, is_over)
            try:
                yield
            except Exception as exc:  # noqa: BLE001  # raised below: a task group would wrap it
                error = exc
            finally:
                is_over.set()  # a look that is under way ends first: one that is cut off leaves its connection open
        if error is not None:
            raise error

    async def _poll(self, is_over: anyio.Event) -> None:
        while not is_over.is_set():
            await self._feed.try_to_catch_up()
            with anyio.move_on_after(POLL_INTERVAL):
                await is_over.wait()

    async def _finish(self) -> None:
        """Let refreshes that are under way end, so that no refresh token gets lost, and hang up."""
        with anyio.move_on_after(FINISH_DEADLINE):
            for drained in self._work:
                await drained()
        await self._http.close()
