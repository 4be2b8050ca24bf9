"""An access token as it is sent to an API, with a DPoP proof if it is bound to a key (RFC 6750 §2.1, RFC 9449 §7)."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from asgi_oidc.protocol.dpop.make_proof import read_dpop_key
from asgi_oidc.protocol.token_endpoint import BEARER, DPOP
from asgi_oidc.provider.learned_nonces import LearnedNonces

JTI_BYTES = 16  # random bytes; an API refuses a proof whose id it has seen


@dataclass(frozen=True, slots=True)
class ApiToken:
    """An access token whose repr is empty: error reporters print the values of arguments and variables.

    Attributes:
        dpop_key: the private key that it is bound to, as `read_dpop_key` reads it; empty for a bearer token.
    """

    value: str = field(repr=False)
    dpop_key: str = field(default="", repr=False)

    @property
    def scheme(self) -> str:
        """The scheme of the `Authorization` header."""
        return DPOP if self.dpop_key else BEARER


class ApiCalls:
    """Makes the headers of calls to APIs. The nonces of APIs are shared by all users of this process.

    An API learns nothing about other users from that: it has supplied the nonce itself.
    """

    __slots__ = ("_nonces", "_now")

    def __init__(self, *, now: Callable[[], int]) -> None:
        """Know no nonce yet; `now` returns seconds since the epoch."""
        self._nonces = LearnedNonces()
        self._now = now

    def learn(self, origin: str, headers: Mapping[str, str]) -> None:
        """Remember the nonce of an API, if its response has a usable one; names of headers are in lower case."""
        self._nonces.learn(origin, headers)

    def nonce(self, origin: str) -> str | None:
        """Return the newest nonce of an API; None if it has supplied none."""
        return self._nonces.find(origin)

    def proof(self, token: ApiToken, method: str, url: str, *, nonce: str | None) -> str | None:
        """Return the proof for one request; None for a bearer token.

        Args:
            url: with its query, which is left out of the proof.

        Raises:
            OIDCError: the key cannot be read.
        """
        key = read_dpop_key(token.dpop_key)
        if key is None:
            return None
        jti = secrets.token_urlsafe(JTI_BYTES)
        return key.proof(method, url, now=self._now(), jti=jti, access_token=token.value, nonce=nonce)
