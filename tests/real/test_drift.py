"""Nothing becomes much slower unnoticed."""

import subprocess
import sys
from pathlib import Path

from benchmarks.drift import AT_MOST, too_slow
from benchmarks.soak import COMES_AND_GOES, grown

ROOT = Path(__file__).parents[2]


def test_requests_take_about_as_many_times_as_long_as_with_a_middleware_that_does_nothing():
    """In the same run on the same machine: a ratio, never a time."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.drift"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert all(name in run.stdout for name in AT_MOST)


def test_a_ratio_that_is_far_outside_is_named():
    """The guard itself can fail."""
    assert too_slow(AT_MOST) == []

    slower = AT_MOST | {"public path, nobody": 5.2}

    assert too_slow(slower) == ["public path, nobody: 5.2 times a middleware that does nothing, at most 4.0"]


def test_growth_in_a_soak_test_is_named():
    """That one as well."""
    middle = dict.fromkeys(COMES_AND_GOES, 70.0)
    usual = {name: 70.0 + more for name, more in COMES_AND_GOES.items()}
    assert grown(middle, usual) == []

    assert grown(middle, usual | {"tasks": 79}) == [
        "tasks: 70.0 in the middle, 79 at the end, where at most 8 come and go"
    ]
