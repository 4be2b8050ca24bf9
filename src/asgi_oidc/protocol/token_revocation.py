"""Giving a token back (RFC 7009 §2)."""

from asgi_oidc.protocol.client_auth import METHODS, choose_method
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.messages import Answer, Call, check_status
from asgi_oidc.protocol.metadata import ProviderMetadata


def revocation_call(metadata: ProviderMetadata, client: Client, refresh_token: str) -> Call | None:
    """Ask to revoke a refresh token, and with it all that came from it; None where the provider offers no such thing.

    Raises:
        AnswerRejected: no way to authenticate that both sides know.
    """
    if metadata.revocation_endpoint is None:
        return None
    methods = metadata.revocation_endpoint_auth_methods_supported or metadata.auth_methods
    fields = {"token": refresh_token, "token_type_hint": "refresh_token"}
    return METHODS[choose_method(client, methods)](client, metadata.revocation_endpoint, fields)


def check_revocation_answer(answer: Answer) -> None:
    """Let the answer pass when the token is gone (RFC 7009 §2.2).

    Raises:
        ProviderError: the provider is down, or refuses.
    """
    check_status(answer, what="revocation")
