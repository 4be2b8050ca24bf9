"""What the fake provider remembers: who is signed in there, and the codes and tokens that it gave out."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .accounts import Persona

CODE_LIFETIME = 60  # seconds; RFC 6749 §4.1.2 says at most ten minutes, real ones use about one


@dataclass(frozen=True)
class SignIn:
    """One person signed in at the provider, in one browser."""

    persona: Persona
    auth_time: int
    sid: str = field(default_factory=lambda: secrets.token_urlsafe(12))


@dataclass(frozen=True)
class Grant:
    """What one person let one client have, and all that follows from that one code."""

    sign_in: SignIn
    client_id: str
    scopes: tuple[str, ...]
    nonce: str | None = None
    acr: str | None = None
    redirect_uri: str = ""
    code_challenge: str = ""
    made_at: int = 0
    resources: tuple[str, ...] = ()
    """What the login named (RFC 8707)."""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))


@dataclass(frozen=True)
class Token:
    """One access token or refresh token, as the provider knows it."""

    grant: Grant
    scopes: tuple[str, ...]
    audience: tuple[str, ...] = ()
    expires_at: int | None = None


@dataclass(frozen=True)
class TokenInfo:
    """What a test may know of a token; one that the provider never gave out is not active and says nothing else."""

    active: bool = False
    """Neither expired nor used up nor revoked."""
    sub: str = ""
    client_id: str = ""
    scopes: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    """The resources (RFC 8707) and audiences (RFC 8693) that it is for; none when none was named."""
    expires_at: int | None = None
    """`None`: never."""


@dataclass(frozen=True)
class DueLogout:
    """One client that has still to hear, by back channel, that somebody signed out."""

    client_id: str
    sub: str
    sid: str | None
    """`None`: all sign-ins of the person."""


@dataclass
class Memory:
    """Codes, tokens and sessions by the random text that names them."""

    codes: dict[str, Grant] = field(default_factory=dict)
    used: dict[str, Grant] = field(default_factory=dict)
    """Codes and refresh tokens that were used up; to see one again means that it was stolen."""
    access_tokens: dict[str, Token] = field(default_factory=dict)
    refresh_tokens: dict[str, Token] = field(default_factory=dict)
    id_tokens: dict[str, Grant] = field(default_factory=dict)
    sign_ins: dict[str, SignIn] = field(default_factory=dict)
    """By the value of the cookie."""
    reached: dict[str, list[str]] = field(default_factory=dict)
    """By the `sid` of a sign-in that goes on: the clients that it gave codes to, each once, oldest first."""
    revoked_grants: set[str] = field(default_factory=set)

    def keep_code(self, code: str, grant: Grant) -> None:
        """Remember a code that is given out, and that its sign-in has reached this client."""
        self.codes[code] = grant
        client_ids = self.reached.setdefault(grant.sign_in.sid, [])
        if grant.client_id not in client_ids:
            client_ids.append(grant.client_id)

    def revoke(self, grant: Grant) -> None:
        """End all tokens that came from this grant, those still to come too (RFC 9700 §4.14.2)."""
        self.revoked_grants.add(grant.id)

    def end_client_session(self, grant: Grant) -> None:
        """End all that one sign-in gave to one client; the client does not hear of its end any more either."""
        tokens = (*self.access_tokens.values(), *self.refresh_tokens.values())
        for each in (*self.codes.values(), *(token.grant for token in tokens)):
            if (each.sign_in.sid, each.client_id) == (grant.sign_in.sid, grant.client_id):
                self.revoke(each)
        self.codes = {name: each for name, each in self.codes.items() if each.id not in self.revoked_grants}
        self.reached[grant.sign_in.sid] = [
            client_id for client_id in self.reached.get(grant.sign_in.sid, []) if client_id != grant.client_id
        ]

    def live_access_token(self, name: str, *, now: int) -> Token | None:
        """Find an access token that is good for something."""
        return self._if_live(self.access_tokens.get(name), now)

    def live_refresh_token(self, name: str, *, now: int) -> Token | None:
        """Find a refresh token that is good for something."""
        return None if name in self.used else self._if_live(self.refresh_tokens.get(name), now)

    def _if_live(self, token: Token | None, now: int) -> Token | None:
        if token is None or token.grant.id in self.revoked_grants:
            return None
        return token if token.expires_at is None or now < token.expires_at else None

    def info(self, name: str, *, now: int) -> TokenInfo:
        """Say what an access token or a refresh token is."""
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
        """Forget a sign-in at the provider, in whatever browser it is, and say which clients it had reached."""
        self.sign_ins = {name: it for name, it in self.sign_ins.items() if it.sid != sid}
        return self.reached.pop(sid, [])


def id_token_claims(grant: Grant, *, now: int, lifetime: int, with_profile: bool) -> dict[str, Any]:
    """Say what the ID Token of a grant claims, all but `iss` and `at_hash` (OpenID Connect Core §2)."""
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
    """Put claims in place of others; `...` takes one away."""
    return {name: value for name, value in {**claims, **overrides}.items() if value is not ...}
