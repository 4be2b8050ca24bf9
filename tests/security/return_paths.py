"""Return paths as attackers write them: every part that a URL can have, in the spellings that fool parsers."""

# ruff: noqa: SIM905  # these lists are easier to read as words

from random import Random
from urllib.parse import quote

import ada_url

from .attacked_site import ORIGIN

WHITE = (" ", "\t", "\n", "\r\n", "\x00", "\x0b", "\x1f", "\x7f", "\xa0", "\ufeff", "\u2028")
BEFORE = (*WHITE, *"/ // . .. /. /.. /./ /../ /.;/ /%2e /%2e%2e/ ? # @ ; /page page \\ '".split())
SCHEMES = (
    *"http: https: HTTPS: hTTp: https javascript: JaVaScRiPt: data:text/html, vbscript: file: ftp: ws:".split(),
    *("blob:https:", "view-source:", "mailto:", "ht\ttps:", "java\nscript:", "x:"),
)
SLASHES = (
    *r"// // /// //// \\ /\ \/ /\/ \/\ //\ / \ /%09/ /%2f %2f%2f %2F/ %5c %5C%5C /%5c /;/".split(),
    *("/\t/", "/\n/", "\t//", "/\r/", "/ /", "/\x00/", "", "/\u2044", "\uff0f\uff0f", "\uff3c"),
)
USERS = (
    *("", "", "", "app.example.com\t@"),
    *r"app.example.com@ user:pass@ app.example.com:443@ app.example.com%40 app.example.com\@ @ %00@ https:@".split(),
    *"app.example.com#@ app.example.com?@ app.example.com%2f@".split(),
)
HOSTS = (
    *"evil.example EVIL.example evil.example:443 evil.example. app.example.com.evil.example evil.example%2f".split(),
    *"evil\u3002example \uff45vil.example e\u0301vil.example xn--vil-9ma.example evil%2eexample".split(),
    *"[::1] [::ffff:7f00:1] 2130706433 0x7f.1 017700000001 127.1 localhost 1.1 app.example.com".split(),
    "ev\til.example",
)
AFTER = (
    *("", "", "\r\nLocation: https://evil.example", "\ud7ff", "|"),
    *"/ /page /.. /../..//evil.example /%2e%2e/ ?x=1 #x ;x %00 %0d%0aSet-Cookie:%20x=y".split(),
    *"/@app.example.com ?next=//evil.example % %zz <script>".split(),
)
PATHS = tuple("/page /page?x=1&y=a/b /a/b/c?q=%2F%2Fevil /~user/(x) /?a /page/ /%C3%A9 /a:b /a//b".split())
OWN = tuple("/auth/logout /auth/login /auth/callback?code=x /AUTH/login /auth//logout /auth/./logout".split())


def return_path(random: Random) -> str:
    """Write one return path, most of them hostile."""
    if random.random() < 0.08:
        return random.choice(PATHS + OWN)
    written = "".join(
        (
            random.choice(BEFORE) if random.random() < 0.2 else "",
            random.choice(SCHEMES) if random.random() < 0.4 else "",
            random.choice(SLASHES),
            random.choice(USERS),
            random.choice(HOSTS),
            random.choice(AFTER),
        )
    )
    match random.random():
        case chance if chance < 0.1:
            return quote(written)
        case chance if chance < 0.15:
            return quote(quote(written, safe=""), safe="")
        case chance if chance < 0.2:
            return _with_control(random, written)
        case chance if chance < 0.22:
            return "/" + "a" * random.choice((2000, 2047, 2048, 9000)) + written
        case _:
            return written


def _with_control(random: Random, text: str) -> str:
    place = random.randrange(len(text) + 1)
    return text[:place] + chr(random.randrange(33)) + text[place:]


def origin_of(url: str, base: str = f"{ORIGIN}/auth/callback?code=x") -> str:
    """Say the origin that a browser would go to, as a WHATWG URL parser reads it; empty for no URL at all."""
    try:
        return str(ada_url.URL(url, base=base).origin)
    except ValueError:
        return ""
