"""The logout request to the provider (OpenID Connect RP-Initiated Logout 1.0 §2), and that to Cognito."""

from urllib.parse import urlencode

from asgi_oidc.protocol.client_registration import Client

# Characters. Many servers accept longer URLs, but not all: beyond this, a form is posted instead, as §2 allows.
MAX_URL_LENGTH = 2000
MAX_LOGOUT_HINT = 500  # characters; a longer `login_hint` is not one of Entra's


def end_session_parameters(
    client: Client, *, id_token_hint: str, logout_hint: str = "", post_logout_redirect_uri: str, state: str
) -> dict[str, str]:
    """Return the parameters that end the provider's session and bring the browser back to this app.

    Args:
        id_token_hint: an ID Token of the session; empty if there is none. Then most providers ask the user to confirm.
        logout_hint: what else identifies the session; empty for nothing. It is sent only without an ID Token.
    """
    hints = {"id_token_hint": id_token_hint} if id_token_hint else {"logout_hint": logout_hint}
    return {
        **{name: hint for name, hint in hints.items() if hint},
        "client_id": client.client_id,
        "post_logout_redirect_uri": post_logout_redirect_uri,
        "state": state,
    }


def choose_logout_hint(*, sid: str | None, login_hint: object) -> str:
    """Return what identifies a session at its provider without an ID Token (§2, `logout_hint`); empty if nothing does.

    Entra takes the claim `login_hint`; other providers, such as Auth0, take the `sid`. Neither puts the user's name
    into the browser's history, as an e-mail address would.

    Args:
        login_hint: the claim of that name; None if there is none.

    Source: Microsoft Entra, "Single sign-out" of OpenID Connect; Auth0, "Log Users Out of Auth0 with OIDC Endpoint".
    """
    return login_hint if isinstance(login_hint, str) and len(login_hint) <= MAX_LOGOUT_HINT else sid or ""


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
