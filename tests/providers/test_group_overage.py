"""Groups that did not fit into a token are never taken for "no groups": the log says what is missing, and the fix."""

import logging
from typing import Any

import pytest

from asgi_oidc import Rule
from asgi_oidc.testing import Persona
from tests.protected_site import Site

LIFETIME = 300  # seconds, of an access token
RULE = Rule("/staff/*", claims={"groups": "staff"})
OVERAGE = {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}}


def site_of_dana(claims: dict[str, Any], **settings: Any) -> Site:
    """Return a site that dana signs in to."""
    site = Site(rules=[RULE], scope="openid profile offline_access", **settings)
    site.provider.access_token_lifetime = LIFETIME
    has_claims(site, claims)
    return site


def has_claims(site: Site, claims: dict[str, Any]) -> None:
    """Change what the provider says of dana."""
    site.provider.personas["dana"] = Persona("dana", "Dana Doe", "dana@example.com", claims)


def needs_refresh(site: Site) -> None:
    """Let the app need a token that is still valid."""

    async def needs_a_token(scope: Any) -> None:
        await scope["oidc"].access_token()

    site.clock.advance(LIFETIME + 1)
    site.app.at_work = needs_a_token


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    """Return the lines of an event."""
    return [text for record in caplog.records if (text := record.getMessage()).startswith(event)]


@pytest.mark.parametrize("claims", [OVERAGE, {"hasgroups": True}])
async def test_a_rule_refuses_and_names_the_overage(claims, caplog):
    """With the fix, at the login and at each refusal."""
    site = site_of_dana(claims)
    browser = await site.signed_in("dana")

    assert (await browser.fetch("/staff/")).status_code == 403
    (omitted,), (denied,) = lines(caplog, "groups_omitted"), lines(caplog, "access_denied")
    assert "app roles" in omitted
    assert "group overage" in denied


async def test_groups_that_are_there_are_not_reported(caplog):
    """Nor is a user without any."""
    await site_of_dana({"groups": ["staff"]}).signed_in("dana")
    await site_of_dana({}).signed_in("dana")

    assert lines(caplog, "groups_omitted") == []


async def test_on_login_may_bring_the_groups(caplog):
    """Then nothing is missing."""

    async def from_api(user: Any, claims: dict[str, Any], access_token: str) -> None:
        claims["groups"] = ["staff"]

    site = site_of_dana(OVERAGE, on_login=from_api)
    browser = await site.signed_in("dana")
    needs_refresh(site)
    await browser.fetch("/private")

    assert (await browser.fetch("/staff/")).status_code == 200
    assert (lines(caplog, "groups_omitted"), site.provider.count_grants("refresh_token")) == ([], 1)


async def test_a_refresh_that_leaves_the_groups_out_takes_them_away(caplog):
    """Old groups are not kept, and that they are missing is logged."""
    caplog.set_level(logging.WARNING, "asgi_oidc")
    site = site_of_dana({"groups": ["staff"]})
    browser = await site.signed_in("dana")
    before = (await browser.fetch("/staff/")).status_code
    has_claims(site, OVERAGE)
    needs_refresh(site)
    await browser.fetch("/private")

    assert (before, (await browser.fetch("/staff/")).status_code) == (200, 403)
    assert len(lines(caplog, "groups_omitted")) == 1


async def test_a_refresh_that_brings_the_groups_back_opens_the_page(caplog):
    """The overage is no longer reported."""
    site = site_of_dana(OVERAGE)
    browser = await site.signed_in("dana")
    has_claims(site, {"groups": ["staff"]})
    needs_refresh(site)
    await browser.fetch("/private")

    assert (await browser.fetch("/staff/")).status_code == 200
    assert "_claim_names" not in site.app.scope["user"].claims


async def test_a_token_for_another_api_may_leave_the_groups_out_too(caplog):
    """Its refresh states the claims anew."""
    site = site_of_dana({"groups": ["staff"]})
    browser = await site.signed_in("dana")
    has_claims(site, OVERAGE)

    async def needs_a_token(scope: Any) -> None:
        await scope["oidc"].access_token(resource="https://api.example.com")

    site.app.at_work = needs_a_token
    await browser.fetch("/private")

    assert len(lines(caplog, "groups_omitted")) == 1
