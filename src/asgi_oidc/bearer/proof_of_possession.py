"""Checks that a token comes from the client that it was issued to: by a DPoP proof or a TLS client certificate.

A token that is bound to a key or a certificate is worth nothing without it, so each request with one is checked here:
also if the token itself was seen before (RFC 9449 §7, RFC 8705 §3).
"""

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest

from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.bearer.authorization_header import PresentedToken
from asgi_oidc.bearer.challenges import DPOP
from asgi_oidc.bearer.client_certificates import ClientCertificates
from asgi_oidc.bearer.dpop_nonces import DPoPNonces
from asgi_oidc.bearer.used_proofs import UsedProofs
from asgi_oidc.errors import ProofRejected
from asgi_oidc.protocol.bearer_token import AccessToken
from asgi_oidc.protocol.confirmation import Confirmation
from asgi_oidc.protocol.dpop.check_proof import DPoPProof, ExpectedProof, check_dpop_proof
from asgi_oidc.web.paths import MAX_PATH_LENGTH
from asgi_oidc.web.request import Request

DPOP_HEADER = b"dpop"


@dataclass(frozen=True, slots=True, repr=False)
class ProofsOfPossession:
    """Checks the proofs of the requests of one host.

    Attributes:
        origin: of this host, as browsers write it.
        nonces: None if proofs need none.
        requires_key, requires_certificate: whether tokens that are bound to none are refused.
        leeway: seconds of clock skew allowed.
    """

    origin: str
    used_proofs: UsedProofs
    certificates: ClientCertificates
    nonces: DPoPNonces | None
    requires_key: bool
    requires_certificate: bool
    leeway: int
    now: Callable[[], int]

    def are_needed(self, token: AccessToken, presented: PresentedToken) -> bool:
        """Return whether `check` has to be called for each request with this token."""
        is_required = self.requires_key or self.requires_certificate
        return is_required or token.confirmation is not None or presented.scheme == DPOP

    async def check(self, request: Request, token: ActiveToken, presented: PresentedToken) -> None:
        """Check the proofs of one request.

        Raises:
            ProofRejected: a proof is missing or wrong.
            StoreUnavailable: it cannot be told whether the proof was used before.
        """
        confirmation = token.access_token.confirmation or Confirmation()
        self._check_certificate(request, confirmation.x5t_s256)
        self._check_scheme(confirmation.jkt, presented)
        if confirmation.jkt is not None:
            await self._check_dpop(request, token, presented, confirmation.jkt)

    def _check_certificate(self, request: Request, expected: str | None) -> None:
        if expected is None:
            if self.requires_certificate:
                raise ProofRejected("client_certificate_required", "the token is not bound to a certificate")
            return
        thumbprint = self.certificates.thumbprint_of(request.scope)
        if thumbprint is None:
            raise ProofRejected("client_certificate_missing", self.certificates.why_missing(request.scope))
        if not compare_digest(thumbprint, expected):
            raise ProofRejected("client_certificate_mismatch", "the token is bound to another certificate")

    def _check_scheme(self, jkt: str | None, presented: PresentedToken) -> None:
        if jkt is not None and presented.scheme != DPOP:
            raise ProofRejected("dpop_scheme", "the token is bound to a key, but was sent as a plain Bearer token")
        if jkt is None and presented.scheme == DPOP:
            raise ProofRejected("dpop_unbound", "the token was sent as a DPoP token, but is bound to no key")
        if jkt is None and self.requires_key:
            raise ProofRejected("dpop_required", "the token is not bound to a key")

    async def _check_dpop(self, request: Request, token: ActiveToken, presented: PresentedToken, jkt: str) -> None:
        values = request.values(DPOP_HEADER)
        if not values:
            raise ProofRejected("dpop_missing", "expected a DPoP header")
        if len(values) > 1:
            raise ProofRejected("dpop_repeated", f"expected one DPoP header, got {len(values)}")
        if request.path.is_too_long:  # what stands for it is the path of another request
            raise ProofRejected("dpop_htu", f"the path has more than {MAX_PATH_LENGTH} characters: it is not compared")
        expected = ExpectedProof(
            method=request.method,
            origin=self.origin,
            path=request.path.external,
            access_token=presented.token,
            jkt=jkt,
            is_websocket=request.is_websocket,
        )
        proof = check_dpop_proof(values[0].decode("latin-1"), expected, now=self.now(), leeway=self.leeway)
        self._check_nonce(request, proof)
        # Last, because nothing that is not good may be remembered.
        if not await self.used_proofs.add(proof, token.user_id):
            raise ProofRejected("dpop_replayed", "the proof was used before")

    def _check_nonce(self, request: Request, proof: DPoPProof) -> None:
        if self.nonces is None:
            return
        is_valid = self.nonces.is_valid(proof.nonce)
        if not is_valid or self.nonces.is_renewal_due(proof.nonce):
            request.dpop_nonce = self.nonces.make()
        if not is_valid:
            raise ProofRejected("dpop_nonce", "the proof repeats no nonce of this server, or an old one")
