"""A few tries at once, then slowly."""

from asgi_oidc.provider.call_budget import Budget


def tries(budget: Budget, *, now: float, count: int = 10) -> int:
    return sum(budget.take(now=now) for _ in range(count))


def test_a_burst_and_then_one_per_interval():
    """Anyone can make up key ids."""
    budget = Budget(burst=3, interval=30)

    assert [tries(budget, now=now) for now in (0, 29, 30, 59, 60)] == [3, 0, 1, 0, 1]


def test_it_fills_again_but_not_beyond_the_burst():
    """A quiet night saves nothing up."""
    budget = Budget(burst=3, interval=30)

    assert [tries(budget, now=now) for now in (0, 60, 100_000)] == [3, 2, 3]


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing():
    """Else setting the clock would open a flood, or close the tap for years."""
    budget = Budget(burst=3, interval=30)

    assert [tries(budget, now=now) for now in (1000, 0, 30)] == [3, 0, 1]
