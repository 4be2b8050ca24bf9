"""Reads the settings for providers that are not by the book, and checks that they fit together."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from asgi_oidc.errors import describe_value
from asgi_oidc.protocol.jose import read_shared_secret
from asgi_oidc.protocol.metadata import REQUIRED
from asgi_oidc.protocol.signature_algorithms import SYMMETRIC_ALGORITHM
from asgi_oidc.provider.provider_exceptions import END_SESSION_PARAMETERS, ProviderExceptions
from asgi_oidc.safe_urls import check_url, is_host, origin_of, split_url
from asgi_oidc.settings.value_checks import read_text, read_texts

EXCEPTIONS = tuple(field.name for field in fields(ProviderExceptions))


def read_metadata_url(value: object) -> str:
    """Read the URL of the provider's metadata."""
    url = read_text(value)
    split_url(url)
    return url


def read_internal_url(value: object) -> str:
    """Read the origin at which this app reaches the provider, as browsers write it."""
    split = split_url(read_text(value))
    if split.path not in ("", "/") or split.query:
        raise ValueError(f"must be only scheme, host and port: write {origin_of(split)}")
    return origin_of(split)


def read_http_hosts(value: object) -> frozenset[str]:
    """Read the hosts that may be called by http, in lower case."""
    hosts = frozenset(host.lower() for host in read_texts(value))
    for host in hosts:
        if not is_host(host):
            raise ValueError(f"must be a list of host names such as 'keycloak', got {describe_value(host)}")
    return hosts


def read_end_session_parameters(value: object) -> str:
    """Read which parameters the logout request to the provider has."""
    if value not in END_SESSION_PARAMETERS:
        raise ValueError(f"must be one of {', '.join(END_SESSION_PARAMETERS)}, got {describe_value(value)}")
    return str(value)


def provider_exceptions(values: Mapping[str, Any]) -> ProviderExceptions:
    """Return the exceptions of one provider from checked values."""
    return ProviderExceptions(**{name: values[name] for name in EXCEPTIONS})


def exception_contradictions(values: Mapping[str, Any]) -> list[str]:
    """Return the problems of exceptions that do not fit together, or would weaken each other."""
    if any(name not in values for name in (*EXCEPTIONS, "issuer", "client_secret", "algorithms", "metadata")):
        return []  # a value that could not be read has its own problem
    return [
        *_url_problems(values),
        *_proof_problems(values),
        *_hs256_problems(values),
        *(_missing_access_token_problems(values) if values["allow_missing_access_token"] else []),
    ]


def _url_problems(values: Mapping[str, Any]) -> list[str]:
    problems = []
    for name in ("metadata_url", "internal_url"):
        url = values[name]
        try:
            if url is not None:
                check_url(url, http_hosts=values["allow_http_hosts"])
        except ValueError:
            host = split_url(url).hostname
            problems.append(f"{name}: must use https; to allow http for calls to {host}, name it in allow_http_hosts")
    if values["internal_url"] is not None and values["internal_url"] == _origin(values["issuer"]):
        problems.append("internal_url: is the address of the issuer: leave it out")
    if values["metadata_url"] is not None and all(name in values["metadata"] for name in REQUIRED):
        problems.append(f"metadata_url: leave it out: with {', '.join(REQUIRED)} in metadata, nothing is fetched")
    return problems


def _origin(issuer: str) -> str | None:
    return origin_of(split_url(issuer)) if issuer else None  # it is empty if there are `providers`


def _proof_problems(values: Mapping[str, Any]) -> list[str]:
    """Report settings with which nothing detects an injected code, unless that is named as well (RFC 9700 §2.1.1)."""
    credentials = ("client_secret", "client_key", "client_assertion_file")
    has_any = any(values.get(name) is not None for name in credentials)
    is_confidential = has_any and values.get("client_auth") != "none"
    if values["allow_missing_pkce"] and not is_confidential:
        missing = "needs client_secret or client_key: for a public client, PKCE is all that protects the code"
        return [f"allow_missing_pkce: {missing}"]
    has_neither = values["allow_missing_pkce"] and values["allow_missing_nonce"]
    if has_neither and not values["allow_code_injection"]:
        return [
            "allow_missing_pkce: remove it, or allow_missing_nonce: without both, nothing detects an injected "
            "authorization code; if the provider supports neither of them, set allow_code_injection too"
        ]
    if values["allow_code_injection"] and not has_neither:
        return ["allow_code_injection: remove it: it is only for allow_missing_pkce together with allow_missing_nonce"]
    return []


def _hs256_problems(values: Mapping[str, Any]) -> list[str]:
    is_named = SYMMETRIC_ALGORITHM in (values["algorithms"] or ())
    if not values["allow_hs256"]:
        fix = "set allow_hs256, or let the provider sign with RS256 or ES256"
        return [
            f"algorithms: with {SYMMETRIC_ALGORITHM}, anyone who knows the client secret can forge tokens: {fix}"
        ] * is_named
    if values["algorithms"] is not None and not is_named:
        return [f"allow_hs256: remove it, or add {SYMMETRIC_ALGORITHM} to algorithms"]
    if values["client_secret"] is None:
        return [f"allow_hs256: needs client_secret, which is the key of {SYMMETRIC_ALGORITHM}"]
    try:
        read_shared_secret(values["client_secret"])
    except ValueError as exc:
        return [f"client_secret: {exc}: let the provider make a new one, or sign with RS256 or ES256"]
    return []


def _missing_access_token_problems(values: Mapping[str, Any]) -> list[str]:
    problems = []
    if values.get("userinfo") == "always":
        problems.append("userinfo: 'always' needs an access token: remove it, or allow_missing_access_token")
    if values.get("claims_from_access_token"):
        problems.append("claims_from_access_token: needs an access token: remove it, or allow_missing_access_token")
    return problems
