"""No step of a request takes more CPU instructions than in the last release unnoticed."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.callgrind import PROCESSOR
from benchmarks.instructions import python, saved

from tests.real.programs import require

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.real


def test_no_step_of_a_request_takes_more_instructions_than_in_the_last_release():
    """Other load on the machine changes times, but not this."""
    is_known = "yes" if python() in saved() else None
    require(shutil.which("valgrind"), "valgrind", "apt-get install valgrind")
    require(PROCESSOR if platform.machine() == PROCESSOR else None, f"an {PROCESSOR} processor", "use one")
    require(is_known, f"the count for Python {python()}", "see benchmarks/README.md")

    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.instructions"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert all(name in run.stdout for name in saved()[python()].steps)
