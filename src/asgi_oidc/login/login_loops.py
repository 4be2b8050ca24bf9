"""How often a browser has just signed in, so that nobody is sent round in circles.

A cookie of its own, for some seconds: what goes wrong in a loop is that the session is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.web.cookies import CookieStyle

LOOP_WINDOW = (
    10  # seconds from one login to the next that count as one after the other: no person was at work in between
)
MAX_LOGINS_IN_A_ROW = (
    4  # logins one after the other; browsers give up after some twenty redirects, which are five or six logins
)


class LoginCount(msgspec.Struct, frozen=True, array_like=True):
    """Logins one after the other.

    Attributes:
        count: how many.
        began_at, ended_at: of the last one, in seconds since the epoch.
    """

    count: int
    began_at: int
    ended_at: int


_decoder = msgspec.msgpack.Decoder(LoginCount)


@dataclass(frozen=True, slots=True)
class LoginLoops:
    """Counts the logins of a browser."""

    sealer: Sealer
    style: CookieStyle
    stem: str
    idle: int

    def count(self, cookies: Mapping[str, str], *, now: int) -> int:
        """Return how often this browser has signed in just before."""
        data = self.sealer.open("rounds", self._name, cookies.get(self._name, ""))
        if data is None:
            return 0
        try:
            last = _decoder.decode(data)
        except (ValueError, RecursionError):
            return 0
        # The clocks of two servers may differ: that is one way into a loop, and must not hide it. The server that sent
        # the browser to the provider, by its own clock, is the one that does so again.
        nearest = min(abs(now - last.began_at), abs(now - last.ended_at))
        return last.count if nearest < min(LOOP_WINDOW, self.idle) else 0

    def write(self, last: LoginCount) -> bytes:
        """Write the cookie after a login."""
        value = self.sealer.seal("rounds", self._name, msgspec.msgpack.encode(last))
        return self.style.set_cookie(self._name, value, max_age=LOOP_WINDOW)

    def delete(self, cookies: Mapping[str, str]) -> list[bytes]:
        """Begin to count anew."""
        return [self.style.delete_cookie(self._name)] if self._name in cookies else []

    @property
    def _name(self) -> str:
        return self.style.name(f"{self.stem}-rounds")
