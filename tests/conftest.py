"""Fixtures of all tests: a site with its default settings, and a browser on it."""

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from asgi_oidc.testing import Browser
from tests.attacked_provider import three_providers
from tests.protected_site import Site

# How fast examples are made says something of the machine, and not of the code.
settings.register_profile("asgi-oidc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("asgi-oidc")


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def browser(site: Site) -> Browser:
    return site.browser()


@pytest.fixture(scope="module", params=["one provider", "three providers"])
def one_or_three_providers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Attack a site with a single provider, and then the same provider among others."""
    with three_providers() if request.param == "three providers" else contextlib.nullcontext():
        yield
