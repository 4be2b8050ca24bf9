"""Signing out at the provider (OpenID Connect RP-Initiated Logout 1.0 §2)."""

from urllib.parse import urlencode

from asgi_oidc.protocol.client import Client


def end_session_url(
    endpoint: str, client: Client, *, id_token_hint: str, post_logout_redirect_uri: str, state: str
) -> str:
    """Write the URL that ends the session at the provider and comes back to us."""
    return with_parameters(
        endpoint,
        id_token_hint=id_token_hint,
        client_id=client.client_id,
        post_logout_redirect_uri=post_logout_redirect_uri,
        state=state,
    )


def with_parameters(url: str, **parameters: str) -> str:
    """Add parameters to a URL that may have some."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"
