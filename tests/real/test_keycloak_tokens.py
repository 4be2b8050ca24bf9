"""An API behind the middleware, called with access tokens of a real Keycloak."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from asgi_oidc.testing import serve
from tests.real.api import protected_api
from tests.real.certificates import Certificate
from tests.real.keycloak import API, PASSWORD, Keycloak, client_secret
from tests.real.processes import free_port
from tests.real.token_program import Program

pytestmark = pytest.mark.real

LIGHTWEIGHT = {"client.use.lightweight.access.token.enabled": "true"}


@dataclass(frozen=True)
class Site:
    """An API, and a program that calls it.

    Attributes:
        known: the API, as Keycloak knows it.
        other: the client id of another API.
    """

    keycloak: Keycloak
    origin: str
    port: int
    known: API
    other: str
    program: Program

    @contextlib.contextmanager
    def served(self, **bearer: Any) -> Iterator[None]:
        """Serve the API while the block lasts."""
        app = protected_api(
            self.origin,
            scope=self.known.scopes[0],
            bearer=bearer,
            issuer=self.keycloak.issuer,
            client_id=self.known.client_id,
            client_secret=client_secret(self.known.client_id),
        )
        with serve(app, port=self.port):
            yield

    def with_client(self, **members: Any) -> "Site":
        """Use another client."""
        client_id = self.keycloak.add_client(**members)
        program = replace(self.program, client_id=client_id, client_secret=client_secret(client_id))
        return replace(self, program=program)

    async def user_token(self, scope: str | None = None) -> str:
        """Sign alice in, and get a token for her."""
        login = {"username": "alice", "password": PASSWORD, "scope": scope or self.known.scopes[0]}
        return await self.program.token(grant_type="password", **login)

    async def machine_token(self) -> str:
        """Get a token for the program itself."""
        return await self.program.machine_token(scope=self.known.scopes[0])

    async def call(self, path: str, token: str) -> httpx.Response:
        """Call the API."""
        return await self.program.call(f"{self.origin}{path}", token)


@pytest.fixture
async def site(
    keycloak_server: Keycloak, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    """An API with one scope, and a client that may ask for it."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate.ca)
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    other = keycloak_server.add_client()
    known = keycloak_server.protect(origin, "read", lets_exchange_for=other)
    async with httpx.AsyncClient(verify=keycloak_server.trust, timeout=30, trust_env=False) as http:
        program = Program(http, keycloak_server.issuer, "", "")
        site = Site(keycloak_server, origin, port, known, other, program)
        yield site.with_client(directAccessGrantsEnabled=True, serviceAccountsEnabled=True)


async def test_a_user_calls_an_api_through_a_program(site):
    """The scope brings the audience, by a mapper; a token without it is refused."""
    token, without = await site.user_token(), await site.user_token("openid")

    with site.served():
        answer, refused = await site.call("/orders", token), await site.call("/orders", without)

    assert (answer.status_code, answer.json()["is_machine"]) == (200, False)
    assert (answer.json()["name"], answer.json()["client_id"]) == ("Alice Adams", site.program.client_id)
    assert (refused.status_code, refused.json()["error"]) == (401, "claim_aud")


@pytest.mark.parametrize("attributes", [{}, LIGHTWEIGHT])
async def test_a_service_account_is_a_machine(site, attributes):
    """Its `sub` is an id of its own, not that of the client."""
    machine = site.with_client(serviceAccountsEnabled=True, attributes=attributes)
    token = await machine.machine_token()

    with machine.served(introspect_jwt=bool(attributes)):
        answer = await machine.call("/machines", token)

    assert (answer.status_code, answer.json()["is_machine"]) == (200, True)
    assert answer.json()["client_id"] == machine.program.client_id


async def test_a_lightweight_token_is_introspected(site):
    """It says next to nothing by itself, not even for whom it is."""
    light = site.with_client(directAccessGrantsEnabled=True, attributes=LIGHTWEIGHT)
    token = await light.user_token()

    with light.served(introspect_jwt=True):
        answer = await light.call("/orders", token)
    with light.served():
        alone = await light.call("/orders", token)

    assert (answer.status_code, answer.json()["name"], answer.json()["is_machine"]) == (200, "Alice Adams", False)
    assert alone.status_code == 401


async def test_a_token_ends_at_once_when_an_administrator_signs_the_user_out(site):
    """With `introspect_jwt`, and nothing cached."""
    token = await site.user_token()

    with site.served(introspect_jwt=True, introspection_cache=0):
        before = await site.call("/orders", token)
        site.keycloak.sign_out("alice")
        after = await site.call("/orders", token)

    assert (before.status_code, after.status_code) == (200, 401)


async def test_a_token_is_exchanged_on_behalf_of_the_user(site):
    """The other API gets a token of its own, for the same user; never the one of the request (RFC 8693)."""
    token = await site.user_token()

    with site.served():
        answer = await site.call(f"/exchange/{site.other}", token)

    claims = answer.json()
    assert (claims["aud"], claims["azp"], claims["is_same_user"]) == (site.other, site.known.client_id, True)
    assert claims["is_same_token"] is False
