"""The guide to traces and metrics lists what is recorded."""

import json
import re
import subprocess
import sys

import pytest

from asgi_oidc.telemetry import catalogue, recording
from tests.examples.guides import EXAMPLES, ROOT, read_guide, section
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


RECORD = """
import anyio, json
from examples.telemetry.draw_login import draw, COLOURS, record, requests
trees = requests(anyio.run(record))
print(json.dumps([[span.name for _, span in tree] for tree in trees]))
assert draw(trees, COLOURS["light"]).count("<rect") == 4 + sum(len(tree) for tree in trees)
"""


@pytest.fixture(scope="module")
def recorded() -> list[list[str]]:
    """The names of the spans of a login, by request."""
    command = [sys.executable, "-c", RECORD]
    found: list[list[str]] = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    return found


def test_a_whole_login_is_recorded(recorded):
    """What the picture shows."""
    assert recorded == [
        ["GET /orders", "asgi_oidc.login", "GET metadata"],
        ["GET /auth/callback", "asgi_oidc.callback", "POST token", "GET jwks", "GET userinfo"],
        ["GET /orders"],
    ]


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_picture_shows_what_is_recorded(name, recorded):
    """Run `python examples/telemetry/draw_login.py` after a change."""
    drawn = (EXAMPLES / "telemetry" / f"login-{name}.svg").read_text(encoding="utf-8")

    assert re.findall(r'<text x="\d+" y="\d+">([^<]+)</text>', drawn) == [each for tree in recorded for each in tree]
