"""An API behind the middleware, called with the access tokens that real providers issue."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from asgi_oidc.testing import DPoPKey, serve
from tests.real.api import protected_api
from tests.real.processes import free_port
from tests.real.real_provider import CLIENT_SECRET, RealProvider, client
from tests.real.token_program import CALLBACK, Program

pytestmark = pytest.mark.real

FORMATS = {"JWT": False, "opaque": True}


@pytest.fixture
def port() -> int:
    """Where the API is."""
    return free_port()


@pytest.fixture(params=FORMATS)
def origin(request: pytest.FixtureRequest, provider: RealProvider, port: int) -> str:
    """The API, for which the provider issues tokens of each format."""
    url = f"http://127.0.0.1:{port}"
    known = client(
        url,
        grant_types=["authorization_code", "client_credentials"],
        redirect_uris=[CALLBACK],
        token_endpoint_auth_method="client_secret_post",
    )
    provider.register(known)
    provider.protect(url, ["orders:read"], opaque=FORMATS[request.param])
    return url


@pytest.fixture
async def program(provider: RealProvider) -> AsyncIterator[Program]:
    """A client of the provider."""
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Program(http, provider.issuer, "web", CLIENT_SECRET)


def served(provider: RealProvider, origin: str, port: int, **bearer: Any) -> Any:
    """Serve the API."""
    app = protected_api(
        origin,
        bearer=bearer,
        issuer=provider.issuer,
        client_id="web",
        client_secret=CLIENT_SECRET,
        client_auth="client_secret_post",
    )
    return serve(app, port=port)


async def test_a_user_calls_an_api_through_a_program(provider, origin, port, program):
    """The provider issues the token for the API alone (RFC 8707); an opaque one is introspected once."""
    token = await program.user_token("alice", scope="orders:read", resource=origin)

    with served(provider, origin, port):
        answers = [await program.call(f"{origin}/orders", token) for _ in range(3)]

    assert [answer.json() for answer in answers] == 3 * [
        {"sub": "alice", "name": None, "is_machine": False, "client_id": "web"}
    ]
    assert provider.calls.count("POST /token/introspection") == (token.count(".") == 0)


async def test_a_machine_calls_an_api(provider, origin, port, program):
    """No user stands behind it, and rules can tell (RFC 6749 §4.4)."""
    machine = await program.machine_token(scope="orders:read", resource=origin)
    user = await program.user_token("alice", scope="orders:read", resource=origin)

    with served(provider, origin, port):
        answer = await program.call(f"{origin}/machines", machine)
        refused = await program.call(f"{origin}/machines", user)

    assert answer.json() == {"sub": "web", "name": None, "is_machine": True, "client_id": "web"}
    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")


async def test_a_token_for_nothing_but_userinfo_is_refused(provider, origin, port, program):
    """It has no audience; any other client of the provider could have got one like it."""
    token = await program.user_token("alice", scope="openid")

    with served(provider, origin, port):
        answer = await program.call(f"{origin}/orders", token)

    assert (answer.status_code, answer.json()["error"]) == (401, "claim_aud")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_token_for_another_api_is_refused(provider, origin, port, program):
    """Both are known to the provider."""
    other = "http://127.0.0.1:9/other"
    provider.protect(other, ["orders:read"], opaque=True)
    opaque = await program.machine_token(scope="orders:read", resource=other)
    provider.protect(other, ["orders:read"])
    jwt = await program.machine_token(scope="orders:read", resource=other)

    with served(provider, origin, port):
        answers = [await program.call(f"{origin}/orders", token) for token in (opaque, jwt)]

    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == 2 * [(401, "claim_aud")]


async def test_a_token_that_was_revoked_at_the_provider_is_over(provider, origin, port, program):
    """An opaque one at once if nothing is cached; the provider cannot revoke a JWT, which lives for minutes."""
    token = await program.user_token("alice", scope="orders:read", resource=origin)

    with served(provider, origin, port, introspection_cache=0):
        before = await program.call(f"{origin}/orders", token)
        await program.revoke(token)
        after = await program.call(f"{origin}/orders", token)

    assert (before.status_code, after.status_code) == (200, 401 if token.count(".") == 0 else 200)


async def test_a_token_that_is_bound_to_a_key_needs_a_proof(provider, origin, port, program):
    """Whoever steals it lacks the key (RFC 9449)."""
    key = DPoPKey()
    bound = replace(program, key=key)
    token = await bound.user_token("alice", scope="orders:read", resource=origin)
    url = f"{origin}/orders"
    proof = key.proof("GET", url, access_token=token)

    with served(provider, origin, port):
        answers = {
            "no proof": await bound.call(url, token),
            "a proof": await bound.call(url, token, proof=proof),
            "the proof again": await bound.call(url, token, proof=proof),
            "of another key": await bound.call(url, token, proof=DPoPKey().proof("GET", url, access_token=token)),
            "for another URL": await bound.call(url, token, proof=key.proof("GET", f"{url}/1", access_token=token)),
            "a new proof": await bound.call(url, token, proof=key.proof("GET", url, access_token=token)),
        }

    accepted = [name for name, answer in answers.items() if answer.status_code == 200]
    assert accepted == ["a proof", "a new proof"]
    assert {answer.status_code for answer in answers.values()} == {200, 401}
    assert answers["a proof"].json()["sub"] == "alice"
    assert "DPoP " in answers["no proof"].headers["www-authenticate"]
