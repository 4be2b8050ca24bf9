"""Each test begins as in a new process, whatever names other tests have used up."""

import pytest

from asgi_oidc.telemetry.instruments import forget_values


@pytest.fixture(autouse=True)
def no_name_was_seen() -> None:
    """The first hundred providers have names in metrics; other tests have thousands."""
    forget_values()
