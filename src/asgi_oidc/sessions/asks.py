"""How a login shall be done, sealed into the URL that starts it: nobody but this site can ask for anything."""

from dataclasses import dataclass

import msgspec

from asgi_oidc.protocol.step_up import ANYHOW, Ask
from asgi_oidc.sessions.sealing import Sealer

_decoder = msgspec.msgpack.Decoder(Ask)


@dataclass(frozen=True, slots=True)
class Asks:
    """Writes the parameter `ask` of our login URL, and reads it again."""

    sealer: Sealer

    def write(self, ask: Ask) -> str:
        """Write a value for a URL."""
        return self.sealer.seal("ask", "ask", msgspec.msgpack.encode(ask))

    def read(self, text: str) -> Ask:
        """Read a value; what we did not write asks for nothing."""
        data = self.sealer.open("ask", "ask", text)
        if data is None:
            return ANYHOW
        try:
            return _decoder.decode(data)
        except (ValueError, RecursionError):
            return ANYHOW
