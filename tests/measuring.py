"""Which tests are measured when coverage is: those take twice as long, and many run lines that others run as well.

A test that is not measured can only make less of the code count as tested, never more.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from coverage import Coverage

import asgi_oidc
from tests.sampling import is_on_trio

TESTS = Path(__file__).parent
# Folders and files that run for long, and reach nothing, or next to nothing, that no other test reaches.
UNMEASURED = tuple(
    str(TESTS / name)
    for name in (
        "conformance/",
        "endpoints/test_callback.py",
        "errors/",
        "forward_auth/test_same_decision.py",
        "house/",
        "integrations/test_real_servers.py",
        "login/test_verified_claims.py",
        "providers/test_entra_attacks.py",
        "providers/test_matrix.py",
        "providers/test_matrix_oauth2.py",
        "providers/test_names_in_urls.py",
        "providers/test_outages.py",
        "providers/test_tenants.py",
        "readme/",
        "reference/",
        "tokens/test_access_tokens.py",
        "tokens/test_refresh.py",
        "tokens/test_refresh_failures.py",
    )
)


DRIVERS = str(TESTS / "real/")  # of stores: trio has its own


class Measuring:
    """Measure the import of the package, and tests on asyncio: what else trio runs, asyncio has run as well."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        self._is_on = True

    def pytest_collection(self) -> None:
        """Import the whole package, and stop until there are tests to run: collecting them runs no line of ours."""
        for module in pkgutil.walk_packages(asgi_oidc.__path__, "asgi_oidc."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        self._switch(on=False)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Measure a test from its first fixture to the last, or not at all."""
        self._switch(on=_is_measured(item))
        return (yield)

    def _switch(self, *, on: bool) -> None:
        if on != self._is_on:
            self._is_on = on
            (self._coverage.start if on else self._coverage.stop)()


def _is_measured(item: pytest.Item) -> bool:
    path = str(item.path)
    return path.startswith(DRIVERS) or not (is_on_trio(item) or path.startswith(UNMEASURED))
