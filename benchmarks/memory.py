"""What does a process hold: with 100,000 sessions, for a visitor who has not signed in, and after sealed cookies?

Run it as `python -m benchmarks.memory`.
"""

import asyncio
import gc
import secrets
import tracemalloc
from collections import Counter
from typing import Any

import msgspec
import psutil
from benchmarks.harness import save
from benchmarks.sites import Message, OurSite, Site

from asgi_oidc import MemoryStore
from asgi_oidc.web.cookies import Cookies

SESSIONS = 100_000
VISITORS = 5_000
SEALED = 20_000  # more than are kept opened


def held() -> int:
    """Bytes of this process alone."""
    gc.collect()
    return int(psutil.Process().memory_full_info().uss)


async def many_sessions() -> list[dict[str, Any]]:
    """Fill a store."""
    store = MemoryStore(max_bytes=1 << 30)
    site = OurSite(store=store)
    cookie = await site.sign_in()
    parts = site.app._parts
    live = await parts.sessions.open(Cookies(cookie.encode()))
    assert live is not None
    before = held()
    for number in range(SESSIONS):
        login = msgspec.structs.replace(live.session.login, id=secrets.token_urlsafe(32), sub=f"user-{number}")
        await parts.sessions.begin(msgspec.structs.replace(live.session, login=login), {})
    grown = held() - before
    return [
        {"name": f"a process with {SESSIONS:,} sessions in MemoryStore", "value": held() / 1e6, "unit": "MB"},
        {"name": "of that for each session", "value": grown / SESSIONS / 1e3, "unit": "kB"},
    ]


async def many_visitors() -> list[dict[str, Any]]:
    """Send visitors away to sign in who never come back."""
    store = MemoryStore()
    answers: Counter[int] = Counter()

    async def see(message: Message) -> None:
        answers[message.get("status", 0)] += 1

    ask = Site(OurSite(store=store).app).request(see)

    async def visit(times: int) -> None:
        answers.clear()
        for _ in range(times):
            await ask()
        assert answers[303] == times, answers

    await visit(500)
    gc.collect()
    tracemalloc.start()
    await visit(100)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    await visit(VISITORS)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    kept = len(store._values)
    return [
        {
            "name": f"for each of {VISITORS:,} visitors who have not signed in",
            "value": grown / VISITORS,
            "unit": "bytes",
        },
        {"name": "the same, entries in the store", "value": kept, "unit": "entries"},
    ]


async def many_cookies() -> list[dict[str, Any]]:
    """Open more cookies than are kept."""
    site = await OurSite().signed_in_again_and_again(SEALED)
    ask = Site(site.app, site.cookies).request()
    before = held()
    for _ in range(SEALED):
        await ask()
    return [{"name": f"opened cookies that are kept, of {SEALED:,}", "value": (held() - before) / 1e6, "unit": "MB"}]


async def main() -> None:
    """Measure each."""
    rows = [*await many_cookies(), *await many_visitors(), *await many_sessions()]
    for row in rows:
        print(f"{row['name']:60}{row['value']:10.2f} {row['unit']}")
    save("memory", rows)


if __name__ == "__main__":
    asyncio.run(main())
