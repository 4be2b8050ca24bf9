"""The certified provider rotates refresh tokens, detects their reuse and revokes them, as our tests need it."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc.testing import Browser
from tests.real.real_provider import REFRESHING, RealProvider, client
from tests.testing.relying_party import RelyingParty

pytestmark = pytest.mark.real

ORIGIN = "https://app.example.com"  # of an app in this process: the browser alone goes there
REGISTERED = client(ORIGIN, client_secret="web-secret-for-tests", redirect_uris=[f"{ORIGIN}/callback"], **REFRESHING)


@dataclass
class AtTheProvider:
    """What the relying party needs to know."""

    metadata: dict[str, Any]

    def http_client(self) -> httpx.AsyncClient:
        """Give a client that reaches it."""
        return httpx.AsyncClient(trust_env=False)


@contextlib.asynccontextmanager
async def signed_in(provider: RealProvider, **params: str) -> AsyncIterator[tuple[RelyingParty, Any]]:
    """Sign alice in and give the relying party and its tokens."""
    async with httpx.AsyncClient(trust_env=False) as caller:
        metadata = (await caller.get(f"{provider.issuer}/.well-known/openid-configuration")).json()
    rp = RelyingParty(AtTheProvider(metadata), ORIGIN, **params)
    async with httpx.AsyncHTTPTransport() as transport:
        page = await Browser(rp, ORIGIN, {provider.issuer: transport}).sign_in("alice", "/private")
    yield rp, page.json()["token"]


@pytest.mark.parametrize("params", [{}, {"scope": "openid offline_access", "prompt": "consent"}])
async def test_refresh_tokens_rotate(provider, params):
    """Each works once, and the next one comes with the answer."""
    provider.register(REGISTERED, access_token_lifetime=7)
    async with signed_in(provider, **params) as (rp, first):
        second = (await rp.refresh(first["refresh_token"])).json()

    assert second["refresh_token"] != first["refresh_token"]
    assert (first["expires_in"], second["expires_in"]) == (7, 7)
    assert ("offline_access" in second["scope"]) is bool(params)
    assert (provider.grants, provider.revoked) == (["authorization_code", "refresh_token"], [])


async def test_refresh_token_used_twice_ends_the_grant(provider):
    """The thief and the victim look the same, so both are out (RFC 9700 §4.14.2)."""
    provider.register(REGISTERED)
    async with signed_in(provider) as (rp, first):
        second = (await rp.refresh(first["refresh_token"])).json()
        again = await rp.refresh(first["refresh_token"])
        after = await rp.refresh(second["refresh_token"])

    assert [again.json()["error"], after.json()["error"]] == ["invalid_grant"] * 2
    assert provider.grants[1:] == ["refresh_token", *["refresh_token invalid_grant"] * 2]
    assert provider.revoked == ["token"]


async def test_revoked_refresh_token_ends_the_grant(provider):
    """After a logout nothing is left to use (RFC 7009 §2.1)."""
    provider.register(REGISTERED)
    async with signed_in(provider) as (rp, tokens):
        answer = await rp.revoke(token=tokens["refresh_token"])
        after = await rp.refresh(tokens["refresh_token"])

    assert (answer.status_code, after.json()["error"]) == (200, "invalid_grant")
    assert provider.revoked == ["revocation"]


async def test_access_token_lifetime_can_be_short(provider):
    """A test of refresh should not wait for minutes."""
    provider.register(REGISTERED, access_token_lifetime=1)
    async with signed_in(provider) as (rp, tokens), httpx.AsyncClient(trust_env=False) as caller:
        bearer = {"authorization": "Bearer " + tokens["access_token"]}
        with anyio.fail_after(10):
            while (status := (await caller.get(f"{provider.issuer}/me", headers=bearer)).status_code) == 200:
                pass
        renewed = (await rp.refresh(tokens["refresh_token"])).status_code

    assert (status, renewed) == (401, 200)


async def test_client_that_is_not_registered_for_them_gets_none(provider):
    """The other tests sign in without."""
    provider.register({**REGISTERED, "grant_types": ["authorization_code"]})
    async with signed_in(provider) as (_, tokens):
        pass

    assert "refresh_token" not in tokens
