"""Logins in progress never disturb each other, and there are never too many."""

from typing import Any

import pytest

from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.transactions import (
    AGAIN,
    LIFETIME,
    MOST,
    MOST_DELETED,
    Before,
    Transaction,
    Transactions,
    digest,
    is_live,
)
from asgi_oidc.setting_values import LONGEST_ACR_VALUES, LONGEST_SPAN
from asgi_oidc.testing.cookie_jar import CookieJar
from asgi_oidc.web.cookies import LONGEST_LINE, CookieStyle
from asgi_oidc.web.return_to import LONGEST

URL = "https://app.example.com/"
NOW = 1_800_000_000


def transactions(**changes: Any) -> Transactions:
    settings: dict[str, Any] = {
        "sealer": Sealer([b"s" * 32], context=("a", "b", "c")),
        "style": CookieStyle(secure=True),
        "stem": "oidc-abcdefgh",
        "same_site": "Lax",
    }
    return Transactions(**(settings | changes))


IN_PROGRESS = transactions()


def login(state: str, *, created_at: int = NOW, return_to: str | None = None) -> Transaction:
    return Transaction(
        state=state,
        nonce="a-nonce",
        code_verifier="a-verifier",
        return_to=return_to,
        form_post=False,
        max_age=None,
        acr_values=[],
        created_at=created_at,
    )


class Window:
    """What a browser keeps of us."""

    def __init__(self) -> None:
        self.jar = CookieJar(lambda: NOW)

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value for cookie in self.jar}

    def put(self, transaction: Transaction, *, now: int = NOW) -> None:
        self.take(IN_PROGRESS.write(transaction, self.cookies, now=now))

    def take(self, lines: list[bytes]) -> None:
        for line in lines:
            self.jar.receive(line.decode(), URL)
        assert not self.jar.refused

    def finds(self, state: str) -> bool:
        return IN_PROGRESS.find(state, self.cookies) is not None


def test_a_login_is_found_by_its_state():
    """With all that it has to remember."""
    window = Window()
    transaction = login("one", return_to="/page?x=1")

    window.put(transaction)

    assert IN_PROGRESS.find("one", window.cookies) == transaction


@pytest.mark.parametrize("state", ["", "two", "on", "one.2", "ONE", "\ud800", "\u00e9"])
def test_another_state_finds_nothing(state):
    """A code that somebody planted belongs to no login of this browser."""
    window = Window()
    window.put(login("one"))

    assert not window.finds(state)


def test_several_logins_stand_beside_each_other():
    """Two tabs, each with its own."""
    window = Window()
    window.put(login("one"))
    window.put(login("two"))

    assert window.finds("one")
    assert window.finds("two")


def test_a_used_login_is_gone_and_the_others_stay():
    """One callback, one login."""
    window = Window()
    window.put(login("one"))
    window.put(login("two"))

    window.take([IN_PROGRESS.delete("one")])

    assert (window.finds("one"), window.finds("two")) == (False, True)


def test_beyond_the_cap_the_oldest_goes():
    """Servers refuse headers that are too long."""
    window = Window()
    for number in range(MOST + 2):
        window.put(login(f"state-{number}", created_at=NOW + number))

    assert [number for number in range(MOST + 2) if window.finds(f"state-{number}")] == list(range(2, MOST + 2))


def test_logins_that_have_run_out_and_cookies_that_are_not_ours_go_first():
    """They cannot be finished any more."""
    window = Window()
    window.put(login("old", created_at=NOW - LIFETIME))
    lines = IN_PROGRESS.write(login("new"), {**window.cookies, "__Host-oidc-abcdefgh-login-x": "junk"}, now=NOW)

    deleted = [line.partition(b"=")[0] for line in lines if b"Max-Age=0" in line]
    assert len(deleted) == 2
    assert b"__Host-oidc-abcdefgh-login-x" in deleted


def test_cookies_of_others_are_left_alone():
    """Another middleware on the same host has other names."""
    lines = IN_PROGRESS.write(login("new"), {"__Host-oidc-zzzzzzzz-login-x": "1", "app": "2"}, now=NOW)

    assert len(lines) == 1


def test_long_return_paths_count_by_their_size():
    """Eight logins with 2 kB each would be more than servers take."""
    window = Window()
    for number in range(MOST):
        window.put(login(f"state-{number}", created_at=NOW + number, return_to="/" + "x" * 2000))

    assert sum(map(len, window.cookies.values())) < 12_000
    assert window.finds(f"state-{MOST - 1}")


@pytest.mark.parametrize(
    ("style", "same_site", "ending"),
    [
        (CookieStyle(secure=True), "None", b"HttpOnly; SameSite=None; Secure"),
        (CookieStyle(secure=False), None, b"HttpOnly"),
    ],
)
def test_a_form_from_the_providers_site_brings_the_cookie(style, same_site, ending):
    """SameSite=None on https; on loopback no attribute, which browsers let pass for two minutes."""
    form_post = transactions(style=style, same_site=same_site)

    (line,) = form_post.write(login("one"), {}, now=NOW)

    assert line.endswith(ending)
    assert form_post.delete("one").endswith(ending)


def test_the_name_of_the_cookie_does_not_give_the_state_away():
    """Names stand in logs of proxies."""
    (line,) = IN_PROGRESS.write(login("a-very-secret-state"), {}, now=NOW)

    assert b"secret-state" not in line
    assert b"a-verifier" not in line


@pytest.mark.parametrize("value", ["", "junk", "AAAA"])
def test_a_cookie_that_is_not_ours_is_no_login(value):
    """Whatever a browser sends."""
    window = Window()
    window.put(login("one"))
    (name,) = window.cookies

    assert IN_PROGRESS.find("one", {name: value}) is None


def test_a_sealed_value_of_another_format_is_no_login():
    """Ours, but of another release."""
    window = Window()
    window.put(login("one"))
    (name,) = window.cookies

    assert IN_PROGRESS.find("one", {name: IN_PROGRESS.sealer.seal("login", name, b"\xff")}) is None


def test_a_login_moved_under_another_name_is_none():
    """The name is bound in."""
    window = Window()
    window.put(login("one"))
    window.put(login("two"))
    first, second = window.cookies

    assert IN_PROGRESS.find("one", {first: window.cookies[second]}) is None


@pytest.mark.parametrize(("age", "lives"), [(0, True), (LIFETIME - 1, True), (LIFETIME, False), (-5, True)])
def test_a_login_has_ten_minutes(age, lives):
    """The browser's own Max-Age is only a courtesy."""
    assert is_live(login("one"), now=NOW + age) is lives


@pytest.mark.parametrize(
    ("in_progress", "circles"),
    [
        ([], False),
        (["one", "two", "three", "four"], False),
        (["one" + AGAIN, "two" + AGAIN, "three"], False),
        (["one" + AGAIN, "two" + AGAIN, "three" + AGAIN], True),
    ],
)
def test_a_circle_is_told_by_the_logins_in_progress(in_progress, circles):
    """A provider that loses the state would send a browser round and round; late tabs are no circle."""
    window = Window()
    for one in in_progress:
        window.put(login(one))

    assert IN_PROGRESS.goes_in_circles(window.cookies, now=NOW) is circles


def test_a_circle_of_long_ago_and_cookies_that_are_not_ours_do_not_count():
    """A person may try again later."""
    window = Window()
    for one in ("one", "two", "three"):
        window.put(login(one + AGAIN, created_at=NOW - LIFETIME))
    cookies = {**window.cookies, "__Host-oidc-abcdefgh-login-x": "junk", "other": "1"}

    assert not IN_PROGRESS.goes_in_circles(cookies, now=NOW)


def test_proofs_hide_in_the_repr():
    """They stand in tracebacks, also in those that rich writes."""
    assert repr(login("one")) == f"Transaction(created_at={NOW})"
    assert login("one").__rich_repr__() == [("created_at", NOW)]


def test_only_so_many_cookies_are_deleted_at_once():
    """A browser that holds hundreds of them must not get hundreds of lines back."""
    first = IN_PROGRESS.delete("one").decode().partition("=")[0]
    junk = {f"{first[:-4]}{number:04}": "x" for number in range(100)}

    lines = IN_PROGRESS.write(login("one"), junk, now=NOW)

    assert len(lines) == MOST_DELETED + 1


def test_the_longest_login_fits_into_a_cookie():
    """A browser drops a longer one without a word, and no login would ever end."""
    made = Transaction(
        state="s" * 45,
        nonce="n" * 43,
        code_verifier="v" * 43,
        return_to="/" + "r" * (LONGEST - 1),
        form_post=True,
        max_age=LONGEST_SPAN,
        acr_values=["a"] * (LONGEST_ACR_VALUES // 2),
        created_at=NOW,
        before=Before("i" * 43, digest("sub")),
    )

    (line,) = IN_PROGRESS.write(made, {}, now=NOW)

    assert len(line) <= LONGEST_LINE


def test_who_was_signed_in_hides_in_the_repr():
    """Also where only its digest stands."""
    assert repr(Before("id", "sub")) == "Before(...)"
