"""A session store in Redis or Valkey: one server, a cluster, or servers that sentinels watch.

Every operation is one atomic command on one key, so that it works on a cluster; if Redis has no such command, it is a
short script. Expiry uses the Redis server's clock. Calls made at the same moment share a round trip.
"""

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from asgi_oidc.stores.redis_url import CLUSTER, Address, read_url
from asgi_oidc.stores.store import SessionStore

PREFIX = "asgi-oidc:"
INDEX = "/index"  # ends the keys of indexes; keys of values have no slash, so the two never collide
EXTRAS = {"redis": "asgi-oidc[redis]", "coredis": "asgi-oidc[redis-trio]"}

REPLACE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
REMOVE_ONLY = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
# The addition comes first, because a server that is out of memory refuses only the first write of a script.
LINK = f"""{_NOW}
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local over = redis.call('ZCARD', KEYS[1]) - ARGV[3]
local dropped = {{}}
if over > 0 then
  dropped = redis.call('ZRANGE', KEYS[1], 0, over - 1)
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, over - 1)
end
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if last[2] then redis.call('PEXPIREAT', KEYS[1], last[2]) end
return dropped
"""
LINKED = f"""{_NOW}
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
"""
UNLINK = "return redis.call('ZREM', KEYS[1], ARGV[1])"
INFO = "return redis.call('INFO', ARGV[1])"


class RedisBackend(Protocol):
    """The commands that `RedisStore` needs of a Redis client, each on one key."""

    async def get(self, key: str) -> bytes | None: ...

    async def add(self, key: str, value: bytes, milliseconds: int) -> bool: ...

    async def remove(self, key: str) -> int: ...

    async def evaluate(self, script: str, key: str, *args: bytes | str | int) -> object: ...

    def running(self) -> AbstractAsyncContextManager[None]: ...


class RedisStore(SessionStore):
    """Keeps sessions in Redis or Valkey, for any number of processes and machines.

    Args:
        url: `redis://`, `rediss://` (TLS) or `unix://` for one server, `redis+cluster://host1,host2` for a cluster,
            `redis+sentinel://host1,host2/service` for servers that sentinels watch; `valkey` means the same as `redis`.
        prefix: the beginning of all keys.

    Raises:
        ValueError: the URL is invalid.
        ImportError: neither redis-py (for asyncio) nor coredis (for trio) is installed.
    """

    def __init__(self, url: str, *, prefix: str = PREFIX) -> None:
        self._address = read_url(url)
        self._prefix = prefix
        if not any(importlib.util.find_spec(name) for name in EXTRAS):
            raise ImportError(
                f"RedisStore needs a Redis client: {_installs('redis')}; with trio: {_installs('coredis')}"
            )
        self._backends: dict[str, RedisBackend] = {}

    def __repr__(self) -> str:
        return f"RedisStore({self._address})"

    async def get(self, key: str) -> bytes | None:
        """GET."""
        return await self._backend().get(self._prefix + key)

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        """SET NX PX."""
        return await self._backend().add(self._prefix + key, value, _milliseconds(lifetime))

    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        """Compare and SET PX."""
        return await self._backend().evaluate(REPLACE, self._prefix + key, old, new, _milliseconds(lifetime)) == 1

    async def remove(self, key: str, *, only: bytes | None = None) -> bool:
        """DEL, or compare and DEL."""
        if only is None:
            return await self._backend().remove(self._prefix + key) == 1
        return await self._backend().evaluate(REMOVE_ONLY, self._prefix + key, only) == 1

    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Sequence[str]:
        """ZADD into a sorted set, whose scores are the expiry times."""
        return _texts(await self._backend().evaluate(LINK, self._index(index), member, _milliseconds(lifetime), most))

    async def linked(self, index: str) -> Sequence[str]:
        """ZRANGEBYSCORE."""
        return _texts(await self._backend().evaluate(LINKED, self._index(index)))

    async def unlink(self, index: str, member: str) -> None:
        """ZREM."""
        await self._backend().evaluate(UNLINK, self._index(index), member)

    async def info(self, section: str) -> dict[str, str]:
        """Return what the server tells about itself, such as its `memory`; of a cluster, one of its servers."""
        text = await self._backend().evaluate(INFO, f"{self._prefix}info", section)
        lines = text.decode("utf-8", "replace").splitlines() if isinstance(text, bytes) else []
        return {name: value for name, colon, value in (line.partition(":") for line in lines) if colon}

    @property
    def is_for_cluster(self) -> bool:
        """Whether the URL names a cluster."""
        return self._address.kind == CLUSTER

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep connections open while the app runs."""
        async with self._backend().running():
            yield

    def _index(self, index: str) -> str:
        return f"{self._prefix}{index}{INDEX}"

    def _backend(self) -> RedisBackend:
        name = _client_of_this_runtime()
        if name not in self._backends:
            self._backends[name] = _open_backend(name, self._address)
        return self._backends[name]


def _client_of_this_runtime() -> str:
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # asyncio is not running, so it is trio
        return "coredis"
    return "redis"


def _open_backend(name: str, address: Address) -> RedisBackend:
    if importlib.util.find_spec(name) is None:
        raise ImportError(f"RedisStore needs {name} on this event loop: {_installs(name)}")
    if name == "redis":
        from asgi_oidc.stores.redis_asyncio import AsyncioBackend

        return AsyncioBackend(address)
    from asgi_oidc.stores.redis_trio import TrioBackend

    return TrioBackend(address)


def _installs(name: str) -> str:
    return f"pip install '{EXTRAS[name]}'"


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def _texts(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, bytes) for item in value):
        raise TypeError("expected a list of bytes")
    return [item.decode("ascii") for item in value]
