"""Binds tokens to the client certificate of a call, and checks it, at the fake endpoints (RFC 8705)."""

from collections.abc import Mapping

from ..accounts import Client
from ..grants import Token
from ..mutual_tls import confirmation_of
from ..provider_rules import ProviderRules
from ..wire import Answer, Call, error_answer


def certificate_cnf(provider: ProviderRules, call: Call, client: Client) -> Mapping[str, str]:
    """Return what the tokens of a call are bound to: the certificate, if the client registered for that (§3)."""
    return confirmation_of(provider.certificate_of(call)) if client.tls_client_certificate_bound_access_tokens else {}


def why_not_bound(provider: ProviderRules, call: Call, client: Client) -> Answer | None:
    """Return the refusal of a token call without the certificate to bind to; None if all is fine.

    The call is not processed then, so nothing is used up.
    """
    if not client.tls_client_certificate_bound_access_tokens or certificate_cnf(provider, call, client):
        return None
    return error_answer("invalid_request", "no client certificate was presented, to which the token could be bound")


def why_wrong_certificate(provider: ProviderRules, call: Call, token: Token) -> Answer | None:
    """Return the refusal of a userinfo call without the certificate of its token; None if all is fine (§3)."""
    expected = token.cnf.get("x5t#S256")
    presented = confirmation_of(provider.certificate_of(call)).get("x5t#S256")
    return None if expected in (None, presented) else provider.refuse_access_token(call)
