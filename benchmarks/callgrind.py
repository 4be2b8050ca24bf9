"""Counts CPU instructions of parts of a program, which runs under `valgrind --tool=callgrind`.

A program talks to valgrind by instructions that a processor passes over (valgrind.h, "client requests").
"""

import contextlib
import ctypes
import mmap
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROCESSOR = "x86_64"  # the one that the instructions below are for
# f(request, default): moves both to where valgrind looks for them, rotates a register until it is what it was, and
# exchanges another one with itself. Valgrind replaces the result, which is the default otherwise.
REQUEST = bytes.fromhex("4889f8 4889f2 48c1c703 48c1c70d 48c1c73d 48c1c733 4887db 4889d0 c3")
RUNNING_ON_VALGRIND = 0x1001
ZERO_STATS, TOGGLE_COLLECT, DUMP_STATS_AT, START_INSTRUMENTATION = (0x43540000 + number for number in (1, 2, 3, 4))
COMMAND = ("valgrind", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no")
TRIGGER = re.compile(r"^desc: Trigger: Client Request: (.+)$", re.M)
TOTALS = re.compile(r"^totals: (\d+)$", re.M)


class Counter:
    """Tells valgrind which parts of this program to count.

    Raises:
        RuntimeError: the program does not run under valgrind.
    """

    def __init__(self) -> None:
        if platform.machine() != PROCESSOR:
            raise RuntimeError(f"instructions are counted on {PROCESSOR}, and this is {platform.machine()}")
        self._page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._page.write(REQUEST)
        at = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        self._function = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.POINTER(ctypes.c_long), ctypes.c_long)(at)
        self._is_counting = False
        if not self._request(RUNNING_ON_VALGRIND):
            raise RuntimeError("this does not run under valgrind")

    def start(self) -> None:
        """Begin to follow the program, which then runs fifty times as slowly."""
        self._request(START_INSTRUMENTATION)

    @contextlib.contextmanager
    def counted(self, name: str) -> Iterator[None]:
        """Count the block under this name."""
        text = ctypes.create_string_buffer(name.encode())
        self._request(ZERO_STATS)
        self._toggle()
        yield
        self._toggle()
        self._request(DUMP_STATS_AT, ctypes.addressof(text))

    @contextlib.contextmanager
    def left_out(self) -> Iterator[None]:
        """Leave the block out of what is counted."""
        if not self._is_counting:
            yield
            return
        self._toggle()
        yield
        self._toggle()

    def _toggle(self) -> None:
        self._is_counting = not self._is_counting
        self._request(TOGGLE_COLLECT)

    def _request(self, request: int, argument: int = 0) -> int:
        return int(self._function((ctypes.c_long * 6)(request, argument), 0))


def counts_of(module: str) -> dict[str, int]:
    """Run a module under valgrind; return what it counted, by name.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [*COMMAND, f"--callgrind-out-file={folder}/counts", sys.executable, "-m", module]
        # The order of sets is the same in each run, and so are the collisions in tables.
        ran = subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": "0"}, capture_output=True, text=True)
        if ran.returncode:
            raise RuntimeError(f"{module} failed under valgrind:\n{ran.stdout}{ran.stderr}")
        return dict(_read(path.read_text("utf-8")) for path in Path(folder).glob("counts.*"))


def _read(dump: str) -> tuple[str, int]:
    name, total = TRIGGER.search(dump), TOTALS.search(dump)
    if name is None or total is None:
        raise RuntimeError("callgrind wrote something else than expected")
    return name[1], int(total[1])
