"""The nonces that the fake provider demands in DPoP proofs (RFC 9449 §8, §9)."""

import hashlib
import secrets
from typing import Literal

from .keys import base64url

DPoPNonces = Literal["never", "always", "every_answer", "errors_only"]
"""Which nonces a provider demands in DPoP proofs, and when it tells them."""


class NonceIssuer:
    """Issues the nonces of one server, and knows which are valid.

    A nonce of an interval is good in the next one as well, so that a client can learn the new one from an answer; with
    `errors_only`, it is not.
    """

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)
        self._unused: set[str] = set()

    def issue(self, mode: DPoPNonces, interval: int) -> str:
        """Return the nonce to send now.

        Args:
            interval: The number of the current interval.
        """
        if mode != "every_answer":
            return self._nonce_of(interval)
        nonce = secrets.token_urlsafe(16)
        self._unused.add(nonce)
        return nonce

    def accepts(self, mode: DPoPNonces, nonce: str, interval: int) -> bool:
        """Whether a proof with this nonce is accepted; this uses up a nonce of `every_answer`."""
        match mode:
            case "never":
                return True
            case "always":
                return nonce in (self._nonce_of(interval), self._nonce_of(interval - 1))
            case "errors_only":
                return nonce == self._nonce_of(interval)
            case "every_answer":
                is_known = nonce in self._unused
                self._unused.discard(nonce)
                return is_known

    def _nonce_of(self, interval: int) -> str:
        return base64url(hashlib.sha256(self._salt + str(interval).encode()).digest()[:16])
