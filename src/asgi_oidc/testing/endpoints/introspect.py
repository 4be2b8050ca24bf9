"""The fake introspection endpoint: RFC 7662, and RFC 9701 for signed answers."""

from typing import Any

from .. import faults as fault_tables
from ..accounts import Client
from ..faults import Draft
from ..grants import Token, overridden
from ..keys import json_bytes
from ..provider_rules import ProviderRules
from ..response_algs import response_algs
from ..wire import Answer, Call, error_answer, json_answer

SIGNED = "application/token-introspection+jwt"
INACTIVE = {"active": False}  # RFC 7662 §2.2: nothing else about a token that is not valid


def introspect(provider: ProviderRules, call: Call) -> Answer:
    """Describe a token to a client; a public one could not be told from an attacker (§2.1, §4)."""
    client = provider.authenticated_client(call)
    if client is None or client.is_public:
        return provider.refuse_client(call)
    token = call.form.get("token")
    if not token:
        return error_answer("invalid_request", "token is missing")
    members = _members(provider, token)
    members = provider.faults.change(fault_tables.INTROSPECTION_MEMBERS, members, provider.setting())
    members = overridden(members, provider.introspection_overrides)
    algs = response_algs(client, "introspection")
    can_sign = provider.signed_introspection or algs.signed is not None or algs.encrypted is not None
    if not can_sign or SIGNED not in call.headers.get("accept", ""):
        return json_answer(members)
    return _signed_answer(provider, members, client)


def _members(provider: ProviderRules, name: str) -> dict[str, Any]:
    memory, now = provider.memory, provider.now()
    access_token = memory.live_access_token(name, now=now)
    token = access_token or memory.live_refresh_token(name, now=now)
    grant = provider.up_to_date(token.grant) if token else None
    if token is None or grant is None or token.is_forged:
        return dict(INACTIVE)
    if access_token is None:
        return {"active": True, "client_id": grant.client_id, "scope": " ".join(token.scopes)}
    return {"active": True, **_named(token), **token.claims}


def _named(token: Token) -> dict[str, Any]:
    """Return the members that RFC 7662 §2.2 names, besides the claims of the token."""
    persona = token.grant.sign_in.persona
    username = {} if token.grant.is_machine else {"username": persona.name}
    return {
        "scope": " ".join(token.scopes),
        "client_id": token.grant.client_id,
        "token_type": "DPoP" if "jkt" in token.claims.get("cnf", {}) else "Bearer",
        **username,
    }


def _signed_answer(provider: ProviderRules, members: dict[str, Any], client: Client) -> Answer:
    """Sign the answer for the client that asked (RFC 9701 §5)."""
    claims = {"iss": provider.issuer, "aud": client.client_id, "iat": provider.now(), "token_introspection": members}
    claims = provider.faults.change(fault_tables.INTROSPECTION_JWT_CLAIMS, claims, provider.setting())
    key = provider.key_for(client, "introspection")
    header = {"alg": key.alg, "kid": key.kid, "typ": "token-introspection+jwt"}
    draft = Draft(header, json_bytes(claims), key)
    signed = provider.faults.sign(draft, fault_tables.INTROSPECTION_JWT_SIGNING)
    signed = provider.encrypted(signed, draft, client.client_id, "introspection")
    return Answer(200, signed.encode(), {"content-type": SIGNED, "cache-control": "no-store"})
