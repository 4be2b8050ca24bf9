"""Checks of stand-ins for OpenID providers: what their metadata and their keys say."""

from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet

from asgi_oidc.testing import StandIn
from tests.testing.standins.client import HttpClient


async def discovered(client: HttpClient, issuer: str) -> dict[str, Any]:
    """Return the metadata below an issuer."""
    answer = await client.call("GET", issuer + "/.well-known/openid-configuration")
    assert answer.status_code == 200
    return dict(answer.json())


async def verified(client: HttpClient, id_token: str, keys_url: str | None = None) -> dict[str, Any]:
    """Return the claims of an ID Token that the published keys verify."""
    standin: StandIn = client.standin
    keys = KeySet.import_key_set((await client.call("GET", keys_url or standin.metadata["jwks_uri"])).json())
    return jwt.decode(id_token, keys, algorithms=["RS256"]).claims
