"""Sends the authorization response: by redirect or posted form, plain or as a signed JWT (JARM)."""

from collections.abc import Mapping

from . import faults as fault_tables
from .authorization import with_query
from .faults import Draft, Params
from .keys import json_bytes
from .pages import form_post_page
from .provider_rules import ProviderRules
from .wire import Answer, html_answer, redirect_answer

JWT_LIFETIME = 600  # seconds; the maximum that JARM §2.1 recommends


def authorization_response(provider: ProviderRules, params: Mapping[str, str], response: Params) -> Answer:
    """Send the response back to the client, with `state` and `iss`, in the response mode that it asked for."""
    setting = provider.setting()
    state = [("state", params["state"])] if "state" in params else []
    iss = [("iss", provider.issuer)] if provider.sends_iss else []
    pairs = provider.faults.change(fault_tables.CALLBACK_PARAMS, [*response, *state, *iss], setting)
    asked = provider.response_mode(params)
    mode = asked if asked in provider.response_modes else "query"  # an error response to an unknown mode
    mode = provider.faults.change(fault_tables.RESPONSE_MODES, mode, setting)
    if mode.endswith("jwt"):
        signed = response_jwt(provider, params.get("client_id", ""), pairs)
        pairs = provider.faults.change(fault_tables.JARM_PARAMS, [("response", signed)], setting)
    if mode.startswith("form_post"):
        return html_answer(form_post_page(params["redirect_uri"], pairs))
    return redirect_answer(with_query(params["redirect_uri"], pairs))


def response_jwt(provider: ProviderRules, client_id: str, pairs: Params) -> str:
    """Return the response as a JWT for this client (JARM §2.1), changed by the active faults."""
    claims = {"iss": provider.issuer, "aud": client_id, "exp": provider.now() + JWT_LIFETIME, **dict(pairs)}
    claims = provider.faults.change(fault_tables.JARM_CLAIMS, claims, provider.setting())
    client = provider.clients.get(client_id)
    key = provider.key_for(client, "authorization")
    draft = Draft({"alg": key.alg, "kid": key.kid}, json_bytes(claims), key, (client and client.client_secret) or "")
    signed = provider.faults.sign(draft, fault_tables.JARM_SIGNING)
    return provider.encrypted(signed, draft, client_id, "authorization")
