"""Issues the nonces that DPoP proofs have to repeat, and checks their age (RFC 9449 §8, §9).

A nonce is the sealed time of its issue. So nothing is kept, and all processes that share the secret accept it.
"""

from collections.abc import Callable

from asgi_oidc.protocol.dpop.check_proof import MAX_NONCE_LENGTH
from asgi_oidc.sessions.sealing import Sealer

NONCE_LIFETIME = 300  # seconds
RENEWAL_AGE = 120  # seconds; from then on, each response brings a new one, so that no request is refused for its age

_NAME = "dpop"  # of all nonces: they differ from other sealed values by their kind
_LENGTH = 8  # bytes of the time of issue


class DPoPNonces:
    """The nonces of one host."""

    __slots__ = ("_leeway", "_now", "_sealer")

    def __init__(self, sealer: Sealer, *, leeway: int, now: Callable[[], int]) -> None:
        """Set up nonces.

        Args:
            leeway: seconds by which the clocks of the processes may differ.
        """
        self._sealer = sealer
        self._leeway = leeway
        self._now = now

    def make(self) -> str:
        """Return a new nonce."""
        return self._sealer.seal("nonce", _NAME, self._now().to_bytes(_LENGTH, "big"))

    def is_valid(self, nonce: str | None) -> bool:
        """Return whether a nonce is one of ours, and has not expired."""
        age = self._age(nonce)
        return age is not None and -self._leeway <= age < NONCE_LIFETIME + self._leeway

    def is_renewal_due(self, nonce: str | None) -> bool:
        """Return whether the response should bring a new nonce."""
        age = self._age(nonce)
        return age is None or age >= RENEWAL_AGE

    def _age(self, nonce: str | None) -> int | None:
        """Return the seconds since a nonce was issued; None if it is not one of ours."""
        if nonce is None or len(nonce) > MAX_NONCE_LENGTH:
            return None
        issued_at = self._sealer.open("nonce", _NAME, nonce)
        return None if issued_at is None else self._now() - int.from_bytes(issued_at, "big")
