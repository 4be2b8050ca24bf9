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
