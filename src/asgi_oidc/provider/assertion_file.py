"""Reads the file of the setting `client_assertion_file`: another system renews it while the app runs.

Such as the token of a Kubernetes service account, or of a GitHub job; Entra's workload identity names the file in
`AZURE_FEDERATED_TOKEN_FILE`.
"""

import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from asgi_oidc.errors import ProviderUnavailable
from asgi_oidc.protocol.client_auth.foreign_assertion import (
    MAX_LENGTH,
    ExpiredAssertion,
    MalformedAssertion,
    check_foreign_assertion,
)
from asgi_oidc.single_flight import run_var

CODE = "client_assertion_file"
MAX_AGE = 1  # seconds that what was read is used again, so that many logins at once read the file once
MAX_WAIT = 2.0  # seconds; a file system may hang
PAUSE = 0.05  # seconds before what may be half-written is read again


class AssertionFile:
    """Reads the file in a thread, one at a time: on a file system that hangs, one thread waits, and no other call."""

    def __init__(self, path: str, clock: Callable[[], float], *, max_wait: float = MAX_WAIT) -> None:
        """Prepare; nothing is read yet.

        Args:
            clock: returns seconds since the epoch.
            max_wait: seconds that a call waits for the file.
        """
        self._path = path
        self._clock = clock
        self._kept: tuple[float, str] | None = None
        self._reading = threading.Lock()
        self._max_wait = max_wait
        self._threads: RunVar[anyio.CapacityLimiter] = run_var("assertion_file")

    def __repr__(self) -> str:
        return f"AssertionFile({self._path!r})"

    async def read(self) -> str:
        """Return the assertion.

        Raises:
            ProviderUnavailable: `client_assertion_file`: it cannot be used; sessions continue meanwhile.
        """
        kept = self._fresh()
        if kept is not None:
            return kept
        with anyio.move_on_after(self._max_wait):
            assertion, problem = await self._read_twice()
            if problem:
                raise self._unusable(problem)
            return assertion
        raise self._unusable("the file system does not answer")

    async def _read_twice(self) -> tuple[str, str]:
        """Return the assertion, or what is wrong; what may be half-written is read once more."""
        assertion, problem, may_be_incomplete = await self._read_in_thread()
        if may_be_incomplete:
            await anyio.sleep(PAUSE)
            assertion, problem, _ = await self._read_in_thread()
        return assertion, problem

    async def _read_in_thread(self) -> tuple[str, str, bool]:
        while self._reading.locked():  # noqa: ASYNC110  # a thread cannot set an event of the loop
            await anyio.sleep(0.002)
        return await anyio.to_thread.run_sync(self._read, abandon_on_cancel=True, limiter=self._limiter())

    def _read(self) -> tuple[str, str, bool]:
        """Return the assertion, what is wrong, and whether the file may be incomplete."""
        with self._reading:
            kept = self._fresh()
            if kept is not None:  # read by another call in the meantime
                return kept, "", False
            now = self._clock()
            try:
                with Path(self._path).open("rb") as file:
                    text = file.read(MAX_LENGTH + 1).decode("ascii").strip()
                check_foreign_assertion(text, now=int(now))
            except OSError as error:
                is_missing = isinstance(error, FileNotFoundError)
                why = "there is no such file: check the path, and that its volume is mounted" if is_missing else ""
                return "", why or f"it cannot be read ({type(error).__name__})", is_missing
            except ExpiredAssertion as error:
                return "", f"{error}: check what renews the file, and this server's clock", False
            except (MalformedAssertion, UnicodeDecodeError) as error:
                found = (
                    str(error) if isinstance(error, MalformedAssertion) else "it has characters that a JWT cannot have"
                )
                return "", f"{found}: check that the path is that of the token", True
            self._kept = now, text
            return text, "", False

    def _fresh(self) -> str | None:
        kept = self._kept
        return None if kept is None or abs(self._clock() - kept[0]) >= MAX_AGE else kept[1]

    def _limiter(self) -> anyio.CapacityLimiter:
        limiter = self._threads.get(None)
        if limiter is None:
            limiter = anyio.CapacityLimiter(1)
            self._threads.set(limiter)
        return limiter

    def _unusable(self, problem: str) -> ProviderUnavailable:
        return ProviderUnavailable(CODE, f"{self._path}: {problem}")
