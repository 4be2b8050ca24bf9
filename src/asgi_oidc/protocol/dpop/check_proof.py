"""Checks DPoP proofs: the sender of a request has the key that its access token is bound to (RFC 9449 §4.3, §7)."""

import re
from dataclasses import dataclass, field
from hmac import compare_digest

from asgi_oidc.errors import ProofRejected, TokenRejected
from asgi_oidc.protocol.claims import Claims, check_lifetime, read_instant, same
from asgi_oidc.protocol.dpop.proof_format import PROOF_TYPE, access_token_hash
from asgi_oidc.protocol.jose import OwnKeyProof, verify_proof_with_its_own_key
from asgi_oidc.protocol.signature_algorithms import KEY_OF_ALGORITHM

PROOF_ALGORITHMS = tuple(KEY_OF_ALGORITHM)
MAX_PROOF_LENGTH = 16_384  # characters; with a long URL and a large RSA key it has a few thousand
PROOF_LIFETIME = 60  # seconds since it was made; a client makes one for each request
MAX_JTI_LENGTH = 255  # characters
MAX_NONCE_LENGTH = 512  # characters; ours are much shorter
CHECK_THE_CLOCKS = "check the clocks of this server and of the client"

_URL = re.compile(r"(?i:(https?|wss?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{0,5}))?)(/[!-~]*)?")
_WEBSOCKET_SCHEMES = {"ws": "http", "wss": "https"}
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, slots=True)
class ExpectedProof:
    """The request that a proof has to be made for, and the token that it has to belong to.

    Attributes:
        method: as received, such as "GET"; "GET" for the handshake of a websocket.
        origin: of the middleware's own URL, as browsers write it; never from a header.
        path: percent-encoded, as the client requested it.
        is_websocket: whether `ws` and `wss` may stand for `http` and `https`.
        access_token: as it was sent.
        jkt: the thumbprint of the key that the token is bound to (RFC 9449 §6.1).
    """

    method: str
    origin: str
    path: str = field(repr=False)
    access_token: str = field(repr=False)
    jkt: str = field(repr=False)
    is_websocket: bool = False


@dataclass(frozen=True, slots=True)
class DPoPProof:
    """A proof that is good, except that it may have been used before.

    Attributes:
        jti: its id, which the client uses once for each key.
        nonce: the server's nonce that it repeats; None if it has none. It is not checked yet.
    """

    jkt: str = field(repr=False)
    jti: str = field(repr=False)
    nonce: str | None = field(repr=False)


def check_dpop_proof(proof: str, expected: ExpectedProof, *, now: int, leeway: int) -> DPoPProof:
    """Check a DPoP proof; whether it was used before, and its nonce, are for the caller to check.

    Args:
        proof: the value of the only `DPoP` header.
        now: seconds since the epoch.
        leeway: seconds of clock skew allowed.

    Raises:
        ProofRejected: the code names what is wrong. No text of the proof is in it.

    Source: RFC 9449 §4.3 (2 to 9, 11, 12), §7.1.
    """
    if len(proof) > MAX_PROOF_LENGTH:
        raise ProofRejected("dpop_malformed", f"expected at most {MAX_PROOF_LENGTH} characters")

    def check(thumbprint: str, claims: Claims) -> None:
        _check_key(thumbprint, expected)
        _check_request(claims, expected)
        _check_times(claims, now=now, leeway=leeway)
        if not same(claims.get("ath"), access_token_hash(expected.access_token)):
            raise ProofRejected("dpop_ath", "ath is missing, or the hash of another token")
        if not _is_text(claims.get("jti"), MAX_JTI_LENGTH):
            raise ProofRejected("dpop_jti", f"expected jti to be text of 1 to {MAX_JTI_LENGTH} characters")
        if "nonce" in claims and not _is_text(claims["nonce"], MAX_NONCE_LENGTH):
            raise ProofRejected("dpop_malformed", f"expected nonce to be text of 1 to {MAX_NONCE_LENGTH} characters")

    try:
        return _read(verify_proof_with_its_own_key(proof, typ=PROOF_TYPE, check=check))
    except ProofRejected:
        raise
    except TokenRejected as error:
        is_date = error.code in ("claim_iat", "claim_exp", "claim_nbf")
        raise ProofRejected("dpop_iat" if is_date else "dpop_malformed", error.detail) from error


def _read(verified: OwnKeyProof) -> DPoPProof:
    nonce = verified.claims.get("nonce")
    return DPoPProof(verified.thumbprint, str(verified.claims["jti"]), None if nonce is None else str(nonce))


def _check_key(thumbprint: str, expected: ExpectedProof) -> None:
    if not compare_digest(thumbprint.encode(), expected.jkt.encode("utf-8", "replace")):
        raise ProofRejected("dpop_key_mismatch", "the proof was made with another key than the token is bound to")


def _check_request(claims: Claims, expected: ExpectedProof) -> None:
    if not same(claims.get("htm"), expected.method):
        raise ProofRejected("dpop_htm", "htm is missing, or another method than that of the request")
    htu = claims.get("htu")
    target = expected.origin + _normalize_path(expected.path or "/")
    if not isinstance(htu, str) or normalize_htu(htu, is_websocket=expected.is_websocket) != target:
        raise ProofRejected("dpop_htu", f"htu is missing, or another URL than that of the request at {expected.origin}")


def _check_times(claims: Claims, *, now: int, leeway: int) -> None:
    issued_at = read_instant(claims, "iat")
    if issued_at > now + leeway:
        ahead = int(issued_at - now)
        raise ProofRejected("dpop_iat", f"the proof was made {ahead} s in the future: {CHECK_THE_CLOCKS}")
    if issued_at <= now - leeway - PROOF_LIFETIME:
        age = int(now - issued_at)
        detail = f"the proof was made {age} s ago, expected at most {PROOF_LIFETIME} s: {CHECK_THE_CLOCKS}"
        raise ProofRejected("dpop_iat", detail)
    check_lifetime(claims, now=now, leeway=leeway)  # exp and nbf are not needed, but count if they are there


def normalize_htu(htu: str, *, is_websocket: bool) -> str | None:
    """Return a URL without query and fragment in the one spelling that is compared; None if it is not such a URL.

    Scheme and host are in lower case, and the default port is left out. Escapes are in upper case, and unreserved
    characters are not escaped. Segments such as `..` stay as they are: servers differ in what they make of them.

    Source: RFC 9449 §4.3 (9); RFC 3986 §6.2.2, §6.2.3.
    """
    found = _URL.fullmatch(htu.partition("#")[0].partition("?")[0])
    if found is None:
        return None
    scheme, host, port = found[1].lower(), found[2].lower(), found[3]
    if is_websocket:
        scheme = _WEBSOCKET_SCHEMES.get(scheme, scheme)
    if scheme not in _DEFAULT_PORTS:
        return None
    port = f":{port}" if port and port != _DEFAULT_PORTS[scheme] else ""
    return f"{scheme}://{host}{port}{_normalize_path(found[4] or '/')}"


def _normalize_path(path: str) -> str:
    return _ESCAPE.sub(_normalize_escape, path) if "%" in path else path


def _normalize_escape(escape: re.Match[str]) -> str:
    char = chr(int(escape[1], 16))
    return char if char in _UNRESERVED else escape[0].upper()


def _is_text(claim: object, max_length: int) -> bool:
    return isinstance(claim, str) and 1 <= len(claim) <= max_length
