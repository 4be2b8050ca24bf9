"""The grant of a client that acts for itself, at the fake token endpoint: RFC 6749 §4.4, RFC 8707 §2.2."""

from dataclasses import replace

from .. import faults as fault_tables
from ..accounts import Client
from ..authorization_details import DetailsRefused, with_details
from ..grants import Token
from ..provider_rules import ProviderRules
from ..targets import named_in_form, why_no_resource, why_not_known
from ..wire import Answer, Call, error_answer
from .sender_constraint import Confirmation, with_token_type

CLIENT_CREDENTIALS = "client_credentials"


def issue_to_client(provider: ProviderRules, call: Call, client: Client, *, cnf: Confirmation) -> Answer:
    """Issue an access token to a client that can authenticate, for the resources and audiences that it names."""
    if client.is_public:
        return error_answer("unauthorized_client", "a public client has no token of its own")
    resources, audiences = named_in_form(call, "resource"), named_in_form(call, "audience")
    problem = why_no_resource(resources, provider.targets) or why_not_known(audiences, provider.targets)
    if problem:
        return error_answer("invalid_target", problem)
    try:
        details = provider.grant_details(call.form.get("authorization_details"))
    except DetailsRefused as refused:
        return error_answer(refused.error, str(refused))
    grant = provider.machine_grant(client.client_id, tuple(call.form.get("scope", "").split()))
    grant = replace(grant, authorization_details=details)
    access_token = provider.new_access_token(Token(grant, grant.scopes, (*audiences, *resources), cnf=cnf))
    members = with_details(with_token_type(provider.token_members(access_token, grant), cnf), details)
    return provider.token_answer(call, provider.faults.change(fault_tables.TOKEN_MEMBERS, members, provider.setting()))
