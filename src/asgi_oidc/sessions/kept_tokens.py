"""Which tokens a session keeps (the setting `tokens`)."""

from collections.abc import Collection

from asgi_oidc.protocol.access_token import user_claim_names
from asgi_oidc.protocol.claim_mapping import ALL_CLAIMS, ClaimMapping
from asgi_oidc.protocol.claims import PROTOCOL_CLAIMS
from asgi_oidc.protocol.id_token import claim_names
from asgi_oidc.sessions.session import Tokens, with_changes

ID_TOKEN, ACCESS_TOKEN, REFRESH_TOKEN = "id_token", "access_token", "refresh_token"
TOKEN_NAMES = (ID_TOKEN, ACCESS_TOKEN, REFRESH_TOKEN)
ALL_TOKENS = frozenset(TOKEN_NAMES)
# Short forms of the setting, those that keep most first.
SHORT_FORMS = {
    "all": ALL_TOKENS,
    "access": frozenset({ACCESS_TOKEN, REFRESH_TOKEN}),
    "refresh": frozenset({REFRESH_TOKEN}),
    "none": frozenset[str](),
}
NOT_KEPT = 0  # when an access token that is not kept expires: a new one has to be obtained before it is used


def keep(tokens: Tokens, kept: Collection[str], *, read_claims: ClaimMapping | None = ALL_CLAIMS) -> Tokens:
    """Return the tokens without those that the session does not keep.

    The names of their claims are kept: a refresh has to know which claims it may remove.

    Args:
        read_claims: which claims of access tokens are stored, and under which names; None if none are.
    """
    changes: dict[str, object] = {}
    if ID_TOKEN not in kept and tokens.id_token:
        changes["id_token"] = ""
        if tokens.id_token_claim_names is None:
            changes["id_token_claim_names"] = sorted(claim_names(tokens.id_token) - PROTOCOL_CLAIMS)
    if ACCESS_TOKEN not in kept and tokens.access_token is not None:
        changes |= {"access_token": None, "access_expires_at": NOT_KEPT, "refresh_due_at": NOT_KEPT}
        if read_claims is not None:
            stated = read_claims.names(user_claim_names(tokens.access_token))
            changes["access_token_claim_names"] = sorted(stated & tokens.claims.keys())
    if REFRESH_TOKEN not in kept and tokens.refresh_token is not None:
        changes["refresh_token"] = None
    return with_changes(tokens, **changes) if changes else tokens
