"""A session store of the user's own, and sessions in it: the test says what happens between two calls."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

import msgspec

from asgi_oidc.sessions.in_store import StoredSessions
from asgi_oidc.sessions.revocation_feed import NoFeed
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.session import Limits, Session
from asgi_oidc.sessions.session_cookies import SessionCookies
from asgi_oidc.sessions.store_records import Records
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.memory import MemoryStore
from asgi_oidc.stores.store import SessionStore
from asgi_oidc.web.cookies import CookieStyle
from tests.sessions.test_session import SESSION

CONTEXT = ("https://id.example.com", "web", "https://app.example.com")
SECRET = b"s" * 32

Value = TypeVar("Value")


class OwnStore(SessionStore):
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


class Process:
    """One process with sessions in a store.

    Args:
        other: a process that shares its store and clock with this one.
    """

    def __init__(self, other: "Process | None" = None, *, secrets: Sequence[bytes] = (SECRET,)) -> None:
        self.clock: list[int] = [SESSION.login.created_at] if other is None else other.clock
        self.store: OwnStore = OwnStore(lambda: float(self.clock[0])) if other is None else other.store
        self.records = Records(secrets, context=CONTEXT)
        self.jar = SessionCookies(Sealer(secrets, context=CONTEXT), CookieStyle(secure=True), "oidc-abcdefgh")
        self.limits = Limits(idle=600, lifetime=3600)
        self.ended = Revocations(self.records.ended_names, lifetime=10_000, needed=0)
        self.sessions = StoredSessions(
            GuardedStore(self.store),
            self.records,
            self.jar,
            self.limits,
            self.ended,
            NoFeed(),
            issuer=SESSION.login.issuer,
            now=lambda: self.clock[0],
        )

    def advance(self, seconds: int) -> None:
        """Let time pass."""
        self.clock[0] += seconds

    def cookies(self, session: Session = SESSION) -> dict[str, str]:
        """What the browser of a session sends."""
        return {self.jar.name: session.id}

    async def begin(self, session: Session = SESSION) -> None:
        """Write a session, and count from here."""
        await self.sessions.begin(session, {})
        self.store.forget_calls()

    async def stored(self, session: Session = SESSION) -> Session | None:
        """Look at the record, past everything that a process remembers."""
        record = await self.store.memory.get(self.records.key(self.records.handle(session.id)))
        return None if record is None else self.records.open(session.id, record)

    async def linked(self, kind: str, name: str) -> list[str]:
        """Read an index."""
        return list(await self.store.memory.linked(self.records.index_keys(kind, SESSION.login.issuer, name)[0]))


def refreshed(session: Session, generation: int = 1) -> Session:
    """Make what a refresh makes of a session."""
    tokens = msgspec.structs.replace(session.tokens, generation=generation, access_token=f"at-{generation}")
    return msgspec.structs.replace(session, tokens=tokens)
