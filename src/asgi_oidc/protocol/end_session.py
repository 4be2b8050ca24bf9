"""Signing out at the provider (OpenID Connect RP-Initiated Logout 1.0 §2)."""

from urllib.parse import urlencode

from asgi_oidc.protocol.client_registration import Client

MAX_URL_LENGTH = 2000  # characters; servers take more, but not all: above, a form carries the ID Token, as §2 allows


def end_session_parameters(
    client: Client, *, id_token_hint: str, post_logout_redirect_uri: str, state: str
) -> dict[str, str]:
    """Name what ends the session at the provider and comes back to us."""
    return {
        "id_token_hint": id_token_hint,
        "client_id": client.client_id,
        "post_logout_redirect_uri": post_logout_redirect_uri,
        "state": state,
    }


def with_parameters(url: str, **parameters: str) -> str:
    """Add parameters to a URL that may have some."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"
