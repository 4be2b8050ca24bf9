"""`oidc.bearer`: the headers of a program, with a token that the app accepts."""

from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from asgi_oidc import Bearer, Rule
from asgi_oidc.pytest_plugin import OIDCTester
from tests.pytest_plugin.apps import shop

API = "https://api.acme.com"


@pytest.fixture
def client() -> TestClient:
    app = shop(bearer=Bearer(audience=API), rules=[Rule("/reports", scopes=["reports:read"])])
    return TestClient(app)


def test_a_token_counts_with_its_claims_and_scopes(oidc: OIDCTester, client: TestClient):
    """The rules are those for sessions, and no cookie is involved."""
    headers = oidc.bearer("alice", scopes=["reports:read"], claims={"tenant": "acme"}, app=client.app)
    answer = client.get("/reports", headers=headers).json()

    assert (answer["sub"], answer["credential"], answer["claims"]["tenant"]) == ("alice", "bearer", "acme")
    assert "reports:read" in answer["scopes"]
    assert client.get("/reports", headers=oidc.bearer(app=client.app)).status_code == 403
    assert not client.cookies


@pytest.mark.parametrize("wrong", [{"audience": "https://other.acme.com"}, {"lifetime": -60}, {"claims": {"iss": "x"}}])
def test_a_wrong_token_is_refused(oidc: OIDCTester, client: TestClient, wrong: dict[str, Any]):
    """The tests of an API are about what it refuses."""
    assert client.get("/me", headers=oidc.bearer(**wrong, app=client.app)).status_code == 401


async def test_the_headers_fit_any_client(oidc: OIDCTester):
    """They are a plain mapping."""
    app = shop(bearer=Bearer(audience=API))
    headers = oidc.bearer("bob", app=app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as client:
        assert (await client.get("/me")).json()["sub"] == "bob"


def test_an_app_that_takes_no_tokens_is_named(oidc: OIDCTester):
    """The setting is missing."""
    with pytest.raises(ValueError, match="accepts no access tokens: it has no setting bearer"):
        oidc.bearer(app=shop())
