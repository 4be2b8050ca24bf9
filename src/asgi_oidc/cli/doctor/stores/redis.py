"""Checks Redis and Valkey: its rights, its memory, and whether it is what the URL says."""

from collections.abc import Iterator, Sequence

from asgi_oidc.stores.redis import RedisStore

EVICTING = ("allkeys-", "volatile-")
# The one that removes what would have ended first; sessions last longer than what else has a lifetime.
TOLERABLE = ("volatile-ttl",)
# Names of the exceptions of redis-py and coredis.
CAUSES = {
    "store_rights": (
        ("NoPermissionError", "AuthorizationError"),
        "allow its user the commands GET, SET, DEL, EVAL, EVALSHA, ZADD, ZREM, ZRANGE, ZRANGEBYSCORE, ZCARD, "
        "ZREMRANGEBYSCORE, ZREMRANGEBYRANK, PEXPIREAT, TIME and INFO for keys that begin with the prefix: "
        "ACL SETUSER name on >password ~asgi-oidc:* +@read +@write +@scripting +info +time",
    ),
    "store_login": (
        ("AuthenticationError", "AuthenticationWrongNumberOfArgsError", "AuthenticationFailureError"),
        "correct user name and password in the URL: redis://user:password@host:6379",
    ),
    "store_full": (("OutOfMemoryError",), "give the server more memory (maxmemory)"),
    "store_read_only": (
        ("ReadOnlyError",),
        "name the primary server, or the sentinels: redis+sentinel://host:26379/mymaster",
    ),
    "store_is_cluster": (
        ("MovedError", "AskError", "ClusterCrossSlotError"),
        "write redis+cluster:// with the hosts of the cluster",
    ),
}
# How the server says the same, at the beginning of its errors.
PREFIXES = {
    "NOPERM": "store_rights",
    "NOAUTH": "store_login",
    "WRONGPASS": "store_login",
    "OOM": "store_full",
    "READONLY": "store_read_only",
    "MOVED": "store_is_cluster",
}


def explain(error: BaseException) -> tuple[str, str, str] | None:
    """Return the finding of an exception, what is wrong, and the fix; None if the cause is not known."""
    for link in _chain(error):
        names = [kind.__name__ for kind in type(link).__mro__]
        for finding, (classes, fix) in CAUSES.items():
            if any(name in classes for name in names):
                return finding, f"Redis answers with {type(link).__name__}", fix
        text = str(link)
        for prefix, finding in PREFIXES.items():
            if text.startswith(prefix) or f"{prefix} " in text[:200] or f"-{prefix}" in text[:200]:
                return finding, f"Redis answers with {prefix}", CAUSES[finding][1]
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


async def check(store: RedisStore) -> Sequence[tuple[str, str, str]]:
    """Look at the eviction policy, the role, and whether it is a cluster."""
    try:
        memory, cluster = await store.info("memory"), await store.info("cluster")
    except Exception as error:  # noqa: BLE001  # some hosted servers do not allow INFO
        explained = explain(error)
        if explained is not None and explained[0] == "store_is_cluster":  # its other keys happened to be here
            return [explained]
        problem = f"its memory policy could not be read ({type(error).__name__})"
        return [("store_not_checked", problem, "allow its user INFO, or check that maxmemory-policy is noeviction")]
    findings = []
    policy = memory.get("maxmemory_policy", "")
    if policy.startswith(EVICTING) and policy not in TOLERABLE:
        problem = f"maxmemory-policy is {policy}: when its memory is full, it drops sessions, and sign-outs that were "
        problem += "revoked come back"
        findings.append(("store_eviction", problem, "set maxmemory-policy noeviction (or volatile-ttl)"))
    if cluster.get("cluster_enabled") == "1" and not store.is_for_cluster:
        findings.append(("store_is_cluster", "the server belongs to a cluster", CAUSES["store_is_cluster"][1]))
    return findings
