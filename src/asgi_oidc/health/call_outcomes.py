"""When calls to one thing have succeeded and failed: what providers and stores remember for a check."""

from asgi_oidc.health import HealthCheck, State


class CallOutcomes:
    """When calls to one thing have last succeeded and failed, in this process."""

    __slots__ = ("_code", "_detail", "_last_failure", "_last_success")

    def __init__(self) -> None:
        self._last_success: float | None = None
        self._last_failure: float | None = None
        self._code: str | None = None  # of the last call, if it failed
        self._detail: str | None = None

    def succeeded(self, *, now: float) -> None:
        """Record that a call has succeeded."""
        self._last_success, self._code, self._detail = now, None, None

    def failed(self, code: str, detail: str | None, *, now: float) -> None:
        """Record that a call has failed; `detail` must be fit for the log."""
        self._last_failure, self._code, self._detail = now, code, detail

    def check(self, *, has_result: bool) -> HealthCheck:
        """Return the state.

        Args:
            has_result: whether the result of an earlier call can be used.
        """
        failed = self._code is not None
        state: State = ("stale" if has_result else "failing") if failed else ("ok" if has_result else "unknown")
        return HealthCheck(
            state=state,
            last_success=_whole(self._last_success),
            last_failure=_whole(self._last_failure),
            code=self._code,
            detail=self._detail,
        )


def _whole(instant: float | None) -> int | None:
    return None if instant is None else int(instant)
