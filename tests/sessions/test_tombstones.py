"""What is over stays over, and the list of it stays small."""

from asgi_oidc.sessions.tombstones import Tombstones


def test_what_was_never_added_is_not_dead():
    """Only what is written down counts."""
    over = Tombstones()

    assert (over.is_dead("x", now=10), over.is_known("x")) == (False, False)


def test_what_is_over_is_dead_at_any_time():
    """Also when the clock is set back."""
    over = Tombstones()

    over.add("x", now=10, lifetime=90)

    assert [over.is_dead("x", now=now) for now in (0, 9, 10, 99)] == [True] * 4
    assert over.is_known("x")


def test_with_a_grace_it_is_dead_from_then_on():
    """A session that another one took over from lives on for requests that are under way."""
    over = Tombstones()

    over.add("x", now=10, lifetime=90, grace=5)

    assert [over.is_dead("x", now=now) for now in (10, 14, 15, 99)] == [False, False, True, True]
    assert over.is_known("x")


def test_the_second_time_is_told_apart():
    """One callback makes at most one token call."""
    over = Tombstones()

    assert [over.add("x", now=10, lifetime=90) for _ in range(3)] == [True, False, False]


def test_an_earlier_death_stands():
    """A sign-out during the grace ends it at once, and a second grace brings nothing back."""
    over = Tombstones()
    over.add("x", now=10, lifetime=90, grace=30)
    over.add("x", now=11, lifetime=90)
    over.add("x", now=12, lifetime=90, grace=30)

    assert over.is_dead("x", now=12)


def test_what_nothing_could_bring_back_is_forgotten():
    """The memory of a process is not endless."""
    over = Tombstones()
    over.add("x", now=0, lifetime=50)
    over.add("y", now=0, lifetime=500)

    over.add("z", now=50, lifetime=500)

    assert [over.is_known(name) for name in "xyz"] == [False, True, True]


def test_an_id_that_is_added_again_is_remembered_longer():
    """It counts from the last time on."""
    over = Tombstones()
    over.add("x", now=0, lifetime=50)
    over.add("x", now=40, lifetime=50)

    over.add("y", now=60, lifetime=50)

    assert over.is_known("x")


def test_beyond_the_most_the_oldest_goes():
    """Each costs its author a whole login, but memory is bounded all the same."""
    over = Tombstones(most=3)
    for number in range(10):
        over.add(str(number), now=0, lifetime=1000)

    assert [number for number in range(10) if over.is_known(str(number))] == [7, 8, 9]


def test_forgetting_keeps_up_with_what_comes_in():
    """Two go for each that comes, so that a burst is worked off."""
    over = Tombstones()
    for number in range(4):
        over.add(str(number), now=0, lifetime=50)

    over.add("new", now=60, lifetime=50)

    assert [number for number in range(4) if over.is_known(str(number))] == [2, 3]
