"""Every byte of every sealed value counts: changed, cut, moved or doubled, it opens nothing and breaks nothing."""

import itertools
import random
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from asgi_oidc.testing import Browser, FakeProvider, Persona
from tests.attacked_provider import holds_nothing, own_name, own_path

from .attacked_site import NOW, ORIGIN, OTHER_SECRET, SECRET, AttackedSite, Exchange, http_scope
from .sizes import size

pytestmark = pytest.mark.usefixtures("one_or_three_providers", "quiet")

BITS = size((0,), tuple(range(8)))
NAVIGATION = ((b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document"))
COUNTS = ("", ".", "0.", "1.", "3.", "4.", "5.", "9999999999.", "-2.", "2", "2..", "02.", "2.0.", "x.")
GROUPS = {"groups": [secrets.token_urlsafe(27) for _ in range(90)]}  # nothing that could be compressed
PERSONAS = (Persona("alice", "Alice Adams", "alice@example.com"), Persona("erin", "Erin", "erin@example.com", GROUPS))


@pytest.fixture
def stage() -> AttackedSite:
    """Ed25519 signs fastest; erin has more claims than one cookie holds."""
    return AttackedSite(FakeProvider(clock=lambda: NOW, alg="EdDSA", personas=PERSONAS))


def cookies_of(browser: Browser) -> dict[str, str]:
    cookies = [cookie for cookie in browser.cookies if cookie.domain == "app.example.com"]
    return {cookie.name: cookie.value for cookie in cookies if not holds_nothing(cookie.name)}


async def used(stage: AttackedSite, sub: str = "alice") -> dict[str, str]:
    """The cookies of a session that has been used for a while: login, pieces of the tokens, last use."""
    browser = await stage.signed_in(sub)
    stage.clock.now += 60
    await browser.get("/page")
    cookies = cookies_of(browser)
    assert [name for name in cookies if name.endswith("-seen")]
    return cookies


def login_of(cookies: Mapping[str, str]) -> str:
    """Name the cookie that signs in."""
    [name] = (name for name in cookies if "-tokens-" not in name and not name.endswith("-seen"))
    return name


def pieces_of(cookies: Mapping[str, str]) -> list[str]:
    """Name the cookies with the tokens, in their order."""
    return sorted(name for name in cookies if "-tokens-" in name)


def header_of(cookies: Mapping[str, Any]) -> bytes:
    pairs = ((name, value.encode() if isinstance(value, str) else value) for name, value in cookies.items())
    return b"; ".join(name.encode("latin-1") + b"=" + value for name, value in pairs)


async def get(
    stage: AttackedSite, path: str, cookie: bytes, *headers: tuple[bytes, bytes], query: bytes = b""
) -> Exchange:
    exchange = Exchange({"type": "http.request", "body": b""})
    scope = http_scope(path, headers=[(b"cookie", cookie), *headers], query_string=query)
    await stage.middleware(scope, exchange.receive, exchange.send)
    return exchange


async def opened(stage: AttackedSite, cookies: Iterable[bytes]) -> list[tuple[int, bytes]]:
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
@pytest.mark.parametrize(("sub", "pieces", "step"), [("alice", 1, 1), ("erin", 2, size(13, 1))])
async def test_every_byte_of_a_session_counts(stage: AttackedSite, sub: str, pieces: int, step: int) -> None:
    """A byte that does not count is a byte that an attacker may choose: of the login, the tokens and the last use."""
    cookies = await used(stage, sub)
    assert (len(pieces_of(cookies)), len(cookies)) == (pieces, pieces + 2)

    spoilt = ({**cookies, name: value} for name in cookies for value in flipped(cookies[name], step=step))

    assert await opened(stage, map(header_of, spoilt)) == []
    assert (await get(stage, "/auth/session", header_of(cookies))).status == 200


@pytest.mark.long
async def test_every_byte_of_a_login_in_progress_counts(stage: AttackedSite) -> None:
    """A login that somebody else can change is a login of somebody else."""
    browser, callback = await stage.login_in_progress()
    [(name, value)] = cookies_of(browser).items()
    query = callback.partition("?")[2].encode()
    accepted = []

    for spoilt in flipped(value):
        back = await get(stage, own_path("callback"), header_of({name: spoilt}), *NAVIGATION, query=query)
        lines = back.headers(b"set-cookie")
        is_fresh_login = back.status == 303 and back.headers(b"location")[0].startswith(b"https://id.example.com/auth")
        if not is_fresh_login or any(b"-login-" not in line for line in lines):
            accepted.append((back.status, spoilt))

    assert accepted == []
    assert stage.provider.count("/token") == 0
    assert (await browser.get(callback)).json()["sub"] == "alice"


async def test_a_session_cut_anywhere_is_none(stage: AttackedSite) -> None:
    """A browser at its cookie limit may keep only a part."""
    cookies = await used(stage)

    for name, value in cookies.items():
        cut = [value[:end] for end in range(len(value))] + [value[start:] for start in range(1, len(value))]
        # White space at the end of a cookie is no part of it.
        longer = [value + more for more in ("A", "=", "==", ".", "AAAA", "a" * 4000, value)]
        assert await opened(stage, (header_of({**cookies, name: text}) for text in [*cut, *longer])) == []
        assert (await get(stage, "/auth/session", header_of({**cookies, name: value + " "}))).status == 200


async def test_reordered_or_renumbered_session_cookies_do_not_open(stage: AttackedSite) -> None:
    """Pieces belong together as they were cut: in this order, under these names, this many."""
    cookies = cookies_of(await stage.signed_in("erin"))
    login, names = login_of(cookies), pieces_of(cookies)
    values, all_values = [cookies[name] for name in names], list(cookies.values())
    alone = {login: cookies[login]}
    assert len(names) == 2

    orders = [
        dict(zip(cookies, order, strict=True))
        for order in itertools.permutations(all_values)
        if order != tuple(all_values)
    ]
    missing = [{name: cookies[name] for name in cookies if name != left_out} for left_out in cookies]
    counts = [{**cookies, names[0]: count + values[0].partition(".")[2]} for count in COUNTS]
    joined = [{**alone, names[0]: "1." + values[0][2:] + "".join(values[1:])}]
    empty = [{**cookies, name: ""} for name in cookies]
    empty += [{**alone, **dict.fromkeys(names, text)} for text in ("", "2.")]

    assert await opened(stage, map(header_of, [*orders, *missing, *counts, *joined, *empty])) == []
    assert (await get(stage, "/auth/session", header_of(cookies))).status == 200


async def test_pieces_of_two_sessions_make_no_third(stage: AttackedSite) -> None:
    """One tag covers the whole, and the tokens belong to their login, whichever name they come under."""
    first = cookies_of(await stage.signed_in("erin"))
    second = cookies_of(await stage.signed_in("erin"))
    mine, theirs = [[jar[login_of(jar)], *(jar[name] for name in pieces_of(jar))] for jar in (first, second)]

    mixtures = [
        dict(zip([login_of(jar), *pieces_of(jar)], mixed, strict=True))
        for jar in (first, second)
        for mixed in itertools.product(*zip(mine, theirs, strict=True))
        if list(mixed) not in (mine, theirs)
    ]
    swapped = [{**first, login_of(first): theirs[0]}, {**second, login_of(second): mine[0]}]
    # Under the names of the other one they are still not the other one's.
    renamed = [
        dict(zip([login_of(jar), *pieces_of(jar)], values, strict=True))
        for jar, values in ((first, [mine[0], *theirs[1:]]), (second, [theirs[0], *mine[1:]]))
    ]
    assert len(mixtures) == 2 * (2**3 - 2)

    assert await opened(stage, map(header_of, [*mixtures, *swapped, *renamed])) == []
    for whole in (first, second, {**second, **first}):
        assert (await get(stage, "/auth/session", header_of(whole))).status == 200


async def test_a_login_without_its_tokens_and_tokens_without_their_login_open_nothing(stage: AttackedSite) -> None:
    """The one signs in, the others are what it says: neither does the other's work."""
    cookies = await used(stage, "erin")
    login, pieces = login_of(cookies), pieces_of(cookies)

    alone = [{login: cookies[login]}, {name: cookies[name] for name in pieces}]
    seen = [{name: cookies[name]} for name in cookies if name.endswith("-seen")]
    without = [{name: cookies[name] for name in cookies if name != login}]
    without += [{name: cookies[name] for name in cookies if name not in pieces}]

    assert await opened(stage, map(header_of, [*alone, *seen, *without])) == []


async def test_no_kind_of_value_stands_in_for_a_session(stage: AttackedSite) -> None:
    """A login cookie or a token is no session, whatever name it gets (CVE-2023-48309)."""
    cookies = await used(stage)
    waiting, _ = await stage.login_in_progress()
    [login_value] = cookies_of(waiting).values()
    tokens = [stage.provider.id_token(), stage.provider.id_token(nonce="x"), "at-x" * 8]

    for name in cookies:
        others = [value.removeprefix("1.") for other, value in cookies.items() if other != name]
        pasted = [login_value, *tokens, *others]
        written = [text for value in pasted for text in (value, f"1.{value}", f"2.{value}")]
        assert await opened(stage, (header_of({**cookies, name: text}) for text in written)) == []
        assert await opened(stage, (header_of({name: text}) for text in written)) == []


async def test_no_session_stands_in_for_a_login_in_progress(stage: AttackedSite) -> None:
    """Nor does another login's cookie, moved to this state's name."""
    session = [text for value in (await used(stage)).values() for text in (value, value.removeprefix("1."))]
    other, _ = await stage.login_in_progress()
    [other_login] = cookies_of(other).values()
    browser, callback = await stage.login_in_progress()
    [(name, _)] = cookies_of(browser).items()
    stage.provider.calls.clear()

    for planted in (*session, other_login, stage.provider.id_token()):
        query = callback.partition("?")[2].encode()
        back = await get(stage, own_path("callback"), header_of({name: planted}), *NAVIGATION, query=query)
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
async def test_a_cookie_of_another_middleware_is_no_session_here(
    stage: AttackedSite, settings: dict[str, object]
) -> None:
    """The same secret in two apps must not make one app's users the other's."""
    given = cookies_of(await stage.signed_in())
    own_stem = login_of(given)
    theirs = AttackedSite(FakeProvider(str(settings.get("issuer", "https://id.example.com")), alg="EdDSA"), **settings)
    probe = await get(theirs, "/auth/login", b"", *NAVIGATION)
    stem = probe.headers(b"set-cookie")[0].partition(b"-login-")[0].decode()

    moved = {stem + name.removeprefix(own_stem): value for name, value in given.items()}
    # Several providers share the cookies of a site, whatever they are.
    has_same_name = "secret" in settings or (own_name() != "" and "base_url" not in settings)
    assert (len(moved), stem == own_stem) == (2, has_same_name)

    assert await opened(theirs, map(header_of, [moved, given, {**given, **moved}])) == []
    assert await opened(theirs, [header_of({name: value}) for name, value in moved.items()]) == []


async def test_a_secret_that_was_taken_off_the_list_opens_nothing(stage: AttackedSite) -> None:
    """Rotation: the first seals, all open, and one that is gone is gone."""
    cookie = header_of(cookies_of(await stage.signed_in()))

    assert (
        await get(AttackedSite(stage.provider, secret=[OTHER_SECRET, SECRET]), "/auth/session", cookie)
    ).status == 200
    assert (await get(AttackedSite(stage.provider, secret=[OTHER_SECRET]), "/auth/session", cookie)).status == 401


async def test_the_session_has_the_host_prefix_on_the_wire(stage: AttackedSite) -> None:
    """A prefix misspelt protects nothing, and nobody notices."""
    names = list(await used(stage))

    assert len(names) == 3
    assert [name for name in names if not name.startswith("__Host-oidc-")] == []


@pytest.mark.parametrize(
    "before", [b"\xa0", b"\x85", b"\x1c", b"\x0b", b"\x0c", b"\x00", b"\xe2\x80\x83", b"%20", b'"', b"="]
)
async def test_only_the_exact_bytes_of_our_name_are_our_name(stage: AttackedSite, before: bytes) -> None:
    """Servers that trim more than a browser let a subdomain plant `__Host-` cookies."""
    cookies = cookies_of(await stage.signed_in())

    for each in cookies:
        rest = header_of({other: value for other, value in cookies.items() if other != each})
        name, value = each.encode(), cookies[each].encode()
        names = [before + name, name + before, name.lower(), name.upper(), b"__Secure" + name[6:], name + b".0"]
        spellings = [planted for planted in names if planted not in (name, name + b"=")]
        assert await opened(stage, (rest + b"; " + planted + b"=" + value for planted in spellings)) == []
        assert (await get(stage, "/auth/session", rest + b"; " + name + b"=" + value)).status == 200


async def test_a_duplicate_cookie_name_means_an_anonymous_user(stage: AttackedSite) -> None:
    """Which of two cookies a browser sends first says nothing about which one is ours."""
    cookies = cookies_of(await stage.signed_in())
    mine, other = header_of(cookies), header_of(cookies_of(await stage.signed_in()))

    doubled = [mine + b"; " + other, other + b"; " + mine, mine + b"; " + mine]
    for name in (name.encode() for name in cookies):
        doubled += [mine + b";" + name + b"=x", name + b"=; " + mine]

    assert await opened(stage, doubled) == []


async def test_quoting_does_not_make_a_value_ours(stage: AttackedSite) -> None:
    """We never write quotes or escapes, so none are read."""
    cookies = cookies_of(await stage.signed_in())

    for name, text in cookies.items():
        value = text.encode()
        written = [b'"' + value + b'"', b"'" + value + b"'", value + b'"', b"\\" + value, b"%" + value]
        written += [value.replace(b".", b"%2e")] if b"." in value else []
        assert await opened(stage, (header_of({**cookies, name: spelt}) for spelt in written)) == []


@pytest.mark.long
async def test_no_cookie_header_breaks_a_request(stage: AttackedSite) -> None:
    """Malformed bytes are input: they make nobody of a visitor, and never an error 500."""
    source = random.Random("cookies")
    cookies = cookies_of(await stage.signed_in("alice"))
    exact = [f"{name}={value}".encode() for name, value in cookies.items()]
    name = login_of(cookies)
    words = [
        *(word.encode() for pair in cookies.items() for word in pair),
        b"-tokens-",
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

    spoilt = [header for header in headers if not all(pair in header for pair in exact)]

    assert await opened(stage, spoilt) == []
    assert (
        await opened(stage, [b"a=b; " * 20_000, (name.encode() + b"=x;") * 5_000, name.encode() + b"=" + b"A" * 70_000])
        == []
    )
