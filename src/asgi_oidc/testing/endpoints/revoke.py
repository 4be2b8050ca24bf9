"""The fake revocation endpoint: RFC 7009."""

from ..grants import Grant, Memory
from ..provider_rules import ProviderRules
from ..wire import Answer, Call, error_answer


def revoke(provider: ProviderRules, call: Call) -> Answer:
    """Revoke the grant of a token, and so all its tokens; an unknown token is not an error (§2.2)."""
    client = provider.authenticated_client(call)
    if client is None:
        return provider.refuse_client(call)
    token = call.form.get("token")
    if not token:
        return error_answer("invalid_request", "token is missing")
    grant = grant_of(provider.memory, token)
    if grant is None:
        return Answer(200)
    if grant.client_id != client.client_id:
        return error_answer("invalid_grant", "the token is another client's")
    provider.memory.revoke(grant)
    if provider.revocation_ends_session:
        provider.memory.end_client_session(grant)
    provider.revoked.append(token)
    return Answer(200)


def grant_of(memory: Memory, token: str) -> Grant | None:
    """Return the grant of a token, even of a used one: a logout may send the refresh token from before a refresh."""
    known = memory.refresh_tokens.get(token) or memory.access_tokens.get(token)
    return known.grant if known else None
