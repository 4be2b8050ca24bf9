"""How our own responses are sent."""

import pytest

from tests.protected_site import Site


@pytest.mark.parametrize("path", ["/page", "/auth/session", "/auth/login"])
async def test_the_last_message_says_that_no_more_follows(path):
    """ASGI has a default for `more_body`, but Quart's test client reads it without one."""
    exchange = await Site().call(path, headers={"accept": "text/html"})

    assert exchange.sent[-1]["more_body"] is False
