"""The comparison with the last release's instruction counts finds what it is for."""

import pytest
from benchmarks.callgrind import Counter
from benchmarks.counted_requests import STEPS
from benchmarks.instructions import ACCEPTED, Counts, problems, saved
from msgspec.structs import replace

BEFORE = Counts(
    measured="1.0.0 (abc)",
    date="2026-01-01",
    runs_on={"Python": "3.11.7"},
    reference=50_000,
    steps={"first": 100_000, "second": 300_000},
)


def test_counts_within_the_tolerance_pass():
    """Random values make a count differ a little from run to run."""
    after = replace(BEFORE, steps={"first": 101_900, "second": 150_000})

    assert list(problems(BEFORE, after)) == []


def test_a_step_that_takes_more_instructions_is_named_with_both_counts():
    """Whoever sees the failure knows where to look."""
    after = replace(BEFORE, steps={"first": 100_000, "second": 330_000})

    assert list(problems(BEFORE, after)) == [
        "second: 330,000 instructions, 10.0% more than the 300,000 of 1.0.0 (abc), where at most 2% more are allowed"
    ]


def test_a_step_may_take_more_where_that_is_accepted():
    """A defence has its price, and whoever adds it says so."""
    after = replace(BEFORE, steps={"first": 107_000, "second": 330_000})

    (problem,) = problems(BEFORE, after, accepted={"first": 0.08, "second": 0.08})

    assert problem.startswith("second: 330,000 instructions, 10.0% more")


def test_another_build_of_python_is_compared_by_the_reference():
    """It needs more instructions for everything, and that is nobody's fault."""
    after = replace(BEFORE, runs_on={"Python": "3.11.9"}, reference=55_000, steps={"first": 114_000, "second": 330_000})

    assert list(problems(BEFORE, after)) == []
    assert list(problems(BEFORE, replace(after, steps={"first": 117_000, "second": 330_000}))) == [
        "first: 117,000 instructions, 6.4% more than the 100,000 of 1.0.0 (abc), where at most 5% more are allowed"
    ]


def test_a_step_that_only_one_side_has_is_a_problem():
    """A step that is renamed or left out would pass for ever."""
    after = replace(BEFORE, steps={"first": 100_000, "third": 1})

    assert list(problems(BEFORE, after)) == [
        "second: not counted, unlike in 1.0.0 (abc)",
        "third: 1.0.0 (abc) has no count of it; measure that again with this step",
    ]


def test_the_last_release_has_counts_of_every_step():
    """For each version of Python that they were taken with."""
    releases = saved()

    assert ACCEPTED.keys() <= STEPS.keys()
    assert "3.11" in releases
    assert [python for python, counts in releases.items() if counts.steps.keys() != STEPS.keys()] == []


def test_nothing_is_counted_outside_of_valgrind():
    """A count of zero would pass as an improvement."""
    with pytest.raises(RuntimeError, match=r"does not run under valgrind|instructions are counted on"):
        Counter()
