"""Exceptions for providers that are not by the book: logged at start-up, and each for one provider only."""

import logging
from typing import Any

import pytest

from tests.protected_site import Exchange, Site
from tests.providers.three_providers import ThreeProviders

START, STOP = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}


def exceptions_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log lines about exceptions."""
    return [record.getMessage() for record in caplog.records if record.__dict__.get("event") == "provider_exception"]


# --- at start-up


async def test_each_exception_is_logged_once_with_its_risk(caplog):
    """A reviewer of the log learns what is left out, at which provider, and why."""
    site = ThreeProviders({"two": {"allow_missing_nonce": True, "allow_azp_audiences": True}})
    exchange = Exchange(START, STOP)

    await site.middleware({"type": "lifespan"}, exchange.receive, exchange.send)
    await site.browser().get("/")

    first, second = exceptions_in(caplog)
    assert "provider=two setting=allow_missing_nonce risk='" in first
    assert "provider=two setting=allow_azp_audiences risk='" in second
    assert " purpose='" in first
    assert {record.levelno for record in caplog.records if "exception" in record.getMessage()} == {logging.WARNING}


async def test_without_a_lifespan_it_is_logged_at_the_first_request(caplog):
    """A mounted app gets no lifespan."""
    site = Site(allow_missing_nonce=True)

    for _ in range(2):
        await site.browser().get("/")

    (line,) = exceptions_in(caplog)
    assert f"provider={site.provider.issuer} " in line


@pytest.mark.parametrize("settings", [{}, {"allow_missing_nonce": False, "allow_http_hosts": []}], ids=str)
async def test_a_provider_without_exceptions_is_not_logged(settings: dict[str, Any], caplog):
    """The lines stand out only if there are no others."""
    await Site(**settings).browser().get("/")

    assert exceptions_in(caplog) == []


# --- one provider's exceptions are no other's


async def test_an_exception_holds_for_its_provider_only(caplog):
    """The others keep all checks."""
    site = ThreeProviders({"two": {"allow_missing_nonce": True}})
    for fake in site.fakes.values():
        fake.has_nonce = False

    await site.signed_in("two")
    for name in ("one", "three"):
        caplog.clear()
        page = await site.browser().sign_in("alice", f"/auth/login?provider={name}&return_to=/private")
        assert page.status_code == 502
        assert "code=claim_nonce" in caplog.messages[-1]
