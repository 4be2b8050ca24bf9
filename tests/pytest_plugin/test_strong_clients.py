"""Apps that authenticate by keys: the fake provider knows the public halves, so tests of them need nothing special."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from asgi_oidc.pytest_plugin import OIDCTester
from asgi_oidc.testing import ClientKey
from tests.pytest_plugin.apps import shop

KEY, RSA = ClientKey(), ClientKey("PS256")
BY_SECRET = {"client_secret": "only-the-real-provider-knows-this", "client_auth": "client_secret_basic"}
STRONG: list[tuple[dict[str, Any], str]] = [
    ({"client_key": KEY.pem}, "private_key_jwt"),
    ({"client_key": [RSA.pem, KEY.pem], "token_endpoint_auth_signing_alg": "RS256"}, "private_key_jwt"),
    ({"client_assertion_file": "/var/run/not-there-in-tests"}, "client_secret_basic"),
    (BY_SECRET | {"client_key": KEY.pem, "request_object": True}, "client_secret_basic"),
]


@pytest.mark.parametrize(("settings", "method"), STRONG, ids=range(len(STRONG)))
def test_an_app_with_a_key_signs_in_as_it_does_outside_of_tests(
    oidc: OIDCTester, settings: dict[str, Any], method: str
):
    """A real login: the token call authenticates as the settings say."""
    client = TestClient(shop(**{"client_secret": None, **settings}))

    page = oidc.follow_login(client, "/me", "alice")

    (call,) = [call for call in oidc.provider.calls if call.path == "/token"]
    assert (page.status_code, page.json()["sub"]) == (200, "alice")
    assert ("client_assertion" in call.form) == (method == "private_key_jwt")
