"""How much of a generated test is run: a sample always, all of it with `TEST_SIZE=full`.

The tests that have a full-size form carry the marker `long`: `TEST_SIZE=full pytest -m long` runs those alone. In the
full form, property tests make 1,000 examples each, and no repetition on trio or with three providers is left out.
"""

import os
from typing import TypeVar

Size = TypeVar("Size")

IS_FULL = os.environ.get("TEST_SIZE") == "full"


def size(sample: Size, full: Size) -> Size:
    """Choose how much to do."""
    return full if IS_FULL else sample
