"""The session cache is bounded: the oldest entry is dropped."""

from asgi_oidc.sessions.session_cache import SessionCache


def kept(cache: SessionCache[str, int], names: str) -> str:
    return "".join(name for name in names if cache.get(name) is not None)


def test_over_the_limit_the_oldest_entry_is_dropped():
    """However often it is looked up: each request would pay for the order."""
    cache: SessionCache[str, int] = SessionCache(max_entries=3)
    for number, name in enumerate("abc"):
        cache.keep(name, number, size=1)
    assert cache.get("a") == 0

    cache.keep("d", 3, size=1)

    assert kept(cache, "abcd") == "bcd"


def test_over_the_byte_limit_the_oldest_entries_are_dropped():
    """What was opened may be large."""
    cache: SessionCache[str, int] = SessionCache(max_bytes=10)
    for name in "abc":
        cache.keep(name, 1, size=3)

    cache.keep("d", 1, size=7)

    assert kept(cache, "abcd") == "cd"


def test_an_entry_larger_than_the_cache_is_not_kept():
    """It would take the place of everything."""
    cache: SessionCache[str, int] = SessionCache(max_bytes=10)
    cache.keep("b", 1, size=3)

    cache.keep("a", 1, size=11)

    assert kept(cache, "ab") == "b"


def test_the_same_name_is_counted_once():
    """A session whose record changes every minute takes the room of one."""
    cache: SessionCache[str, int] = SessionCache(max_bytes=10)
    cache.keep("b", 1, size=3)
    for size in (3, 5, 7):
        cache.keep("a", size, size=size)
    assert (cache.get("a"), kept(cache, "ab")) == (7, "ab")

    cache.drop("a")
    cache.drop("never there")
    cache.keep("c", 1, size=7)

    assert kept(cache, "abc") == "bc"
