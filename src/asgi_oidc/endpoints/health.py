"""The setting `health_path`: tells orchestrators and load balancers whether this process works; it needs no user.

Anyone can ask, so the response has no names, addresses or error texts: `middleware.health()` has those.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import ClassVar, get_args

from asgi_oidc.health import Health, HealthCheck, State
from asgi_oidc.health.readiness import Readiness
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, json_response

READINESS, LIVENESS = "readiness", "liveness"
LIVE = "/live"  # below `health_path`
_WORST_FIRST: Sequence[State] = ("failing", "stale", "unknown", "ok")


class ReadinessEndpoint:
    """Says whether this process can serve protected paths, as JSON: 200, or 503."""

    methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD")

    def __init__(self, readiness: Readiness, *, counts_providers: bool) -> None:
        """Answer for one middleware.

        Args:
            counts_providers: whether to count the providers in each state, because there are several.
        """
        self._readiness = readiness
        self._counts_providers = counts_providers
        self._latest: tuple[Health, Response] | None = None

    async def handle(self, request: Request, receive: Receive) -> Response:
        """Return the latest check."""
        health = await self._readiness.health()
        if self._latest is None or self._latest[0] is not health:
            self._latest = health, self._response(health)
        return self._latest[1]

    def _response(self, health: Health) -> Response:
        members = {
            "status": health.status,
            "metadata": self._summary(health.metadata),
            "keys": self._summary(health.keys),
            "store": None if health.store is None else _members(health.store.state, [health.store]),
        }
        return json_response(members, status=503 if health.status == "failing" else 200)

    def _summary(self, checks: Mapping[str, HealthCheck]) -> Mapping[str, object] | None:
        """Return the worst state, and the latest success and failure of all providers."""
        if not checks:
            return None
        counts = Counter(check.state for check in checks.values())
        worst = next(state for state in _WORST_FIRST if counts[state])
        members = _members(worst, checks.values())
        return {**members, "providers": _counted(counts)} if self._counts_providers else members


class LivenessEndpoint:
    """Says that the event loop answers."""

    methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD")

    async def handle(self, request: Request, receive: Receive) -> Response:
        """Return 200 at once; nothing is checked, because a restart would not repair a store or a provider."""
        return json_response({"status": "ok"})


def _members(state: State, checks: Collection[HealthCheck]) -> dict[str, object]:
    return {
        "state": state,
        "last_success": _latest(check.last_success for check in checks),
        "last_failure": _latest(check.last_failure for check in checks),
    }


def _latest(instants: Iterable[int | None]) -> int | None:
    return max((instant for instant in instants if instant is not None), default=None)


def _counted(counts: Mapping[State, int]) -> dict[str, int]:
    return {state: counts.get(state, 0) for state in get_args(State)}
