"""Access tokens for further APIs that this process got for its sessions: bounded, and the longest unused go first."""

from collections import OrderedDict
from dataclasses import dataclass, field

MOST = 10_000  # tokens


@dataclass(frozen=True, slots=True)
class Granted:
    """One token, or the memory that the provider gave none.

    Attributes:
        made_at: seconds since the epoch.
        renew_at: seconds since the epoch from which on it is not used any more.
        forced_at: when an API last refused one like it that looked fine.
    """

    access_token: str | None = field(repr=False)
    made_at: int
    renew_at: int
    forced_at: int = 0


class GrantedTokens:
    """Tokens by the session and the wish that they belong to: never by the wish alone."""

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._granted: OrderedDict[tuple[str, object], Granted] = OrderedDict()

    def find(self, session_id: str, wish: object) -> Granted | None:
        """Return what is known for a wish of a session."""
        granted = self._granted.get((session_id, wish))
        if granted is not None:
            self._granted.move_to_end((session_id, wish))
        return granted

    def keep(self, session_id: str, wish: object, granted: Granted) -> None:
        """Keep what came of a wish."""
        self._granted[session_id, wish] = granted
        self._granted.move_to_end((session_id, wish))
        while len(self._granted) > self._most:
            self._granted.popitem(last=False)
