"""Detects login loops: counts how often a browser has just signed in.

The count is in a short-lived cookie of its own, not in the session: in a loop, it is the session that gets lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.web.cookies import CookieStyle

LOOP_WINDOW = 10  # seconds from one login to the next within which they count as in a row: no user is that fast
MAX_LOGINS_IN_A_ROW = 4  # browsers give up after about twenty redirects, which are five or six logins


class LoginCount(msgspec.Struct, frozen=True, array_like=True):
    """A number of logins in a row.

    Attributes:
        began_at, ended_at: start and end of the last one, in seconds since the epoch.
    """

    count: int
    began_at: int
    ended_at: int


_decoder = msgspec.msgpack.Decoder(LoginCount)


@dataclass(frozen=True, slots=True)
class LoginLoops:
    """Counts the logins of a browser, in a cookie.

    Attributes:
        idle: `session_idle` in seconds; after that, a new login is expected, and no sign of a loop.
    """

    sealer: Sealer
    style: CookieStyle
    stem: str
    idle: int

    def count(self, cookies: Mapping[str, str], *, now: int) -> int:
        """Return the number of logins in a row that this browser has just completed."""
        data = self.sealer.open("rounds", self._name, cookies.get(self._name, ""))
        if data is None:
            return 0
        try:
            last = _decoder.decode(data)
        except (ValueError, RecursionError):
            return 0
        # The clocks of two servers may differ. That can cause a loop, and must not hide it. So both times are compared:
        # the server that redirects the browser again has also written `began_at`, by the same clock.
        nearest = min(abs(now - last.began_at), abs(now - last.ended_at))
        return last.count if nearest < min(LOOP_WINDOW, self.idle) else 0

    def write(self, last: LoginCount) -> bytes:
        """Write the cookie after a login."""
        value = self.sealer.seal("rounds", self._name, msgspec.msgpack.encode(last))
        return self.style.set_cookie(self._name, value, max_age=LOOP_WINDOW)

    def delete(self, cookies: Mapping[str, str]) -> list[bytes]:
        """Delete the cookie, which resets the count."""
        return [self.style.delete_cookie(self._name)] if self._name in cookies else []

    @property
    def _name(self) -> str:
        return self.style.name(f"{self.stem}-rounds")
