"""How a session ends in a test: by the user, by the app, by the provider, or by time."""

import pytest
from starlette.testclient import TestClient

from asgi_oidc import AccessTokenExpired, MemoryStore
from asgi_oidc.pytest_plugin import OIDCTester, SignInFailed
from tests.pytest_plugin.apps import shop


@pytest.fixture(params=["cookies", "store"])
def client(request: pytest.FixtureRequest, oidc: OIDCTester) -> TestClient:
    client = TestClient(shop(store=MemoryStore() if request.param == "store" else None), follow_redirects=False)
    oidc.sign_in(client, "alice")
    assert client.get("/me").status_code == 200
    return client


def test_sign_out_ends_the_session(oidc: OIDCTester, client: TestClient):
    """Cookies that somebody has copied before are worth nothing, as after a real sign-out."""
    copied = dict(client.cookies)

    oidc.sign_out(client)

    assert (client.get("/me").status_code, dict(client.cookies)) == (401, {})
    client.cookies.update(copied)
    assert client.get("/me").status_code == 401


def test_the_logout_of_the_app_itself_signs_out(oidc: OIDCTester, client: TestClient):
    """Its Set-Cookie deletes a Secure cookie at http://testserver."""
    answer = client.post("/auth/logout")

    assert (answer.status_code, dict(client.cookies), client.get("/me").status_code) == (303, {}, 401)


def test_a_renewed_cookie_replaces_the_one_of_the_sign_in(oidc: OIDCTester, client: TestClient):
    """Otherwise the old one would be sent for ever, and the session would end in the middle of a long test."""
    for _ in range(4):
        oidc.clock.advance(1_800)
        assert client.get("/me").status_code == 200


def test_expired_is_over(oidc: OIDCTester, client: TestClient):
    """A page that users left open over night."""
    oidc.expire(client)

    assert client.get("/me").status_code == 401
    oidc.sign_in(client, "alice")
    assert client.get("/me").status_code == 200


def test_time_ends_a_session_as_well(oidc: OIDCTester, client: TestClient):
    """The clock of the test is that of the app."""
    oidc.clock.advance(24 * 3600)

    assert client.get("/me").status_code == 401


def test_the_provider_ends_the_session(oidc: OIDCTester, client: TestClient):
    """A back-channel logout reaches the app, and a new sign-in afterwards counts."""
    oidc.sign_out_at_provider(client)

    assert client.get("/me").status_code == 401
    oidc.sign_in(client, "alice")
    assert client.get("/me").status_code == 200


def test_an_expired_access_token_is_refreshed(oidc: OIDCTester):
    """With `offline_access`, pages do not notice."""
    client = TestClient(shop(scope="openid offline_access"))
    oidc.sign_in(client, "alice")
    first = client.get("/token").json()

    oidc.expire_access_token(client)

    second = client.get("/token")
    assert (second.status_code, second.json() != first) == (200, True)
    assert oidc.provider.count_grants("refresh_token") == 1


def test_an_expired_access_token_without_a_refresh_token_is_told_to_the_app(oidc: OIDCTester, client: TestClient):
    """The session goes on, only the API is out of reach."""
    oidc.expire_access_token(client)

    with pytest.raises(AccessTokenExpired):
        client.get("/token")
    assert client.get("/me").status_code == 200


def test_a_refusal_of_the_app_is_told_with_the_reason_of_its_log(oidc: OIDCTester, client: TestClient):
    """A logout token that the app does not take is worth a failing test."""
    with (
        oidc.provider.fault("logout_token_wrong_aud"),
        pytest.raises(SignInFailed, match=r"refused the logout token: .*aud"),
    ):
        oidc.sign_out_at_provider(client)


@pytest.mark.parametrize("method", ["expire", "expire_access_token", "sign_out_at_provider"])
def test_a_client_that_was_not_signed_in_here_is_named(oidc: OIDCTester, method: str):
    """The fixture would not know whose session to end."""
    with pytest.raises(ValueError, match="this TestClient was not signed in by this fixture"):
        getattr(oidc, method)(TestClient(shop()))
