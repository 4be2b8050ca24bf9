"""Revoking a refresh token: the call and its answer (RFC 7009 §2)."""

from asgi_oidc.protocol.client_auth import authenticated_call
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.messages import Answer, Call, check_status
from asgi_oidc.protocol.metadata import ServerMetadata


def revocation_call(metadata: ServerMetadata, client: Client, refresh_token: str, *, url: str) -> Call:
    """Return the call that revokes a refresh token, and with it the tokens that were issued from it.

    Args:
        url: of the revocation endpoint.

    Raises:
        AnswerRejected: no client authentication method that both sides support.
    """
    fields = {"token": refresh_token, "token_type_hint": "refresh_token"}
    return authenticated_call(metadata, client, url, fields, endpoint="revocation")


def check_revocation_answer(answer: Answer) -> None:
    """Refuse an answer that does not confirm the revocation (RFC 7009 §2.2).

    Raises:
        ProviderError: the provider is down, or refuses.
    """
    check_status(answer, endpoint="revocation")
