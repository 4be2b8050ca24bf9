"""What a login asks of the provider, all rules together, and whether it was done (RFC 9470)."""

import pytest

from asgi_oidc.login.authentication_requests import LIFETIME, Asks
from asgi_oidc.protocol.step_up import ANYHOW, Ask, is_met, joint, read_ask
from asgi_oidc.sessions.sealing import Sealer

NOW = 1_800_000_000
SEALER = Sealer([b"k" * 32], context=("a", "b", "c"))


@pytest.mark.parametrize(
    ("asks", "together"),
    [
        ([], ANYHOW),
        ([ANYHOW, ANYHOW], ANYHOW),
        ([Ask((), 60), Ask((), 300)], Ask((), 60)),
        ([Ask(("a", "b")), Ask((), 0)], Ask(("a", "b"), 0)),
        ([Ask(("a", "b", "c")), Ask(("c", "b"))], Ask(("b", "c"))),
        ([Ask(("a",)), Ask(("b",))], None),
    ],
)
def test_asks_are_joined_to_the_strictest(asks, together):
    """One login has one `acr`: contexts that exclude each other can never be met."""
    assert joint(asks) == together


@pytest.mark.parametrize(
    ("ask", "acr", "auth_time", "is_done"),
    [
        (ANYHOW, None, None, True),
        (Ask(("mfa",)), "mfa", None, True),
        (Ask(("mfa", "gold")), "gold", None, True),
        (Ask(("mfa",)), "pwd", None, False),
        (Ask(("mfa",)), None, None, False),
        (Ask(("mfa",)), ["mfa"], None, False),
        (Ask((), 300), None, NOW - 300, True),
        (Ask((), 300), None, NOW - 330, True),
        (Ask((), 300), None, NOW - 331, False),
        (Ask((), 300), None, NOW + 30, True),
        (Ask((), 300), None, NOW + 31, False),
        (Ask((), 300), None, float(NOW), True),
        (Ask((), 300), None, None, False),
        (Ask((), 300), None, str(NOW), False),
        (Ask((), 300), None, True, False),
        (Ask(("mfa",), 300), "mfa", NOW - 400, False),
        (Ask(("mfa",), 300), "mfa", NOW - 100, True),
    ],
)
def test_a_login_is_held_against_what_was_asked(ask, acr, auth_time, is_done):
    """A claim that is missing or odd is never good enough."""
    assert is_met(ask, acr=acr, auth_time=auth_time, now=NOW, leeway=30) is is_done


@pytest.mark.parametrize(
    ("acr_values", "max_age", "problem"),
    [
        ([], None, "acr_values: is empty"),
        ("mfa", None, "acr_values: must be a list"),
        (["a b"], None, "acr_values: must be a list of words"),
        ([""], None, "acr_values: must be a list of words"),
        ([7], None, "acr_values: must be a list of words"),
        (["x" * 513], None, "at most 512"),
        (None, -1, "max_age: must be"),
        (None, True, "max_age: must be"),
        (None, 1.5, "max_age: must be"),
        (None, "60", "max_age: must be"),
        (None, 10**9, "max_age: must be"),
    ],
)
def test_what_nobody_can_ask_for_is_refused(acr_values, max_age, problem):
    """At start-up for a rule, at once for an app."""
    with pytest.raises(ValueError, match=problem):
        read_ask(acr_values, max_age)


def test_an_ask_travels_sealed():
    """Only this site can ask for anything; what it did not write asks for nothing."""
    ask, asks = Ask(("mfa",), 60, "login"), Asks(SEALER)
    sealed = asks.write(ask, now=NOW)

    assert asks.read(sealed, now=NOW) == ask
    assert "mfa" not in sealed
    for forged in (
        "",
        "x",
        sealed[:-1],
        sealed[:-1] + "A" + "A",
        Asks(Sealer([b"l" * 32], context=("a", "b", "c"))).write(ask, now=NOW),
    ):
        assert asks.read(forged, now=NOW) == ANYHOW
    assert asks.read(SEALER.seal("ask", "ask", b"\xc1"), now=NOW) == ANYHOW


@pytest.mark.parametrize(
    ("age", "counts"), [(0, True), (LIFETIME - 1, True), (LIFETIME, False), (-LIFETIME, False), (-60, True)]
)
def test_an_ask_counts_for_as_long_as_a_page_may_be_open(age, counts):
    """A URL that was found in a history or a log asks for nothing any more."""
    ask, asks = Ask(("mfa",), 60, "login"), Asks(SEALER)

    assert asks.read(asks.write(ask, now=NOW), now=NOW + age) == (ask if counts else ANYHOW)
