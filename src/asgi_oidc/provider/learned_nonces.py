"""The nonces that servers have supplied for our DPoP proofs (RFC 9449 §8.2)."""

from collections import OrderedDict
from collections.abc import Mapping

from asgi_oidc.protocol.dpop.server_nonces import read_nonce

MAX_ORIGINS = 1000  # servers; the least recently used are forgotten, which costs them one more call


class LearnedNonces:
    """The newest nonce of each server, by its origin: RFC 9449 has no narrower scope.

    It saves the call that would only find out the nonce. An attempt that is repeated takes the nonce of the answer that
    demanded it, never that of a parallel call.
    """

    __slots__ = ("_nonces",)

    def __init__(self) -> None:
        self._nonces: OrderedDict[str, str] = OrderedDict()

    def find(self, origin: str) -> str | None:
        """Return the newest nonce of a server; None if it has supplied none."""
        nonce = self._nonces.get(origin)
        if nonce is not None:
            self._nonces.move_to_end(origin)
        return nonce

    def learn(self, origin: str, headers: Mapping[str, str]) -> None:
        """Remember the nonce of an answer, if it has a usable one.

        Args:
            headers: by lower-case name.
        """
        nonce = read_nonce(headers)
        if nonce is None:
            return
        self._nonces[origin] = nonce
        self._nonces.move_to_end(origin)
        while len(self._nonces) > MAX_ORIGINS:
            self._nonces.popitem(last=False)
