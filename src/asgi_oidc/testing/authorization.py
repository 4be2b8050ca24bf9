"""What the fake provider says of itself, and what it checks before anyone may sign in."""

import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

from .accounts import Client
from .faults import Params
from .wire import Call

CLIENT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")
REPEATABLE = ("resource",)  # RFC 8707 §2; all others come once, RFC 6749 §3.1


def metadata_of(issuer: str, alg: str) -> dict[str, Any]:
    """Say the provider's metadata.

    Source: OpenID Connect Discovery §3, RFC 8414 §2, RFC 9207 §3, Back-Channel Logout 1.0 §2.1, Front-Channel
    Logout 1.0 §3.
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
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ],
        "subject_types_supported": ["public"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "id_token_signing_alg_values_supported": [alg],
        "token_endpoint_auth_methods_supported": list(CLIENT_AUTH_METHODS),
        "revocation_endpoint_auth_methods_supported": list(CLIENT_AUTH_METHODS),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
    }


def why_not_even_redirect(client: Client | None, call: Call) -> str:
    """Say what makes it unsafe to send the browser back to the client; empty when nothing does."""
    names = [name for name, _ in call.query if name not in REPEATABLE]
    if len(names) != len(set(names)):
        return "A parameter comes twice."
    if client is None:
        return "No such client is registered here."
    redirect_uri = call.params.get("redirect_uri", "")
    if not redirect_uri.startswith(("https://", "http://")) or "#" in redirect_uri:
        return "The redirect_uri is no web address."
    if not is_registered(redirect_uri, client.redirect_uris):
        return "The redirect_uri is not registered."
    return ""


def why_refused(params: Mapping[str, str]) -> tuple[str, str] | None:
    """Say the OAuth error and its description that this authorization request gets, if any."""
    if params.get("response_type") != "code":
        return ("unsupported_response_type", "only code")
    if "openid" not in params.get("scope", "").split():
        return ("invalid_scope", "scope must have openid")
    if params.get("code_challenge_method") != "S256" or len(params.get("code_challenge", "")) != 43:
        return ("invalid_request", "PKCE with S256 is required")
    if params.get("response_mode", "query") not in ("query", "form_post"):
        return ("invalid_request", "response_mode is query or form_post")
    return None


def is_registered(uri: str, registered: Iterable[str] | None) -> bool:
    """Compare a redirect URI as text (RFC 9700 §2.1); `None` stands for any."""
    return registered is None or uri in registered


def with_query(uri: str, pairs: Params) -> str:
    """Add parameters to a URI that may have a query already."""
    if not pairs:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}{urllib.parse.urlencode(pairs)}"
