"""Tells a client what is wrong with its proof: the challenge for each code (RFC 9449 §7.1, RFC 8705 §3)."""

from typing import NamedTuple

from asgi_oidc.bearer.challenges import (
    INVALID_DPOP_PROOF,
    INVALID_TOKEN,
    USE_DPOP_NONCE,
    Challenges,
    Header,
    Scheme,
)
from asgi_oidc.errors import ProofRejected


class ProofChallenge(NamedTuple):
    """The error of a challenge, and its description: a fixed text."""

    error: str
    description: str


_PROOF = ProofChallenge(INVALID_DPOP_PROOF, "The DPoP proof is not valid for this request, token and time")
_CERTIFICATE = ProofChallenge(INVALID_TOKEN, "The token is bound to another client certificate, or none was sent")
_BY_CODE = {
    "dpop_missing": ProofChallenge(INVALID_DPOP_PROOF, "The token is bound to a key: send a proof in the header DPoP"),
    "dpop_nonce": ProofChallenge(USE_DPOP_NONCE, "The DPoP proof has to repeat the nonce in the header DPoP-Nonce"),
    "dpop_replayed": ProofChallenge(INVALID_DPOP_PROOF, "The DPoP proof was used before: make one for each request"),
    "dpop_key_mismatch": ProofChallenge(INVALID_TOKEN, "The token is bound to another key than that of the DPoP proof"),
    "dpop_scheme": ProofChallenge(INVALID_TOKEN, "The token is bound to a key: send it with the scheme DPoP"),
    "dpop_unbound": ProofChallenge(INVALID_TOKEN, "The token is not bound to a key: send it with the scheme Bearer"),
    "dpop_required": ProofChallenge(INVALID_TOKEN, "This API accepts only tokens that are bound to a key"),
    "client_certificate_required": ProofChallenge(
        INVALID_TOKEN, "This API accepts only tokens that are bound to a client certificate"
    ),
}


def proof_challenges(error: ProofRejected, challenges: Challenges, *, scheme: Scheme) -> list[Header]:
    """Return the challenges to a client whose proof is refused.

    Args:
        scheme: with which the token was sent.
    """
    default = _PROOF if error.code.startswith("dpop_") else _CERTIFICATE
    challenge = _BY_CODE.get(error.code, default)
    refused = challenges.token_refused(challenge.description, scheme=scheme, error=challenge.error)
    is_offered = error.code == "dpop_scheme" and not challenges.requires_dpop
    return [refused, challenges.dpop_offered()] if is_offered else [refused]
