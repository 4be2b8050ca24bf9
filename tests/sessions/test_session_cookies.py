"""A session of any size goes into as many cookies as it needs and comes out whole, or not at all."""

from collections.abc import Iterator, Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_oidc.errors import SessionTooLarge
from asgi_oidc.sessions.digests import digest
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.session import Session
from asgi_oidc.sessions.session_cookies import (
    MAX_COOKIES,
    MAX_DELETED,
    MAX_DELETED_UNSEEN,
    MAX_VALUE_LENGTH,
    SessionCookies,
)
from asgi_oidc.sessions.session_format import encode_tokens
from asgi_oidc.testing.cookie_jar import CookieJar
from asgi_oidc.web.cookie_size import size_of_lines
from asgi_oidc.web.cookies import MAX_SET_COOKIE_LENGTH, CookieStyle
from tests.sessions.test_session import ID, LOGIN, SESSION, with_tokens

URL = "https://app.example.com/"
STEM = "oidc-abcdefgh"
SESSION_COOKIES = SessionCookies(Sealer([b"s" * 32], context=("a", "b", "c")), CookieStyle(secure=True), STEM)
FIRST = SESSION_COOKIES.tokens_name(ID)
BOUND = f"{FIRST} {digest(ID)}"
OVERHEAD = len(SESSION_COOKIES.sealer.seal("tokens", BOUND, b""))
OTHER_ID = "E" * 43


class Window:
    """What a browser keeps of us."""

    def __init__(self) -> None:
        self.jar = CookieJar(lambda: 1000)

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value for cookie in self.jar}

    @property
    def pieces(self) -> list[str]:
        """Names of the cookies with tokens."""
        return sorted(name for name in self.cookies if "-tokens-" in name)

    def take(self, lines: list[bytes]) -> None:
        for line in lines:
            assert len(line) <= MAX_SET_COOKIE_LENGTH
            self.jar.receive(line.decode(), URL)
        assert not self.jar.refused

    def put(self, session: Session) -> None:
        self.take(SESSION_COOKIES.write(session, self.cookies, max_age=60))


def session_of(size: int) -> Session:
    """Make a session with a token of that many characters, none of which can be left out."""
    return with_tokens(access_token="!" * size)


def session_over(count: int) -> Session:
    """Make a session whose tokens need that many cookies."""
    return session_of((count - 1) * (MAX_VALUE_LENGTH * 3 // 4) + 100)


def another(session: Session, session_id: str = OTHER_ID) -> Session:
    """Make another session of the same user with the same tokens."""
    return msgspec.structs.replace(session, login=msgspec.structs.replace(session.login, id=session_id))


def spoilt(cookies: Mapping[str, str], *, step: int = 1) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Change each character of each cookie in turn."""
    for name, value in cookies.items():
        for place in range(0, len(value), step):
            changed = value[:place] + ("A" if value[place] != "A" else "B") + value[place + 1 :]
            yield name, place, {**cookies, name: changed}


BORDERS = [
    border + step
    for border in (MAX_VALUE_LENGTH, 2 * MAX_VALUE_LENGTH, 3 * MAX_VALUE_LENGTH, 4 * MAX_VALUE_LENGTH)
    for step in range(-3, 1)
]


def fill(characters: int) -> Session:
    """Make a session whose sealed tokens are about that long, to the character where base64 allows it."""
    size = characters * 3 // 4 - OVERHEAD
    while len(SESSION_COOKIES.sealer.seal("tokens", BOUND, encode_tokens(session_of(size).tokens))) > characters:
        size -= 1
    return session_of(size)


@pytest.mark.parametrize("characters", BORDERS)
def test_sessions_near_every_size_limit_round_trip(characters):
    """One character more or less decides about one cookie more."""
    window = Window()
    session = fill(characters)

    window.put(session)

    assert SESSION_COOKIES.open(window.cookies) == session


@settings(max_examples=40)
@given(st.lists(st.integers(0, 10_500), min_size=1, max_size=5))
def test_the_session_written_last_is_read(sizes):
    """Growing and shrinking: no stale piece is left behind."""
    window = Window()
    for size in sizes:
        session = session_of(size)
        window.put(session)

        assert SESSION_COOKIES.open(window.cookies) == session
        assert len(window.pieces) == int(window.cookies[FIRST][0])
        assert len(window.cookies) == len(window.pieces) + 1


@pytest.mark.parametrize("data", [b"\x78junk", b"", b"junk"])
def test_tokens_in_an_unknown_format_do_not_open(data):
    """Sealed by another release, for one."""
    window = Window()
    window.put(SESSION)

    assert (
        SESSION_COOKIES.open({**window.cookies, FIRST: "1." + SESSION_COOKIES.sealer.seal("tokens", BOUND, data)})
        is None
    )


def test_tokens_that_the_browser_did_not_show_are_deleted_by_their_names():
    """Of logins that ended at once; those that it did show are deleted elsewhere."""
    seen = f"{FIRST[:-8]}abcdefgh"

    lines = SESSION_COOKIES.delete_unseen(["abcdefgh", "ijklmnop"], {seen: "1.x"})

    names = [line.decode().partition("=")[0].removeprefix(FIRST[:-8]) for line in lines]
    assert names == ["ijklmnop", "abcdefgh.1", "ijklmnop.1"]
    assert len(SESSION_COOKIES.delete_unseen([f"{number:08}" for number in range(99)], {})) == MAX_DELETED_UNSEEN


def test_the_cookie_that_names_the_tokens_names_nothing_else():
    """Whatever stands there is looked at before it becomes a part of a name."""
    window = Window()
    window.take([SESSION_COOKIES.write_note(ID, max_age=60)])

    assert [f"{FIRST[:-8]}{mark}" for mark in SESSION_COOKIES.noted_sessions(window.cookies)] == [FIRST]
    assert [
        SESSION_COOKIES.noted_sessions({SESSION_COOKIES.note_name: text})
        for text in ("", "short", "x" * 9, "a=b; c=d", "\xe9" * 8)
    ] == [[]] * 5
    window.take(SESSION_COOKIES.delete(window.cookies))
    assert window.cookies == {}


@pytest.mark.parametrize("count", range(1, MAX_COOKIES + 1))
def test_the_pieces_are_as_many_as_are_needed(count):
    """And the first says how many."""
    window = Window()

    window.put(session_over(count))

    assert sorted(window.cookies) == [SESSION_COOKIES.name, FIRST, *(f"{FIRST}.{index}" for index in range(1, count))]


def test_a_session_that_shrinks_deletes_what_it_leaves():
    """Else the browser would send the old pieces for ever."""
    window = Window()
    window.put(session_over(4))

    window.put(session_over(2))

    assert sorted(window.cookies) == [SESSION_COOKIES.name, FIRST, f"{FIRST}.1"]


def test_tokens_that_shrink_delete_what_they_leave():
    """A refresh writes the tokens alone; only what the browser has is deleted."""
    window = Window()
    window.put(session_over(3))
    login = window.cookies[SESSION_COOKIES.name]

    lines = SESSION_COOKIES.write_tokens(session_over(1), window.cookies, max_age=60)
    window.take(lines)

    assert len(lines) == 3
    assert window.cookies[SESSION_COOKIES.name] == login
    assert SESSION_COOKIES.open(window.cookies) == session_over(1)
    assert len(SESSION_COOKIES.write_tokens(session_over(1), window.cookies, max_age=60)) == 1


def test_a_new_session_deletes_what_older_ones_left():
    """Each has names of its own, so that nothing else would overwrite them."""
    window = Window()
    window.put(session_over(3))
    new = another(session_over(2))

    window.put(new)

    assert SESSION_COOKIES.open(window.cookies) == new
    assert sorted(window.cookies) == [
        SESSION_COOKIES.name,
        *sorted([SESSION_COOKIES.tokens_name(OTHER_ID), SESSION_COOKIES.tokens_name(OTHER_ID) + ".1"]),
    ]


def test_a_late_response_to_an_older_session_does_not_disturb_the_new_one():
    """The names belong to one session each; what comes late lies there, and opens nothing."""
    window = Window()
    old, new = session_over(2), another(session_over(3))
    window.put(old)
    before = window.cookies
    window.put(new)

    window.take(SESSION_COOKIES.write_tokens(with_tokens(generation=1), before, max_age=60))

    assert SESSION_COOKIES.open(window.cookies) == new


def test_a_response_after_a_sign_out_does_not_restore_the_session():
    """The tokens open nothing without the login, and the last use neither."""
    window = Window()
    window.put(session_over(2))
    before = window.cookies
    window.take(SESSION_COOKIES.delete(before))

    window.take(
        [
            *SESSION_COOKIES.write_tokens(session_over(2), before, max_age=60),
            SESSION_COOKIES.write_use(ID, 1060, max_age=60),
        ]
    )

    assert SESSION_COOKIES.name not in window.cookies
    assert len(window.cookies) == 3
    assert SESSION_COOKIES.open(window.cookies) is None


def test_only_so_many_cookies_are_deleted_at_once():
    """A browser that holds hundreds of them must not get hundreds of lines back."""
    junk = {f"__Host-{STEM}-tokens-{number:08}": "x" for number in range(100)}

    assert len(SESSION_COOKIES.write(SESSION, junk, max_age=60)) == 3 + MAX_DELETED
    assert len(SESSION_COOKIES.delete(junk)) == 1 + MAX_DELETED


def test_cookies_of_others_are_left_alone():
    """Another middleware on the same host has other names, and so have logins in progress."""
    others = {"__Host-oidc-zzzzzzzz-tokens-x": "1", f"{STEM}-tokens-x": "2", f"__Host-{STEM}-login-x": "3", "app": "4"}

    assert [line.partition(b"=")[0].decode() for line in SESSION_COOKIES.delete(others)] == [SESSION_COOKIES.name]


def test_deleting_takes_every_piece():
    """Signed out is signed out."""
    window = Window()
    window.put(session_over(3))
    window.take([SESSION_COOKIES.write_use(ID, 1060, max_age=60)])

    window.take(SESSION_COOKIES.delete(window.cookies))

    assert window.cookies == {}


def test_deleting_nothing_still_deletes_the_first():
    """The browser may have a cookie that it did not send here."""
    assert [line.partition(b"=")[0] for line in SESSION_COOKIES.delete({})] == [SESSION_COOKIES.name.encode()]


@pytest.mark.parametrize("size", [0, 10, 2600, 2900, 6000, 11_000])
def test_the_size_of_a_session_is_known_before_it_is_written(size):
    """To the byte, with the names of its cookies."""
    session = session_of(size)

    lines = SESSION_COOKIES.write(session, {}, max_age=60)

    assert SESSION_COOKIES.size(session, session.tokens) == size_of_lines(lines)


def test_a_session_that_needs_more_cookies_than_are_read_is_not_written():
    """It would open as none."""
    for write in (SESSION_COOKIES.write, SESSION_COOKIES.write_tokens):
        with pytest.raises(SessionTooLarge, match=f"at most {MAX_COOKIES} are written"):
            write(session_of(12_000), {}, max_age=60)


def test_a_login_that_is_too_large_for_one_cookie_is_refused():
    """A browser would drop the cookie without a word."""
    login = msgspec.structs.replace(LOGIN, set_by_on_login=["m" * 4000])

    with pytest.raises(SessionTooLarge) as caught:
        SESSION_COOKIES.write(msgspec.structs.replace(SESSION, login=login), {}, max_age=60)

    assert f"of {MAX_VALUE_LENGTH} characters" in caught.value.detail
    assert "mmm" not in caught.value.detail


@pytest.mark.parametrize("count", [1, 2, 4])
def test_every_character_of_every_cookie_counts(count):
    """One that does not count is one that an attacker may choose."""
    window = Window()
    window.put(session_over(count))
    window.take([SESSION_COOKIES.write_use(ID, 1060, max_age=60)])
    cookies = window.cookies
    assert len(cookies) == count + 2

    opened = [
        (name, place) for name, place, changed in spoilt(cookies, step=count * 2 - 1) if SESSION_COOKIES.open(changed)
    ]

    assert opened == []
    assert SESSION_COOKIES.open(cookies) is not None


@pytest.mark.parametrize("index", range(4))
def test_a_session_with_a_missing_piece_does_not_open(index):
    """A browser or a proxy may drop one, be it the login or a piece of the tokens."""
    window = Window()
    window.put(session_over(3))
    cookies = window.cookies
    assert len(cookies) == 4

    del cookies[sorted(cookies)[index]]

    assert SESSION_COOKIES.open(cookies) is None


def test_pieces_of_two_sessions_do_not_combine():
    """One tag covers the whole, also where both are of one login: before a refresh and after it."""
    one, two = Window(), Window()
    one.put(session_over(2))
    two.put(with_tokens(access_token="?" * len(session_over(2).tokens.access_token or "")))
    assert sorted(one.cookies) == sorted(two.cookies)

    for name in (FIRST, f"{FIRST}.1"):
        assert SESSION_COOKIES.open({**one.cookies, name: two.cookies[name]}) is None
    # Whole tokens of the same login fit: that is what a refresh writes.
    assert SESSION_COOKIES.open({**one.cookies, **{name: two.cookies[name] for name in two.pieces}}) is not None


def test_the_tokens_of_another_session_do_not_fit():
    """Also not those of the same user, under whatever name, with whichever login."""
    one, two = Window(), Window()
    one.put(session_over(2))
    two.put(another(session_over(2)))
    theirs = dict(zip(one.pieces, [two.cookies[name] for name in two.pieces], strict=True))

    assert SESSION_COOKIES.open({SESSION_COOKIES.name: one.cookies[SESSION_COOKIES.name], **theirs}) is None
    assert SESSION_COOKIES.open({**one.cookies, SESSION_COOKIES.name: two.cookies[SESSION_COOKIES.name]}) is None
    assert (
        SESSION_COOKIES.open(
            {**one.cookies, **two.cookies, **theirs, SESSION_COOKIES.name: one.cookies[SESSION_COOKIES.name]}
        )
        is None
    )


def test_ids_whose_digests_begin_alike_are_told_apart():
    """The name has room for a few characters; the whole digest is bound in."""
    window = Window()
    window.put(SESSION)

    for bound in (FIRST, f"{FIRST} {digest(OTHER_ID)}"):
        text = SESSION_COOKIES.sealer.seal("tokens", bound, encode_tokens(SESSION.tokens))
        assert SESSION_COOKIES.open({**window.cookies, FIRST: f"1.{text}"}) is None


def test_only_our_own_splitting_is_accepted():
    """A value cut elsewhere was not put there by us."""
    window = Window()
    window.put(session_over(2))
    first, second = window.cookies[FIRST], window.cookies[f"{FIRST}.1"]

    assert SESSION_COOKIES.open({**window.cookies, FIRST: first[:-1], f"{FIRST}.1": first[-1] + second}) is None
    assert SESSION_COOKIES.open({**window.cookies, FIRST: f"1{first[1:]}{second}"}) is None


@pytest.mark.parametrize("count", ["", "0", "5", "9", "01", "+1", " 1", "1 ", "-1", "\u0661", "2", "3"])
def test_a_count_that_we_never_write_is_no_session(count):
    """The number is not covered by the tag, so it is checked separately."""
    window = Window()
    window.put(session_over(1))
    value = window.cookies[FIRST].removeprefix("1")

    assert SESSION_COOKIES.open({**window.cookies, FIRST: "1" + value}) is not None
    assert SESSION_COOKIES.open({**window.cookies, FIRST: count + value}) is None


@pytest.mark.parametrize("value", ["", "1", "1.", ".", "x", "1.AAAA", "4." + "A" * 9000])
def test_anything_else_is_no_session(value):
    """Whatever a browser sends, under whichever of our names."""
    window = Window()
    window.put(SESSION)
    window.take([SESSION_COOKIES.write_use(ID, 1060, max_age=60)])

    for name in (SESSION_COOKIES.name, FIRST, SESSION_COOKIES.use_name):
        assert SESSION_COOKIES.open({**window.cookies, name: value}) is None


@pytest.mark.parametrize(
    ("kind", "name"), [("session", SESSION_COOKIES.name), ("tokens", FIRST), ("seen", SESSION_COOKIES.use_name)]
)
def test_a_sealed_value_of_another_format_is_none(kind, name):
    """Ours, but of another release."""
    window = Window()
    window.put(SESSION)
    text = SESSION_COOKIES.sealer.seal(kind, BOUND if kind == "tokens" else name, b"\xff")

    assert SESSION_COOKIES.open({**window.cookies, name: f"1.{text}" if kind == "tokens" else text}) is None


def test_the_last_use_is_taken_into_account():
    """That of this session; one that an older session left says nothing."""
    window = Window()
    window.put(SESSION)

    for session_id, used_at, seen_at in ((ID, 1060, 1060), (OTHER_ID, 2000, SESSION.seen_at)):
        window.take([SESSION_COOKIES.write_use(session_id, used_at, max_age=60)])
        assert SESSION_COOKIES.open(window.cookies) == msgspec.structs.replace(SESSION, seen_at=seen_at)


@pytest.mark.parametrize(
    ("cookies", "is_there"),
    [
        ({}, False),
        ({"other": "1"}, False),
        ({SESSION_COOKIES.name: ""}, True),
        ({SESSION_COOKIES.name: "x", FIRST: "x"}, True),
        ({FIRST: "x", SESSION_COOKIES.use_name: "x"}, False),
    ],
)
def test_the_cookie_that_signs_in_is_known(cookies, is_there):
    """So that the log can say that it was not taken; the others open nothing by themselves."""
    assert SESSION_COOKIES.has_cookie(cookies) is is_there


def test_an_id_is_written_as_it_is():
    """The session lies in a store; what sealed sessions left is deleted, and nothing else."""
    window = Window()
    window.put(session_over(3))
    window.take([SESSION_COOKIES.write_use(ID, 1060, max_age=60)])

    window.take(SESSION_COOKIES.write_id(OTHER_ID, window.cookies, max_age=60))

    assert window.cookies == {SESSION_COOKIES.name: OTHER_ID}
    assert len(SESSION_COOKIES.write_id(OTHER_ID, window.cookies, max_age=60)) == 1
