"""Fixtures of all tests: a site with its default settings, and a browser on it."""

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from asgi_oidc.testing import Browser
from tests.attacked_provider import three_providers
from tests.protected_site import Site
from tests.security.sizes import IS_FULL

THREE_PROVIDERS = "three providers"

# How fast examples are made says something of the machine, and not of the code.
settings.register_profile("asgi-oidc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the attacks on three providers under trio to the full form: nothing there depends on the runtime."""
    left_out = [] if IS_FULL else [item for item in items if _has_three_providers_on_trio(item)]
    items[:] = [item for item in items if IS_FULL or not _has_three_providers_on_trio(item)]
    config.hook.pytest_deselected(items=left_out)


def _has_three_providers_on_trio(item: pytest.Item) -> bool:
    params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    runtime = str(params.get("anyio_backend", ""))
    return params.get("one_or_three_providers") == THREE_PROVIDERS and "trio" in runtime
