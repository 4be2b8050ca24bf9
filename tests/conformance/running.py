"""Runs the modules of a plan: a user signs in with a browser, then the app calls an API."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.conformance.modules import PREFIX as PREFIX
from tests.conformance.modules import Accepted, Refused, accepted_modules, refused_modules
from tests.conformance.strong_calls import check_strong_calls
from tests.conformance.strong_site import StrongSite, Variant


def cases(variants: Iterable[Variant], choose: Any) -> list[Any]:
    """Return each module of the plan with each variant, named by its public name."""
    return [
        pytest.param(module, variant, id=f"{PREFIX}{module.name}-{variant}")
        for variant in variants
        for module in choose(variant)
    ]


def accepted_cases(variants: Iterable[Variant]) -> list[Any]:
    """Return the modules whose login must succeed."""
    return cases(variants, accepted_modules)


def refused_cases(variants: Iterable[Variant]) -> list[Any]:
    """Return the modules whose login must fail."""
    return cases(variants, refused_modules)


async def run_accepted(module: Accepted, variant: Variant) -> StrongSite:
    """Sign in and call the API; check all that the suite checks of a client."""
    site = StrongSite(variant)
    site.inverts_scheme = module.name == "rs-dpop-auth-scheme-case-insensitivity"
    if module.name == "happy-path-no-dpop-nonce":
        site.provider.dpop_nonces = "never"
    with site.provider.fault(*([module.fault] if module.fault else [])):
        page = await site.browser().sign_in("alice", "/page")

    assert (page.status_code, site.api_statuses) == (200, [200])
    check_strong_calls(site)
    return site


async def run_refused(module: Refused, variant: Variant) -> tuple[StrongSite, int]:
    """Sign in with the fault; return the site, and the status of the page that the user gets."""
    site = StrongSite(variant)
    with site.provider.fault(module.fault):
        page = await site.browser().sign_in("alice", "/page")
    started = [call for call in site.provider.calls if (call.method, call.path) == ("GET", "/authorize")]
    assert len(started) <= 1  # no second login began by itself
    return site, page.status_code


def last_call(site: StrongSite) -> str:
    """Return the path of the last call or request at the provider; its keys are public, and fetched when needed."""
    return [call.path for call in site.provider.calls if call.path != "/jwks"][-1]
