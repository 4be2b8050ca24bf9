"""Our cookies never exceed a proxy's limit, and the least needed ones are dropped."""

import itertools

import pytest

from asgi_oidc.login.cookie_budget import CookieBudget
from asgi_oidc.login.interrupted_forms import MAX_SEALED_FORM_LENGTH, InterruptedForms
from asgi_oidc.login.login_transactions import MAX_BYTES, Transaction, Transactions
from asgi_oidc.sessions.digests import UserDigests
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.web.cookie_size import (
    LOGIN_SHARE,
    MAX_COOKIE_HEADER,
    SMALL_COOKIES_SHARE,
    session_share,
    size_of,
    size_of_lines,
)
from asgi_oidc.web.cookies import CookieStyle

SESSION_SHARE = session_share(MAX_COOKIE_HEADER)
NOW = 1_800_000_000
STEM = "oidc-abcdefgh"
STYLE = CookieStyle(secure=True)
SEALER = Sealer([b"s" * 32], context=("a", "b", "c"))
LOGINS = Transactions(SEALER, STYLE, STEM, "Lax", UserDigests(None))
FORMS = InterruptedForms(SEALER, STYLE, STEM, UserDigests(None))
BUDGET = CookieBudget(STYLE.name(STEM), LOGINS, FORMS, MAX_COOKIE_HEADER)
NAME = STYLE.name(STEM)
_states = itertools.count()


def login(*, size: int = 0, age: int = 0, is_from_elsewhere: bool = False) -> dict[str, str]:
    """Give the cookie of a login in progress, about that many bytes longer than the shortest."""
    transaction = Transaction(
        state=f"state-{next(_states)}",
        nonce="n",
        code_verifier="v",
        return_to="/" + "x" * (size * 3 // 4),
        form_post=False,
        max_age=None,
        acr_values=[],
        created_at=NOW - age,
        is_from_elsewhere=is_from_elsewhere,
    )
    (line,) = LOGINS.write(transaction, {}, now=NOW, room=4000)
    name, _, value = line.decode().partition(";")[0].partition("=")
    return {name: value}


def session(size: int) -> dict[str, str]:
    return {NAME: "s" * size}


def form(size: int) -> dict[str, str]:
    return {f"{NAME}-form": "f" * size}


def gone(cookies: dict[str, str], line: bytes, **options: bool) -> list[str]:
    """Name the cookies that an answer with this line deletes."""
    lines = BUDGET.make_room(cookies, [line], now=NOW, **options)
    assert all(b"; Max-Age=0;" in line for line in lines)
    return [line.decode().partition("=")[0] for line in lines]


def line_of(cookie: dict[str, str]) -> bytes:
    [(name, value)] = cookie.items()
    return STYLE.set_cookie(name, value, max_age=60)


def test_cookies_are_measured_as_they_stand_in_a_header():
    """Names, what joins them, and what parts them."""
    cookies = {"a": "123", "bc": "4567"}

    assert size_of(cookies) == len("a=123; bc=4567; ")
    assert size_of_lines([STYLE.set_cookie(*pair, max_age=5) for pair in cookies.items()]) == size_of(cookies)
    assert size_of_lines([STYLE.delete_cookie("a")]) == 0


def test_the_shares_add_up():
    """The largest session, a login and the small cookies stand beside each other."""
    assert SESSION_SHARE + LOGIN_SHARE + SMALL_COOKIES_SHARE == MAX_COOKIE_HEADER <= 8000


def test_nothing_is_deleted_while_the_cookies_fit():
    """Up to the last byte."""
    new, waiting = login(), login(age=5)
    room = MAX_COOKIE_HEADER - size_of({**new, **waiting}) - len(f"{NAME}=; ")

    assert gone({**session(room), **waiting}, line_of(new)) == []
    assert gone({**session(room + 1), **waiting}, line_of(new)) == list(waiting)


def test_a_cookie_that_a_response_sets_is_not_deleted_by_it():
    """Though nothing else could."""
    assert gone(session(MAX_COOKIE_HEADER), line_of(login())) == []


@pytest.mark.parametrize(("keeps_form", "first"), [(False, "form"), (True, "login")])
def test_kept_forms_and_logins_are_dropped_for_a_session(keeps_form, first):
    """Which of them first depends on whose login it is."""
    waiting, kept = login(size=900), form(3000)
    expected = kept if first == "form" else waiting

    assert gone({**waiting, **kept}, line_of(session(4000)), keeps_form=keeps_form) == list(expected)


def test_everything_is_dropped_for_the_largest_session():
    """And no more than have to."""
    logins = [login(size=500, age=age) for age in (1, 2, 3)]
    cookies = {name: value for one in logins for name, value in one.items()} | form(3000)

    names = gone(cookies, line_of(session(SESSION_SHARE - 100)))

    after = {name: value for name, value in cookies.items() if name not in names} | session(SESSION_SHARE - 100)
    assert size_of(after) <= MAX_COOKIE_HEADER
    assert names == [f"{NAME}-form", *logins[2], *logins[1]]


def test_logins_started_by_other_sites_are_dropped_first():
    """A person has done nothing for those; of the others the oldest."""
    own, led, newer = login(size=900, age=500), login(size=900, is_from_elsewhere=True), login(size=900, age=100)
    junk = {f"{NAME}-login-junk": "j" * 10}
    cookies = {**own, **led, **newer, **junk}

    assert gone(cookies, line_of(session(5500))) == [*junk, *led]
    assert gone(cookies, line_of(session(6400))) == [*junk, *led, *own]


def test_cookies_of_others_are_not_ours_to_delete():
    """Nor do they count: another middleware has a budget of its own."""
    others = {"__Host-oidc-zzzzzzzz": "x" * 7000, "__Host-oidc-zzzzzzzz-login-x": "x" * 900}

    assert gone({**others, **login()}, line_of(session(3000))) == []


@pytest.mark.parametrize(
    ("others", "form_size", "room"),
    [
        ({}, 0, MAX_BYTES),
        (session(SESSION_SHARE), 0, LOGIN_SHARE),
        (session(5900), 0, MAX_COOKIE_HEADER - SMALL_COOKIES_SHARE - 5900 - len(f"{NAME}=; ")),
        (session(3000), 3000, MAX_COOKIE_HEADER - SMALL_COOKIES_SHARE - 6000 - len(f"{NAME}=; {NAME}-form=; ")),
        ({"__Host-oidc-zzzzzzzz": "x" * 9000}, 0, LOGIN_SHARE),
    ],
)
def test_logins_may_use_the_space_that_is_left(others, form_size, room):
    """Never so little that none could start."""
    waiting = login(size=900)

    assert BUDGET.room_for_logins({**others, **waiting}, form="f" * form_size) == room


@pytest.mark.parametrize(("size", "fits"), [(0, True), (3300, True), (3500, False), (SESSION_SHARE, False)])
def test_a_form_is_kept_if_it_fits_beside_a_session_and_a_login(size, fits):
    """Logins of other tabs give way to it."""
    cookies = session(size) | login(size=900) | login(size=900) | form(2000)

    assert BUDGET.has_room_for("f" * MAX_SEALED_FORM_LENGTH, cookies) is fits
