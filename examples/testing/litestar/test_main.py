"""The tests of the Litestar app: `pytest`, in this folder."""

from typing import Any

import pytest
from litestar.testing import TestClient
from main import app

from asgi_oidc.pytest_plugin import OIDCTester


@pytest.fixture
def client() -> Any:
    return TestClient(app)


def test_a_visitor_is_not_let_in(client: Any) -> None:
    assert client.get("/").status_code == 401


def test_alice_is_greeted_until_her_session_is_over(client: Any, oidc: OIDCTester) -> None:
    oidc.sign_in(client, "alice")
    greeting = client.get("/").text

    oidc.expire(client)

    assert greeting == "Hello, Alice"
    assert client.get("/").status_code == 401


def test_only_admins_read_the_reports(client: Any, oidc: OIDCTester) -> None:
    oidc.sign_in(client, "alice", claims={"roles": ["admin"]})
    assert client.get("/reports").text == "The reports"

    oidc.sign_in(client, "bob")
    assert client.get("/reports").status_code == 403
