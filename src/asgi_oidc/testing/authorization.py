"""The fake provider's metadata, and its checks of an authorization request."""

import urllib.parse
from collections.abc import Iterable
from typing import Any

from .accounts import Client
from .encryption import ENCRYPTION_ALGS, ENCRYPTION_ENCS
from .faults import Params
from .jws import PUBLIC_KEY_ALGORITHMS, SECRET_ALGORITHMS
from .response_algs import PURPOSES
from .wire import Call

CLIENT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")
ASSERTION_ALGORITHMS = {"private_key_jwt": PUBLIC_KEY_ALGORITHMS, "client_secret_jwt": SECRET_ALGORITHMS}
AUTHENTICATED_ENDPOINTS = ("token", "revocation", "introspection")
RESPONSE_MODES = ("query", "form_post", "jwt", "query.jwt", "form_post.jwt")
REPEATABLE = ("resource",)  # RFC 8707 §2; other parameters must not be repeated, RFC 6749 §3.1


def metadata_of(issuer: str, alg: str, clients: Iterable[Client]) -> dict[str, Any]:
    """Return the provider's metadata; besides secrets, it lists the client authentication that these clients use.

    Source: OpenID Connect Discovery §3, RFC 8414 §2, RFC 9207 §3, RFC 9126 §5, RFC 9449 §5.1, Back-Channel
    Logout 1.0 §2.1, Front-Channel Logout 1.0 §3, JARM §4.
    """
    base = issuer.rstrip("/")
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "jwks_uri": f"{base}/jwks",
        "userinfo_endpoint": f"{base}/userinfo",
        "end_session_endpoint": f"{base}/end_session",
        "revocation_endpoint": f"{base}/revoke",
        "introspection_endpoint": f"{base}/introspect",
        "pushed_authorization_request_endpoint": f"{base}/par",
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ],
        "subject_types_supported": ["public"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "id_token_signing_alg_values_supported": [alg],
        "authorization_signing_alg_values_supported": [alg],
        **encryption_metadata(),
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": list(PUBLIC_KEY_ALGORITHMS),
        "request_parameter_supported": True,
        "request_object_signing_alg_values_supported": list(PUBLIC_KEY_ALGORITHMS),
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        **client_auth_metadata(clients),
    }


def encryption_metadata() -> dict[str, Any]:
    """Return what the metadata says about encryption (OpenID Connect Discovery §3, RFC 9701 §7, JARM §4)."""
    members: dict[str, Any] = {}
    for purpose in PURPOSES:
        members[f"{purpose}_encryption_alg_values_supported"] = list(ENCRYPTION_ALGS)
        members[f"{purpose}_encryption_enc_values_supported"] = list(ENCRYPTION_ENCS)
    return members


def client_auth_metadata(clients: Iterable[Client]) -> dict[str, Any]:
    """Return what the metadata says about client authentication (RFC 8414 §2); the PAR endpoint has no list of its own.

    A method that no client uses is not listed: a client that has a secret and no key would choose `client_secret_jwt`.
    """
    used = [method for client in clients for method in client.allowed_auth_methods]
    methods = list(dict.fromkeys([*CLIENT_AUTH_METHODS, *used]))
    algs = [alg for method in methods for alg in ASSERTION_ALGORITHMS.get(method, ())]
    members: dict[str, Any] = {}
    for endpoint in AUTHENTICATED_ENDPOINTS:
        usable = [method for method in methods if method != "none" or endpoint != "introspection"]
        members[f"{endpoint}_endpoint_auth_methods_supported"] = usable
        if algs:
            members[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = algs
    return members


def why_not_redirected(client: Client | None, call: Call) -> str:
    """Return why the browser must not be sent back to the client, not even with an error; empty if it may."""
    names = [name for name, _ in call.query if name not in REPEATABLE]
    if len(names) != len(set(names)):
        return "A parameter is repeated."
    if client is None:
        return "No such client is registered here."
    redirect_uri = call.params.get("redirect_uri", "")
    if not redirect_uri.startswith(("https://", "http://")) or "#" in redirect_uri:
        return "The redirect_uri is not a web address."
    if not is_registered(redirect_uri, client.redirect_uris):
        return "The redirect_uri is not registered."
    return ""


def is_registered(uri: str, registered: Iterable[str] | None) -> bool:
    """Whether a redirect URI is registered, compared as text (RFC 9700 §2.1); `None` accepts any."""
    return registered is None or uri in registered


def with_query(uri: str, pairs: Params) -> str:
    """Add parameters to a URI that may have a query already."""
    if not pairs:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}{urllib.parse.urlencode(pairs)}"
