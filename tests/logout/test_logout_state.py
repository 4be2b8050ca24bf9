"""The state of a logout is sealed, valid for ten minutes, and valid for nothing else."""

import msgspec
import pytest

from asgi_oidc.logout.logout_state import STATE_LIFETIME, LogoutState, LogoutStates
from asgi_oidc.sessions.sealing import Sealer
from tests.sessions.store_process import CONTEXT, SECRET

NOW = 1_800_000_000
LOGOUT_STATE = LogoutState(return_to="/bye", is_everywhere=True, created_at=NOW)


def logout_states() -> LogoutStates:
    return LogoutStates(Sealer([SECRET], context=CONTEXT))


def test_logout_states_round_trip():
    """By any process with the secret; nothing is kept."""
    state = logout_states().write(LOGOUT_STATE)

    assert logout_states().read(state, now=NOW) == LOGOUT_STATE


def test_no_two_states_are_the_same():
    """Nobody can tell what is in it, nor guess the next one."""
    states = logout_states()

    assert len({states.write(LOGOUT_STATE) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("seconds", "counts"), [(0, True), (STATE_LIFETIME - 1, True), (STATE_LIFETIME, False), (-STATE_LIFETIME, False)]
)
def test_it_counts_for_ten_minutes(seconds, counts):
    """The clock may be set back a little as well."""
    state = logout_states().write(LOGOUT_STATE)

    assert (logout_states().read(state, now=NOW + seconds) is not None) is counts


def test_anything_else_is_none():
    """Changed, cut, of another secret, sealed for another purpose, or of another form."""
    state = logout_states().write(LOGOUT_STATE)
    sealer = Sealer([SECRET], context=CONTEXT)
    spoilt = [state[:at] + ("A" if state[at] != "A" else "B") + state[at + 1 :] for at in range(len(state))]
    others = [
        Sealer([b"o" * 32], context=CONTEXT).seal("logout", "state", msgspec.msgpack.encode(LOGOUT_STATE)),
        sealer.seal("login", "state", msgspec.msgpack.encode(LOGOUT_STATE)),
        sealer.seal("logout", "other", msgspec.msgpack.encode(LOGOUT_STATE)),
        sealer.seal("logout", "state", b"\xc1"),
        sealer.seal("logout", "state", msgspec.msgpack.encode(["/bye", "yes", NOW])),
    ]

    assert {logout_states().read(each, now=NOW) for each in [*spoilt, *others, state[:-1], "", "ü"]} == {None}
