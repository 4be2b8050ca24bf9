"""The `state` of a sign-out at the provider: a sealed value that contains the page to show afterwards.

Nothing is stored in the browser or on the server, so many tabs can sign out at once. A state that is used in another
browser only leads to a page of our own site, like any link: it signs no user in or out.
"""

from dataclasses import dataclass

import msgspec

from asgi_oidc.sessions.sealing import Sealer

STATE_LIFETIME = 600  # seconds that a user may stay at the provider


class LogoutState(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """The content of the state of one sign-out.

    Attributes:
        return_to: path on our own site, checked; None for the page that the provider sends the browser to.
        is_everywhere: whether the user was also signed out at the provider.
        created_at: seconds since the epoch.
    """

    return_to: str | None
    is_everywhere: bool
    created_at: int


_decoder = msgspec.msgpack.Decoder(LogoutState)


@dataclass(frozen=True, slots=True)
class LogoutStates:
    """Seals and opens states."""

    sealer: Sealer

    def write(self, state: LogoutState) -> str:
        """Return a sealed state; each one is different."""
        return self.sealer.seal("logout", "state", msgspec.msgpack.encode(state))

    def read(self, sealed: str, *, now: int) -> LogoutState | None:
        """Return a state that was sealed within the last ten minutes, None for anything else."""
        data = self.sealer.open("logout", "state", sealed)
        if data is None:
            return None
        try:
            state = _decoder.decode(data)
        except (ValueError, RecursionError):
            return None
        return state if abs(now - state.created_at) < STATE_LIFETIME else None
