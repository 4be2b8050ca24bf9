"""Checks the certificate with which the app authenticates at a provider (RFC 8705), and what it fits together with."""

import ssl
from collections.abc import Mapping
from typing import Any

from asgi_oidc.errors import describe_value
from asgi_oidc.protocol.certificate_pair import CertificatePair, read_certificate_pair
from asgi_oidc.protocol.client_registration import CERTIFICATE_METHODS
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.provider.tls_contexts import load_certificate

NOT_APPLIED = (
    "an http_client of the app presents its own certificate, not this one: leave out http_client, or leave out "
    "client_certificate, give the certificate to http_client, and set client_auth to tls_client_auth or "
    "self_signed_tls_client_auth"
)


def read_pem(value: object) -> str:
    """Read a PEM, the contents of a file; `certificate_problems` checks what is in it."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be PEM text, which begins with -----BEGIN, got {describe_value(value)}")
    if "-----BEGIN " not in value:
        raise ValueError(
            f"must be PEM, which begins with -----BEGIN, got {describe_value(value)}; for the path of a file, set the "
            "variable that ends with _FILE"
        )
    return value


def certificate_problems(values: Mapping[str, Any]) -> list[str]:
    """Return the problems of the certificate of one provider; values that could not be read are missing."""
    if "client_certificate" not in values or "client_certificate_key" not in values:
        return []
    has_http_client = values.get("http_client") is not None
    if values["client_certificate"] is None:
        return _problems_without_certificate(values, has_http_client=has_http_client)
    problems = [f"client_certificate: {NOT_APPLIED}"] if has_http_client else []
    try:
        pair = certificate_pair(values)
        # OpenSSL has rules of its own, such as which signatures are too weak.
        if pair is not None:
            load_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), pair)
    except ValueError as exc:
        problems.append(f"client_certificate: {exc}")
    return problems


def certificate_pair(values: Mapping[str, Any]) -> CertificatePair | None:
    """Return the certificate and its key; None if none is set.

    Raises:
        ValueError: they cannot be used.
    """
    certificate = values["client_certificate"]
    return None if certificate is None else read_certificate_pair(certificate, values["client_certificate_key"])


def unapplied_certificates(providers: Mapping[str, ProviderSettings], http_client: object) -> list[str]:
    """Return the problems of certificates that are not used, because the `http_client` for all providers is."""
    return [
        f"providers: {name}: client_certificate: {NOT_APPLIED}"
        for name, provider in providers.items()
        if http_client is not None and provider.http_client is None and provider.client.certificate is not None
    ]


def _problems_without_certificate(values: Mapping[str, Any], *, has_http_client: bool) -> list[str]:
    problems = []
    if values["client_certificate_key"] is not None:
        problems.append("client_certificate_key: needs client_certificate, the certificate of this key")
    method = values.get("client_auth")
    if method in CERTIFICATE_METHODS and not has_http_client:
        problems.append(f"client_certificate: missing; client_auth={method!r} needs it, or an http_client that has one")
    return problems
