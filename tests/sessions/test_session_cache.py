"""A table of what was opened before is bounded: the oldest goes."""

from asgi_oidc.sessions.session_cache import SessionCache


def kept(seen: SessionCache[str, int], names: str) -> str:
    return "".join(name for name in names if seen.get(name) is not None)


def test_beyond_the_most_the_oldest_goes():
    """However often it is looked up: each request would pay for the order."""
    seen: SessionCache[str, int] = SessionCache(most=3)
    for number, name in enumerate("abc"):
        seen.keep(name, number, size=1)
    assert seen.get("a") == 0

    seen.keep("d", 3, size=1)

    assert kept(seen, "abcd") == "bcd"


def test_beyond_the_most_bytes_as_many_go_as_it_takes():
    """What was opened may be large."""
    seen: SessionCache[str, int] = SessionCache(most_bytes=10)
    for name in "abc":
        seen.keep(name, 1, size=3)

    seen.keep("d", 1, size=7)

    assert kept(seen, "abcd") == "cd"


def test_what_is_larger_than_all_room_is_not_kept():
    """It would take the place of everything."""
    seen: SessionCache[str, int] = SessionCache(most_bytes=10)
    seen.keep("b", 1, size=3)

    seen.keep("a", 1, size=11)

    assert kept(seen, "ab") == "b"


def test_the_same_name_is_counted_once():
    """A session whose record changes every minute takes the room of one."""
    seen: SessionCache[str, int] = SessionCache(most_bytes=10)
    seen.keep("b", 1, size=3)
    for size in (3, 5, 7):
        seen.keep("a", size, size=size)
    assert (seen.get("a"), kept(seen, "ab")) == (7, "ab")

    seen.drop("a")
    seen.drop("never there")
    seen.keep("c", 1, size=7)

    assert kept(seen, "abc") == "bc"
