"""Every byte of every sealed value counts: changed, cut, moved or doubled, it opens nothing and breaks nothing."""

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from asgi_oidc.testing import Browser, FakeProvider, Persona

from .sizes import size
from .stage import NOW, ORIGIN, OTHER_SECRET, SECRET, Exchange, Stage, http_scope

pytestmark = pytest.mark.usefixtures("quiet")

BITS = size((0,), tuple(range(8)))
NAVIGATION = ((b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document"))
COUNTS = ("", ".", "0.", "1.", "2.", "3.", "5.", "9999999999.", "-4.", "4", "4..", "04.", "4.0.", "x.")
GROUPS = {"groups": [f"group-{number:04}" for number in range(320)]}
PERSONAS = (Persona("alice", "Alice Adams", "alice@example.com"), Persona("erin", "Erin", "erin@example.com", GROUPS))


@pytest.fixture
def stage() -> Stage:
    """Ed25519 signs fastest; erin has more claims than one cookie holds."""
    return Stage(FakeProvider(clock=lambda: NOW, alg="EdDSA", personas=PERSONAS))


def cookies_of(browser: Browser) -> dict[str, str]:
    return {cookie.name: cookie.value for cookie in browser.cookies if cookie.domain == "app.example.com"}


def header_of(cookies: Mapping[str, Any]) -> bytes:
    pairs = ((name, value.encode() if isinstance(value, str) else value) for name, value in cookies.items())
    return b"; ".join(name.encode("latin-1") + b"=" + value for name, value in pairs)


async def get(stage: Stage, path: str, cookie: bytes, *headers: tuple[bytes, bytes], query: bytes = b"") -> Exchange:
    exchange = Exchange({"type": "http.request", "body": b""})
    scope = http_scope(path, headers=[(b"cookie", cookie), *headers], query_string=query)
    await stage.middleware(scope, exchange.receive, exchange.send)
    return exchange


async def opened(stage: Stage, cookies: Iterable[bytes]) -> list[tuple[int, bytes]]:
    """Give those cookie headers that are anything but anonymous."""
    found = []
    for cookie in cookies:
        stage.app.visits.clear()
        whoami = await get(stage, "/auth/session", cookie)
        await get(stage, "/public", cookie)
        if whoami.status != 401 or stage.app.visits != [("/public", None)]:
            found.append((whoami.status, cookie))
    return found


def flipped(value: str, *, step: int = 1) -> Iterator[bytes]:
    raw = value.encode()
    for place, bit in itertools.product(range(0, len(raw), step), BITS):
        yield raw[:place] + bytes([raw[place] ^ (1 << bit)]) + raw[place + 1 :]


@pytest.mark.long
@pytest.mark.parametrize(("sub", "pieces", "step"), [("alice", 1, 1), ("erin", 4, size(13, 1))])
async def test_every_byte_of_a_session_counts(stage: Stage, sub: str, pieces: int, step: int) -> None:
    """A byte that does not count is a byte that an attacker may choose."""
    cookies = cookies_of(await stage.signed_in(sub))
    assert len(cookies) == pieces

    spoilt = ({**cookies, name: value} for name in cookies for value in flipped(cookies[name], step=step))

    assert await opened(stage, map(header_of, spoilt)) == []
    assert (await get(stage, "/auth/session", header_of(cookies))).status == 200


@pytest.mark.long
async def test_every_byte_of_a_login_in_progress_counts(stage: Stage) -> None:
    """A login that somebody else can change is a login of somebody else."""
    browser, callback = await stage.login_in_progress()
    [(name, value)] = cookies_of(browser).items()
    query = callback.partition("?")[2].encode()
    accepted = []

    for spoilt in flipped(value):
        back = await get(stage, "/auth/callback", header_of({name: spoilt}), *NAVIGATION, query=query)
        lines = back.headers(b"set-cookie")
        is_fresh_login = back.status == 303 and back.headers(b"location")[0].startswith(b"https://id.example.com/auth")
        if not is_fresh_login or any(b"-login-" not in line for line in lines):
            accepted.append((back.status, spoilt))

    assert accepted == []
    assert stage.provider.count("/token") == 0
    assert (await browser.get(callback)).json()["sub"] == "alice"


async def test_a_session_cut_anywhere_is_none(stage: Stage) -> None:
    """Half a cookie is what a full jar leaves."""
    [(name, value)] = cookies_of(await stage.signed_in()).items()

    cut = [value[:end] for end in range(len(value))] + [value[start:] for start in range(1, len(value))]
    longer = [value + more for more in ("A", "=", "==", ".", "AAAA", " ", "a" * 4000, value)]

    assert await opened(stage, (header_of({name: part}) for part in cut)) == []
    # White space at the end of a cookie is no part of it.
    assert await opened(stage, (header_of({name: text}) for text in longer if text != value + " ")) == []


async def test_pieces_in_another_order_number_or_place_are_no_session(stage: Stage) -> None:
    """Pieces belong together as they were cut: in this order, under these names, this many."""
    cookies = cookies_of(await stage.signed_in("erin"))
    names, values = list(cookies), list(cookies.values())

    orders = [
        dict(zip(names, order, strict=True)) for order in itertools.permutations(values) if order != tuple(values)
    ]
    missing = [{name: cookies[name] for name in names if name != left_out} for left_out in names]
    counts = [{**cookies, names[0]: count + values[0].partition(".")[2]} for count in COUNTS]
    joined = [{names[0]: "1." + values[0][2:] + "".join(values[1:])}]
    empty = [{**cookies, names[2]: ""}, dict.fromkeys(names, ""), dict.fromkeys(names, "4.")]

    assert await opened(stage, map(header_of, [*orders, *missing, *counts, *joined, *empty])) == []


async def test_pieces_of_two_sessions_make_no_third(stage: Stage) -> None:
    """One tag covers the whole."""
    first = cookies_of(await stage.signed_in("erin"))
    second = cookies_of(await stage.signed_in("erin"))

    mixtures = [
        {name: (first if from_first else second)[name] for name, from_first in zip(first, choice, strict=True)}
        for choice in itertools.product((True, False), repeat=len(first))
        if len(set(choice)) == 2
    ]

    assert await opened(stage, map(header_of, mixtures)) == []


async def test_no_kind_of_value_stands_in_for_a_session(stage: Stage) -> None:
    """A login cookie or a token is no session, whatever name it gets (CVE-2023-48309)."""
    signed_in = await stage.signed_in()
    [session_name] = cookies_of(signed_in)
    waiting, _ = await stage.login_in_progress()
    [login_value] = cookies_of(waiting).values()
    tokens = [stage.provider.id_token(), stage.provider.id_token(nonce="x"), "at-x" * 8]

    pasted = [login_value, *tokens]
    written = [text for value in pasted for text in (value, f"1.{value}", f"2.{value}")]

    assert await opened(stage, (header_of({session_name: text}) for text in written)) == []


async def test_no_session_stands_in_for_a_login_in_progress(stage: Stage) -> None:
    """Nor does another login's cookie, moved to this state's name."""
    [session] = cookies_of(await stage.signed_in()).values()
    other, _ = await stage.login_in_progress()
    [other_login] = cookies_of(other).values()
    browser, callback = await stage.login_in_progress()
    [(name, _)] = cookies_of(browser).items()
    stage.provider.calls.clear()

    for planted in (session, session.removeprefix("1."), other_login, stage.provider.id_token()):
        query = callback.partition("?")[2].encode()
        back = await get(stage, "/auth/callback", header_of({name: planted}), *NAVIGATION, query=query)
        assert back.headers(b"location")[0].startswith(b"https://id.example.com/authorize?")

    assert stage.provider.count("/token") == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"secret": OTHER_SECRET},
        {"client_id": "spa", "client_secret": None},
        {"base_url": "https://other.example.com"},
        {"base_url": f"{ORIGIN}/admin"},
        {"base_url": "http://localhost:8000"},
        {"issuer": "https://id.example.com/realms/other"},
    ],
    ids=str,
)
async def test_a_cookie_of_another_middleware_is_no_session_here(stage: Stage, settings: dict[str, object]) -> None:
    """The same secret in two apps must not make one app's users the other's."""
    given = cookies_of(await stage.signed_in())
    [mine] = given.values()
    theirs = Stage(FakeProvider(str(settings.get("issuer", "https://id.example.com")), alg="EdDSA"), **settings)
    probe = await get(theirs, "/auth/login", b"", *NAVIGATION)
    stem = probe.headers(b"set-cookie")[0].partition(b"-login-")[0].decode()

    moved = [{stem: mine}, given, {stem: mine.removeprefix("1.")}]

    assert await opened(theirs, map(header_of, moved)) == []


async def test_a_secret_that_was_taken_off_the_list_opens_nothing(stage: Stage) -> None:
    """Rotation: the first seals, all open, and one that is gone is gone."""
    cookie = header_of(cookies_of(await stage.signed_in()))

    assert (await get(Stage(stage.provider, secret=[OTHER_SECRET, SECRET]), "/auth/session", cookie)).status == 200
    assert (await get(Stage(stage.provider, secret=[OTHER_SECRET]), "/auth/session", cookie)).status == 401


async def test_the_session_has_the_host_prefix_on_the_wire(stage: Stage) -> None:
    """A prefix misspelt protects nothing, and nobody notices."""
    [name] = cookies_of(await stage.signed_in())

    assert name.startswith("__Host-oidc-")


@pytest.mark.parametrize(
    "before", [b"\xa0", b"\x85", b"\x1c", b"\x0b", b"\x0c", b"\x00", b"\xe2\x80\x83", b"%20", b'"', b"="]
)
async def test_only_the_exact_bytes_of_our_name_are_our_name(stage: Stage, before: bytes) -> None:
    """Servers that trim more than a browser let a subdomain plant `__Host-` cookies."""
    cookie = header_of(cookies_of(await stage.signed_in()))
    name, _, value = cookie.partition(b"=")

    names = [before + name, name + before, name.lower(), name.upper(), b"__Secure" + name[6:], name + b".0"]

    assert await opened(stage, (planted + b"=" + value for planted in names if planted != name + b"=")) == []


async def test_a_name_that_comes_twice_is_nobody(stage: Stage) -> None:
    """Which of two cookies a browser sends first says nothing about which one is ours."""
    mine = header_of(cookies_of(await stage.signed_in()))
    name = mine.partition(b"=")[0]
    other = header_of(cookies_of(await stage.signed_in()))

    doubled = [mine + b"; " + other, mine + b"; " + mine, mine + b";" + name + b"=x", name + b"=; " + mine]

    assert await opened(stage, doubled) == []


async def test_quoting_does_not_make_a_value_ours(stage: Stage) -> None:
    """We never write quotes or escapes, so none are read."""
    name, _, value = header_of(cookies_of(await stage.signed_in())).partition(b"=")

    written = [b'"' + value + b'"', b"'" + value + b"'", value.replace(b".", b"%2e"), value + b'"', b"\\" + value]

    assert await opened(stage, (name + b"=" + text for text in written)) == []


@pytest.mark.long
async def test_no_cookie_header_breaks_a_request(stage: Stage) -> None:
    """Malformed bytes are input: they make nobody of a visitor, and never an error 500."""
    source = random.Random("cookies")
    [(name, value)] = cookies_of(await stage.signed_in("alice")).items()
    words = [
        name.encode(),
        value.encode(),
        b"1.",
        b"=",
        b";",
        b"; ",
        b",",
        b'"',
        b".1",
        b"-login-",
        b"\x00",
        b"\xff",
        b"\r\n",
    ]
    headers = [
        b"".join(source.choice([*words, source.randbytes(3)]) for _ in range(source.randrange(1, 12)))
        for _ in range(size(500, 50_000))
    ]
    exact = name.encode() + b"=" + value.encode()

    spoilt = [header for header in headers if exact not in header]

    assert await opened(stage, spoilt) == []
    assert (
        await opened(stage, [b"a=b; " * 20_000, (name.encode() + b"=x;") * 5_000, name.encode() + b"=" + b"A" * 70_000])
        == []
    )
