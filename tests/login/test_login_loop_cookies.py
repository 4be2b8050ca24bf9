"""Logins in a row are counted in a cookie that only we can write."""

import pytest

from asgi_oidc.login.login_loops import LOOP_WINDOW, LoginCount, LoginLoops
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.web.cookies import CookieStyle

NOW = 1_800_000_000
SEALER = Sealer([b"k" * 32], context=("a", "b", "c"))
NAME = "__Host-oidc-x-rounds"


def login_loops(*, idle: int = 3600) -> LoginLoops:
    return LoginLoops(SEALER, CookieStyle(secure=True), "oidc-x", idle)


def cookies(last: LoginCount) -> dict[str, str]:
    return {NAME: login_loops().write(last).decode().partition("=")[2].partition(";")[0]}


@pytest.mark.parametrize(
    ("began", "ended", "idle", "count"),
    [
        (0, 0, 3600, 3),
        (-600, -LOOP_WINDOW + 1, 3600, 3),
        (-600, -LOOP_WINDOW, 3600, 0),
        (-5, 7200, 3600, 3),
        (7200, 7200, 3600, 0),
        (-5, -5, 5, 0),
        (-4, -4, 5, 3),
    ],
)
def test_a_login_just_before_counts_for_the_loop(began, ended, idle, count):
    """By the clock of the server that sent the browser away, or of the one that took it back."""
    last = cookies(LoginCount(3, NOW + began, NOW + ended))

    assert login_loops(idle=idle).count(last, now=NOW) == count


@pytest.mark.parametrize("text", ["", "x", SEALER.seal("ask", NAME, b""), SEALER.seal("rounds", NAME, b"\xc1")])
def test_nothing_else_counts_for_the_loop(text):
    """Forged, of another kind, or of another version."""
    assert login_loops().count({NAME: text}, now=NOW) == 0


def test_the_loop_cookie_is_deleted_where_it_exists():
    """A browser is told nothing that it does not need."""
    assert [len(login_loops().delete({NAME: "x"})), login_loops().delete({})] == [1, []]
