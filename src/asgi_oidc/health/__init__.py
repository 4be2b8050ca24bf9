"""Health of the middleware: what it depends on, and whether that works."""

from collections.abc import Mapping
from typing import Literal

import msgspec

State = Literal["ok", "stale", "failing", "unknown"]
Status = Literal["ok", "degraded", "failing"]


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one thing that the middleware depends on, as this process has seen it.

    Attributes:
        state: `ok`; `stale` if the last attempt failed and an earlier result is still used; `failing` if there is none;
            `unknown` if nothing has been attempted yet, or the first attempt is not finished.
        last_success, last_failure: seconds since the epoch; None if there was none since the process started.
        code: of the last failure, while `state` is `stale` or `failing`; `examples/reference/codes.md` explains it.
        detail: the text of that failure, as in the log. Do not show it to users.
    """

    state: State
    last_success: int | None = None
    last_failure: int | None = None
    code: str | None = None
    detail: str | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `middleware.health()`.

    Attributes:
        status: `ok`; `degraded` if a provider does not answer, so that logins may fail while existing sessions
            continue; `failing` if the store does not answer, so that protected paths get 503.
        metadata, keys: of each OpenID provider, by its name; with the flat keywords, the name is empty. Those of
            providers that are looked up are listed once they are in use.
        store: the setting `store` or `logout_store`; None without either.
        checked_at: seconds since the epoch.
    """

    status: Status
    metadata: Mapping[str, HealthCheck] = {}
    keys: Mapping[str, HealthCheck] = {}
    store: HealthCheck | None = None
    checked_at: int


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
