"""How a login shall be done, sealed into the URL that starts it: nobody but this site can ask for anything."""

from dataclasses import dataclass

import msgspec

from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest
from asgi_oidc.sessions.sealing import Sealer

# A page with such a URL may stay open for as long as the session behind it, 12 hours by default. An old one, found in a
# history or a log, leads to a plain login: if the page needs more, its rule asks for that afterwards.
REQUEST_LIFETIME = 43_200  # seconds


class SealedRequest(msgspec.Struct, frozen=True, array_like=True):
    """What is asked for, and since when, in seconds since the epoch."""

    authentication: AuthenticationRequest
    created_at: int


_decoder = msgspec.msgpack.Decoder(SealedRequest)


@dataclass(frozen=True, slots=True)
class AuthenticationRequests:
    """Writes the parameter `ask` of our login URL, and reads it again."""

    sealer: Sealer

    def write(self, authentication: AuthenticationRequest, *, now: int) -> str:
        """Write a value for a URL."""
        return self.sealer.seal("ask", "ask", msgspec.msgpack.encode(SealedRequest(authentication, now)))

    def read(self, text: str, *, now: int) -> AuthenticationRequest:
        """Read a value; what we did not write, or too long ago, asks for nothing."""
        data = self.sealer.open("ask", "ask", text)
        if data is None:
            return ANY_LOGIN
        try:
            sealed = _decoder.decode(data)
        except (ValueError, RecursionError):
            return ANY_LOGIN
        return sealed.authentication if abs(now - sealed.created_at) < REQUEST_LIFETIME else ANY_LOGIN
