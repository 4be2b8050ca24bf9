"""The token sets of real providers, in their documented shapes, and some that are large.

Documented are the names and kinds of the claims, the algorithms (and so the lengths of signatures), the lengths of
UUIDs, and the limit of 200 groups, above which Entra ID leaves them out. The lengths of opaque tokens, of Entra ID's
`rh`, `aio`, `uti` and `sub`, and of the URLs of pictures are assumptions: about those of tokens issued today.
(Google documents at most 2,048 bytes for an access token, and 512 for a refresh token.) Sources:

- Keycloak: https://www.keycloak.org/docs/latest/server_admin/#_protocol-mappers
- Entra ID: https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference and
  https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference
- Auth0: https://auth0.com/docs/secure/tokens (without an `audience`, the access token is an encrypted JWT)
- Google: https://developers.google.com/identity/openid-connect/openid-connect and
  https://developers.google.com/identity/protocols/oauth2
"""

import string
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from benchmarks.token_provider import Jwt, Texts, TokenSet

from asgi_oidc.testing.keys import base64url

LARGE = 6_000  # bytes of claims
LOWER = string.ascii_lowercase + string.digits
NAMES = {"name": "Zoë Example", "given_name": "Zoë", "family_name": "Example"}
EMAIL = "zoe.example@example.com"
ROLES = [
    f"{area}:{noun}:{verb}"
    for area in ("emea", "apac", "amer")
    for noun in (
        "accounts",
        "budgets",
        "contracts",
        "customers",
        "invoices",
        "orders",
        "payments",
        "reports",
        "tickets",
    )
    for verb in ("read", "create", "update", "delete", "approve", "export", "assign", "archive", "audit", "share")
]
REALM_ROLES = ["default-roles-acme", "offline_access", "uma_authorization"]
ACCOUNT_ROLES = ["manage-account", "manage-account-links", "view-profile"]


def keycloak(name: str = "Keycloak", roles: Sequence[str] = ("orders:read", "orders:approve", "staff")) -> TokenSet:
    """Return what Keycloak issues by default; a mapper adds the roles of the client to the ID Token."""
    texts = Texts("keycloak")
    sid, session = texts.guid(), {"sub": texts.guid(), "azp": "orders-web"}
    profile = {"email_verified": True, **NAMES, "preferred_username": "zoe.example", "email": EMAIL}
    access = {"orders-web": {"roles": list(roles)}, "account": {"roles": ACCOUNT_ROLES}}
    key = texts.opaque(43)
    online = ("exp", "iat", "auth_time")
    signed = f'{{"alg":"RS256","typ" : "JWT","kid" : "{key}"}}'  # with these spaces
    id_token = {"jti": texts.guid(), **session, "typ": "ID", "sid": sid, "acr": "1", **profile}
    access_token = {
        "jti": f"onrtac:{texts.guid()}",
        "aud": "account",
        **session,
        "typ": "Bearer",
        "sid": sid,
        "acr": "1",
        "allowed-origins": ["https://orders.example.com"],
        "realm_access": {"roles": REALM_ROLES},
        "resource_access": access,
        "scope": "openid email profile",
        **profile,
    }
    issuer = "https://sso.example.com/realms/acme"
    refresh_token = {
        "jti": texts.guid(),
        "aud": issuer,
        **session,
        "typ": "Refresh",
        "sid": sid,
        "scope": "openid email profile web-origins acr roles basic",
    }
    return TokenSet(
        name,
        issuer,
        "orders-web",
        Jwt(
            signed, {**id_token, "resource_access": {"orders-web": {"roles": list(roles)}}}, times=online, lifetime=300
        ),
        Jwt(signed, access_token, times=online, lifetime=300),
        Jwt(f'{{"alg":"HS512","typ" : "JWT","kid" : "{texts.guid()}"}}', refresh_token, signature_bytes=64),
        has_at_hash=True,
    )


def entra(groups: int) -> TokenSet:
    """Return what Entra ID issues, version 2.0, with an access token for Microsoft Graph."""
    texts = Texts("entra")
    tid, client_id, oid, key = texts.guid(), texts.guid(), texts.guid(), texts.opaque(27)
    times = ("iat", "nbf", "exp")
    nonce = texts.opaque(43)  # of the access token: nobody but Graph can verify its signature
    id_token = {
        "aio": texts.opaque(120),
        "name": NAMES["name"],
        "oid": oid,
        "preferred_username": EMAIL,
        "email": EMAIL,
        "rh": texts.opaque(52, start="1.AX"),
        "sid": texts.guid(),
        "sub": texts.opaque(43),
        "tid": tid,
        "uti": texts.opaque(22),
        "ver": "2.0",
        "groups": texts.guids(groups),
    }
    return TokenSet(
        f"Entra ID, {groups} groups",
        f"https://login.microsoftonline.com/{tid}/v2.0",
        client_id,
        Jwt(f'{{"typ":"JWT","alg":"RS256","kid":"{key}"}}', id_token, times=times),
        Jwt(
            f'{{"typ":"JWT","nonce":"{nonce}","alg":"RS256","x5t":"{key}","kid":"{key}"}}',
            graph_claims(texts, {"appid": client_id, "oid": oid, "tid": tid, "sid": id_token["sid"]}),
            issuer=f"https://sts.windows.net/{tid}/",
            times=times,
        ),
        texts.opaque(1200, start="1.AX"),
    )


def graph_claims(texts: Texts, known: dict[str, Any]) -> dict[str, Any]:
    """Return the claims of an access token for Microsoft Graph."""
    return {
        "aud": "00000003-0000-0000-c000-000000000000",
        "acct": 0,
        "acr": "1",
        "acrs": ["p1"],
        "aio": texts.opaque(140),
        "amr": ["pwd", "mfa"],
        "app_displayname": "Orders",
        "appidacr": "1",
        **known,
        "family_name": NAMES["family_name"],
        "given_name": NAMES["given_name"],
        "idtyp": "user",
        "ipaddr": "192.0.2.44",
        "name": NAMES["name"],
        "onprem_sid": "S-1-5-21-1004336348-1177238915-682003330-51234",
        "platf": "5",
        "puid": "1003" + texts.hexadecimal(12).upper(),
        "rh": texts.opaque(52, start="1.AX"),
        "scp": "email openid profile User.Read",
        "signin_state": ["kmsi"],
        "sub": texts.opaque(43),
        "tenant_region_scope": "EU",
        "unique_name": EMAIL,
        "upn": EMAIL,
        "uti": texts.opaque(22),
        "ver": "1.0",
        "wids": texts.guids(2),
        "xms_ftd": texts.opaque(80),
        "xms_idrel": "1 26",
        "xms_st": {"sub": texts.opaque(43)},
        "xms_tcdt": 1_500_000_000,
    }


def auth0() -> TokenSet:
    """Return what Auth0 issues, with claims of an Action and without an API of one's own."""
    texts = Texts("auth0")
    issuer = "https://acme.eu.auth0.com/"
    encrypted = f'{{"alg":"dir","enc":"A256GCM","iss":"{issuer}"}}'
    id_token = {
        "https://example.com/roles": ["orders-admin", "staff"],
        "https://example.com/app_metadata": {"plan": "enterprise", "tenant": texts.guid(), "seats": 250},
        **NAMES,
        "nickname": "zoe.example",
        "picture": f"https://s.gravatar.com/avatar/{texts.hexadecimal(32)}?s=480&r=pg"
        "&d=https%3A%2F%2Fcdn.auth0.com%2Favatars%2Fze.png",
        "updated_at": "2026-11-30T09:00:00.000Z",
        "email": EMAIL,
        "email_verified": True,
        "sub": f"auth0|{texts.hexadecimal(24)}",
        "sid": texts.opaque(32),
        "org_id": texts.opaque(20, start="org_", alphabet=string.ascii_letters + string.digits),
    }
    vector, ciphertext, tag = texts.opaque(16), texts.opaque(215), texts.opaque(22)
    return TokenSet(
        "Auth0",
        issuer,
        texts.opaque(32, alphabet=string.ascii_letters + string.digits),
        Jwt(f'{{"alg":"RS256","typ":"JWT","kid":"{texts.opaque(21)}"}}', id_token, lifetime=36_000),
        f"{base64url(encrypted.encode())}..{vector}.{ciphertext}.{tag}",
        texts.opaque(64, start="v1.M"),
    )


def google() -> TokenSet:
    """Return what Google issues to a user of a Workspace domain."""
    texts = Texts("google")
    client_id = f"{texts.digits(12)}-{texts.opaque(32, alphabet=LOWER)}.apps.googleusercontent.com"
    id_token = {
        "azp": client_id,
        "sub": texts.digits(21),
        "hd": "example.com",
        "email": EMAIL,
        "email_verified": True,
        **NAMES,
        "picture": f"https://lh3.googleusercontent.com/a/ACg8oc{texts.opaque(48)}=s96-c",
    }
    return TokenSet(
        "Google",
        "https://accounts.google.com",
        client_id,
        Jwt(f'{{"alg":"RS256","kid":"{texts.hexadecimal(40)}","typ":"JWT"}}', id_token),
        texts.opaque(220, start="ya29.a0"),
        texts.opaque(103, start="1//0"),
        has_at_hash=True,
    )


def small(name: str = "a small one", further: dict[str, Any] | None = None) -> TokenSet:
    """Return an ID Token with the required claims, and further ones; the other tokens are short and opaque."""
    texts = Texts("small")
    return TokenSet(
        name,
        "https://id.example.com",
        "orders-web",
        Jwt('{"alg":"ES256","kid":"2026-11"}', {"sub": texts.opaque(20), **(further or {})}, signature_bytes=64),
        texts.opaque(43),
        texts.opaque(43),
        alg="ES256",
    )


def filled(texts: Sequence[str]) -> list[str]:
    """Return as many of the texts as fit into 6,000 bytes of JSON."""
    lengths = accumulate(len(text) + 3 for text in texts)
    return [text for text, length in zip(texts, lengths, strict=True) if length < LARGE]


def large() -> list[TokenSet]:
    """Return sets with 6 kB of claims, and with many groups; those of the small set and of real ones."""
    texts = Texts("large")
    roles = filled(texts.shuffled(ROLES))
    letters = filled([texts.opaque(12, alphabet=string.ascii_letters) for _ in range(LARGE // 12)])
    return [
        small("6 kB of role names", {"roles": roles}),
        small("6 kB of random letters", {"roles": letters}),
        small("120 group ids", {"groups": texts.guids(120)}),
        small("200 group ids", {"groups": texts.guids(200)}),
        entra(200),
        keycloak("Keycloak, 6 kB of role names in both JWTs", roles),
    ]


REAL_SETS = [keycloak(), entra(40), entra(120), auth0(), google(), small()]
LARGE_SETS = large()
