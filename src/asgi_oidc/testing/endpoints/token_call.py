"""The fake token endpoint: RFC 6749 §4.1.3 and §6, RFC 7636 §4.6, RFC 8707 §2.2, OpenID Connect Core §3.1.3 and §12."""

import base64
import hashlib
from dataclasses import replace
from typing import Any, Protocol

from .. import faults as fault_tables
from ..accounts import Client
from ..authorization_details import DetailsRefused, narrowed_details, with_details
from ..grants import Grant, Token
from ..provider_rules import CodeProblem, ProviderRules
from ..targets import named_in_form, why_no_resource, why_not_granted
from ..wire import Answer, Call, error_answer
from .certificate_binding import certificate_cnf, why_not_bound
from .client_credentials import CLIENT_CREDENTIALS, issue_to_client
from .sender_constraint import Confirmation, answer_with_proof, with_token_type
from .token_exchange import TOKEN_EXCHANGE, exchange_token

# The names of the token endpoint's grants in `FakeProvider.hold` and in faults.
GRANT_NAMES = {
    "authorization_code": "code_exchange",
    "refresh_token": "refresh",
    CLIENT_CREDENTIALS: "client_credentials",
    TOKEN_EXCHANGE: "token_exchange",
}


class Handler(Protocol):
    """Issues tokens by one kind of grant, bound to what `cnf` says."""

    def __call__(self, provider: ProviderRules, call: Call, client: Client, *, cnf: Confirmation) -> Answer:
        """Answer a call of an authenticated client."""
        ...


def token(provider: ProviderRules, call: Call) -> Answer:
    """Issue tokens for a code, a refresh token or an access token, or to a client for itself."""
    client = provider.authenticated_client(call)
    if client is None:
        return provider.refuse_client(call)
    handlers: dict[str, Handler] = {
        "authorization_code": _exchange_code,
        "refresh_token": _refresh,
        CLIENT_CREDENTIALS: issue_to_client,
        TOKEN_EXCHANGE: exchange_token,
    }
    handle = handlers.get(call.form.get("grant_type", provider.default_grant_type))
    if handle is None:
        return error_answer("unsupported_grant_type", f"grant_type must be one of {', '.join(handlers)}")
    unbound = why_not_bound(provider, call, client)
    if unbound is not None:
        return unbound
    bound = certificate_cnf(provider, call, client)
    return answer_with_proof(provider, call, lambda cnf: handle(provider, call, client, cnf={**cnf, **bound}))


def challenge_of(code_verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636 §4.2)."""
    digest = hashlib.sha256(code_verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _exchange_code(provider: ProviderRules, call: Call, client: Client, *, cnf: Confirmation) -> Answer:
    found = _redeem_code(provider, call, client, cnf=cnf)
    if not isinstance(found, Grant):
        return provider.refuse_code(call, found)
    problem = _why_no_target(provider, call, found)
    if problem:
        return error_answer("invalid_target", problem)
    try:
        narrowed = _with_named_details(provider, call, found)
    except DetailsRefused as refused:
        return error_answer(refused.error, str(refused))
    members = _tokens(provider, narrowed, named_in_form(call, "resource"), cnf=cnf)
    if provider.issues_refresh_token(found):
        members["refresh_token"] = _new_refresh_token(provider, found, cnf if client.is_public else {})
    return provider.token_answer(call, provider.faults.change(fault_tables.TOKEN_MEMBERS, members, provider.setting()))


def _redeem_code(provider: ProviderRules, call: Call, client: Client, *, cnf: Confirmation) -> Grant | CodeProblem:
    """Use up a code; return its grant, or why it cannot be exchanged."""
    form, memory = call.form, provider.memory
    code = form.get("code", "")
    stolen = memory.used.get(code)
    if stolen is not None:
        memory.revoke(stolen)
        return "used"
    grant = memory.codes.pop(code, None)
    if grant is None or grant.client_id != client.client_id:
        return "unknown"
    memory.used[code] = grant
    if provider.now() - grant.made_at > provider.code_lifetime:
        return "expired"
    if form.get("redirect_uri") != grant.redirect_uri:
        return "redirect_uri"
    if "dpop_jkt" in grant.params and grant.params["dpop_jkt"] != cnf.get("jkt"):  # RFC 9449 §10
        return "dpop_key"
    return grant if _is_proven(form.get("code_verifier"), grant.code_challenge) else "code_verifier"


def _is_proven(code_verifier: str | None, code_challenge: str) -> bool:
    """Whether the verifier belongs to the challenge (RFC 7636 §4.6); neither is accepted alone (RFC 9700 §2.1.1)."""
    if not code_challenge or code_verifier is None:
        return not code_challenge and code_verifier is None
    return challenge_of(code_verifier) == code_challenge


def _refresh(provider: ProviderRules, call: Call, client: Client, *, cnf: Confirmation) -> Answer:
    memory = provider.memory
    name = call.form.get("refresh_token", "")
    stolen = memory.used.get(name)
    if stolen is not None:
        memory.revoke(stolen)
        return provider.refuse_refresh_token(
            call, "the refresh token was used before; all tokens of its grant are revoked"
        )
    token = memory.live_refresh_token(name, now=provider.now())
    grant = provider.up_to_date(token.grant) if token else None
    if token is None or grant is None or grant.client_id != client.client_id:
        return provider.refuse_refresh_token(call, "the refresh token is unknown")
    if token.cnf.get("jkt", cnf.get("jkt")) != cnf.get("jkt"):
        return provider.refuse_refresh_token(call, "the refresh token is bound to another DPoP key")
    scopes = tuple(call.form.get("scope", "").split()) or grant.scopes
    if not set(scopes) <= set(grant.scopes):
        return error_answer("invalid_scope", "the login granted fewer scopes")
    problem = _why_no_target(provider, call, grant)
    if problem:
        return error_answer("invalid_target", problem)
    try:
        narrowed = _with_named_details(provider, call, replace(grant, nonce=None, scopes=scopes))
    except DetailsRefused as refused:
        return error_answer(refused.error, str(refused))
    members = _tokens(provider, narrowed, named_in_form(call, "resource"), cnf=cnf, is_refreshed=True)
    if provider.rotates_refresh_tokens:
        memory.used[name] = grant
        members["refresh_token"] = _new_refresh_token(provider, grant, token.cnf)
    members = provider.faults.change(fault_tables.TOKEN_MEMBERS, members, provider.setting())
    members = provider.faults.change(fault_tables.REFRESH_MEMBERS, members, provider.setting())
    return provider.token_answer(call, members)


def _why_no_target(provider: ProviderRules, call: Call, grant: Grant) -> str:
    resources = named_in_form(call, "resource")
    return why_no_resource(resources, provider.targets) or why_not_granted(resources, grant.resources)


def _with_named_details(provider: ProviderRules, call: Call, grant: Grant) -> Grant:
    """Return the grant with those of its `authorization_details` that the call names; with all if it names none."""
    named, types = call.form.get("authorization_details"), provider.authorization_details_types
    return replace(grant, authorization_details=narrowed_details(grant.authorization_details, named, types))


def _tokens(
    provider: ProviderRules,
    grant: Grant,
    resources: tuple[str, ...],
    *,
    cnf: Confirmation,
    is_refreshed: bool = False,
) -> dict[str, Any]:
    """Return the members that every token answer has: the access token and, with `openid`, the ID Token."""
    access_token = provider.new_access_token(Token(grant, grant.scopes, resources or grant.resources, cnf=cnf))
    members = with_token_type(provider.token_members(access_token, grant), cnf)
    members = with_details(members, grant.authorization_details)
    if provider.issues_id_token(grant) and (provider.id_token_on_refresh or not is_refreshed):
        members["id_token"] = provider.id_token_of(grant, access_token, is_refreshed=is_refreshed)
    return members


def _new_refresh_token(provider: ProviderRules, grant: Grant, cnf: Confirmation) -> str:
    """Return a refresh token; that of a public client is bound to its key (RFC 9449 §5)."""
    lifetime = provider.refresh_token_lifetime
    expires_at = None if lifetime is None else provider.now() + lifetime
    name = f"rt-{provider.random_text()}"
    provider.memory.refresh_tokens[name] = Token(grant, grant.scopes, grant.resources, expires_at, cnf=cnf)
    return name
