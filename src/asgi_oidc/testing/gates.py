"""A gate before which calls to the fake provider wait until the test lets them go."""

from dataclasses import dataclass, field

import anyio

from .wire import Call

PATIENCE = 10.0  # seconds; a test whose call never comes should fail, not stand still


@dataclass(eq=False)
class HeldCall:
    """One call that waits."""

    call: Call
    _may_go: anyio.Event = field(default_factory=anyio.Event)

    def let_go(self) -> None:
        """Let this call go on, and no other."""
        self._may_go.set()


class Gate:
    """Holds calls, in process and in the test's own event loop; a server in a thread has another one."""

    def __init__(self) -> None:
        self.held: list[HeldCall] = []
        """The calls that wait now, oldest first."""
        self._is_open = False
        self._arrived = anyio.Event()

    async def until_held(self, count: int = 1, *, within: float = PATIENCE) -> None:
        """Wait until so many calls wait here at once.

        Raises:
            TimeoutError: They did not come.
        """
        with anyio.fail_after(within):
            while len(self.held) < count:
                await self._arrived.wait()

    def open(self) -> None:
        """Let all calls go on, and hold none from now on."""
        self._is_open = True
        for held in self.held:
            held.let_go()

    async def hold(self, call: Call) -> None:
        """Wait, on the provider's side, until the call may go on."""
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
