"""A gate at which calls to the fake provider wait until the test opens it."""

from dataclasses import dataclass, field

import anyio

from .wire import Call

PATIENCE = 10.0  # seconds, so that a test whose call never arrives fails instead of hanging


@dataclass(eq=False)
class HeldCall:
    """A call that waits at a gate."""

    call: Call
    _may_go: anyio.Event = field(default_factory=anyio.Event)

    def let_go(self) -> None:
        """Let this one call continue."""
        self._may_go.set()


class Gate:
    """Holds calls that are made in process; not those of a server in a thread, which has another event loop."""

    def __init__(self) -> None:
        self.held: list[HeldCall] = []
        """The calls that are waiting, oldest first."""
        self._is_open = False
        self._arrived = anyio.Event()

    async def until_held(self, count: int = 1, *, within: float = PATIENCE) -> None:
        """Wait until `count` calls are waiting here at once.

        Raises:
            TimeoutError: They did not arrive within `within` seconds.
        """
        with anyio.fail_after(within):
            while len(self.held) < count:
                await self._arrived.wait()

    def open(self) -> None:
        """Let all calls continue, and hold none from now on."""
        self._is_open = True
        for held in self.held:
            held.let_go()

    async def hold(self, call: Call) -> None:
        """Make a call wait until it may continue; the provider uses this."""
        if self._is_open:
            return
        held = HeldCall(call)
        self.held.append(held)
        self._arrived.set()
        self._arrived = anyio.Event()
        try:
            await held._may_go.wait()
        finally:
            self.held.remove(held)
