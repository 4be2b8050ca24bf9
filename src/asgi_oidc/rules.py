"""One policy for every request: default closed, opened by `public` patterns alone."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from asgi_oidc.web.paths import PathReadings

# "/x" or "/x/*"; plain characters only, so that a pattern means exactly what it says.
_PATTERN = re.compile(r"/|(/[\w~!$&'()+,=:@.-]+)+(/\*)?")


class Decision(Enum):
    """What a request gets."""

    ALLOW = auto()
    LOGIN = auto()


@dataclass(frozen=True, slots=True)
class Public:
    """The paths that are reached without signing in."""

    exact: frozenset[str]
    below: tuple[str, ...]

    def opens(self, path: PathReadings) -> bool:
        """Say whether a path is public: spelt canonically, and public in every reading that it may have."""
        return path.is_canonical and all(self._opens(reading) for reading in path.readings)

    def _opens(self, path: str) -> bool:
        return path in self.exact or any(path == stem or path.startswith(stem + "/") for stem in self.below)


def read_public(patterns: Iterable[str]) -> Public:
    """Compile `public` patterns.

    Raises:
        ValueError: a pattern is not `/x` or `/x/*`, or opens everything.
    """
    exact: set[str] = set()
    below: list[str] = []
    for pattern in patterns:
        if pattern == "/*":
            raise ValueError("'/*' would open every path: leave the middleware out, or name what is public")
        if not _PATTERN.fullmatch(pattern) or "/./" in f"{pattern}/" or "/../" in f"{pattern}/":
            raise ValueError(f"{pattern!r} is not a path: write '/x' for one path, '/x/*' for it and all below")
        if pattern.endswith("/*"):
            below.append(pattern.removesuffix("/*"))
        else:
            exact.add(pattern)
    return Public(frozenset(exact), tuple(below))


def decide(public: Public, path: PathReadings, *, is_signed_in: bool) -> Decision:
    """Decide on a request by its path and its user alone; no header takes part."""
    if is_signed_in or public.opens(path):
        return Decision.ALLOW
    return Decision.LOGIN
