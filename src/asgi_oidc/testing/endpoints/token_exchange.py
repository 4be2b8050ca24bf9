"""Token exchange at the fake token endpoint (RFC 8693 §2)."""

from dataclasses import replace
from typing import Any

from .. import faults as fault_tables
from ..accounts import Client
from ..grants import Token
from ..provider_rules import ProviderRules
from ..targets import named_in_form, why_no_resource, why_not_known
from ..wire import Answer, Call, error_answer, json_answer
from .sender_constraint import Confirmation, with_token_type

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


def exchange_token(provider: ProviderRules, call: Call, client: Client, *, cnf: Confirmation) -> Answer:
    """Issue an access token for the named audiences and resources, with the requested scopes."""
    form = call.form
    if form.get("subject_token_type") != ACCESS_TOKEN:
        return error_answer("invalid_request", f"subject_token_type must be {ACCESS_TOKEN}")
    if form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN or "actor_token" in form:
        return error_answer("invalid_request", "only access tokens are issued, and actor_token is not supported")
    subject = provider.memory.live_access_token(form.get("subject_token", ""), now=provider.now())
    if subject is None or not _may_exchange(client, subject):
        return error_answer("invalid_request", "the subject_token is unknown")  # RFC 8693 §2.2.2: not invalid_grant
    audiences, resources = named_in_form(call, "audience"), named_in_form(call, "resource")
    problem = why_no_resource(resources, provider.targets) or why_not_known(audiences, provider.targets)
    if problem:
        return error_answer("invalid_target", problem)
    scopes = tuple(form.get("scope", "").split()) or subject.scopes
    exchanged = replace(
        subject,
        grant=replace(subject.grant, client_id=client.client_id),
        scopes=scopes,
        audience=(*audiences, *resources) or subject.audience,
        cnf=cnf,
    )
    members: dict[str, Any] = {
        "access_token": provider.new_access_token(exchanged),
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": provider.access_token_lifetime,
        "scope": " ".join(scopes),
    }
    members = with_token_type(members, cnf)
    return json_answer(provider.faults.change(fault_tables.TOKEN_MEMBERS, members, provider.setting()))


def _may_exchange(client: Client, subject: Token) -> bool:
    """Whether the token was issued to this client, or for an API that this client is."""
    if subject.grant.client_id == client.client_id:
        return True
    if client.resources is None:
        return bool(subject.audience)
    return not set(subject.audience).isdisjoint(client.resources)
