"""The table of FAPI 2.0: each requirement names a test that there is, or whose duty it is."""

import re
from functools import cache

import pytest

from tests.examples.guides import EXAMPLES, ROOT, section

TEXT = (EXAMPLES / "strong-clients" / "fapi2.md").read_text(encoding="utf-8")
DUTIES = ("the app's duty", "the deployment's duty")
ROWS = {
    heading: [line for line in section(TEXT, heading).splitlines() if re.match(r"\| \d", line)]
    for heading in ("Security Profile", "Message Signing")
}
LAST_CELLS = [line.rstrip(" |").rsplit(" | ", 1)[1] for lines in ROWS.values() for line in lines]


def test_no_requirement_for_clients_is_left_out():
    """Both lists of the profile are whole."""
    numbered = [re.findall(r"^\| (5\.3\.3\.[12]), (\d+) ", line)[:1] for line in ROWS["Security Profile"]]
    found = [pair for pairs in numbered for pair in pairs]

    assert found == [("5.3.3.1", str(n)) for n in range(1, 14)] + [("5.3.3.2", str(n)) for n in range(1, 8)]


@pytest.mark.parametrize("cell", sorted(set(LAST_CELLS)))
def test_each_row_names_a_test_or_a_duty(cell):
    """A test that was renamed would leave the claim without proof."""
    named = re.findall(r"`(test_\w+)`", cell)

    assert bool(named) != (cell in DUTIES)
    assert [name for name in named if name not in all_tests()] == []


@cache
def all_tests() -> set[str]:
    """Return the names of all test functions."""
    files = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    return {name for text in files for name in re.findall(r"def (test_\w+)\(", text)}
