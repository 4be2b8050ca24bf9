"""Cookies at the level of bytes (RFC 6265bis §4.1, §5): read strictly, written from one place."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

LONGEST_LINE = 4096  # bytes of a whole Set-Cookie line; browsers drop what is longer
LARGEST_HEADER = 65_536  # bytes of Cookie headers that we look at

SameSite = Literal["Lax", "None"] | None

_NAME = re.compile(rb"[A-Za-z0-9_.-]+")
_VALUE = re.compile(rb"[A-Za-z0-9_.~-]*")


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


def read_cookies(headers: Iterable[bytes]) -> dict[str, str]:
    """Read our kind of cookies from Cookie headers; all others are passed over.

    Only SP and HTAB are trimmed, so that no other white space turns a foreign name into one of ours, and
    nothing is unquoted. A name that stands twice was planted by somebody: it is left out whole.
    """
    found: dict[str, str] = {}
    doubled: set[str] = set()
    data = b";".join(headers)
    if len(data) > LARGEST_HEADER:
        return {}
    for pair in data.split(b";"):
        raw_name, equals, raw_value = pair.partition(b"=")
        name_bytes, value = raw_name.strip(b" \t"), raw_value.strip(b" \t")
        if not equals or not _NAME.fullmatch(name_bytes):
            continue
        name = name_bytes.decode("ascii")
        if name in found:
            doubled.add(name)
        # A value that we never write is kept as empty: it counts as there, and opens nothing.
        found[name] = value.decode("ascii") if _VALUE.fullmatch(value) else ""
    return {name: value for name, value in found.items() if name not in doubled}
