"""Cookies at the level of bytes (RFC 6265bis §4.1, §5): read strictly, written from one place."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

MAX_SET_COOKIE_LENGTH = 4096  # bytes of a whole Set-Cookie line; browsers drop what is longer
MAX_HEADER_SIZE = 65_536  # bytes of Cookie headers that we look at

COOKIE_PREFIX = "oidc-"  # what the names of all our cookies have in them

SameSite = Literal["Lax", "None"] | None

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_OF_SESSION = re.compile(rf"(__Host-)?{COOKIE_PREFIX}[a-z2-7]+")


@dataclass(frozen=True, slots=True)
class CookieStyle:
    """How all cookies of one middleware are written; it follows from `base_url` alone.

    Attributes:
        secure: https: the `__Host-` prefix and `Secure`; plain names on loopback http.
    """

    secure: bool

    def name(self, stem: str) -> str:
        """Return the name on the wire."""
        return f"__Host-{stem}" if self.secure else stem

    def set_cookie(self, name: str, value: str, *, max_age: int, same_site: SameSite = "Lax") -> bytes:
        """Write a Set-Cookie line.

        Args:
            max_age: seconds; 0 deletes.
            same_site: `None` (no attribute) is for loopback http, where `SameSite=None` is not possible.
        """
        line = f"{name}={value}; Path=/; Max-Age={max_age}; HttpOnly"
        if same_site is not None:
            line += f"; SameSite={same_site}"
        if self.secure:
            line += "; Secure"
        return line.encode("ascii")

    def delete_cookie(self, name: str, *, same_site: SameSite = "Lax") -> bytes:
        """Write the line that deletes a cookie: the same attributes, or browsers ignore it."""
        return self.set_cookie(name, "", max_age=0, same_site=same_site)


class Cookies(Mapping[str, str]):
    """The cookies of a request, read when somebody looks for one: our kind of names, all others are passed over.

    Only SP and HTAB are trimmed, so that no other white space turns a foreign name into one of ours, and
    nothing is unquoted. A name that stands twice was planted by somebody: it is left out whole. Values may hold any
    byte, and count for nothing before they are opened.

    Attributes:
        header: as it came, several joined by ";".
    """

    __slots__ = ("_found", "_stem", "header")

    def __init__(self, header: bytes, stem: str = "") -> None:
        """Take a header.

        Args:
            stem: what the names of all cookies have in them that somebody may look for.
        """
        self.header = header
        self._stem = stem
        self._found: dict[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        return self._read()[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a name, else the default."""
        return self._read().get(name, default)

    def beginning_with(self, prefix: str) -> dict[str, str]:
        """Return those whose names begin so."""
        return {name: value for name, value in self._read().items() if name.startswith(prefix)}

    def __contains__(self, name: object) -> bool:
        return name in self._read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"Cookies({', '.join(self)})"

    def _read(self) -> dict[str, str]:
        if self._found is None:
            self._found = _read(self.header, self._stem) if len(self.header) <= MAX_HEADER_SIZE else {}
        return self._found


def session_names(cookies: Iterable[str]) -> list[str]:
    """Name the cookies that sign somebody in, those of other middlewares on this host too."""
    return [name for name in cookies if _OF_SESSION.fullmatch(name)]


def _read(header: bytes, stem: str) -> dict[str, str]:
    found: dict[str, str] = {}
    doubled: list[str] = []
    text = header.decode("latin-1") + ";"
    at = text.find(stem)
    while 0 <= at < len(text):  # those of others are passed over unread, however many they are
        start, end = text.rfind(";", 0, at) + 1, text.find(";", at)
        name, equals, value = text[start:end].partition("=")
        at = text.find(stem, end + 1)
        name = name.strip(" \t")
        if stem not in name or not equals or not _NAME.fullmatch(name):
            continue
        if name in found:
            doubled.append(name)
        found[name] = value.strip(" \t")
    for name in doubled:
        found.pop(name, None)
    return found
