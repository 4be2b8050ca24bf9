"""Logins in progress never disturb each other, and there are never too many."""

from typing import Any

import msgspec
import pytest

from asgi_oidc.login.interrupted_forms import MAX_SEALED_FORM_LENGTH
from asgi_oidc.login.login_transactions import (
    LOGIN_LIFETIME,
    MAX_BYTES,
    MAX_DELETED,
    MAX_LOGINS,
    RESTARTED,
    Before,
    Transaction,
    Transactions,
    is_live,
)
from asgi_oidc.sessions.digests import UserDigests, digest, short_digest
from asgi_oidc.sessions.sealing import Sealer, base64url
from asgi_oidc.settings.value_checks import MAX_ACR_VALUES_LENGTH, MAX_SPAN
from asgi_oidc.testing.cookie_jar import CookieJar
from asgi_oidc.web.cookie_size import LOGIN_SHARE
from asgi_oidc.web.cookies import MAX_SET_COOKIE_LENGTH, CookieStyle
from asgi_oidc.web.return_to import MAX_RETURN_TO_LENGTH

ISSUER = "https://id.example.com"
URL = "https://app.example.com/"
NOW = 1_800_000_000


def transactions(**changes: Any) -> Transactions:
    settings: dict[str, Any] = {
        "sealer": Sealer([b"s" * 32], context=("a", "b", "c")),
        "style": CookieStyle(secure=True),
        "stem": "oidc-abcdefgh",
        "same_site": "Lax",
        "user_digests": UserDigests(ISSUER),
    }
    return Transactions(**(settings | changes))


IN_PROGRESS = transactions()


def login(state: str, *, created_at: int = NOW, return_to: str | None = None, **more: Any) -> Transaction:
    return Transaction(
        state=state,
        nonce="a-nonce",
        code_verifier="a-verifier",
        return_to=return_to,
        form_post=False,
        max_age=None,
        acr_values=[],
        created_at=created_at,
        **more,
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


def test_several_logins_do_not_disturb_each_other():
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


def test_over_the_limit_the_oldest_login_is_dropped():
    """Servers refuse headers that are too long."""
    window = Window()
    for number in range(MAX_LOGINS + 2):
        window.put(login(f"state-{number}", created_at=NOW + number))

    assert [number for number in range(MAX_LOGINS + 2) if window.finds(f"state-{number}")] == list(
        range(2, MAX_LOGINS + 2)
    )


def test_expired_logins_and_unreadable_cookies_are_dropped_first():
    """They cannot be finished any more."""
    window = Window()
    window.put(login("old", created_at=NOW - LOGIN_LIFETIME))
    lines = IN_PROGRESS.write(login("new"), {**window.cookies, "__Host-oidc-abcdefgh-login-x": "junk"}, now=NOW)

    deleted = [line.partition(b"=")[0] for line in lines if b"Max-Age=0" in line]
    assert len(deleted) == 2
    assert b"__Host-oidc-abcdefgh-login-x" in deleted


def test_cookies_of_others_are_left_alone():
    """Another middleware on the same host has other names."""
    lines = IN_PROGRESS.write(login("new"), {"__Host-oidc-zzzzzzzz-login-x": "1", "app": "2"}, now=NOW)

    assert len(lines) == 1


def size_of_all(window: Window) -> int:
    return sum(len(name) + len(value) + len("=; ") for name, value in window.cookies.items())


@pytest.mark.parametrize(
    ("return_to", "paths", "kept"),
    [
        ("/page?x=1#y", ["/page?x=1", "/page"], "/page?x=1#y"),
        ("/page?x=1#" + "f" * 900, ["/page?x=1", "/page"], "/page?x=1"),
        ("/page?" + "q" * 900, ["/page"], "/page"),
        ("/" + "p" * 900, [], None),
        ("/" + "p" * 900 + "?q", ["/" + "p" * 900], None),
    ],
)
def test_a_return_path_that_is_too_long_is_shortened(return_to, paths, kept):
    """The page is worth more than a place on it, and a login more than where it ends."""
    window = Window()
    made = login("one", return_to=return_to)

    window.take(IN_PROGRESS.write(made, {}, now=NOW, room=1000, paths=paths))

    found = IN_PROGRESS.find("one", window.cookies)
    assert found is not None
    assert (found.return_to, size_of_all(window) <= 1000) == (kept, True)


@pytest.mark.parametrize("room", [1200, MAX_BYTES])
@pytest.mark.parametrize("is_from_elsewhere", [False, True])
def test_the_size_of_all_logins_together_is_limited(room, is_from_elsewhere):
    """A proxy refuses a header that is too long, and with it the whole site; anybody can lead a browser here."""
    window = Window()
    for number in range(30):
        path = "/" + "x" * (number * 97 % 2000)
        made = login(f"{number}", created_at=NOW + number, return_to=path, is_from_elsewhere=is_from_elsewhere)
        window.take(IN_PROGRESS.write(made, window.cookies, now=NOW + number, room=room, paths=["/"]))

        assert size_of_all(window) <= room
        assert window.finds(f"{number}")


def test_logins_started_by_another_site_do_not_drop_a_users_own():
    """Of a browser that is full, one has to go at most: the next ones take the place of each other."""
    window = Window()
    for number in range(MAX_LOGINS):
        window.put(login(f"own-{number}", created_at=NOW + number, return_to="/page"))

    for number in range(20):
        window.put(login(f"{number}", created_at=NOW + 9 + number, return_to="/" + "x" * 1500, is_from_elsewhere=True))

    assert [window.finds(f"own-{number}") for number in range(MAX_LOGINS)] == [False] + [True] * (MAX_LOGINS - 1)
    assert window.finds("19")


def test_a_login_from_another_site_uses_free_space():
    """A link in a mail may be long."""
    window = Window()
    window.put(login("one", return_to="/" + "x" * 1000, is_from_elsewhere=True))
    window.put(login("two", return_to="/page"))

    assert [transaction.return_to for transaction in found(window, "one", "two")] == ["/" + "x" * 1000, "/page"]


def test_a_login_from_elsewhere_keeps_a_short_path_in_a_full_browser():
    """Rather than all of the room of another one."""
    window = Window()
    window.put(login("own", return_to="/" + "x" * 1500))

    window.put(login("led", created_at=NOW + 1, return_to="/short/page", is_from_elsewhere=True))

    assert [transaction.return_to for transaction in found(window, "led")] == ["/short/page"]


def found(window: Window, *states: str) -> list[Transaction]:
    logins = [IN_PROGRESS.find(state, window.cookies) for state in states]
    return [one for one in logins if one is not None]


def test_the_least_needed_logins_are_dropped_first():
    """What nobody can finish, what another site started, what is old."""
    window = Window()
    window.put(login("newer", created_at=NOW + 5))
    window.put(login("led", created_at=NOW + 9, is_from_elsewhere=True))
    window.put(login("older", created_at=NOW))
    order = []

    for line in IN_PROGRESS.delete_least_needed({**window.cookies, "__Host-oidc-abcdefgh-login-x": "junk"}, now=NOW):
        before = {state for state in ("newer", "led", "older") if window.finds(state)}
        window.take([line])
        order.append(before - {state for state in ("newer", "led", "older") if window.finds(state)})

    assert order == [set(), {"led"}, {"older"}, {"newer"}]


def test_the_sessions_that_other_logins_may_have_begun_are_known_by_their_names():
    """Two that end at once see none of each other's cookies."""
    window = Window()
    window.put(login("one", session_id="a-session"))
    window.put(login("two", session_id="another-session"))
    window.put(login("three"))

    assert IN_PROGRESS.sessions_of_others("one", window.cookies) == [short_digest("another-session")]
    assert IN_PROGRESS.has_others("one", window.cookies)
    assert not IN_PROGRESS.has_others(
        "one", {name: "" for name in window.cookies if IN_PROGRESS.has_cookie("one", {name: ""})}
    )


def test_a_login_is_deleted_under_its_whole_name():
    """Browsers know it by nothing else."""
    window = Window()
    window.put(login("one", session_id="a-session"))

    window.take([IN_PROGRESS.delete("one", "a-session")])

    assert window.cookies == {}


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

    (line,) = form_post.write(msgspec.structs.replace(login("one"), form_post=True), {}, now=NOW)

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


@pytest.mark.parametrize(("age", "lives"), [(0, True), (LOGIN_LIFETIME - 1, True), (LOGIN_LIFETIME, False), (-5, True)])
def test_a_login_has_ten_minutes(age, lives):
    """The browser's own Max-Age is only a courtesy."""
    assert is_live(login("one"), now=NOW + age) is lives


def test_the_logins_in_progress_at_a_provider_are_those_that_may_still_be_completed():
    """Not those of another provider, nor an expired one that the browser has kept, nor what cannot be read."""
    window = Window()
    for each in (login("a"), login("b", provider="other"), login("c", created_at=NOW - LOGIN_LIFETIME)):
        window.take(IN_PROGRESS.write(each, {}, now=each.created_at))
    cookies = {**window.cookies, f"{IN_PROGRESS.names(window.cookies)[0]}x": "unreadable"}

    found = IN_PROGRESS.in_progress(cookies, provider="", now=NOW)

    assert [each.state for each in found] == ["a"]


@pytest.mark.parametrize(
    ("in_progress", "circles"),
    [
        ([], False),
        (["one", "two", "three", "four"], False),
        (["one" + RESTARTED, "two" + RESTARTED, "three"], False),
        (["one" + RESTARTED, "two" + RESTARTED, "three" + RESTARTED], True),
    ],
)
def test_a_login_loop_is_recognised_by_the_logins_in_progress(in_progress, circles):
    """A provider that loses the state would cause an endless loop; late tabs are not one."""
    window = Window()
    for one in in_progress:
        window.put(login(one))

    assert IN_PROGRESS.is_in_login_loop(window.cookies, now=NOW) is circles


def test_old_logins_and_unreadable_cookies_do_not_make_a_loop():
    """A person may try again later."""
    window = Window()
    for one in ("one", "two", "three"):
        window.put(login(one + RESTARTED, created_at=NOW - LOGIN_LIFETIME))
    cookies = {**window.cookies, "__Host-oidc-abcdefgh-login-x": "junk", "other": "1"}

    assert not IN_PROGRESS.is_in_login_loop(cookies, now=NOW)


def test_the_repr_of_a_login_shows_no_secrets():
    """They stand in tracebacks, also in those that rich writes."""
    assert repr(login("one")) == f"Transaction(created_at={NOW})"
    assert login("one").__rich_repr__() == [("created_at", NOW)]


def test_only_so_many_cookies_are_deleted_at_once():
    """A browser that holds hundreds of them must not get hundreds of lines back."""
    first = IN_PROGRESS.delete("one").decode().partition("=")[0]
    junk = {f"{first[:-4]}{number:04}": "x" for number in range(100)}

    lines = IN_PROGRESS.write(login("one"), junk, now=NOW)

    assert len(lines) == MAX_DELETED + 1


def test_the_span_of_a_login_gives_way_to_its_return_path():
    """The page is what the user came for; a trace without a link is only less convenient."""
    made = login("one", return_to="/" + "r" * 80, span_id=base64url(bytes(25)))
    (with_span,), (without,) = (
        IN_PROGRESS.write(each, {}, now=NOW) for each in (made, msgspec.structs.replace(made, span_id=""))
    )
    room = len(pair_of(without)) + len("; ")

    (line,) = IN_PROGRESS.write(made, {}, now=NOW, room=room, paths=[None])

    name, _, value = pair_of(line).partition("=")
    found = IN_PROGRESS.find("one", {name: value})
    assert found is not None
    assert (found.return_to, found.span_id) == (made.return_to, "")
    assert len(pair_of(with_span)) > room


def pair_of(line: bytes) -> str:
    """Return name and value of a Set-Cookie line."""
    return line.decode().partition(";")[0]


STEP_UP = Transaction(
    state=base64url(bytes(32)) + RESTARTED,
    nonce=base64url(bytes(32)),
    code_verifier=base64url(bytes(32)),
    return_to="/orders/1234567",
    form_post=True,
    max_age=MAX_SPAN,
    acr_values=["urn:example:gold"],
    created_at=NOW,
    before=Before(base64url(bytes(32)), digest("sub")),
    login_count=4,
    session_id=base64url(bytes(32)),
    is_from_elsewhere=True,
    form_size=MAX_SEALED_FORM_LENGTH,
)


@pytest.mark.parametrize(
    ("room", "return_to"), [(1200, "/" + "r" * 80), (4096, "/" + "r" * (MAX_RETURN_TO_LENGTH - 1))]
)
def test_the_longest_login_fits(room, return_to):
    """Into a cookie: a browser drops a longer one without a word."""
    acr_values = ["a"] * (MAX_ACR_VALUES_LENGTH // 2)
    made = msgspec.structs.replace(STEP_UP, return_to=return_to, acr_values=acr_values)

    (line,) = IN_PROGRESS.write(made, {}, now=NOW, room=room)

    (name, _, value) = pair_of(line).partition("=")
    assert IN_PROGRESS.find(made.state, {name: value}) == made
    assert (len(line) <= MAX_SET_COOKIE_LENGTH, len(pair_of(line)) + len("; ") <= room) == (True, True)


def test_a_login_beside_the_largest_session_keeps_its_path():
    """A step-up, with a key, and an interrupted form that is kept."""
    made = msgspec.structs.replace(STEP_UP, provider="google", dpop_key=base64url(bytes(32)))

    (line,) = IN_PROGRESS.write(made, {}, now=NOW, room=LOGIN_SHARE)

    (name, _, value) = pair_of(line).partition("=")
    assert IN_PROGRESS.find(made.state, {name: value}) == made


def test_the_repr_of_a_login_does_not_show_the_previous_user():
    """Also where only its digest stands."""
    assert repr(Before("id", "sub")) == "Before(...)"
