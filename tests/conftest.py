"""Fixtures of all tests: a site with its default settings, and a browser on it."""

import pytest
from hypothesis import HealthCheck, settings

from asgi_oidc.testing import Browser
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
