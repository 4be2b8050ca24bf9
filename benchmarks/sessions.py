"""What does a session cost, depending on where it is kept: bytes, round trips, and time beyond an empty middleware?

Run it as `python -m benchmarks.sessions`; `python -m benchmarks.servers` shows what Redis and PostgreSQL cost a server.
"""

import asyncio
from collections.abc import Callable

from benchmarks.harness import Harness, Make
from benchmarks.peers import no_op
from benchmarks.requests import asked_the_same, in_memory, seen_before
from benchmarks.sites import OurSite
from benchmarks.stores import Counting

from asgi_oidc import MemoryStore

REQUESTS = 2_000
KINDS: dict[str, tuple[Callable[[], MemoryStore | None], Make]] = {
    "sealed cookies": (lambda: None, seen_before),
    "MemoryStore": (MemoryStore, in_memory),
}


async def counted(make: Callable[[], MemoryStore | None]) -> dict[str, str]:
    """Count bytes and store calls."""
    inner = make()
    store = None if inner is None else Counting(inner)
    site = await OurSite(store=store).signed_in()
    sizes = {"Cookie header": f"{len(site.cookies[0])} B"}
    if store is None:
        return {**sizes, "record": "-", "calls a request": "0", "calls a login": "0"}
    calls, store.calls = store.calls, 0
    ask = site.request()
    for _ in range(REQUESTS):
        await ask()
    return {
        **sizes,
        "record": f"{store.largest} B",
        "calls a request": f"{store.calls / REQUESTS:.2f}",
        "calls a login": str(calls),
    }


def main() -> None:
    """Measure each kind of session, and count."""
    harness = Harness("sessions")
    for name, (_, make_site) in KINDS.items():
        harness.added(name, make_site, asked_the_same(make_site, no_op))
    if not harness.is_main:
        return
    for name, (make, _) in KINDS.items():
        harness.row(name, harness.spread[name].times(1e6), "us", **asyncio.run(counted(make)))
    harness.save()


if __name__ == "__main__":
    main()
