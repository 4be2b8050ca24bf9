"""How much of a generated test is run: a sample always, all of it with `TEST_SIZE=full`.

The tests that have a full-size form carry the marker `long`: `TEST_SIZE=full pytest -m long` runs those alone. In the
full form, property tests make 1,000 examples each, and no repetition on trio or with three providers is left out.
`TEST_SIZE=quick`, which `python -m tests --quick` sets, runs a sample of the cases of every test function.
"""

import os
from typing import TypeVar

Size = TypeVar("Size")

IS_FULL = os.environ.get("TEST_SIZE") == "full"
IS_QUICK = os.environ.get("TEST_SIZE") == "quick"


def size(sample: Size, full: Size) -> Size:
    """Choose how much to do."""
    return full if IS_FULL else sample
