"""Client authentication with a certificate in the TLS handshake (RFC 8705 §2)."""

from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.messages import Call, Fields, form_call


def certificate_call(client: Client, url: str, fields: Fields) -> Call:
    """`tls_client_auth`, `self_signed_tls_client_auth`: the form has the client id only; the connection proves it.

    The two differ in how the provider checks the certificate, not in what it gets.
    """
    return form_call(url, {**fields, "client_id": client.client_id}, {})
