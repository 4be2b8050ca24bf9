"""Tells whether an access token is that of a client that acts on its own behalf, without a user (RFC 6749 §4.4)."""

from asgi_oidc.protocol.claims import Claims

# Keycloak sets these only for a client that signs in with its own credentials. A user name such as `service-account-x`
# alone proves nothing: people can choose it.
_KEYCLOAK_SERVICE_ACCOUNT = ("clientHost", "clientAddress")
# Only the token of a user has one of these. Without `sub`, such as from a client of Keycloak that lacks the scope
# `basic`, it does not say which user, and must not pass for a machine.
USER_CLAIMS = ("sid", "auth_time", "username", "preferred_username", "email")


def is_machine(claims: Claims, client_id: str | None) -> bool:
    """Return whether a client acts for itself with a token, without a user.

    Args:
        claims: checked.
        client_id: the client that it was issued to.

    Source: RFC 9068 §2.2, §5 (`sub` is the client's id); Auth0, "Access Token Profiles" (`gty`); Microsoft identity
    platform, "Access token claims reference" (`idtyp`; without it, `oid` is `sub` in the token of an app only).
    """
    if "sub" not in claims or (claims["sub"] == client_id and not _names_a_user(claims, client_id)):
        return True
    if claims.get("gty") in ("client-credentials", "client_credentials") or claims.get("idtyp") == "app":
        return True
    is_entra = "tid" in claims and "oid" in claims
    if is_entra and "idtyp" not in claims and "scp" not in claims and claims["oid"] == claims["sub"]:
        return True
    # An introspection answer of Keycloak and its lightweight tokens lack these; but only those of users have a `sid`.
    names = (claims.get("preferred_username"), claims.get("username"))
    is_service_account = client_id is not None and f"service-account-{client_id}" in names
    return is_service_account and ("sid" not in claims or any(name in claims for name in _KEYCLOAK_SERVICE_ACCOUNT))


def _names_a_user(claims: Claims, client_id: str | None) -> bool:
    """Whether the user of a token only has the name of a client: at some providers, people choose their `sub`."""
    # Cognito says even of a client when it signed in. The tokens of its users have a `username`.
    is_cognito = "token_use" in claims
    names = (name for name in USER_CLAIMS if not (is_cognito and name == "auth_time"))
    return any(claims.get(name) not in (None, client_id) for name in names)
