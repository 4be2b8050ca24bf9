"""The logout request to the provider (OpenID Connect RP-Initiated Logout 1.0 §2), and that to Cognito."""

from urllib.parse import urlencode

from asgi_oidc.protocol.client_registration import Client

# Characters. Many servers accept longer URLs, but not all: beyond this, a form is posted instead, as §2 allows.
MAX_URL_LENGTH = 2000


def end_session_parameters(
    client: Client, *, id_token_hint: str, post_logout_redirect_uri: str, state: str
) -> dict[str, str]:
    """Return the parameters that end the provider's session and bring the browser back to this app."""
    return {
        "id_token_hint": id_token_hint,
        "client_id": client.client_id,
        "post_logout_redirect_uri": post_logout_redirect_uri,
        "state": state,
    }


def cognito_logout_parameters(client: Client, *, logout_uri: str) -> dict[str, str]:
    """Return the parameters of Amazon Cognito's `/logout`, which is not RP-Initiated Logout.

    Cognito returns no `state`. So the browser always returns to `logout_uri`, regardless of `return_to`, and nothing
    shows there that this app requested the logout.

    Args:
        logout_uri: one of the client's "Allowed sign-out URLs", exactly as it is listed there.

    Source: Amazon Cognito Developer Guide, "The managed login sign-out endpoint: /logout".
    """
    return {"client_id": client.client_id, "logout_uri": logout_uri}


def with_parameters(url: str, **parameters: str) -> str:
    """Add parameters to a URL that may have some already."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"
