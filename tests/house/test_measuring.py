"""The list of tests that are not measured is about tests that there are."""

from pathlib import Path

import pytest

from tests.measuring import UNMEASURED


@pytest.mark.parametrize("path", UNMEASURED, ids=lambda path: Path(path).name)
def test_what_is_not_measured_exists(path):
    """A file that was renamed would be measured again, and its tests take twice as long."""
    assert Path(path).exists()
