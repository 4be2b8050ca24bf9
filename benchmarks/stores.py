"""A session store that counts its calls."""

from typing import Any

from asgi_oidc import SessionStore


class Counting(SessionStore):
    """Counts the calls to a store, and the sizes of the values."""

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
