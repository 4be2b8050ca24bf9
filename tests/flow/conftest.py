"""A site with its defaults, and a browser on it."""

import pytest

from asgi_oidc.testing import Browser
from tests.flow.site import Site


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def browser(site: Site) -> Browser:
    return site.browser()
