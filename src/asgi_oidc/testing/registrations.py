"""What clients say about themselves: in a registration (RFC 7591 §2), or in their client id metadata document."""

import dataclasses
import ipaddress
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .accounts import Client
from .keys import ALGORITHMS

SECRET_METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt")
TLS_METHODS = ("tls_client_auth", "self_signed_tls_client_auth")
KEY_METHODS = ("private_key_jwt", "self_signed_tls_client_auth")
AUTH_METHODS = (*SECRET_METHODS, *TLS_METHODS, "private_key_jwt", "none")
GRANT_TYPES = (
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:token-exchange",
)
NOT_METADATA = ("client_id", "client_secret", "auth_methods", "resources", "assertion_issuers")
"""The fields of `Client` that a client cannot register."""
DESCRIPTIONS = (
    "application_type",
    "authorization_details_types",
    "backchannel_logout_session_required",
    "client_name",
    "client_uri",
    "contacts",
    "dpop_bound_access_tokens",
    "frontchannel_logout_session_required",
    "logo_uri",
    "policy_uri",
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "scope",
    "software_id",
    "tos_uri",
)
"""What is kept and has no effect."""
DEFAULTS = {
    "token_endpoint_auth_method": "client_secret_basic",
    "grant_types": ["authorization_code"],
    "response_types": ["code"],
}
TYPES: Mapping[Any, type] = {str | None: str, bool: bool, Sequence[str] | None: list}
FIELDS = {entry.name: TYPES.get(entry.type) for entry in dataclasses.fields(Client) if entry.name not in NOT_METADATA}
"""The members that become fields of a `Client`, with their JSON type; `None` for any."""

Refusal = tuple[str, str]
"""The error of RFC 7591 §3.2.2, and its description."""


@dataclass(frozen=True)
class Registration:
    """A client that has registered itself."""

    client_id: str
    client_secret: str | None = field(repr=False)
    access_token: str = field(repr=False)
    """The `registration_access_token`, with which the client reads and changes its registration (RFC 7592)."""
    issued_at: int
    metadata: Mapping[str, Any]


def registered_metadata(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that the provider knows, with their defaults (RFC 7591 §2); null means left out."""
    known = {*FIELDS, *DESCRIPTIONS, *DEFAULTS}
    return DEFAULTS | {name: value for name, value in asked.items() if name in known and value is not None}


def client_of(client_id: str, client_secret: str | None, metadata: Mapping[str, Any]) -> Client:
    """Return the client that this metadata describes, which `why_metadata_refused` has accepted."""
    members = {name: metadata[name] for name in FIELDS if name in metadata}
    exact = {"redirect_uris": (), "post_logout_redirect_uris": ()} | members  # what is not registered is refused
    method = metadata["token_endpoint_auth_method"]
    return Client(client_id, client_secret, auth_methods=(method,), **exact)


def why_metadata_refused(metadata: Mapping[str, Any]) -> Refusal | None:
    """Return why a client cannot be registered with this metadata; None if it can."""
    problem = _why_wrong_type(metadata) or _why_wrong_values(metadata) or _why_no_keys(metadata)
    if problem:
        return ("invalid_client_metadata", problem)
    uris = metadata.get("redirect_uris", [])
    if "authorization_code" in metadata["grant_types"] and not uris:
        return ("invalid_redirect_uri", "redirect_uris must name at least one URI")
    wrong = [uri for uri in uris if not is_redirect_uri(uri)]
    return ("invalid_redirect_uri", "a redirect URI must be an https URL without a fragment") if wrong else None


def is_redirect_uri(uri: str) -> bool:
    """Whether this is an https URL without a fragment, or http on loopback."""
    try:
        split = urllib.parse.urlsplit(uri)
        host = split.hostname or ""
    except ValueError:
        return False
    return bool(host) and "#" not in uri and (split.scheme == "https" or (split.scheme == "http" and is_loopback(host)))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _why_wrong_type(metadata: Mapping[str, Any]) -> str:
    for name, value in metadata.items():
        expected = FIELDS.get(name)
        if expected is not None and not isinstance(value, expected):
            return f"{name} has the wrong type"
        if isinstance(value, list) and name != "jwks" and not all(isinstance(entry, str) for entry in value):
            return f"{name} must contain texts"
    return ""


def _why_wrong_values(metadata: Mapping[str, Any]) -> str:
    if metadata["token_endpoint_auth_method"] not in AUTH_METHODS:
        return f"token_endpoint_auth_method must be one of {', '.join(AUTH_METHODS)}"
    if metadata["response_types"] != ["code"]:
        return "response_types must be code"
    if not isinstance(metadata["grant_types"], list) or not set(metadata["grant_types"]) <= set(GRANT_TYPES):
        return f"grant_types must be among {', '.join(GRANT_TYPES)}"
    algs = (name for name in metadata if name.endswith("_signed_response_alg"))
    wrong = [name for name in algs if metadata[name] not in ALGORITHMS]
    return f"{wrong[0]} must be one of {', '.join(ALGORITHMS)}" if wrong else ""


def _why_no_keys(metadata: Mapping[str, Any]) -> str:
    if "jwks" in metadata and "jwks_uri" in metadata:
        return "jwks and jwks_uri exclude each other"
    has_keys = "jwks" in metadata or "jwks_uri" in metadata
    needs_keys = [name for name in metadata if name.endswith("_encrypted_response_alg")]
    if metadata["token_endpoint_auth_method"] in KEY_METHODS:
        needs_keys.append("token_endpoint_auth_method")
    if needs_keys and not has_keys:
        return f"{needs_keys[0]} needs jwks or jwks_uri"
    if metadata["token_endpoint_auth_method"] == "tls_client_auth" and "tls_client_auth_subject_dn" not in metadata:
        return "tls_client_auth needs tls_client_auth_subject_dn"
    return ""
