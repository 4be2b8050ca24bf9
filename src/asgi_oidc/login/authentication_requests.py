"""The parameter `ask` of the login URL: what a login must satisfy, sealed, so that only this site can write it."""

from dataclasses import dataclass

import msgspec

from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest
from asgi_oidc.sessions.sealing import Sealer

# A page with such a URL may stay open as long as its session, 12 hours by default. An older URL, such as from a browser
# history or a log, leads to a plain login; if the page needs more, its rule starts a step-up afterwards.
REQUEST_LIFETIME = 43_200  # seconds


class SealedRequest(msgspec.Struct, frozen=True, array_like=True):
    """The content of the parameter.

    Attributes:
        created_at: seconds since the epoch.
    """

    authentication: AuthenticationRequest
    created_at: int


_decoder = msgspec.msgpack.Decoder(SealedRequest)


@dataclass(frozen=True, slots=True)
class AuthenticationRequests:
    """Seals and opens the parameter `ask` of our login URL."""

    sealer: Sealer

    def write(self, authentication: AuthenticationRequest, *, now: int) -> str:
        """Return a sealed value for a URL."""
        return self.sealer.seal("ask", "ask", msgspec.msgpack.encode(SealedRequest(authentication, now)))

    def read(self, text: str, *, now: int) -> AuthenticationRequest:
        """Return the authentication request; a plain login if the value is not ours or too old."""
        data = self.sealer.open("ask", "ask", text)
        if data is None:
            return ANY_LOGIN
        try:
            sealed = _decoder.decode(data)
        except (ValueError, RecursionError):
            return ANY_LOGIN
        return sealed.authentication if abs(now - sealed.created_at) < REQUEST_LIFETIME else ANY_LOGIN
