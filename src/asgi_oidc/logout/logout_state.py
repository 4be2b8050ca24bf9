"""The `state` of a sign-out at the provider: sealed, it remembers by itself where the browser goes when it is back.

Nothing is left in the browser, so that ten tabs may sign out at once. Whoever brings a state that another browser was
given gets to a page of our own site, as any link would: nobody is signed in or out by it.
"""

from dataclasses import dataclass

import msgspec

from asgi_oidc.sessions.sealing import Sealer

STATE_LIFETIME = 600  # seconds that a person may stay at the provider


class LogoutState(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What one sign-out has to remember.

    Attributes:
        return_to: path on our own site, checked; None for the page that the provider sends the browser to.
        is_everywhere: whether the provider was told.
        created_at: seconds since the epoch.
    """

    return_to: str | None
    is_everywhere: bool
    created_at: int


_decoder = msgspec.msgpack.Decoder(LogoutState)


@dataclass(frozen=True, slots=True)
class LogoutStates:
    """Writes states and reads them again."""

    sealer: Sealer

    def write(self, state: LogoutState) -> str:
        """Write a state; no two are the same."""
        return self.sealer.seal("logout", "state", msgspec.msgpack.encode(state))

    def read(self, sealed: str, *, now: int) -> LogoutState | None:
        """Read a state of the last ten minutes, None for everything else."""
        data = self.sealer.open("logout", "state", sealed)
        if data is None:
            return None
        try:
            state = _decoder.decode(data)
        except (ValueError, RecursionError):
            return None
        return state if abs(now - state.created_at) < STATE_LIFETIME else None
