"""Whether the access token of a session is valid, and whether it has to be refreshed."""

from asgi_oidc.sessions.session import Tokens

FORCE_PAUSE = 60  # seconds between two refreshes of refused tokens; an API that refuses all must not flood the provider


def is_refresh_due(tokens: Tokens, now: int, refused: str | None) -> bool:
    """Return whether the tokens have to be refreshed now, as they expire soon or were refused; False if nothing can.

    Args:
        refused: an access token that an API refused although it has not expired.
    """
    if tokens.refresh_token is None:
        return False
    if refused is not None and refused == tokens.access_token and abs(now - tokens.forced_at) >= FORCE_PAUSE:
        return True
    return tokens.refresh_due_at is not None and now >= tokens.refresh_due_at


def is_valid(tokens: Tokens, now: int) -> bool:
    """Return whether the access token has not expired, as far as is known."""
    return tokens.access_expires_at is None or now < tokens.access_expires_at
