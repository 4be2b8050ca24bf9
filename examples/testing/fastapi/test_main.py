"""The tests of the FastAPI app: `pytest`, in this folder."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from main import app

from asgi_oidc.pytest_plugin import OIDCTester


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def test_without_a_session_the_api_says_401(client: TestClient) -> None:
    assert client.get("/health").json() == "fine"
    assert client.get("/me").status_code == 401


def test_the_api_knows_who_calls(client: TestClient, oidc: OIDCTester) -> None:
    oidc.sign_in(client, "alice")

    assert client.get("/me").json() == {"sub": "alice", "email": "alice@example.com"}


@pytest.mark.parametrize(("roles", "status"), [(["admin"], 200), (["reader"], 403), ([], 403)])
def test_only_admins_read_the_reports(client: TestClient, oidc: OIDCTester, roles: list[str], status: int) -> None:
    oidc.sign_in(client, "alice", claims={"roles": roles})

    assert client.get("/reports").status_code == status
