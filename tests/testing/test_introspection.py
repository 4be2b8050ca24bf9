"""The fake provider tells clients about tokens (RFC 7662), signed on request (RFC 9701)."""

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from asgi_oidc.testing import Client, DPoPKey, FakeProvider
from tests.testing.relying_party import NOW

API = "https://api.example.com"
CREDENTIALS = ("web", "web-secret-for-tests")
SIGNED = "application/token-introspection+jwt"


async def introspection(
    provider: FakeProvider, token: str, *, auth: tuple[str, str] = CREDENTIALS, **form: str
) -> httpx.Response:
    async with provider.http_client() as client:
        endpoint = provider.metadata["introspection_endpoint"]
        return await client.post(endpoint, data={"token": token, **form}, auth=auth)


@pytest.mark.parametrize("opaque", [True, False])
async def test_an_active_token_is_described(provider, opaque):
    """An API learns all that a JWT would say."""
    token = provider.access_token("bob", audience=API, scopes=["orders:read"], client_id="cli", opaque=opaque)

    answer = await introspection(provider, token)
    members = answer.json()
    assert members.pop("jti")
    assert members == {
        "active": True,
        "iss": provider.issuer,
        "sub": "bob",
        "username": "Bob Brown",
        "aud": API,
        "client_id": "cli",
        "scope": "orders:read",
        "token_type": "Bearer",
        "iat": NOW,
        "exp": NOW + 3600,
        "auth_time": NOW,
        "roles": ["reader"],
    }
    assert (answer.headers["cache-control"], provider.count("/introspect")) == ("no-store", 1)


async def test_a_machines_token_has_no_username(provider):
    """Nobody has signed in."""
    token = provider.machine_token("web", audience=API, opaque=True, dpop_key=DPoPKey())

    members = (await introspection(provider, token)).json()
    assert (members["sub"], members["client_id"], members["token_type"]) == ("web", "web", "DPoP")
    assert "username" not in members


async def test_a_lightweight_token_tells_more_by_introspection(provider):
    """That is what Keycloak has them for."""
    token = provider.access_token("alice", audience=API, style="keycloak-lightweight")

    members = (await introspection(provider, token)).json()
    assert (members["sub"], members["aud"], members["realm_access"]["roles"][-1]) == ("alice", API, "admin")


async def test_dead_and_unknown_tokens_are_inactive(provider, rp):
    """Nothing else is said about them (§2.2)."""
    logged_in = await rp.login()
    expired = provider.access_token(audience=API, opaque=True, lifetime=-1)
    gone = provider.access_token("bob", audience=API, opaque=True)
    del provider.personas["bob"]
    await rp.revoke(token=logged_in["access_token"])

    for token in (logged_in["access_token"], expired, gone, "made-up", "x" * 10_000):
        assert (await introspection(provider, token)).json() == {"active": False}


async def test_faults_of_the_claims_are_in_the_answer_and_forged_tokens_are_unknown(provider):
    """A provider tells what it has issued, and has not signed what is badly signed."""
    with provider.fault("access_token_wrong_aud"):
        wrong = provider.access_token(audience=API, opaque=True)
    with provider.fault("access_token_bad_signature"):
        forged = provider.access_token(audience=API)

    assert (await introspection(provider, wrong)).json()["aud"] == "https://another-api.example.com"
    assert (await introspection(provider, forged)).json() == {"active": False}


async def test_a_refresh_token_is_no_access_token(provider, rp):
    """Its answer has neither a type nor an audience."""
    provider.always_refresh_tokens = True
    token = (await rp.login())["refresh_token"]

    members = (await introspection(provider, token)).json()
    assert members == {"active": True, "client_id": "web", "scope": "openid profile email"}


@pytest.mark.parametrize("auth", [("web", "wrong"), ("spa", ""), ("nobody", "x")])
async def test_only_clients_with_a_secret_are_told(provider, auth):
    """Else anybody could try tokens out (§4)."""
    answer = await introspection(provider, provider.access_token(audience=API), auth=auth)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_call_without_a_token_is_refused(provider):
    """There is nothing to answer."""
    assert (await introspection(provider, "")).json()["error"] == "invalid_request"


async def test_members_can_be_replaced(provider):
    """A test needs answers of every shape."""
    provider.introspection_overrides = {"scope": ..., "tenant": "acme"}

    members = (await introspection(provider, provider.access_token(audience=API))).json()
    assert (members["tenant"], "scope" in members) == ("acme", False)


@pytest.mark.parametrize("asks", [True, False])
async def test_answers_are_signed_for_clients_that_ask(asks):
    """As RFC 9701 §4 and §5 have it."""
    provider = FakeProvider(clock=lambda: NOW, signed_introspection=True)
    token = provider.access_token("alice", audience=API)
    async with provider.http_client() as client:
        metadata = (await client.get(f"{provider.issuer}/.well-known/openid-configuration")).json()
        headers = {"accept": SIGNED if asks else "application/json"}
        answer = await client.post(
            metadata["introspection_endpoint"], data={"token": token}, auth=CREDENTIALS, headers=headers
        )

    assert metadata["introspection_signing_alg_values_supported"] == ["RS256"]
    if not asks:
        assert answer.json()["active"] is True
        return
    signed = jwt.decode(answer.text, KeySet.import_key_set({"keys": provider.published_keys}))
    assert (answer.headers["content-type"], signed.header["typ"]) == (SIGNED, "token-introspection+jwt")
    assert (signed.claims["iss"], signed.claims["aud"], signed.claims["iat"]) == (provider.issuer, "web", NOW)
    assert signed.claims["token_introspection"]["sub"] == "alice"


async def test_calls_can_be_held(provider):
    """So that a test sees what happens in the meantime."""
    with provider.hold("introspect") as gate:
        gate.open()
        assert (await introspection(provider, "made-up")).status_code == 200


async def test_a_client_gets_a_token_for_itself(provider, rp):
    """The grant of machines (RFC 6749 §4.4)."""
    form = {"grant_type": "client_credentials", "scope": "orders:read", "resource": API}

    answer = (await rp.token_call(form)).json()
    members = (await introspection(provider, answer.pop("access_token"))).json()
    assert answer == {"token_type": "Bearer", "expires_in": 3600, "scope": "orders:read"}
    assert (members["sub"], members["client_id"], members["aud"], members["scope"]) == (
        "web",
        "web",
        [API],
        "orders:read",
    )
    assert provider.count_grants("client_credentials") == 1


@pytest.mark.parametrize(
    ("client_id", "resource", "error"),
    [("spa", API, "unauthorized_client"), ("web", "https://other.example.com", "invalid_target")],
)
async def test_a_client_gets_no_token_that_it_may_not_have(client_id, resource, error):
    """Public clients have none of their own, and targets are known or not."""
    clients = [Client(), Client("spa", client_secret=None)]
    provider = FakeProvider(clients=clients)
    provider.targets = [API]
    form = {"grant_type": "client_credentials", "resource": resource, "client_id": client_id}
    async with provider.http_client() as client:
        secret = {"client_secret": CREDENTIALS[1]} if client_id == "web" else {}
        answer = await client.post(provider.metadata["token_endpoint"], data=form | secret)

    assert answer.json()["error"] == error


async def test_a_machines_token_has_no_userinfo(provider):
    """There is no user to tell about."""
    token = provider.machine_token(audience=API, opaque=True)
    async with provider.http_client() as client:
        answer = await client.get(provider.metadata["userinfo_endpoint"], headers={"authorization": f"Bearer {token}"})

    assert answer.status_code == 401
