"""Fixtures of all tests: a site with its default settings, and a browser on it."""

import contextlib
import gc
from collections.abc import Iterator

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings

from asgi_oidc.testing import Browser
from tests.attacked_provider import three_providers
from tests.measuring import Measuring
from tests.protected_site import Site
from tests.sampling import THREE_PROVIDERS, sample
from tests.security.sizes import size

# How fast examples are made says something of the machine, and not of the code.
settings.register_profile(
    "asgi-oidc", max_examples=size(30, 1_000), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("asgi-oidc")


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def browser(site: Site) -> Browser:
    return site.browser()


@pytest.fixture(scope="module", params=["one provider", THREE_PROVIDERS])
def one_or_three_providers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Attack a site with a single provider, and then the same provider among others."""
    with three_providers() if request.param == THREE_PROVIDERS else contextlib.nullcontext():
        yield


def pytest_configure(config: pytest.Config) -> None:
    """Measure no more than tells something, where this run is measured at all."""
    if coverage := Coverage.current():
        config.pluginmanager.register(Measuring(coverage))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave most of the repetitions on trio and with three providers to the full form."""
    items[:], left_out = sample(items)
    config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking through all tests and libraries again and again: they stay to the end."""
    gc.collect()
    gc.freeze()
