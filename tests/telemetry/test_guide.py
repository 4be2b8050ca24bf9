"""The guide to traces and metrics lists what is recorded."""

import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
from examples.telemetry.draw_login import COLOURS, draw, requests, sign_in

from asgi_oidc.telemetry import catalogue
from asgi_oidc.telemetry.instruments import MAX_PROVIDERS
from asgi_oidc.telemetry.spans import CANCELLED, FAILED, SUCCEEDED
from tests.examples.guides import EXAMPLES, GUIDES, ROOT, blocks, name_of, read_guide, section
from tests.real.processes import free_port
from tests.telemetry.recorder import recording
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
        SUCCEEDED,
        FAILED,
        CANCELLED,
        "repeated",
        "not_silent",
        "not_due",
        "session_ended",
        "accepted",
        "refused",
        "not_checked",
    }


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_a_name_in_a_guide_is_one_that_is_recorded(guide):
    """An alert on a metric that does not exist never fires."""
    named = set(re.findall(r"`(asgi_oidc\.[a-z_.]+)`", guide.read_text(encoding="utf-8")))
    described = (*catalogue.COUNTERS, *catalogue.HISTOGRAMS)
    recorded = {each.name for each in (*described, *catalogue.SPANS)} | {
        name for each in described for name in each.attributes
    }

    assert {name for name in named - recorded if find_spec(name) is None} == set()


def test_the_limits_are_those_of_the_code():
    """Whoever has more tenants has to know."""
    assert f"first {MAX_PROVIDERS} names" in GUIDE
    assert catalogue.PROVIDER in GUIDE


SET_UP = """
{block}
import anyio, urllib.request
from tests.protected_site import Site
anyio.run(Site().signed_in)
print(urllib.request.urlopen("http://127.0.0.1:{port}/metrics").read().decode())
tracer_provider.shutdown()
"""


def test_the_set_up_of_the_guide_records_a_login():
    """Spans on the console, metrics for Prometheus."""
    (block,) = (each for each in blocks(GUIDE, "python") if "PrometheusMetricReader" in each)
    port = free_port()
    program = SET_UP.format(block=block.replace("9464", str(port)), port=port)

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)

    assert "asgi_oidc_logins_total{" in done.stdout
    assert '"name": "asgi_oidc.callback"' in done.stdout


async def test_the_picture_shows_what_is_recorded():
    """Run `python examples/telemetry/draw_login.py` after a change."""
    with recording() as recorded:
        await sign_in()

    trees = requests(recorded.spans)
    names = [[span.name for _, span in tree] for tree in trees]
    assert names == [
        ["GET /orders", "asgi_oidc.login", "GET metadata"],
        ["GET /auth/callback", "asgi_oidc.callback", "POST token", "GET jwks", "GET userinfo"],
        ["GET /orders"],
    ]
    for scheme, colours in COLOURS.items():
        drawn = (EXAMPLES / "telemetry" / f"login-{scheme}.svg").read_text(encoding="utf-8")
        assert names_in(drawn) == names_in(draw(trees, colours)) == [name for each in names for name in each]


def names_in(picture: str) -> list[str]:
    """Return the names of the spans in a picture."""
    return re.findall(r'<text x="\d+" y="\d+">([^<]+)</text>', picture)
