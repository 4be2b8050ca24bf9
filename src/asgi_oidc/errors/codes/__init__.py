"""The catalogue of error codes: what causes each, and how to fix it.

`examples/reference/codes.md` is made from it; nothing imports it when an app runs. A new code needs an entry here: a
test compares the catalogue with the source.
"""

from typing import NamedTuple


class Code(NamedTuple):
    """One code, or several that have the same cause and fix.

    Attributes:
        names: one or more codes, separated by spaces.
        fix: empty if there is nothing to do.
    """

    names: str
    cause: str
    fix: str = ""
