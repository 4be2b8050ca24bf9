"""Reads Cookie headers strictly, and writes Set-Cookie lines (RFC 6265bis §4.1, §5)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

MAX_SET_COOKIE_LENGTH = 4096  # bytes of a whole Set-Cookie line; browsers drop longer ones
MAX_HEADER_SIZE = 65_536  # bytes; longer Cookie headers are ignored

COOKIE_PREFIX = "oidc-"  # in the names of all our cookies, behind `__Host-` if there is one

SameSite = Literal["Lax", "None"] | None

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_OF_SESSION = re.compile(rf"(__Host-)?{COOKIE_PREFIX}[a-z2-7]+")


@dataclass(frozen=True, slots=True)
class CookieStyle:
    """The attributes of all cookies of one middleware; they depend on `base_url` only.

    Attributes:
        secure: with https, cookies have the `__Host-` prefix and `Secure`; with http on loopback, plain names.
        partitioned: whether a page of another site may show the app in a frame. Browsers then send the cookies there,
            and keep separate ones for each site with such a page (CHIPS); needs `secure`.
    """

    secure: bool
    partitioned: bool = False

    def name(self, stem: str) -> str:
        """Return the cookie's full name, with the prefix if there is one."""
        return f"__Host-{stem}" if self.secure else stem

    def set_cookie(self, name: str, value: str, *, max_age: int, same_site: SameSite = "Lax") -> bytes:
        """Return a Set-Cookie line.

        Args:
            max_age: seconds; 0 deletes the cookie.
            same_site: `None` omits the attribute, for loopback http, where `SameSite=None` is not possible.
        """
        line = f"{name}={value}; Path=/; Max-Age={max_age}; HttpOnly"
        if self.partitioned:
            return f"{line}; SameSite=None; Secure; Partitioned".encode("ascii")
        if same_site is not None:
            line += f"; SameSite={same_site}"
        if self.secure:
            line += "; Secure"
        return line.encode("ascii")

    def delete_cookie(self, name: str, *, same_site: SameSite = "Lax") -> bytes:
        """Return the Set-Cookie line that deletes a cookie; with other attributes, browsers would ignore it."""
        return self.set_cookie(name, "", max_age=0, same_site=same_site)


class Cookies(Mapping[str, str]):
    """Our cookies in a request, parsed when one is needed; the cookies of others are skipped.

    Only spaces and tabs are trimmed, so that no other white space turns another cookie's name into one of ours, and
    nothing is unquoted. A repeated name is left out entirely: an attacker has planted one of its cookies. Values may
    contain any byte, and are not trusted before they are decrypted.

    Attributes:
        header: the Cookie header as received; several headers are joined by ";".
    """

    __slots__ = ("_found", "_stem", "header")

    def __init__(self, header: bytes, stem: str = "") -> None:
        """Keep a header for later.

        Args:
            stem: a text that the names of all cookies of interest contain; others are skipped.
        """
        self.header = header
        self._stem = stem
        self._found: dict[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        return self._read()[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of the cookie with this name, else the default."""
        return self._read().get(name, default)

    def beginning_with(self, prefix: str) -> dict[str, str]:
        """Return the cookies whose names begin with `prefix`."""
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
    """Return the names of session cookies, those of other middlewares on this host included."""
    return [name for name in cookies if _OF_SESSION.fullmatch(name)]


def _read(header: bytes, stem: str) -> dict[str, str]:
    found: dict[str, str] = {}
    repeated: list[str] = []
    text = header.decode("latin-1") + ";"
    at = text.find(stem)
    while 0 <= at < len(text):  # skips the cookies of others without parsing them, however many there are
        end = text.find(";", at)
        name, equals, value = text[text.rfind(";", 0, at) + 1 : end].partition("=")
        name = name.strip(" \t")
        if equals and stem in name and _NAME.fullmatch(name):
            if name in found:
                repeated.append(name)
            found[name] = value.strip(" \t")
        at = text.find(stem, end + 1)
    for name in repeated:
        found.pop(name, None)
    return found
