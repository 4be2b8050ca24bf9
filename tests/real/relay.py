"""A relay on loopback between a client and a server, which can hold the server's answers back."""

import contextlib
from collections.abc import AsyncIterator

import anyio
from anyio.abc import ByteStream, SocketStream

LOOPBACK = "127.0.0.1"


class Relay:
    """Passes requests on at once, and answers unless they are held."""

    def __init__(self, port: int) -> None:
        self.port = 0  # once it runs
        self.sent = 0  # chunks of bytes from the client: one for each batch of commands
        self.holds = anyio.Event()  # set as soon as an answer is held
        self._server_port = port
        self._may_pass = anyio.Event()
        self._may_pass.set()

    def hold(self) -> None:
        """Hold all answers from now on."""
        self.holds, self._may_pass = anyio.Event(), anyio.Event()

    def go_on(self) -> None:
        """Pass on all that was held."""
        self._may_pass.set()

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator["Relay"]:
        """Listen while the block lasts."""
        async with (
            await anyio.create_tcp_listener(local_host=LOOPBACK, local_port=0) as listener,
            anyio.create_task_group() as tasks,
        ):
            self.port = listener.extra(anyio.abc.SocketAttribute.local_port)
            tasks.start_soon(listener.serve, self._connect)
            yield self
            tasks.cancel_scope.cancel()

    async def _connect(self, client: SocketStream) -> None:
        async with client, await anyio.connect_tcp(LOOPBACK, self._server_port) as server:
            with contextlib.suppress(ExceptionGroup):
                await self._pass(client, server)

    async def _pass(self, client: ByteStream, server: ByteStream) -> None:
        async with anyio.create_task_group() as tasks:

            async def pass_answers() -> None:
                async for chunk in server:
                    if not self._may_pass.is_set():
                        self.holds.set()
                        await self._may_pass.wait()
                    await client.send(chunk)
                tasks.cancel_scope.cancel()  # the server has closed the connection

            tasks.start_soon(pass_answers)
            async for chunk in client:
                self.sent += 1
                await server.send(chunk)
            tasks.cancel_scope.cancel()
