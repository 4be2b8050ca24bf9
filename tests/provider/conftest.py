"""The caches of one fake provider."""

import pytest

from tests.provider.stage import Caches


@pytest.fixture
def caches() -> Caches:
    return Caches()
