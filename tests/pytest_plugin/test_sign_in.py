"""What the app gets from `oidc.sign_in`: the session of a real login, with what the test says about the user."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from asgi_oidc import LoginRefused, MemoryStore
from asgi_oidc.pytest_plugin import OIDCTester, SignInFailed
from asgi_oidc.testing import Persona
from tests.pytest_plugin.apps import mounted, shop, with_added_middleware

MADE_UP = {"name": "Alice", "preferred_username": "alice", "email": "alice@example.com", "email_verified": True}


@pytest.fixture
def client() -> TestClient:
    return TestClient(with_added_middleware())


def test_nobody_is_signed_in_at_first_and_the_login_leads_to_the_fake_provider(oidc: OIDCTester, client: TestClient):
    """Anonymous requests are half of what apps test, and they must not reach the real provider either."""
    answer = client.get("/me", headers={"accept": "text/html"}, follow_redirects=False)

    provider = oidc.provider_of(client)
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, f"{provider.issuer}/authorize")
    assert provider.issuer == "https://accounts.acme.com"
    assert client.get("/me").status_code == 401


def test_alice_is_signed_in_with_what_the_app_requests(oidc: OIDCTester, client: TestClient):
    """Three words are enough for a user whom the test says nothing else about."""
    oidc.sign_in(client, "alice")

    answer = client.get("/me").json()
    assert (answer["sub"], answer["claims"].items() >= MADE_UP.items()) == ("alice", True)
    assert set(answer["scopes"]) == {"authenticated", "openid", "profile", "email"}


def test_claims_decide_as_in_production(oidc: OIDCTester, client: TestClient):
    """The rules are the app's own."""
    oidc.sign_in(client, "alice")
    before = client.get("/reports").status_code

    oidc.sign_in(client, "alice", claims={"roles": ["admin"]})

    assert (before, client.get("/reports").status_code) == (403, 200)


def test_a_user_has_no_claims_of_an_earlier_sign_in(oidc: OIDCTester, client: TestClient):
    """Otherwise the order of the lines of a test would decide who is an administrator."""
    oidc.sign_in(client, "alice", claims={"roles": ["admin"]})

    oidc.sign_in(client, "alice")

    assert client.get("/reports").status_code == 403


def test_name_email_and_further_claims_are_as_the_test_says(oidc: OIDCTester, client: TestClient):
    """What is said is there, whatever the scopes; `...` removes what would be made up."""
    oidc.sign_in(
        client, "u-1", name="Zoë Zhu", email="zoe@acme.com", claims={"email_verified": ..., "tenant": {"id": 7}}
    )

    claims = client.get("/me").json()["claims"]
    assert (claims["name"], claims["email"], claims["tenant"]) == ("Zoë Zhu", "zoe@acme.com", {"id": 7})
    assert "email_verified" not in claims


def test_without_the_scopes_no_name_and_no_address_are_made_up(oidc: OIDCTester):
    """An app that forgets to request a scope learns it from its tests."""
    client = TestClient(shop(scope="openid"))

    oidc.sign_in(client, "alice")

    assert not client.get("/me").json()["claims"].keys() & MADE_UP.keys()


def test_scopes_are_exactly_those_that_the_test_grants(oidc: OIDCTester, client: TestClient):
    """A user may refuse a scope, and a provider may grant another one."""
    oidc.sign_in(client, "alice", scopes=["orders:read"])

    assert set(client.get("/me").json()["scopes"]) == {"authenticated", "openid", "orders:read"}


def test_acr_and_auth_time_are_those_of_this_sign_in(oidc: OIDCTester, client: TestClient):
    """Rules about how the user signed in can be tested without a provider that knows them."""
    oidc.sign_in(client, "alice")
    weak = client.get("/vault").status_code

    oidc.sign_in(client, "alice", acr="mfa", auth_time=1_700_000_000)

    claims = client.get("/me").json()["claims"]
    assert (weak, client.get("/vault").status_code) == (401, 200)
    assert (claims["acr"], claims["auth_time"]) == ("mfa", 1_700_000_000)


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "nonce"])
def test_what_the_provider_states_for_each_login_cannot_be_chosen(oidc: OIDCTester, client: TestClient, claim: str):
    """The app would refuse the login, and nobody would see why."""
    with pytest.raises(ValueError, match=f"claims: remove {claim}"):
        oidc.sign_in(client, "alice", claims={claim: "x"})


def test_an_unknown_option_is_named(oidc: OIDCTester, client: TestClient):
    """A typing error would sign in somebody else than the test means."""
    with pytest.raises(TypeError, match="unknown option 'claim'; there are claims, scopes, acr"):
        oidc.sign_in(client, "alice", claim={"roles": ["admin"]})  # type: ignore[call-arg]  # that is the point


def test_people_can_be_described_once(oidc: OIDCTester, client: TestClient):
    """A fixture of the tests may introduce its people, and a sign-in adds to that."""
    oidc.provider_of(client).personas["dana"] = Persona("dana", "Dana Doe", "dana@acme.com", {"roles": ["admin"]})

    oidc.sign_in(client, "dana", claims={"team": "blue"})
    oidc.sign_in(client, "dana")

    claims = client.get("/reports").json()["claims"]
    assert (claims["name"], claims["email"], "team" in claims) == ("Dana Doe", "dana@acme.com", False)


def test_on_login_is_called_and_its_refusal_is_told(oidc: OIDCTester):
    """The hook of the app is under test as well."""

    async def on_login(user: Any, claims: dict[str, Any]) -> dict[str, Any]:
        if user.sub == "mallory":
            raise LoginRefused("not on the list")
        return {**claims, "roles": ["admin"]}

    client = TestClient(shop(on_login=on_login))
    oidc.sign_in(client, "alice")

    assert client.get("/reports").status_code == 200
    with pytest.raises(SignInFailed, match="not on the list"):
        oidc.sign_in(client, "mallory")


def test_a_fault_of_the_provider_makes_the_sign_in_fail_with_the_reason_of_the_log(
    oidc: OIDCTester, client: TestClient
):
    """The sign-in is a login that is checked, not a session that is forged."""
    with oidc.provider_of(client).fault("id_token_wrong_aud"), pytest.raises(SignInFailed, match="claim_aud"):
        oidc.sign_in(client, "alice")


def test_a_store_keeps_the_session_in_this_process(oidc: OIDCTester):
    """The store of the app is not touched: tests leave no sessions in a Redis."""
    store = MemoryStore()
    client = TestClient(shop(store=store))

    oidc.sign_in(client, "alice")

    assert client.get("/me").status_code == 200
    assert not store._values


def test_a_mounted_middleware_is_signed_in_at_its_own_path(oidc: OIDCTester):
    """Its endpoints are below the mount."""
    client = TestClient(mounted())

    oidc.sign_in(client, "alice", claims={"roles": ["admin"]})

    assert client.get("/admin/reports").json()["sub"] == "alice"


def test_after_the_test_app_and_client_are_as_before():
    """Both may be the same objects in all tests of a module."""
    from asgi_oidc.pytest_plugin.tester import tester

    app = shop()
    client, before = TestClient(app), app._composition
    with tester() as oidc:
        oidc.sign_in(client, "alice")
        assert client.get("/me").status_code == 200

    assert (app._composition, dict(client.cookies)) == (before, {})
    assert client.get("/me").status_code == 401


def test_a_post_without_origin_passes_and_one_of_another_site_is_refused(oidc: OIDCTester, client: TestClient):
    """CSRF is checked as in production: clients send no Origin, browsers always do."""
    oidc.sign_in(client, "alice")

    foreign = client.post("/me", headers={"origin": "https://evil.example"})

    assert (client.post("/me").status_code, foreign.status_code) == (200, 403)
