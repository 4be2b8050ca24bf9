"""What the fake provider remembers: sign-ins, and the codes and tokens that it has issued."""

import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .accounts import Persona
from .authorization_details import Detail
from .dpop_nonces import NonceIssuer
from .pushed_requests import PushedRequest
from .registrations import Registration

CODE_LIFETIME = 60  # seconds; RFC 6749 §4.1.2 recommends at most ten minutes, real providers use about one


@dataclass(frozen=True)
class SignIn:
    """A session at the provider: one user in one browser."""

    persona: Persona
    auth_time: int
    sid: str = field(default_factory=lambda: secrets.token_urlsafe(12))


@dataclass(frozen=True)
class Grant:
    """What a user has granted to a client: one code, and all tokens that follow from it."""

    sign_in: SignIn
    client_id: str
    scopes: tuple[str, ...]
    nonce: str | None = None
    acr: str | None = None
    redirect_uri: str = ""
    code_challenge: str = ""
    made_at: int = 0
    resources: tuple[str, ...] = ()
    """The resources that the login named (RFC 8707)."""
    authorization_details: tuple[Detail, ...] = ()
    """What was granted in detail (RFC 9396)."""
    params: Mapping[str, str] = field(default_factory=dict)
    """The parameters of the authorization request."""
    is_machine: bool = False
    """Whether the client acts for itself (`client_credentials`): then the persona is the client."""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))


@dataclass(frozen=True)
class Token:
    """One access token or refresh token, as the provider knows it."""

    grant: Grant
    scopes: tuple[str, ...]
    audience: tuple[str, ...] = ()
    expires_at: int | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Of an access token: the claims with which it was issued; an opaque one tells them by introspection."""
    cnf: Mapping[str, str] = field(default_factory=dict)
    """What it is bound to: `jkt` of a DPoP key (RFC 9449 §6.1), `x5t#S256` of a certificate (RFC 8705 §3.1)."""
    is_forged: bool = False
    """Whether a fault has changed header or signature of an access token, so that introspection does not know it."""


@dataclass(frozen=True)
class TokenInfo:
    """What a test can learn about a token; for an unknown token, `active` is false and the rest is empty."""

    active: bool = False
    """Whether it is neither expired nor used up nor revoked."""
    sub: str = ""
    client_id: str = ""
    scopes: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    """The resources (RFC 8707) and audiences (RFC 8693) that it is for; empty if none was named."""
    expires_at: int | None = None
    """Seconds since the epoch; `None` if it does not expire."""


@dataclass(frozen=True)
class DueLogout:
    """A client to which a logout token must still be sent."""

    client_id: str
    sub: str
    sid: str | None
    """`None` for all sessions of the user."""


@dataclass
class Memory:
    """Codes, tokens and sessions, each by its random value."""

    codes: dict[str, Grant] = field(default_factory=dict)
    used: dict[str, Grant] = field(default_factory=dict)
    """Codes and refresh tokens that were used up; if one is sent again, it was stolen."""
    access_tokens: dict[str, Token] = field(default_factory=dict)
    refresh_tokens: dict[str, Token] = field(default_factory=dict)
    id_tokens: dict[str, Grant] = field(default_factory=dict)
    sign_ins: dict[str, SignIn] = field(default_factory=dict)
    """By the value of the session cookie."""
    reached: dict[str, list[str]] = field(default_factory=dict)
    """By the `sid` of an active session: the clients that got codes from it, each once, oldest first."""
    revoked_grants: set[str] = field(default_factory=set)
    registrations: dict[str, Registration] = field(default_factory=dict)
    """By client_id: the clients that registered themselves."""
    document_clients: set[str] = field(default_factory=set)
    """The clients whose metadata document was fetched."""
    assertion_ids: set[tuple[str, str]] = field(default_factory=set)
    """(client_id, jti) of the client assertions that were accepted."""
    proof_ids: set[str] = field(default_factory=set)
    """`jti` of the DPoP proofs that were seen."""
    nonces: defaultdict[str, NonceIssuer] = field(default_factory=lambda: defaultdict(NonceIssuer))
    """By the server that demands them in DPoP proofs."""
    pushed_requests: dict[str, PushedRequest] = field(default_factory=dict)
    """By `request_uri`."""
    client_keys: dict[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """By client_id: the keys that were fetched from the `jwks_uri`."""

    def keep_code(self, code: str, grant: Grant) -> None:
        """Remember a code that is issued, and that the client has now a part in the session."""
        self.codes[code] = grant
        client_ids = self.reached.setdefault(grant.sign_in.sid, [])
        if grant.client_id not in client_ids:
            client_ids.append(grant.client_id)

    def revoke(self, grant: Grant) -> None:
        """Revoke all tokens of this grant, also those that are issued later (RFC 9700 §4.14.2)."""
        self.revoked_grants.add(grant.id)

    def end_client_session(self, grant: Grant) -> None:
        """Revoke all grants of one session to one client, which then gets no logout token for it any more."""
        tokens = (*self.access_tokens.values(), *self.refresh_tokens.values())
        for other in (*self.codes.values(), *(token.grant for token in tokens)):
            if (other.sign_in.sid, other.client_id) == (grant.sign_in.sid, grant.client_id):
                self.revoke(other)
        self.codes = {code: other for code, other in self.codes.items() if other.id not in self.revoked_grants}
        self.reached[grant.sign_in.sid] = [
            client_id for client_id in self.reached.get(grant.sign_in.sid, []) if client_id != grant.client_id
        ]

    def live_access_token(self, name: str, *, now: int) -> Token | None:
        """Return an access token if it is valid, else None."""
        return self._if_live(self.access_tokens.get(name), now)

    def live_refresh_token(self, name: str, *, now: int) -> Token | None:
        """Return a refresh token if it is valid, else None."""
        return None if name in self.used else self._if_live(self.refresh_tokens.get(name), now)

    def _if_live(self, token: Token | None, now: int) -> Token | None:
        if token is None or token.grant.id in self.revoked_grants:
            return None
        return token if token.expires_at is None or now < token.expires_at else None

    def info(self, name: str, *, now: int) -> TokenInfo:
        """Describe an access token or a refresh token."""
        token = self.access_tokens.get(name) or self.refresh_tokens.get(name)
        if token is None:
            return TokenInfo()
        valid = self.live_access_token(name, now=now) or self.live_refresh_token(name, now=now)
        grant = token.grant
        return TokenInfo(
            valid is not None,
            grant.sign_in.persona.sub,
            grant.client_id,
            token.scopes,
            token.audience,
            token.expires_at,
        )

    def end_session(self, sid: str) -> list[str]:
        """End a session at the provider; return the clients that had a part in it."""
        self.sign_ins = {value: sign_in for value, sign_in in self.sign_ins.items() if sign_in.sid != sid}
        return self.reached.pop(sid, [])


def id_token_claims(grant: Grant, *, now: int, lifetime: int, with_profile: bool) -> dict[str, Any]:
    """Return the claims of a grant's ID Token, except `iss` and `at_hash` (OpenID Connect Core §2)."""
    claims: dict[str, Any] = {
        "sub": grant.sign_in.persona.sub,
        "aud": grant.client_id,
        "iat": now,
        "exp": now + lifetime,
        "auth_time": grant.sign_in.auth_time,
        "sid": grant.sign_in.sid,
    }
    if grant.nonce is not None:
        claims["nonce"] = grant.nonce
    if grant.acr is not None:
        claims["acr"] = grant.acr
    return claims | (grant.sign_in.persona.claims_for(grant.scopes) if with_profile else {})


def overridden(claims: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Replace claims; the value `...` removes one."""
    return {name: value for name, value in {**claims, **overrides}.items() if value is not ...}
