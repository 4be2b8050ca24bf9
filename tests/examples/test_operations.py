"""The guide for people on call: each incident is played, and leaves the log lines and audit events that it quotes."""

import fnmatch
import json
import re

import pytest

from asgi_oidc import events
from asgi_oidc.audit import AuditEvent
from asgi_oidc.events import Event
from asgi_oidc.telemetry import catalogue
from tests.audit_site import facts
from tests.bad_days import INCIDENTS, Traces, play
from tests.examples.guides import blocks, read_guide, section
from tests.reference.codes import CODES

GUIDE = read_guide("operations")


@pytest.mark.parametrize("incident", INCIDENTS)
async def test_an_incident_leaves_the_lines_and_events_that_the_guide_quotes(incident):
    """Somebody on call at night compares them word for word."""
    text = section(GUIDE, incident)
    lines = [line for block in blocks(text, "text") for line in block.splitlines()]
    quoted = [json.loads(line) for block in blocks(text, "json") for line in block.splitlines()]

    traces = await play(INCIDENTS[incident])

    assert lines
    assert quoted
    assert [line for line in lines if not _was_logged(line, traces)] == []
    assert [event for event in quoted if not any(_is_part_of(event, real) for real in traces.events)] == []


def test_every_incident_says_what_to_do():
    """And how it is known to be over."""
    for incident in INCIDENTS:
        text = section(GUIDE, incident)
        assert "**Do:**" in text, incident
        assert "**It is over when**" in text, incident


def test_alerts_are_on_events_and_codes_that_exist():
    """An alert on a word that no line has never fires."""
    table = section(GUIDE, "Alerts to set").split("Do not alert")[0]
    names = {each.name for each in vars(events).values() if type(each) is Event}
    codes = {name for listed in CODES.values() for code in listed for name in code.names.split()}
    rows = re.findall(r"^\|[^|]*\|([^|]*)\|", table, re.MULTILINE)
    used = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    others = {"detail", "invalid_client", "others", "login_loop", "connect_tls"}  # fields, and beginnings of codes
    assert used - names - codes - others == {"refresh_provider_refused"}  # one that is played as an incident
    assert all(any(code.startswith(start) for code in codes) for start in ("login_loop", "connect_tls"))


def test_the_metrics_of_the_alerts_exist():
    """Under these names, with these attributes."""
    known = {value.name for value in vars(catalogue).values() if isinstance(value, catalogue.Counter)}
    known |= {value for value in vars(catalogue).values() if isinstance(value, str)}

    named = set(re.findall(r"`(asgi_oidc\.\w[\w.]*)`", section(GUIDE, "Alerts to set")))

    assert named
    assert named <= known


def _was_logged(quoted: str, traces: Traces) -> bool:
    pattern = re.sub(r"([\[?*])", r"[\1]", quoted).replace("...", "*")
    return any(fnmatch.fnmatchcase(line, pattern) for line in traces.lines)


def _is_part_of(quoted: dict[str, object], event: AuditEvent) -> bool:
    return quoted.items() <= facts(event).items()
