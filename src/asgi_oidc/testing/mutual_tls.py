"""Clients that authenticate by a TLS certificate, and tokens that are bound to one (RFC 8705)."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from .accounts import Client
from .keys import base64url

TLS_METHODS = ("tls_client_auth", "self_signed_tls_client_auth")
ALIASED = (
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "pushed_authorization_request_endpoint",
    "userinfo_endpoint",
)
"""The endpoints that clients call with their certificate."""


def authenticates_by_certificate(client: Client | None) -> bool:
    """Whether a client registered for one of the methods of RFC 8705 §2."""
    return client is not None and not set(TLS_METHODS).isdisjoint(client.allowed_auth_methods)


def why_certificate_refused(client: Client, certificate: str | None) -> str:
    """Return why a certificate does not authenticate this client; empty if it does.

    Who issued the certificate is not checked: that is the task of the server that terminates TLS.

    Args:
        certificate: What was presented in the handshake, as PEM; `None` for nothing.
    """
    if certificate is None:
        return "no client certificate was presented"
    presented = x509.load_pem_x509_certificate(certificate.encode())
    if "self_signed_tls_client_auth" in client.allowed_auth_methods:
        return "" if _is_registered(presented, client) else "the certificate is not registered in the client's jwks"
    if client.tls_client_auth_subject_dn is None:
        return "the client has no tls_client_auth_subject_dn"
    registered = x509.Name.from_rfc4514_string(client.tls_client_auth_subject_dn)
    return "" if presented.subject == registered else "the subject of the certificate is not the registered one"


def thumbprint_of(certificate: x509.Certificate) -> str:
    """Return what a token has in `cnf` as `x5t#S256` (RFC 8705 §3.1)."""
    return base64url(certificate.fingerprint(hashes.SHA256()))


def confirmation_of(certificate: str | None) -> Mapping[str, str]:
    """Return the claim `cnf` of a token that is bound to a certificate (PEM); empty without one."""
    if certificate is None:
        return {}
    return {"x5t#S256": thumbprint_of(x509.load_pem_x509_certificate(certificate.encode()))}


def mtls_metadata(clients: Iterable[Client], endpoints: Mapping[str, Any], base: str, mtls_base: str) -> dict[str, Any]:
    """Return what the metadata says about certificates (RFC 8705 §3.3, §5); nothing if no client has one.

    Args:
        endpoints: The metadata with the URLs of the endpoints.
        base: What these begin with.
        mtls_base: What the endpoints that ask for a certificate begin with; empty if they are the same ones.
    """
    binds = any(client.tls_client_certificate_bound_access_tokens for client in clients)
    members: dict[str, Any] = {"tls_client_certificate_bound_access_tokens": True} if binds or mtls_base else {}
    if mtls_base:
        named = ((name, endpoints.get(name)) for name in ALIASED)
        urls = {name: url for name, url in named if isinstance(url, str)}
        members["mtls_endpoint_aliases"] = {name: mtls_base + url.removeprefix(base) for name, url in urls.items()}
    return members


def _is_registered(presented: x509.Certificate, client: Client) -> bool:
    der, thumbprint = presented.public_bytes(Encoding.DER), thumbprint_of(presented)
    for key in client.keys:
        chain = key.get("x5c") or [""]
        if key.get("x5t#S256") == thumbprint or base64.b64decode(chain[0]) == der:
            return True
    return False
