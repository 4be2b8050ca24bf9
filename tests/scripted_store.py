"""A session store that does what the test tells it to: what happens before a call, what fails, what is answered."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

from asgi_oidc.stores.memory import MemoryStore
from asgi_oidc.stores.store import SessionStore

Value = TypeVar("Value")


class ScriptedStore(SessionStore):
    """Keeps everything in memory, and writes down what was asked of it.

    Attributes:
        calls: names of the methods, in order.
        broken: names of the methods that raise.
        before: what happens first in a method, by its name: once for each in the list.
        answers: what a method says instead of the truth.
        most: how many members each `link` wanted at most.
    """

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.memory = MemoryStore(clock=clock)
        self.calls: list[str] = []
        self.broken: set[str] = set()
        self.before: dict[str, list[Callable[[], Awaitable[object]]]] = defaultdict(list)
        self.answers: dict[str, Any] = {}
        self.most: list[int] = []

    async def get(self, key: str) -> bytes | None:
        return await self._do("get", lambda: self.memory.get(key))

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        return await self._do("add", lambda: self.memory.add(key, value, lifetime=lifetime))

    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        return await self._do("replace", lambda: self.memory.replace(key, old, new, lifetime=lifetime))

    async def remove(self, key: str, *, only: bytes | None = None) -> bool:
        return await self._do("remove", lambda: self.memory.remove(key, only=only))

    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Sequence[str]:
        self.most.append(most)
        return await self._do("link", lambda: self.memory.link(index, member, lifetime=lifetime, most=most))

    async def linked(self, index: str) -> Sequence[str]:
        return await self._do("linked", lambda: self.memory.linked(index))

    async def unlink(self, index: str, member: str) -> None:
        await self._do("unlink", lambda: self.memory.unlink(index, member))

    def forget_calls(self) -> None:
        """Count from here."""
        self.calls.clear()

    async def _do(self, name: str, work: Callable[[], Awaitable[Value]]) -> Value:
        self.calls.append(name)
        if self.before[name]:
            await self.before[name].pop(0)()
        if name in self.broken:
            raise OSError("redis://user:s3cret@host is down")
        done = await work()
        return cast(Value, self.answers.get(name, done))
