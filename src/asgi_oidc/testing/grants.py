"""What the fake provider remembers: who is signed in there, and the codes and tokens that it gave out."""

import base64
import hashlib
import secrets
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .accounts import Client, Persona
from .wire import Call

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
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))


@dataclass
class Memory:
    """Codes, tokens and sessions by the random text that names them."""

    codes: dict[str, Grant] = field(default_factory=dict)
    used: dict[str, Grant] = field(default_factory=dict)
    """Codes and refresh tokens that were used up; to see one again means that it was stolen."""
    access_tokens: dict[str, tuple[Grant, int]] = field(default_factory=dict)
    """With the instant at which they expire."""
    refresh_tokens: dict[str, Grant] = field(default_factory=dict)
    id_tokens: dict[str, Grant] = field(default_factory=dict)
    sign_ins: dict[str, SignIn] = field(default_factory=dict)
    """By the value of the cookie."""

    def revoke(self, grant: Grant) -> None:
        """End all tokens that came from this grant (RFC 9700 §4.14.2)."""
        gone = grant.id
        self.access_tokens = {name: it for name, it in self.access_tokens.items() if it[0].id != gone}
        self.refresh_tokens = {name: it for name, it in self.refresh_tokens.items() if it.id != gone}

    def end_session(self, sid: str) -> None:
        """Forget a sign-in at the provider, in whatever browser it is."""
        self.sign_ins = {name: it for name, it in self.sign_ins.items() if it.sid != sid}


def read_client_credentials(call: Call) -> tuple[str, str, str]:
    """Say (method, client_id, client_secret) of a token call (RFC 6749 §2.3.1); empty where missing."""
    form = call.form
    scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return ("malformed", "", "")
        if not colon or "client_secret" in form:
            return ("malformed", "", "")
        return (
            "client_secret_basic",
            urllib.parse.unquote_plus(client_id),
            urllib.parse.unquote_plus(secret),
        )
    method = "client_secret_post" if "client_secret" in form else "none"
    return (method, form.get("client_id", ""), form.get("client_secret", ""))


def is_authentic(client: Client, method: str, secret: str) -> bool:
    """Say whether the client proved who it is, in a way that it is registered for."""
    if method not in client.allowed_auth_methods:
        return False
    return method == "none" or secrets.compare_digest(secret.encode(), (client.client_secret or "").encode())


def challenge_of(code_verifier: str) -> str:
    """Make the S256 challenge of a verifier (RFC 7636 §4.2)."""
    digest = hashlib.sha256(code_verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


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
