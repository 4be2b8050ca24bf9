"""What a session costs, by where it is kept: bytes, round trips, and time over the bare app, side by side in one run.

Run it as `python -m benchmarks.sessions [URL of a Redis server]`.
"""

import asyncio
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from asgi_oidc import MemoryStore, OIDCMiddleware, RedisStore, SessionStore
from asgi_oidc.testing import Browser, FakeProvider
from asgi_oidc.testing.in_process import http_scope

ORIGIN = "https://app.example.com"
ROUNDS = 5
REQUESTS = 2_000  # per round
SECRET = "u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw"

Message = MutableMapping[str, Any]


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Answer with nothing."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Counting(SessionStore):
    """A store that counts what it is asked, and how large the values are."""

    def __init__(self, inner: SessionStore) -> None:
        self.inner = inner
        self.calls = 0
        self.largest = 0

    async def get(self, key: str) -> bytes | None:
        self.calls += 1
        value = await self.inner.get(key)
        self.largest = max(self.largest, len(value or b""))
        return value

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        self.calls += 1
        return await self.inner.add(key, value, lifetime=lifetime)

    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        self.calls += 1
        return await self.inner.replace(key, old, new, lifetime=lifetime)

    async def remove(self, key: str, *, only: bytes | None = None) -> bool:
        self.calls += 1
        return await self.inner.remove(key, only=only)

    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Any:
        self.calls += 1
        return await self.inner.link(index, member, lifetime=lifetime, most=most)

    async def linked(self, index: str) -> Any:
        self.calls += 1
        return await self.inner.linked(index)

    async def unlink(self, index: str, member: str) -> None:
        self.calls += 1
        await self.inner.unlink(index, member)

    def running(self) -> Any:
        return self.inner.running()


class Measured:
    """One kind of store, with a user signed in."""

    def __init__(self, name: str, store: SessionStore | None, *, logout_store: "Counting | None" = None) -> None:
        self.name = name
        self.store = None if store is None else Counting(store)
        self.logout_store = logout_store
        self.provider = FakeProvider(alg="ES256")
        self.app = OIDCMiddleware(
            bare,
            issuer=self.provider.issuer,
            client_id="web",
            client_secret=self.provider.clients["web"].client_secret,
            base_url=ORIGIN,
            secret=SECRET,
            scope="openid profile email offline_access",
            store=self.store,
            logout_store=logout_store,
            http_client=self.provider.http_client(),
        )
        self.cookie = ""
        self.calls_of_login = 0

    async def sign_in(self) -> None:
        """Sign alice in, and keep what her browser sends."""
        browser = Browser(self.app, ORIGIN, {self.provider.origin: self.provider})
        await browser.sign_in("alice", "/")
        self.cookie = browser.jar.header(ORIGIN + "/", is_same_site=True, is_safe_navigation=True)
        if self.store is not None:
            self.calls_of_login, self.store.calls = self.store.calls, 0


async def seconds_per_request(app: Any, cookie: str) -> float:
    """Time a round of requests, one after the other."""
    scope = http_scope("GET", ORIGIN + "/", {"cookie": cookie})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        pass

    started = time.perf_counter()
    for _ in range(REQUESTS):
        await app(dict(scope), receive, send)
    return (time.perf_counter() - started) / REQUESTS


async def main() -> None:
    """Measure each kind in turn, several rounds, and keep the best of each."""
    kinds: list[tuple[str, Callable[[], SessionStore | None]]] = [
        ("sealed cookies", lambda: None),
        ("MemoryStore", MemoryStore),
        *[("RedisStore", lambda url=url: RedisStore(url)) for url in sys.argv[1:2]],
    ]
    plain = min([await seconds_per_request(bare, "") for _ in range(ROUNDS)])
    print(f"bare app: {plain * 1e6:.1f} us a request; each kind: microseconds that the middleware adds")
    print(f"{'':16}{'added':>8}{'Cookie header':>15}{'record':>8}{'calls a request':>17}{'calls a login':>15}")
    cheapest = None
    for name, make in kinds:
        measured = Measured(name, make())
        store = measured.store
        async with (store or Counting(MemoryStore())).running():
            await measured.sign_in()
            added = min([await seconds_per_request(measured.app, measured.cookie) for _ in range(ROUNDS)]) - plain
        cheapest = cheapest or added
        calls = f"{store.calls / ROUNDS / REQUESTS:.2f}" if store else "0"
        size = f"{store.largest} B" if store else "-"
        login = str(measured.calls_of_login)
        cookie = f"{len(measured.cookie)} B"
        print(f"{name:16}{added * 1e6:>8.0f}{cookie:>15}{size:>8}{calls:>17}{login:>15}   x{added / cheapest:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
