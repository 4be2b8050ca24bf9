"""Reads the nonces that a server supplies for the proofs that we make (RFC 9449 §8, §9)."""

import re
from collections.abc import Mapping

from asgi_oidc.errors import AnswerRejected

NONCE_HEADER = "dpop-nonce"
USE_DPOP_NONCE, INVALID_DPOP_PROOF = "use_dpop_nonce", "invalid_dpop_proof"
MAX_NONCE_LENGTH = 1024  # characters; it is sent back with each call, and those of real servers have about 50
MAX_CHALLENGES_LENGTH = 4096  # characters of `WWW-Authenticate` that are read

# `NQCHAR` (RFC 9449 §8.1). Two headers with a nonce are joined by a comma and a space, which is no nonce.
_CHALLENGE_ERROR = re.compile(r'(?:^|[\s,])error="([a-z_]{1,40})"')
_NONCE = re.compile(r"[!#-\[\]-~]+")


def read_nonce(headers: Mapping[str, str]) -> str | None:
    """Return the nonce that an answer supplies; None if it supplies none that can be used."""
    nonce = headers.get(NONCE_HEADER, "")
    return nonce if len(nonce) <= MAX_NONCE_LENGTH and _NONCE.fullmatch(nonce) else None


def read_demanded_nonce(headers: Mapping[str, str], *, sent: str | None, source: str, status: int) -> str:
    """Return the nonce with which a call has to be repeated.

    Args:
        headers: of an answer with the error `use_dpop_nonce`.
        sent: the nonce of the proof that was refused.
        source: who demands it, for the log.
        status: of the answer.

    Raises:
        AnswerRejected: there is no nonce that could help.
    """
    demand = f"{source} requires a nonce in the DPoP proof (use_dpop_nonce, status {status})"
    if NONCE_HEADER not in headers:
        raise AnswerRejected("dpop_nonce_missing", f"{demand}, but its answer has no DPoP-Nonce", answer_status=status)
    nonce = read_nonce(headers)
    if nonce is None:
        detail = f"{demand}, but DPoP-Nonce is not one nonce of 1 to {MAX_NONCE_LENGTH} characters (RFC 9449 §8.1)"
        raise AnswerRejected("dpop_nonce_malformed", detail, answer_status=status)
    if nonce == sent:
        raise nonce_refused(source, status)
    return nonce


def read_challenge_errors(www_authenticate: str) -> frozenset[str]:
    """Return the errors in the challenges of an API, whatever their schemes (RFC 6750 §3, RFC 9449 §7.1)."""
    return frozenset(_CHALLENGE_ERROR.findall(www_authenticate[:MAX_CHALLENGES_LENGTH]))


def nonce_refused(source: str, status: int) -> AnswerRejected:
    """Make the error for a server that rejects the nonce that it has just supplied."""
    detail = f"{source} rejects the nonce that it has just supplied (use_dpop_nonce twice, status {status})"
    return AnswerRejected("dpop_nonce_refused", detail, answer_status=status)
