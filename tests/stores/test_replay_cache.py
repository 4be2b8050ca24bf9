"""What may be used once is used once, and the replay cache stays bounded."""

from asgi_oidc.stores.replay_cache import ReplayCache


def test_a_second_use_is_recognised():
    """One callback makes at most one token call."""
    cache = ReplayCache()

    assert [cache.add("x", now=10, lifetime=90) for _ in range(3)] == [True, False, False]


def test_a_lookup_does_not_record_a_use():
    """A logout token is used up when the work is done, not before."""
    cache = ReplayCache()
    cache.add("x", now=10, lifetime=90)

    assert ("x" in cache, "y" in cache) == (True, False)
    assert cache.add("y", now=10, lifetime=90)


def test_expired_entries_are_forgotten():
    """The memory of a process is not endless."""
    cache = ReplayCache()
    cache.add("x", now=0, lifetime=50)
    cache.add("y", now=0, lifetime=500)

    cache.add("z", now=50, lifetime=500)

    assert [cache.add(name, now=50, lifetime=500) for name in "xyz"] == [True, False, False]


def test_a_name_that_comes_again_is_remembered_longer():
    """It counts from the last time on."""
    cache = ReplayCache()
    cache.add("x", now=0, lifetime=50)
    cache.add("x", now=40, lifetime=50)

    cache.add("y", now=60, lifetime=50)

    assert not cache.add("x", now=60, lifetime=50)


def test_over_the_limit_the_oldest_entry_is_dropped():
    """Each costs its author a call, but memory is bounded all the same."""
    cache = ReplayCache(max_names=3)
    for number in range(10):
        cache.add(str(number), now=0, lifetime=1000)

    assert [number for number in range(7, 10) if cache.add(str(number), now=0, lifetime=1000)] == []
    assert cache.add("6", now=0, lifetime=1000)


def test_forgetting_keeps_up_with_what_comes_in():
    """Two go for each that comes, so that a burst is worked off."""
    cache = ReplayCache()
    for number in range(4):
        cache.add(str(number), now=0, lifetime=50)

    cache.add("new", now=60, lifetime=50)

    assert [cache.add(name, now=60, lifetime=50) for name in "01"] == [True, True]
    assert not cache.add("new", now=60, lifetime=50)
