"""What does a session cost, depending on where it is kept: bytes, round trips, and time beyond an empty middleware?

A store behind `SessionStore` is guarded and gets sealed values; here it is one in memory, so that only our part counts.
The difference between a `MemoryStore` and cookies that were seen before is measured in turn, in processor time. Run it
as `python -m benchmarks.sessions`; `python -m benchmarks.servers` shows what Redis and PostgreSQL cost a server.
"""

import asyncio

from benchmarks.harness import Harness, Make
from benchmarks.peers import no_op
from benchmarks.requests import asked_the_same, in_memory, seen_before
from benchmarks.sites import OurSite, Site
from benchmarks.stores import Counting

from asgi_oidc import MemoryStore

REQUESTS = 2_000
DIFFERENCE = "MemoryStore, over a cookie seen before"


async def in_any_store() -> Site:
    return await OurSite(store=Counting(MemoryStore())).signed_in()


KINDS: dict[str, Make] = {
    "sealed cookies": seen_before,
    "MemoryStore": in_memory,
    "a store behind SessionStore": in_any_store,
}


async def sizes(make: Make) -> dict[str, str]:
    """Measure the Cookie header."""
    return {"Cookie header": f"{len((await make()).cookies[0])} B"}


async def calls() -> dict[str, str]:
    """Count the calls to a store, and the bytes of a record."""
    store = Counting(MemoryStore())
    site = await OurSite(store=store).signed_in()
    calls, store.calls = store.calls, 0
    ask = site.request()
    for _ in range(REQUESTS):
        await ask()
    return {
        "record": f"{store.largest} B",
        "calls a request": f"{store.calls / REQUESTS:.2f}",
        "calls a login": str(calls),
    }


def main() -> None:
    """Measure each kind of session, and count."""
    harness = Harness("sessions")
    cases = {name: (make, asked_the_same(make, no_op)) for name, make in KINDS.items()}
    for name, case in cases.items():
        harness.added(name, *case)
    harness.difference(DIFFERENCE, cases["MemoryStore"], cases["sealed cookies"])
    if not harness.is_main:
        return
    for name, make in KINDS.items():
        more = asyncio.run(calls()) if make is in_any_store else {}
        harness.row(name, harness.spread[name].times(1e6), "us", **asyncio.run(sizes(make)), **more)
    harness.row(DIFFERENCE, harness.spread[DIFFERENCE].times(1e6), "us")
    harness.save()


if __name__ == "__main__":
    main()
