"""The guide to traces and metrics lists what is recorded."""

import re

from asgi_oidc.telemetry import catalogue, recording
from tests.examples.guides import read_guide, section
from tests.telemetry.tables import metric_rows, span_rows

GUIDE = read_guide("telemetry")


def test_the_tables_are_those_of_the_catalogue():
    """Run `python -m tests.telemetry.tables` after a change."""
    written = [line for line in GUIDE.splitlines() if line.startswith(("| `asgi_oidc.", "| `http.", "| `db."))]

    assert written == [*span_rows(), *metric_rows()]


def test_every_outcome_is_explained():
    """An alert is written for one of them."""
    named = set(re.findall(r"^\| `(\w+)` \|", section(GUIDE, "Outcomes"), re.MULTILINE))

    assert named == {
        recording.SUCCEEDED,
        recording.FAILED,
        recording.CANCELLED,
        "repeated",
        "not_silent",
        "not_due",
        "session_ended",
        "accepted",
        "refused",
        "not_checked",
    }


def test_the_limits_are_those_of_the_code():
    """Whoever has more tenants has to know."""
    assert f"first {recording.MAX_PROVIDERS} names" in GUIDE
    assert catalogue.PROVIDER in GUIDE
