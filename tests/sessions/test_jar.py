"""A session of any size goes into as many cookies as it needs and comes out whole, or not at all."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_oidc.errors import SessionTooLarge
from asgi_oidc.sessions.jar import MOST_COOKIES, ROOM, Jar
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.session import Session, encode_session
from asgi_oidc.testing.cookie_jar import CookieJar
from asgi_oidc.web.cookies import LONGEST_LINE, CookieStyle
from tests.sessions.test_session import SESSION

URL = "https://app.example.com/"
STEM = "oidc-abcdefgh"
JAR = Jar(Sealer([b"s" * 32], context=("a", "b", "c")), CookieStyle(secure=True), STEM)
OVERHEAD = len(JAR.sealer.seal("session", JAR.name, b""))


class Window:
    """What a browser keeps of us."""

    def __init__(self) -> None:
        self.jar = CookieJar(lambda: 1000)

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value for cookie in self.jar}

    def take(self, lines: list[bytes]) -> None:
        for line in lines:
            assert len(line) <= LONGEST_LINE
            self.jar.receive(line.decode(), URL)
        assert not self.jar.refused

    def put(self, session: Session) -> None:
        self.take(JAR.write(session, self.cookies, max_age=60))


def session_of(size: int) -> Session:
    """Make a session with a token of that many characters."""
    return msgspec.structs.replace(SESSION, access_token="x" * size)


def session_over(count: int) -> Session:
    """Make a session that needs that many cookies."""
    return session_of((count - 1) * (ROOM * 3 // 4) + 100)


BORDERS = [border + step for border in (ROOM, 2 * ROOM, 3 * ROOM, 4 * ROOM) for step in range(-3, 1)]


def fill(characters: int) -> Session:
    """Make a session whose sealed text is about that long, to the character where base64 allows it."""
    size = characters * 3 // 4 - OVERHEAD
    while len(JAR.sealer.seal("session", JAR.name, encode_session(session_of(size)))) > characters:
        size -= 1
    return session_of(size)


@pytest.mark.parametrize("characters", BORDERS)
def test_a_session_fits_around_every_border(characters):
    """One character more or less decides about one cookie more."""
    window = Window()
    session = fill(characters)

    window.put(session)

    assert JAR.open(window.cookies) == session


@settings(max_examples=40)
@given(st.lists(st.integers(0, 10_500), min_size=1, max_size=5))
def test_what_was_put_in_last_comes_out(sizes):
    """Growing and shrinking: no stale piece is left behind."""
    window = Window()
    for size in sizes:
        session = session_of(size)
        window.put(session)

        assert JAR.open(window.cookies) == session
        assert len(window.cookies) == int(window.cookies[JAR.name][0])


@pytest.mark.parametrize("count", range(1, MOST_COOKIES + 1))
def test_the_pieces_are_as_many_as_are_needed(count):
    """And the first says how many."""
    window = Window()

    window.put(session_over(count))

    assert sorted(window.cookies) == [f"__Host-{STEM}", *(f"__Host-{STEM}.{index}" for index in range(1, count))]


def test_a_session_that_shrinks_deletes_what_it_leaves():
    """Else the browser would send the old pieces for ever."""
    window = Window()
    window.put(session_over(4))

    window.put(session_over(2))

    assert sorted(window.cookies) == [f"__Host-{STEM}", f"__Host-{STEM}.1"]


def test_deleting_takes_every_piece():
    """Signed out is signed out."""
    window = Window()
    window.put(session_over(3))

    window.take(JAR.delete(window.cookies))

    assert window.cookies == {}


def test_deleting_nothing_still_deletes_the_first():
    """The browser may have a cookie that it did not send here."""
    assert [line.partition(b"=")[0] for line in JAR.delete({})] == [JAR.name.encode()]


def test_a_session_that_is_too_large_names_what_is_large():
    """The developer has to know which claims to leave out."""
    claims = {"groups": ["g" * 90] * 150, "small": 1, "photo": "p" * 900}
    session = msgspec.structs.replace(SESSION, claims=claims)

    with pytest.raises(SessionTooLarge) as caught:
        JAR.write(session, {}, max_age=60)

    detail = caught.value.detail
    assert detail.index("claim groups (") < detail.index("claim photo (900)")
    assert "on_login" in detail
    assert "ggg" not in detail


@pytest.mark.parametrize("index", range(3))
def test_a_session_with_a_piece_missing_is_none(index):
    """A browser or a proxy may drop one."""
    window = Window()
    window.put(session_over(3))
    cookies = window.cookies

    del cookies[sorted(cookies)[index]]

    assert JAR.open(cookies) is None


def test_pieces_of_two_sessions_never_make_one():
    """One tag covers the whole."""
    one, two = Window(), Window()
    one.put(session_over(2))
    two.put(msgspec.structs.replace(session_over(2), sub="bob"))

    mixed = {**one.cookies, JAR.name + ".1": two.cookies[JAR.name + ".1"]}

    assert JAR.open(mixed) is None


def test_only_our_own_way_to_cut_counts():
    """A value cut elsewhere was not put there by us."""
    window = Window()
    window.put(session_over(2))
    first, second = window.cookies[JAR.name], window.cookies[JAR.name + ".1"]

    assert JAR.open({JAR.name: first[:-1], JAR.name + ".1": first[-1] + second}) is None


@pytest.mark.parametrize("count", ["", "0", "5", "9", "01", "+1", " 1", "1 ", "-1", "\u0661", "2", "3"])
def test_a_count_that_we_never_write_is_no_session(count):
    """The number is not covered by the tag, so it is judged by itself."""
    window = Window()
    window.put(session_over(1))
    value = window.cookies[JAR.name].removeprefix("1")

    assert JAR.open({JAR.name: "1" + value}) is not None
    assert JAR.open({JAR.name: count + value}) is None


@pytest.mark.parametrize("value", ["", "1", "1.", ".", "x", "1.AAAA", "4." + "A" * 9000])
def test_anything_else_is_no_session(value):
    """Whatever a browser sends."""
    assert JAR.open({JAR.name: value}) is None


def test_a_sealed_value_that_is_no_session_is_none():
    """Ours, but of another release."""
    text = JAR.sealer.seal("session", JAR.name, b"\xff")

    assert JAR.open({JAR.name: "1." + text}) is None


@pytest.mark.parametrize(
    ("cookies", "is_there"),
    [
        ({}, False),
        ({"other": "1"}, False),
        ({JAR.name: ""}, True),
        ({JAR.name + ".3": "x"}, True),
        ({JAR.name + ".4": "x"}, False),
    ],
)
def test_our_names_are_known(cookies, is_there):
    """So that the log can say that a cookie was not taken."""
    assert JAR.is_there(cookies) is is_there
