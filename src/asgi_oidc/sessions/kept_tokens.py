"""Which tokens a session keeps (the setting `tokens`)."""

from collections.abc import Collection

from asgi_oidc.protocol.id_token import claim_names
from asgi_oidc.sessions.session import Tokens, with_changes

ID_TOKEN, ACCESS_TOKEN, REFRESH_TOKEN = "id_token", "access_token", "refresh_token"
ALL_TOKENS = frozenset({ID_TOKEN, ACCESS_TOKEN, REFRESH_TOKEN})
# Short forms of the setting, those that keep most first.
SHORT_FORMS = {
    "all": ALL_TOKENS,
    "access": frozenset({ACCESS_TOKEN, REFRESH_TOKEN}),
    "refresh": frozenset({REFRESH_TOKEN}),
    "none": frozenset[str](),
}


def keep(tokens: Tokens, kept: Collection[str]) -> Tokens:
    """Return the tokens without those that the session does not keep.

    Without the ID Token, the names of its claims are kept: a refresh has to know which claims it may remove.
    """
    changes: dict[str, object] = {}
    if ID_TOKEN not in kept and tokens.id_token:
        changes["id_token"] = ""
        if tokens.id_token_claim_names is None:
            changes["id_token_claim_names"] = sorted(claim_names(tokens.id_token))
    if ACCESS_TOKEN not in kept and tokens.access_token is not None:
        changes["access_token"] = None
    if REFRESH_TOKEN not in kept and tokens.refresh_token is not None:
        changes["refresh_token"] = None
    return with_changes(tokens, **changes) if changes else tokens
