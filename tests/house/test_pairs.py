"""Measurements in pairs find a difference on a busy machine, and find none where none is."""

import random

import pytest
from benchmarks.pairs import Spread, spread_of, there_and_back


def test_a_machine_that_slows_down_steadily_changes_no_ratio():
    """Each case has one turn before the others and one after them."""
    seconds = [1.0, 2.0, 4.0]
    spent = [0.0, 0.0, 0.0]

    for slower, case in enumerate(there_and_back(3)):
        spent[case] += seconds[case] + slower

    assert [total - 2 * each for total, each in zip(spent, seconds, strict=True)] == [5.0, 5.0, 5.0]


def test_a_constant_ratio_comes_out_whatever_the_speed():
    """The machine is ten times as slow at times, but not for one case alone."""
    speeds = random.Random(1).choices([1.0, 10.0], k=40)

    spread = spread_of([[0.6 * speed / speed for speed in speeds]], neutral=1)

    assert spread == Spread(0.6, 0.6, 0.6, (0.6, 0.6), 1)
    assert str(spread) == "0.60 (0.60 to 0.60)"


def test_a_difference_that_is_smaller_than_the_noise_is_no_difference():
    """Another run might show the opposite."""
    noise = random.Random(2)
    spread = spread_of([[noise.gauss(1.02, 0.3) for _ in range(50)]], neutral=1)

    assert not spread.shows_a_difference
    assert str(spread).startswith("no difference seen (")


def test_more_pairs_show_a_smaller_difference():
    """That is what they are for."""
    noise = random.Random(3)
    spread = spread_of([[noise.gauss(1.1, 0.3) for _ in range(2_000)]], neutral=1)

    assert spread.shows_a_difference
    assert spread.median == pytest.approx(1.1, abs=0.02)


def test_processes_that_disagree_widen_the_interval():
    """One process is slower for as long as it lives: more pairs in it do not make its median truer."""
    spread = spread_of([[0.97] * 100, [1.02] * 100, [0.98] * 100], neutral=1)

    assert (spread.low, spread.median, spread.high) == (0.97, 0.98, 1.02)
    assert not spread.shows_a_difference


def test_a_few_values_have_the_interval_from_the_least_to_the_largest():
    """Five values say no more with 95 % confidence."""
    assert spread_of([[3.0, 1.0, 2.0, 5.0, 4.0]]) == Spread(3.0, 1.0, 5.0, (2.0, 4.0))
    assert spread_of([[7.0]]) == Spread(7.0, 7.0, 7.0, (7.0, 7.0))


def test_the_interval_holds_the_median_in_95_of_100_experiments():
    """If it held less often, noise would be reported as a difference."""
    noise = random.Random(4)
    spreads = [spread_of([[noise.expovariate(1) for _ in range(30)]]) for _ in range(1_000)]

    within = sum(spread.low <= 0.6931 <= spread.high for spread in spreads)

    assert within / 1_000 >= 0.94


def test_a_spread_in_another_unit_says_the_same():
    """Seconds are shown as microseconds."""
    spread = Spread(2e-6, -1e-6, 3e-6, (1e-6, 2e-6), 0).times(1e6)

    assert spread == Spread(2.0, -1.0, 3.0, (1.0, 2.0), 0)
    assert str(spread) == "no difference seen (-1 to 3)"
