"""Checks the DPoP proofs that clients send to the fake provider (RFC 9449 §4.3)."""

import hashlib
import urllib.parse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .jws import JWT, instant_of, is_signed_by_key, read_jwt, text_of
from .keys import base64url, json_bytes

MAX_AGE = 60  # seconds, in both directions: a client's clock may be wrong
PUBLIC_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}  # RFC 7638 §3.2
DEFAULT_PORTS = {"https": 443, "http": 80}


class ProofRefused(Exception):
    """A proof is missing or wrong; the message says why."""

    error = "invalid_dpop_proof"


class NonceRequired(ProofRefused):
    """The proof has no nonce of the provider that is still valid (§8)."""

    error = "use_dpop_nonce"


@dataclass(frozen=True)
class Proof:
    """A proof whose signature and claims are right, except for the nonce."""

    jkt: str
    """The thumbprint of its key (RFC 7638)."""
    jti: str
    nonce: str
    """Empty without one."""


@dataclass(frozen=True)
class ProvenCall:
    """What a proof has to be about."""

    method: str
    url: str
    now: int
    algs: Collection[str]
    access_token: str | None = None


def read_proof(proofs: Sequence[str], call: ProvenCall) -> Proof:
    """Return the proof of a call.

    Args:
        proofs: The values of its `DPoP` headers.

    Raises:
        ProofRefused: It is not one proof, or not for this call.
    """
    jwt = read_jwt(proofs[0]) if len(proofs) == 1 else None
    if jwt is None:
        raise ProofRefused("exactly one DPoP header with a signed JWT is needed")
    problem = _why_wrong_header(jwt, call) or _why_wrong_claims(jwt, call)
    if problem:
        raise ProofRefused(problem)
    return Proof(thumbprint_of(jwt.header["jwk"]), jwt.claims["jti"], text_of(jwt.claims, "nonce"))


def thumbprint_of(jwk: Mapping[str, Any]) -> str:
    """Return the thumbprint of a public key (RFC 7638 §3)."""
    members = {name: jwk.get(name) for name in PUBLIC_MEMBERS[jwk["kty"]]}
    return base64url(hashlib.sha256(json_bytes(members)).digest())


def access_token_hash(access_token: str) -> str:
    """Return `ath` of an access token (RFC 9449 §4.2)."""
    return base64url(hashlib.sha256(access_token.encode()).digest())


def _why_wrong_header(jwt: JWT, call: ProvenCall) -> str:
    jwk = jwt.header.get("jwk")
    if jwt.header.get("typ") != "dpop+jwt":
        return "typ must be dpop+jwt"
    if jwt.alg not in call.algs:
        return f"the algorithm {jwt.alg!r} is not allowed"
    if not isinstance(jwk, dict) or text_of(jwk, "kty") not in PUBLIC_MEMBERS:
        return "jwk must be a public key"
    if not set(jwk).isdisjoint(("d", "p", "q", "dp", "dq", "qi", "oth", "k")):
        return "jwk contains a private key"
    return "" if is_signed_by_key(jwt, jwk) else "the signature is not by the key in jwk"


def _why_wrong_claims(jwt: JWT, call: ProvenCall) -> str:
    claims = jwt.claims
    if not text_of(claims, "jti"):
        return "jti is missing"
    if claims.get("htm") != call.method:
        return f"htm must be {call.method}"
    if normalized(text_of(claims, "htu")) != normalized(call.url):
        return f"htu must be {call.url}"
    issued_at = instant_of(claims, "iat")
    if issued_at is None or abs(call.now - issued_at) > MAX_AGE:
        return f"iat must be within {MAX_AGE} seconds of now"
    if call.access_token is not None and claims.get("ath") != access_token_hash(call.access_token):
        return "ath must be the hash of the access token"
    return ""


def normalized(url: str) -> str:
    """Return a URL without query, fragment and default port, its host in lower case; empty if it is none."""
    try:
        split = urllib.parse.urlsplit(url)
        port = split.port
    except ValueError:
        return ""
    host = (split.hostname or "") + ("" if port in (None, DEFAULT_PORTS.get(split.scheme)) else f":{port}")
    return f"{split.scheme}://{host}{split.path or '/'}"
