"""The fake userinfo endpoint: OpenID Connect Core §5.3."""

from .. import faults as fault_tables
from ..grants import overridden
from ..provider_state import ProviderState
from ..wire import Answer, Call, error_answer, json_answer


def userinfo(provider: ProviderState, call: Call) -> Answer:
    """Return the current claims of the user whom an access token is for."""
    scheme, _, name = call.headers.get("authorization", "").partition(" ")
    token = provider.memory.live_access_token(name, now=provider.now())
    grant = provider.up_to_date(token.grant) if token else None
    if scheme.lower() != "bearer" or token is None or grant is None:
        refusal = error_answer("invalid_token", "the access token is unknown or has expired", 401)
        return refusal.having(www_authenticate='Bearer error="invalid_token"')
    persona = grant.sign_in.persona
    claims = {"sub": persona.sub, **persona.claims_for(token.scopes)}
    claims = provider.faults.change(fault_tables.USERINFO_CLAIMS, claims, provider.setting())
    claims = overridden(claims, provider.userinfo_overrides)
    if not provider.signed_userinfo:
        return json_answer(claims)
    signed = provider.sign({"iss": provider.issuer, "aud": grant.client_id, **claims})
    return Answer(200, signed.encode(), {"content-type": "application/jwt", "cache-control": "no-store"})
