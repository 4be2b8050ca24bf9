"""A token for another API in exchange for one of ours: RFC 8693 §2, and access tokens as such."""

import secrets
from dataclasses import replace
from typing import Any

from .. import faults as fault_tables
from ..accounts import Client
from ..grants import Token
from ..provider_state import ProviderState
from ..targets import named_in_form, why_no_resource, why_not_known
from ..wire import Answer, Call, error_answer, json_answer

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


def exchange_token(provider: ProviderState, call: Call, client: Client) -> Answer:
    """Give an access token for the audiences and resources named, with the scopes asked for."""
    form = call.form
    if form.get("subject_token_type") != ACCESS_TOKEN:
        return error_answer("invalid_request", f"subject_token_type is {ACCESS_TOKEN}")
    if form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN or "actor_token" in form:
        return error_answer("invalid_request", "an access token is all that there is, and nobody acts for another")
    subject = provider.memory.live_access_token(form.get("subject_token", ""), now=provider.now())
    if subject is None or subject.grant.client_id != client.client_id:
        return error_answer("invalid_request", "no such subject_token")  # RFC 8693 §2.2.2: not invalid_grant
    audiences, resources = named_in_form(call, "audience"), named_in_form(call, "resource")
    wrong = why_no_resource(resources, provider.targets) or why_not_known(audiences, provider.targets)
    if wrong:
        return error_answer("invalid_target", wrong)
    scopes = tuple(form.get("scope", "").split()) or subject.scopes
    exchanged = replace(subject, scopes=scopes, audience=(*audiences, *resources) or subject.audience)
    members: dict[str, Any] = {
        "access_token": new_access_token(provider, exchanged),
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": provider.access_token_lifetime,
        "scope": " ".join(scopes),
    }
    return json_answer(provider.faults.change(fault_tables.TOKEN_MEMBERS, members, provider.setting()))


def new_access_token(provider: ProviderState, token: Token) -> str:
    """Give out an access token that expires when the provider's setting says."""
    name = provider.access_token_of(token) if provider.jwt_access_tokens else "at-" + secrets.token_urlsafe(24)
    expires_at = provider.now() + provider.access_token_lifetime
    provider.memory.access_tokens[name] = replace(token, expires_at=expires_at)
    return name
