"""The demo as people start it: `asgi-oidc demo`, in a process of its own."""

import contextlib
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.real.processes import Running, running

COMMAND = str(Path(sys.executable).parent / "asgi-oidc")
FREE_PORTS = ("--port", "0", "--provider-port", "0")
ADDRESS = re.compile(r"Open (http://\S+)")


@contextlib.contextmanager
def demo() -> Iterator[str]:
    """Run the demo while the block lasts; give the address that it prints."""
    with demo_process() as process:
        yield address_of(process)


@contextlib.contextmanager
def demo_process() -> Iterator[Running]:
    """Run the demo until it has said its address."""
    with running([COMMAND, "demo", *FREE_PORTS]) as process:
        process.wait_until(lambda: ADDRESS.search(process.said) is not None, "the demo says its address")
        yield process


def address_of(process: Running) -> str:
    """Read the address that a person would open."""
    found = ADDRESS.search(process.said)
    return found[1] if found else ""


def press_ctrl_c(process: Running) -> int:
    """Interrupt the demo as the terminal does and give its exit code."""
    process.process.send_signal(signal.SIGINT)
    return process.process.wait(timeout=10)
