"""Binds tokens to the key of a DPoP proof, and checks the proofs, at the endpoints of the fake provider (RFC 9449)."""

from collections.abc import Callable, Mapping
from typing import Any

from ..dpop_proofs import NonceRequired, Proof, ProofRefused
from ..grants import Token
from ..provider_rules import ProviderRules
from ..strong_clients import NonceServer
from ..wire import Answer, Call, error_answer

Confirmation = Mapping[str, str]
"""The claim `cnf`: `jkt` is the thumbprint of a DPoP key (RFC 9449 §6.1), `x5t#S256` of a certificate
(RFC 8705 §3.1)."""


def answer_with_proof(provider: ProviderRules, call: Call, handle: Callable[[Confirmation], Answer]) -> Answer:
    """Check the proof of a call to the authorization server, if there is one, and answer with a nonce where due.

    Args:
        handle: Processes the call; it is not called if the proof is refused, so nothing is used up (§8).
    """
    try:
        proof = provider.proof_of(call, "authorization")
    except ProofRefused as refused:
        return with_nonce(provider, call, error_answer(refused.error, str(refused)), refused)
    return with_nonce(provider, call, handle({} if proof is None else {"jkt": proof.jkt}))


def why_not_proven(provider: ProviderRules, call: Call, token: Token) -> Answer | None:
    """Return the refusal of a userinfo call without the proof that its token needs; None if all is fine (§7)."""
    expected = token.cnf.get("jkt")
    if expected is None:
        return None
    try:
        access_token = call.headers["authorization"].partition(" ")[2]
        proof: Proof | None = provider.proof_of(call, "userinfo", access_token=access_token)
        if proof is None or proof.jkt != expected:
            raise ProofRefused("the proof must be by the key that the access token is bound to")
    except ProofRefused as refused:
        return with_nonce(provider, call, _challenge(refused, provider), refused, server="userinfo")
    return None


def with_nonce(
    provider: ProviderRules,
    call: Call,
    answer: Answer,
    refused: ProofRefused | None = None,
    *,
    server: NonceServer = "authorization",
) -> Answer:
    """Add the nonce that this answer has to tell."""
    is_nonce_error = isinstance(refused, NonceRequired)
    if provider.dpop_nonces == "never" or "dpop" not in call.headers:
        return answer
    if provider.dpop_nonces == "errors_only" and not is_nonce_error:
        return answer
    return answer.having(dpop_nonce=provider.new_nonce(server))


def with_token_type(members: Mapping[str, Any], cnf: Confirmation) -> dict[str, Any]:
    """Return the members of a token answer with the type of a token that is bound to this (§5)."""
    return dict(members) | ({"token_type": "DPoP"} if "jkt" in cnf else {})


def _challenge(refused: ProofRefused, provider: ProviderRules) -> Answer:
    """Return the answer of a resource server (§7.1, §9)."""
    algs = " ".join(provider.metadata.get("dpop_signing_alg_values_supported", ()))
    answer = error_answer(refused.error, str(refused), 401)
    return answer.having(www_authenticate=f'DPoP error="{refused.error}", algs="{algs}"')
