"""The shapes of access tokens: RFC 9068, and what well-known providers document for theirs."""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

Claims = dict[str, Any]

AccessTokenStyle = Literal[
    "rfc9068", "keycloak", "keycloak-lightweight", "auth0", "okta", "entra", "entra-v1", "cognito"
]
"""The shape of an access token: that of RFC 9068, or of a provider with its own one."""
IDENTITY_SCOPES = ("openid", "profile", "email", "address", "phone", "offline_access")
NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # of URLs, RFC 9562 §6.6


@dataclass(frozen=True)
class AccessTokenFacts:
    """What an access token says, in whatever shape."""

    issuer: str
    sub: str
    client_id: str
    is_machine: bool
    """Whether a client got it for itself (RFC 6749 §4.4)."""
    scopes: Sequence[str]
    audience: str | Sequence[str] | None
    """As it is sent; `None` for a token without an audience."""
    issued_at: int
    expires_at: int
    jti: str
    auth_time: int
    sid: str
    acr: str | None
    profile: Mapping[str, Any]
    """The claims about the user that the scopes request."""

    @property
    def scope(self) -> str:
        """The scopes as one text."""
        return " ".join(self.scopes)

    @property
    def object_id(self) -> str:
        """A UUID that stands for the user or the client, as some providers have."""
        return str(uuid.uuid5(NAMESPACE, f"{self.issuer}#{self.sub}"))

    @property
    def lifetime(self) -> Claims:
        """The claims with times, and the issuer."""
        return {"iss": self.issuer, "iat": self.issued_at, "exp": self.expires_at}

    @property
    def aud(self) -> Claims:
        """The audience as a claim; nothing without one."""
        if self.audience is None:
            return {}
        return {"aud": self.audience if isinstance(self.audience, str) else list(self.audience)}


def _rfc9068(facts: AccessTokenFacts) -> Claims:
    """RFC 9068 §2.2: a machine's `sub` is its client id."""
    claims = facts.lifetime | {"sub": facts.sub, **facts.aud, "client_id": facts.client_id, "jti": facts.jti}
    claims["scope"] = facts.scope
    return claims | _login_of(facts) | dict(facts.profile)


def _keycloak(facts: AccessTokenFacts) -> Claims:
    """Keycloak: `azp`, `typ: Bearer` as a claim, roles in `realm_access`, service accounts for machines."""
    roles = list(facts.profile.get("roles", []))
    claims = facts.lifetime | {
        "jti": f"{'trrtcc' if facts.is_machine else 'onrtac'}:{facts.jti}",
        "sub": facts.object_id if facts.is_machine else facts.sub,
        **facts.aud,
        "typ": "Bearer",
        "azp": facts.client_id,
        "allowed-origins": ["*"],
        "realm_access": {"roles": ["offline_access", "uma_authorization", *roles]},
        "resource_access": {"account": {"roles": ["manage-account", "view-profile"]}},
        "scope": facts.scope,
    }
    if not facts.is_machine:
        return claims | _login_of(facts) | {"sid": facts.sid, "acr": facts.acr or "1"} | dict(facts.profile)
    return claims | {
        "acr": "1",
        "client_id": facts.client_id,
        "clientHost": "192.0.2.1",
        "clientAddress": "192.0.2.1",
        "preferred_username": f"service-account-{facts.client_id}",
    }


def _keycloak_lightweight(facts: AccessTokenFacts) -> Claims:
    """Keycloak's lightweight tokens: no user, no audience, no roles; introspection has them."""
    kept = ("iss", "iat", "exp", "jti", "typ", "azp", "sid", "scope")
    return {name: value for name, value in _keycloak(facts).items() if name in kept}


def _auth0(facts: AccessTokenFacts) -> Claims:
    """Auth0's own profile: `azp`, `gty` for machines, the userinfo endpoint as a second audience."""
    if facts.is_machine:
        machine = {"sub": f"{facts.client_id}@clients", **facts.aud, "scope": facts.scope}
        return facts.lifetime | machine | {"gty": "client-credentials", "azp": facts.client_id}
    claims = facts.lifetime | {"sub": facts.sub, **facts.aud, "scope": facts.scope, "azp": facts.client_id}
    if "openid" in facts.scopes and isinstance(facts.audience, str):
        claims["aud"] = [facts.audience, f"{facts.issuer.rstrip('/')}/userinfo"]
    own_scopes = [scope for scope in facts.scopes if scope not in IDENTITY_SCOPES]
    return claims | {"permissions": own_scopes} | dict(facts.profile)


def _okta(facts: AccessTokenFacts) -> Claims:
    """Okta's custom authorization servers: `cid`, and the scopes as a list in `scp`."""
    claims = facts.lifetime | {"ver": 1, "jti": f"AT.{facts.jti}", **facts.aud, "cid": facts.client_id}
    claims |= {"scp": list(facts.scopes), "sub": facts.sub}
    if facts.is_machine:
        return claims
    return claims | {"uid": f"00u{facts.object_id[:8]}", "auth_time": facts.auth_time} | dict(facts.profile)


def _entra(facts: AccessTokenFacts) -> Claims:
    """Microsoft Entra ID v2.0: `azp`, the API's scopes in `scp`; `roles` and `idtyp` for machines."""
    return _entra_claims(facts) | {"ver": "2.0", "azp": facts.client_id, "azpacr": "1"}


def _entra_v1(facts: AccessTokenFacts) -> Claims:
    """Microsoft Entra ID v1.0: `appid` instead of `azp`."""
    return _entra_claims(facts) | {"ver": "1.0", "appid": facts.client_id, "appidacr": "1"}


def _entra_claims(facts: AccessTokenFacts) -> Claims:
    claims = facts.lifetime | {
        "nbf": facts.issued_at,
        **facts.aud,
        "tid": _tenant_in(facts.issuer),
        "oid": facts.object_id,
    }
    claims |= {"uti": facts.jti, "rh": "0.AAAA"}
    own_scopes = [scope for scope in facts.scopes if scope not in IDENTITY_SCOPES]
    if facts.is_machine:
        return claims | {"sub": facts.object_id, "idtyp": "app", "roles": own_scopes}
    return claims | {"sub": facts.sub, "scp": " ".join(own_scopes)} | dict(facts.profile)


def _tenant_in(issuer: str) -> str:
    """Return the tenant whose id is in the issuer's URL; for another URL, one that is made of it."""
    found = re.search(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", issuer)
    return found[0] if found else str(uuid.uuid5(NAMESPACE, issuer))


def _cognito(facts: AccessTokenFacts) -> Claims:
    """Amazon Cognito: `token_use`, and an audience only where a resource was bound to the token."""
    claims = facts.lifetime | {"sub": facts.sub, **facts.aud, "client_id": facts.client_id, "token_use": "access"}
    claims |= {"version": 2, "scope": facts.scope, "auth_time": facts.auth_time, "jti": facts.jti}
    if facts.is_machine:
        return claims
    roles = list(facts.profile.get("roles", []))
    groups = {"cognito:groups": roles} if roles else {}
    return claims | {"username": facts.sub, "origin_jti": facts.jti} | groups


def _login_of(facts: AccessTokenFacts) -> Claims:
    """Return the claims about the login (RFC 9068 §2.2.1); none for a machine."""
    if facts.is_machine:
        return {}
    return {"auth_time": facts.auth_time} | ({} if facts.acr is None else {"acr": facts.acr})


# By name: the `typ` of the header (`None` for none), and the claims.
STYLES: Mapping[str, tuple[str | None, Callable[[AccessTokenFacts], Claims]]] = {
    "rfc9068": ("at+jwt", _rfc9068),
    "keycloak": ("JWT", _keycloak),
    "keycloak-lightweight": ("JWT", _keycloak_lightweight),
    "auth0": ("JWT", _auth0),
    "okta": (None, _okta),
    "entra": ("JWT", _entra),
    "entra-v1": ("JWT", _entra_v1),
    "cognito": (None, _cognito),
}

# A style whose tokens tell less than introspection does, and the style of the full claims.
FULL_STYLES: Mapping[str, AccessTokenStyle] = {"keycloak-lightweight": "keycloak"}


def check_style(style: str) -> None:
    """Raise `ValueError` for a style that does not exist."""
    if style not in STYLES:
        raise ValueError(f"unknown style {style!r}; expected one of: {', '.join(get_args(AccessTokenStyle))}")
