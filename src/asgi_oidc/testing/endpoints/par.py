"""The fake endpoint for pushed authorization requests: RFC 9126, and RFC 9101 for signed ones."""

from dataclasses import replace
from typing import Any

from .. import faults as fault_tables
from ..accounts import Client
from ..authorization import why_not_redirected
from ..faults import Params
from ..provider_rules import ProviderRules
from ..pushed_requests import PushedRequest, new_request_uri, pushed_params
from ..request_objects import RequestObjectRefused
from ..wire import Answer, Call, error_answer, json_answer
from .authorization_request import signed_request
from .sender_constraint import Confirmation, answer_with_proof


def push(provider: ProviderRules, call: Call) -> Answer:
    """Keep an authorization request, and return the `request_uri` that stands for it."""
    client = provider.authenticated_client(call)
    if client is None:
        return provider.refuse_client(call)
    return answer_with_proof(provider, call, lambda cnf: _push(provider, call, client, cnf=cnf))


def _push(provider: ProviderRules, call: Call, client: Client, *, cnf: Confirmation) -> Answer:
    """Keep the request; a proof binds the code to its key, as `dpop_jkt` does (RFC 9449 §10.1)."""
    sent = replace(call, query=pushed_params(call.form_pairs))
    try:
        signed = signed_request(provider, sent, client)
    except RequestObjectRefused as refused:
        return error_answer(refused.error, str(refused))
    request = signed or sent
    error = _why_not_pushed(provider, sent, client) or _why_refused(provider, request, client)
    if error:
        return error_answer(*error)
    if "jkt" not in cnf or request.params.get("dpop_jkt") == cnf["jkt"]:
        return _kept(provider, client, request.query)
    if "dpop_jkt" in request.params:
        return error_answer("invalid_request", "dpop_jkt is not the key of the DPoP proof")
    return _kept(provider, client, [*request.query, ("dpop_jkt", cnf["jkt"])])


def _why_not_pushed(provider: ProviderRules, sent: Call, client: Client) -> tuple[str, str] | None:
    """Return the error and its description for what was sent, whatever a request object says; None if it is fine."""
    if "request_uri" in sent.params:
        return ("invalid_request", "request_uri must not be pushed")
    if sent.params.get("client_id") != client.client_id:
        return ("invalid_request", "client_id must be that of the client")
    return provider.why_unsigned(sent.params)


def _why_refused(provider: ProviderRules, request: Call, client: Client) -> tuple[str, str] | None:
    """Return the error and its description for this request; None if it is fine."""
    problem = why_not_redirected(client, request)
    if problem:
        return ("invalid_request", problem)
    params = request.params
    return provider.why_refused(params) or provider.why_no_target(request) or provider.why_no_details(params)


def _kept(provider: ProviderRules, client: Client, params: Params) -> Answer:
    """Keep the request as long as the answer says, faults included."""
    request_uri = new_request_uri()
    members: dict[str, Any] = {"request_uri": request_uri, "expires_in": provider.par_lifetime}
    members = provider.faults.change(fault_tables.PAR_MEMBERS, members, provider.setting())
    lifetime = members.get("expires_in")
    expires_at = provider.now() + (lifetime if isinstance(lifetime, int) else provider.par_lifetime)
    provider.memory.pushed_requests[request_uri] = PushedRequest(client.client_id, params, expires_at)
    return json_answer(members, 201)
