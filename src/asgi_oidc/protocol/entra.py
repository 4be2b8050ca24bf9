"""Claims of Microsoft Entra ID that mean something special: group overage, and who vouches for an e-mail address.

Source: Microsoft identity platform, "ID token claims reference" (`hasgroups`, groups overage), "Optional claims
reference" (`xms_edov`), "Migrate away from using email claims for user identification or authorization".
"""

from collections.abc import Collection

from asgi_oidc.protocol.claims import Claims, is_true


def group_overage(claims: Claims) -> bool:
    """Whether the user is in more groups than fit into a token, so that `groups` is missing or incomplete.

    In place of `groups`, such a token has `_claim_names` with a member `groups`, or `hasgroups`. The groups can be read
    from Microsoft Graph.
    """
    names = claims.get("_claim_names")
    return (isinstance(names, dict) and "groups" in names) or is_true(claims.get("hasgroups"))


def is_email_owner_verified(claims: Claims) -> bool:
    """Whether the owner of the domain of `email` has been verified: the optional claim `xms_edov`.

    It is documented as a boolean, and seen as the text "1" too (Supabase Auth, `internal/api/provider/azure.go`).
    """
    verified = claims.get("xms_edov")
    is_one = isinstance(verified, int) and verified == 1  # True as well
    return isinstance(claims.get("email"), str) and (is_one or verified in ("1", "true"))


def with_email_verification(claims: Claims, *, trusted_tenants: Collection[str]) -> dict[str, object]:
    """Set `email_verified`, which Entra does not send, for the `email` beside it.

    It is true if the owner of the domain has been verified, or the tenant is trusted. It is false otherwise, even in a
    trusted e-mail domain: the administrators of a tenant can enter any address for their users. An `email_verified` in
    the token does not count, because a tenant can map claims of its own into it.

    Args:
        trusted_tenants: ids of the tenants whose administrators may vouch for any address.
    """
    found = {name: value for name, value in claims.items() if name != "email_verified"}
    if found.get("email") is not None:
        is_trusted = isinstance(found["email"], str) and claims.get("tid") in tuple(trusted_tenants)
        found["email_verified"] = is_trusted or is_email_owner_verified(claims)
    return found
