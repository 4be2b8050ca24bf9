"""The caches of one fake provider."""

import pytest

from tests.provider.provider_caches import Caches


@pytest.fixture
def caches() -> Caches:
    return Caches()
