"""The guide to logging: its configurations show what they promise, and its levels are right."""

import json
import logging
import logging.config
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from asgi_oidc import Rule, events
from asgi_oidc.cli.demo_providers import EXAMPLE
from asgi_oidc.events import Event
from asgi_oidc.testing import Browser, FakeProvider, serve
from tests.examples.guides import EXAMPLES, blocks, read_guide, run_block
from tests.examples.running import environ_of
from tests.protected_site import Site
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


async def test_a_server_with_the_file_of_the_guide_writes_our_lines(anyio_backend_name):
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


async def test_a_formatter_finds_the_name_of_the_event(caplog):
    """It need not take the message apart."""
    names: dict[str, Any] = {}
    run_block(next(block for block in blocks(GUIDE, "python") if "JsonFormatter" in block), names)
    browser = await Site(rules=[Rule("/admin", claims={"roles": "nobody has this"})], plain_prefixes=[]).signed_in()

    caplog.clear()
    with caplog.at_level("WARNING", "asgi_oidc"):
        refused = await browser.fetch("/admin")

    written = [json.loads(names["JsonFormatter"]().format(record)) for record in caplog.records]
    assert [(each["level"], each["event"]) for each in written] == [("WARNING", "access_denied")]
    assert f"reference={refused.json()['reference']}" in written[0]["message"]
    assert re.fullmatch(r"[0-9a-f]{12}", refused.json()["reference"])


def test_the_events_that_are_named_exist_at_their_level():
    """People filter by what they read here."""
    levels = {each.name: logging.getLevelName(each.level) for each in vars(events).values() if type(each) is Event}

    rows = re.findall(r"^\| `([A-Z]+)` \| .*? \| (.*) \|$", GUIDE, re.MULTILINE)
    listed = {name: level for level, names in rows for name in re.findall(r"`(\w+)`", names)}

    assert len(listed) > 15
    assert listed == {name: levels.get(name) for name in listed}
    assert {level for level, _ in rows} == set(levels.values())
