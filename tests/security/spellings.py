"""Spellings of paths as an attacker tries them, and the scopes that servers, good and bad, make of them."""

# ruff: noqa: SIM905  # these lists are easier to read as words

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from random import Random
from urllib.parse import unquote, unquote_to_bytes

from .attacked_site import Scope, http_scope
from .frameworks import OPEN, PROTECTED

ODD_CODES = (*range(0x21), *b'"#%;?\\^`|', 0x7F, 0x80, 0x85, 0xA0, 0xAD, 0xFF)
ODD_LETTERS = "\u200b\u2028\u2044\u2215\u29f8\u3002\ufeff\uff0e\uff0f\uff3c\u0307\u212a\u017f\u0131"
ODD_BYTES = (
    *(bytes([code]) for code in ODD_CODES),
    *(b"\xc0\xaf", b"\xc0\xae", b"\xe0\x80\xaf", b"\xed\xa0\x80"),  # overlong forms, half a character
    *(letter.encode() for letter in ODD_LETTERS),
)
SEPARATORS = rb"/ // /// /./ /../ /.// \ /\ %2f %2F %5c %252f ; /;/".split()
PREFIXES = (
    b" ",
    *rb"/ // /. /./ /.. /../ /; /..;/ \ /\ %20 %2f %09 %00 * @evil http: http:/// //evil http://evil".split(),
    *rb"https://app.example.com http://evil/health /static/.. /static/%2e%2e /static/..; /static/%2e%2e%2f".split(),
    *rb"/static/..%2f /static/..%5c /static /health /health/.. /health%2f.. /health? /health%3f /health%23".split(),
    *rb"/health; /static/x /static// /static/admin/.. /auth /auth/.. /auth/login /auth/callback".split(),
)
SUFFIXES = (
    b" ",
    *rb"/ // /. /.. /./ /../ /x/.. %2f %2F %5c \ %00 %0a %0d %0d%0a %20 %09 . .. %2e ; ;x ;jsessionid=1".split(),
    *rb"%3bx %3f %3fx=1 %23 %23x .json .css .html /health /static/app.css %2fhealth ;/health %00/health".split(),
    *rb"%0a/health ? ?x=/health # #/health & = ~ * % %z %u002f %c0%af /%2e%2e/health".split(),
)
ROOT_PATHS = (
    *"/app /admin /private /static /health /auth / // admin x /x /static/x /static/ /health/ /stat /h".split(),
    *"http://evil /admin/users %2fx /X \u00e9".split(),
)
METHODS = (
    *(*["GET"] * 14, *["POST"] * 5, *["DELETE"] * 4, *["HEAD"] * 2),
    *"get Get post delete OPTIONS PUT PATCH TRACE CONNECT".split(),
    *("", "GET ", "GET\n", "DELETE "),
)
NAMES = (
    *b"x-original-url x-rewrite-url x-forwarded-uri x-forwarded-path x-forwarded-prefix x-forwarded-host".split(),
    *b"x-forwarded-proto x-forwarded-for x-forwarded-user x_forwarded_user x-http-method-override".split(),
    *b"x-method-override x-middleware-subrequest user-agent host referer authorization cookie origin".split(),
    *b"forwarded x-real-ip remote-user x-remote-user upgrade daphne-root-path content-length".split(),
    *b"transfer-encoding accept sec-fetch-mode sec-purpose".split(),
)
QUERIES = (b"", b"", b"", b"x=/health", b"/health", b"path=/static/app.css", b"_method=GET", b"&&", b"%")
VALUES = (
    *(b"", b"Bearer x", b"Basic YTpi", b"\xff"),
    *b"/health / /static/app.css http://evil/health GET POST kube-probe/1.30 ELB-HealthChecker 127.0.0.1".split(),
    *b"a/health?x= app.example.com evil/health# admin navigate text/html __Host-oidc=x 0 chunked".split(),
    *b"https://app.example.com websocket prefetch".split(),
)

Mutation = Callable[[Random, bytes], bytes]


def spelling(random: Random) -> bytes:
    """Write one request target: a path of the app, spoilt up to three times."""
    target = random.choice(PROTECTED if random.random() < 0.9 else OPEN).encode()
    for _ in range(random.choice((0, 1, 1, 1, 1, 2, 2, 3))):
        target = random.choice(MUTATIONS)(random, target)
    return target[:4000]


def _place(random: Random, target: bytes) -> int:
    return random.randrange(len(target) + 1)


def _insert_odd_byte(random: Random, target: bytes) -> bytes:
    place = random.choice((0, len(target), _place(random, target)))
    odd = random.choice(ODD_BYTES)
    return target[:place] + (_escaped(odd) if random.random() < 0.8 else odd) + target[place:]


def _escaped(data: bytes, digits: str = "%02x") -> bytes:
    return b"".join(b"%" + (digits % code).encode() for code in data)


def _escape_one(random: Random, target: bytes) -> bytes:
    if not target:
        return target
    place = random.randrange(len(target))
    return target[:place] + _escaped(target[place : place + 1], random.choice(("%02x", "%02X"))) + target[place + 1 :]


def _escape_all(random: Random, target: bytes) -> bytes:
    return target[:1] + _escaped(target[1:])


def _escape_again(random: Random, target: bytes) -> bytes:
    return target.replace(b"%", b"%25") if b"%" in target else _escape_one(random, target).replace(b"%", b"%25")


def _double_a_slash(random: Random, target: bytes) -> bytes:
    places = [place for place, code in enumerate(target) if code == 0x2F]
    if not places:
        return b"/" + target
    place = random.choice(places)
    return target[:place] + random.choice(SEPARATORS) + target[place + 1 :]


def _change_case(random: Random, target: bytes) -> bytes:
    return random.choice((bytes.upper, bytes.title, bytes.swapcase))(target)


def _fold_letter(random: Random, target: bytes) -> bytes:
    pairs = (
        (b"a", "\uff41"),
        (b"i", "\u0131"),
        (b"s", "\u017f"),
        (b"k", "\u212a"),
        (b"m", "\u217f"),
        (b"e", "e\u0301"),
    )
    letter, other = random.choice(pairs)
    return target.replace(letter, _escaped(other.encode()), 1)


def _prefixed(random: Random, target: bytes) -> bytes:
    return random.choice(PREFIXES) + target


def _suffixed(random: Random, target: bytes) -> bytes:
    return target + random.choice(SUFFIXES)


def _without_slash(random: Random, target: bytes) -> bytes:
    return target.lstrip(b"/")


def _white_space_around(random: Random, target: bytes) -> bytes:
    space = random.choice((b"%0a", b"%0d", b"%09", b"%20", b"%0d%0a", b"%0b", b"%c2%85", b"%e2%80%a8"))
    return target + space if random.random() < 0.7 else space + target


def _below_a_root(random: Random, target: bytes) -> bytes:
    return random.choice(ROOT_PATHS).encode() + target


def _below_public_and_root(random: Random, target: bytes) -> bytes:
    return b"/static" + random.choice(ROOT_PATHS).encode() + target


def _repeated(random: Random, target: bytes) -> bytes:
    return target + target


def _overlong(random: Random, target: bytes) -> bytes:
    return random.choice((b"/" * 3000 + target, target + b"/" * 3000, b"/" + b"a/../" * 600 + target))


MUTATIONS: Sequence[Mutation] = (
    _insert_odd_byte,
    _escape_one,
    _escape_all,
    _escape_again,
    _double_a_slash,
    _change_case,
    _fold_letter,
    _prefixed,
    _suffixed,
    _without_slash,
    _below_a_root,
    _below_public_and_root,
    _repeated,
    _overlong,
    *(_insert_odd_byte, _double_a_slash, _prefixed, _suffixed, _white_space_around),  # these find the most
)


def attempt(random: Random, *, websockets: bool = True) -> Scope:
    """Make the scope of one request, mostly as real servers do, sometimes as none should."""
    target = spelling(random)
    before, _, query = target.partition(b"?")
    raw = before if random.random() < 0.9 else target
    query = query or random.choice(QUERIES)
    scope = http_scope(_decoded(random, raw), method=_method(random), headers=_headers(random))
    scope.update(raw_path=raw, query_string=query, root_path=_root_path(random, raw))
    if random.random() < 0.1:
        _put_below_a_root(random, scope)
    match random.random():
        case chance if chance < 0.06:
            del scope["raw_path"]
        case chance if chance < 0.10:
            scope["raw_path"] = random.choice((b"", b"/health", b"/static/app.css", target, None))
        case chance if chance < 0.14:
            scope["path"] = random.choice(PROTECTED)
    if websockets and random.random() < 0.15:
        return as_websocket(scope)
    return scope


def _put_below_a_root(random: Random, scope: Scope) -> None:
    """Let path and `root_path` agree, somehow: frameworks cut it off at the start, or anywhere."""
    root = random.choice(ROOT_PATHS)
    before = random.choice(("", "", "/static", "/static/", "/health", "/"))
    scope["root_path"] = root.rstrip("/") if random.random() < 0.5 else root
    scope["path"] = before + root + scope["path"]
    scope["raw_path"] = (before + root).encode() + scope["raw_path"]


def _decoded(random: Random, raw: bytes) -> str:
    match random.random():
        case chance if chance < 0.85:
            return unquote(raw.decode("ascii", "replace"))
        case chance if chance < 0.90:
            return unquote_to_bytes(raw).decode("latin-1")
        case chance if chance < 0.95:
            return unquote_to_bytes(raw).decode("utf-8", "surrogateescape")
        case _:
            return raw.decode("latin-1")


def _root_path(random: Random, raw: bytes) -> str:
    if random.random() < 0.8:
        return ""
    if random.random() < 0.5:
        path = unquote(raw.decode("ascii", "replace"))
        first, last = sorted((_place(random, raw), _place(random, raw)))
        return path[first:last]
    return random.choice(ROOT_PATHS)


def _method(random: Random) -> str:
    return random.choice(METHODS)


def _headers(random: Random) -> list[tuple[bytes, bytes]]:
    count = random.choice((0, 0, 1, 1, 2, 3))
    return [(random.choice(NAMES), random.choice(VALUES)) for _ in range(count)]


def as_websocket(scope: Scope) -> Scope:
    """Make a websocket of an http scope."""
    kept = {name: value for name, value in scope.items() if name != "method"}
    return {**kept, "type": "websocket", "scheme": "wss", "subprotocols": []}


def _without_dot_segments(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1] or kept
        elif segment != ".":
            kept.append(segment)
    return "/".join(kept)


def _without_end(path: str) -> str:
    while path and (path[-1].isspace() or unicodedata.category(path[-1]) == "Cc"):
        path = path[:-1]
    return path


# What a server, a framework or a file system may make of a path before it looks for what is meant.
READINGS: Sequence[Callable[[str], str]] = (
    unquote,
    lambda path: unquote(unquote(path)),
    lambda path: re.sub(r"//+", "/", path),
    _without_dot_segments,
    lambda path: re.sub(r";[^/]*", "", path),
    str.casefold,
    lambda path: unicodedata.normalize("NFKC", path),
    _without_end,
    lambda path: path.replace("\\", "/"),
)


def readings(path: str, *, most: int = 3) -> Collection[str]:
    """Give all that comes of a path by so many of the readings, one after the other."""
    found = newest = {path}
    for _ in range(most):
        newest = {read(each) for each in newest for read in READINGS} - found
        found = found | newest
    return found


def disguises(letter: str) -> Sequence[str]:
    """Spell one character of a path in other ways, each undone by one of the readings."""
    escaped = "".join(f"%{code:02x}" for code in letter.encode())
    spelt = [letter, escaped, escaped.upper(), escaped.replace("%", "%25"), letter.swapcase()]
    spelt.append(unicodedata.normalize("NFD", letter))
    if "!" <= letter <= "~":
        spelt.append(chr(ord(letter) - ord("!") + ord("\uff01")))
    if letter == "/":
        spelt += ["//", "///", "/./", "/x/../", "/../", "\\", ";x/", ";/"]
    return spelt


ENDS = (
    "",
    "",
    " ",
    "\n",
    "\x00",
    "\x1f\r",
    "\x85",
    "\u2028",
    "/",
    "//",
    "/.",
    "/x/..",
    ";",
    ";x=1",
    "\\",
    "%20",
    "%00",
)
