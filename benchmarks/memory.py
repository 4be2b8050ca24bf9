"""How much memory does a process use: with 100,000 sessions, per anonymous visitor, and for cached cookies?

Run it as `python -m benchmarks.memory`.
"""

import asyncio
import gc
import multiprocessing
import secrets
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor

import msgspec
import psutil
from benchmarks.harness import Figures
from benchmarks.sites import Message, OurSite, Site
from benchmarks.token_provider import TokenSetProvider
from benchmarks.token_sets import keycloak

from asgi_oidc import MemoryStore
from asgi_oidc.web.cookies import Cookies

SESSIONS = 100_000
VISITORS = 5_000
SEALED = 20_000  # more than are kept opened
ROOM = 1 << 30  # bytes that the store may hold; 128 MiB unless it is told otherwise

Found = list[tuple[str, float, str]]  # name, value, unit


def held() -> int:
    """Return the bytes of memory of this process alone."""
    gc.collect()
    return int(psutil.Process().memory_full_info().uss)


async def many_sessions() -> Found:
    """Fill a store with sessions whose access and refresh tokens are short."""
    store = MemoryStore(max_sessions=SESSIONS + 1, max_bytes=ROOM)
    site = OurSite(store=store)
    grown = await filled(site, store, await site.sign_in())
    return [
        (f"a process with {SESSIONS:,} sessions in MemoryStore", held() / 1e6, "MB"),
        ("of that for each session", grown / SESSIONS / 1e3, "kB"),
    ]


async def many_sessions_of_keycloak() -> Found:
    """Fill a store with sessions whose three tokens are JWTs."""
    store = MemoryStore(max_sessions=SESSIONS + 1, max_bytes=ROOM)
    provider = TokenSetProvider(keycloak())
    site = OurSite(store=store, provider=provider)
    grown = await filled(site, store, await site.sign_in(user=provider.user.sub))
    return [("the same for each session with the tokens of Keycloak", grown / SESSIONS / 1e3, "kB")]


async def filled(site: OurSite, store: MemoryStore, cookie: str) -> int:
    """Fill a store with sessions like the one of a cookie; return the bytes of memory that they take."""
    sessions = site.watcher.sessions
    active = await sessions.open(Cookies(cookie.encode()))
    assert active is not None
    before = held()
    for number in range(SESSIONS):
        login = msgspec.structs.replace(
            active.session.login, id=secrets.token_urlsafe(32), sub=f"user-{number}", sid=f"s-{number}"
        )
        await sessions.begin(msgspec.structs.replace(active.session, login=login), {})
    assert len(store._values) >= SESSIONS
    return held() - before


async def many_visitors() -> Found:
    """Redirect visitors to the login who never come back."""
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
    return [
        (f"for each of {VISITORS:,} visitors who have not signed in", grown / VISITORS, "bytes"),
        ("the same, entries in the store", len(store._values), "entries"),
    ]


async def many_cookies() -> Found:
    """Decrypt more cookies than are cached."""
    site = await OurSite().signed_in_again_and_again(SEALED)
    ask = Site(site.app, site.cookies).request()
    tracemalloc.start()  # what the process holds would not tell: it has room left from making the cookies
    for _ in range(SEALED):
        await ask()
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return [(f"opened cookies that are kept, of {SEALED:,}", kept / 1e6, "MB")]


def alone(ask: Callable[[], Awaitable[Found]]) -> Found:
    """Measure in a process of its own, so that nothing is left from another question."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(answer, ask).result()


def answer(ask: Callable[[], Awaitable[Found]]) -> Found:
    """Measure in this process."""

    async def asked() -> Found:
        return await ask()

    return asyncio.run(asked())


def main() -> None:
    """Measure each."""
    figures = Figures("memory")
    for ask in (many_cookies, many_visitors, many_sessions, many_sessions_of_keycloak):
        for name, value, unit in alone(ask):
            figures.row(name, value, unit)
    figures.save()


if __name__ == "__main__":
    main()
