"""The guide to logging: its configurations show what they promise, and its levels are right."""

import json
import logging
import logging.config
import re
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from examples.logging.json_formatter import JsonFormatter

from asgi_oidc import Rule, events
from asgi_oidc.audit import AuditEvent
from asgi_oidc.cli.demo_providers import EXAMPLE
from asgi_oidc.events import Event
from asgi_oidc.testing import Browser, FakeProvider, serve
from tests.audit_site import facts
from tests.examples.guides import EXAMPLES, blocks, read_guide, run_block
from tests.examples.running import environ_of
from tests.internals import deliver_events
from tests.protected_site import PROGRAM, Site
from tests.real.processes import answers, free_port, running
from tests.real.servers import PYTHON

GUIDE = read_guide("logging")
CONFIGURATION = EXAMPLES / "logging" / "log_config.json"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """Our logger, as it was afterwards."""
    ours = logging.getLogger("asgi_oidc")
    before = (list(ours.handlers), ours.propagate, ours.level)
    yield ours
    ours.handlers, ours.propagate = before[:2]
    ours.setLevel(before[2])


def test_the_configuration_of_the_guide_shows_our_lines(logger):
    """A configuration that hides the log is worse than none."""
    names: dict[str, Any] = {}
    run_block(next(block for block in blocks(GUIDE, "python") if "LOGGING = " in block), names)

    logging.config.dictConfig(names["LOGGING"])

    assert (logger.isEnabledFor(logging.INFO), logger.disabled, len(logger.handlers)) == (True, False, 1)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # the server has a loop of its own
async def test_a_server_with_the_file_of_the_guide_writes_our_lines():
    """And its own."""
    provider, port = FakeProvider(clients=[EXAMPLE]), free_port()
    command = [*PYTHON, "uvicorn", "examples.plain_asgi:app", "--port", str(port), "--log-config", str(CONFIGURATION)]
    with serve(provider) as served:
        provider.issuer = served.url
        environ = environ_of(provider, f"http://127.0.0.1:{port}")
        with running(command, environ) as process:
            process.wait_until(lambda: answers(environ["OIDC_BASE_URL"]), "the app answers")
            async with httpx.AsyncHTTPTransport() as network:
                await Browser(network, environ["OIDC_BASE_URL"], {provider.issuer: network}).sign_in("alice", "/me")
            said = process.said

    lines = [line.split(" ", 2)[2] for line in said.splitlines()]
    for line in ("DEBUG asgi_oidc login_started", "INFO asgi_oidc login_succeeded"):
        assert any(each.startswith(line) for each in lines), said
    assert "Application startup complete" in said


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # the server has a loop of its own
async def test_a_server_writes_every_line_as_json():
    """Its own lines, the log and the audit trail, all for one system that searches by field."""
    provider, port = FakeProvider(clients=[EXAMPLE]), free_port()
    command = [*PYTHON, "uvicorn", "app:app", "--port", str(port), "--log-config", "json_log_config.json"]
    with serve(provider) as served:
        provider.issuer = served.url
        environ = environ_of(provider, f"http://127.0.0.1:{port}")
        with running(command, environ, cwd=EXAMPLES / "logging") as process:
            process.wait_until(lambda: answers(environ["OIDC_BASE_URL"]), "the app answers")
            async with httpx.AsyncHTTPTransport() as network:
                browser = Browser(network, environ["OIDC_BASE_URL"], {provider.issuer: network})
                await browser.sign_in("alice", "/me")
                refused = await browser.get("/auth/callback?code=s3cret&state=x", headers=PROGRAM)
            process.wait_until(lambda: '"name": "login_failed"' in process.said, "the trail tells it")
            said = process.said

    lines = [json.loads(line) for line in said.splitlines()]
    assert {"uvicorn.error", "uvicorn.access", "asgi_oidc", "audit"} <= {line["logger"] for line in lines}
    failed = next(line for line in lines if line.get("event") == "login_failed")
    assert failed["oidc"]["reference"] == refused.json()["reference"]
    trail = [line["audit"] for line in lines if line["logger"] == "audit"]
    assert [event["name"] for event in trail] == ["signed_in", "login_failed"]
    assert (trail[0]["sub"], trail[0]["client_address"]) == ("alice", "127.0.0.1")
    assert trail[1]["reference"] == refused.json()["reference"]
    assert not any("s3cret" in line for line in said.splitlines() if '"uvicorn.access"' not in line)


async def test_the_lines_of_the_guide_have_the_fields_of_real_ones(caplog):
    """Nobody searches for a field that does not exist."""
    shown = [json.loads(block) for block in blocks(GUIDE, "json")]
    heard: list[AuditEvent] = []
    site = Site(rules=[Rule("/admin", claims={"roles": "nobody has this"})], plain_prefixes=[], on_event=heard.append)
    browser = await site.signed_in()

    caplog.clear()
    with caplog.at_level("WARNING", "asgi_oidc"):
        refused = await browser.fetch("/admin")
    await deliver_events(site.middleware)

    (record,) = caplog.records
    line = json.loads(JsonFormatter().format(record))
    event = facts(heard[-1])
    assert shown[0].keys() == line.keys()
    assert shown[0]["oidc"] == {**line["oidc"], "reference": shown[0]["oidc"]["reference"]}
    assert shown[0]["message"].partition("reference")[0] == line["message"].partition("reference")[0]
    assert shown[1]["audit"].keys() == event.keys()
    assert (shown[1]["audit"]["path"], shown[1]["audit"]["why"]) == (event["path"], event["why"])
    assert line["oidc"]["reference"] == event["reference"] == refused.json()["reference"]


def test_an_exception_of_the_app_is_one_line_too():
    """A traceback has line breaks."""
    try:
        raise ValueError("why")
    except ValueError:
        record = logging.getLogger("app").makeRecord("app", logging.ERROR, "", 1, "it failed", (), sys.exc_info())

    line = JsonFormatter().format(record)

    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ValueError: why")


def test_the_events_that_are_named_exist_at_their_level():
    """People filter by what they read here."""
    levels = {each.name: logging.getLevelName(each.level) for each in vars(events).values() if type(each) is Event}

    rows = re.findall(r"^\| `([A-Z]+)` \| .*? \| (.*) \|$", GUIDE, re.MULTILINE)
    listed = {name: level for level, names in rows for name in re.findall(r"`(\w+)`", names)}

    assert len(listed) > 15
    assert listed == {name: levels.get(name) for name in listed}
    assert {level for level, _ in rows} == set(levels.values())
