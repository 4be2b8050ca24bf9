"""The fake userinfo endpoint: OpenID Connect Core §5.3."""

from dataclasses import replace
from typing import Any

from .. import faults as fault_tables
from ..faults import Draft
from ..grants import Token, overridden
from ..keys import json_bytes
from ..provider_rules import ProviderRules
from ..response_algs import response_algs
from ..response_encryption import encrypted_response
from ..wire import Answer, Call, json_answer
from .certificate_binding import why_wrong_certificate
from .sender_constraint import why_not_proven, with_nonce


def userinfo(provider: ProviderRules, call: Call) -> Answer:
    """Return the current claims of the user whom an access token is for."""
    token = token_of(provider, call)
    if token is None:
        return provider.refuse_access_token(call)
    refusal = why_not_proven(provider, call, token) or why_wrong_certificate(provider, call, token)
    refusal = refusal or provider.why_no_userinfo(call, token)
    if refusal is not None:
        return refusal
    return with_nonce(provider, call, _claims_answer(provider, call, token), server="userinfo")


def _claims_answer(provider: ProviderRules, call: Call, token: Token) -> Answer:
    claims = provider.userinfo(call, token)
    claims = provider.faults.change(fault_tables.USERINFO_CLAIMS, claims, provider.setting())
    claims = overridden(claims, provider.userinfo_overrides)
    jwt = _jwt_of(provider, claims, token.grant.client_id)
    if jwt is None:
        return json_answer(claims)
    return Answer(200, jwt.encode(), {"content-type": "application/jwt", "cache-control": "no-store"})


def _jwt_of(provider: ProviderRules, claims: dict[str, Any], client_id: str) -> str | None:
    """Return the claims signed, encrypted or both (§5.3.2); None if the client registered for JSON."""
    client = provider.client_with_keys(client_id)
    key = provider.key_for(client, "userinfo")
    is_signed = provider.signed_userinfo or response_algs(client, "userinfo").signed is not None
    if is_signed:
        claims = {"iss": provider.issuer, "aud": client_id, **claims}
        claims = provider.faults.change(fault_tables.USERINFO_JWT_CLAIMS, claims, provider.setting())
    draft = Draft({"alg": key.alg, "kid": key.kid}, json_bytes(claims), key)
    signed = provider.faults.sign(draft, fault_tables.USERINFO_JWT_SIGNING) if is_signed else None
    return encrypted_response(provider.faults, draft, client, "userinfo", token=signed) or signed


def token_of(provider: ProviderRules, call: Call) -> Token | None:
    """Return the valid access token that a call is made with, with the user's current claims; None without one."""
    scheme, _, name = call.headers.get("authorization", "").partition(" ")
    token = provider.memory.live_access_token(name, now=provider.now())
    grant = provider.up_to_date(token.grant) if token else None
    if token is None or grant is None or grant.is_machine:
        return None
    if scheme.lower() != ("dpop" if "jkt" in token.cnf else "bearer"):  # no bound token as Bearer (RFC 9449 §7.2)
        return None
    return replace(token, grant=grant)
