"""The fake userinfo endpoint: OpenID Connect Core §5.3."""

from dataclasses import replace

from .. import faults as fault_tables
from ..grants import Token, overridden
from ..keys import compact_jws, json_bytes
from ..provider_rules import ProviderRules
from ..response_algs import response_algs
from ..wire import Answer, Call, json_answer


def userinfo(provider: ProviderRules, call: Call) -> Answer:
    """Return the current claims of the user whom an access token is for."""
    token = token_of(provider, call)
    if token is None:
        return provider.refuse_access_token(call)
    refusal = provider.why_no_userinfo(call, token)
    if refusal is not None:
        return refusal
    claims = provider.userinfo(call, token)
    claims = provider.faults.change(fault_tables.USERINFO_CLAIMS, claims, provider.setting())
    claims = overridden(claims, provider.userinfo_overrides)
    client_id = token.grant.client_id
    client = provider.clients.get(client_id)
    if not provider.signed_userinfo and response_algs(client, "userinfo").signed is None:
        return json_answer(claims)
    key = provider.key_for(client, "userinfo")
    payload = json_bytes({"iss": provider.issuer, "aud": client_id, **claims})
    signed = compact_jws({"alg": key.alg, "kid": key.kid}, payload, key)
    return Answer(200, signed.encode(), {"content-type": "application/jwt", "cache-control": "no-store"})


def token_of(provider: ProviderRules, call: Call) -> Token | None:
    """Return the valid access token that a call is made with, with the user's current claims; None without one."""
    scheme, _, name = call.headers.get("authorization", "").partition(" ")
    token = provider.memory.live_access_token(name, now=provider.now())
    grant = provider.up_to_date(token.grant) if token else None
    if scheme.lower() != "bearer" or token is None or grant is None or grant.is_machine:
        return None
    return replace(token, grant=grant)
