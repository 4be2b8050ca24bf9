"""Matches path patterns: strictly if the pattern opens a path, in any spelling if it closes one.

A `public` pattern opens a path only in its one plain spelling, which every server and framework reads alike. A rule
closes every spelling that some server, mount or framework may serve as that path: in doubt, it closes too much.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from asgi_oidc.web.paths import PathReadings

MAX_ODD_PATH_LENGTH = 2048  # bytes of a spelling that is not plain; a longer one matches every rule
MAX_DECODINGS = 4  # times that a spelling is decoded; one that still contains escapes then matches every rule

# "/x" or "/x/*"; plain characters only, so that a pattern means exactly what it says.
_PATTERN = re.compile(r"/|/\*|(/[\w~!$&'()+,=:@.-]+)+(/\*)?")
_NON_WORD = re.compile(r"[\W_]+")
_SHORT_NAME = re.compile(r"/[^/]{1,6}~[0-9]")  # an alias that Windows gives a file with a long name: it may be any file
_BYTE = re.compile(r"[\udc80-\udcff]")  # a byte that `surrogateescape` has kept
# Invisible characters, which some frameworks strip.
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path, or a path and all below it.

    Attributes:
        stem: the path without a trailing `/`; empty for the root.
        is_exact: whether it matches only this path, and not those below it.
    """

    stem: str
    is_exact: bool

    @property
    def width(self) -> tuple[int, bool]:
        """Sort key: the narrowest pattern comes first, that is the longest stem, and an exact one before `/*`."""
        return -len(self.stem), not self.is_exact

    def __str__(self) -> str:
        return self.stem or "/" if self.is_exact else f"{self.stem}/*"


def read_pattern(text: object) -> Pattern:
    """Parse `/x` or `/x/*`.

    Raises:
        ValueError: the text is neither.
    """
    if not isinstance(text, str) or not _PATTERN.fullmatch(text) or "/./" in f"{text}/" or "/../" in f"{text}/":
        raise ValueError(
            f"{text!r} is not a path pattern: write '/x' for one path, or '/x/*' for it and everything below, without "
            "a trailing '/', spaces or percent-encoding"
        )
    if unicodedata.normalize("NFKC", text) != text:
        raise ValueError(f"{text!r} contains characters that have several spellings in Unicode: use the NFKC form")
    return Pattern(text.removesuffix("*").rstrip("/"), not text.endswith("/*"))


class PublicPatterns:
    """Patterns that open paths: a reading has to match exactly, in case and in whole segments."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        patterns = list(patterns)
        self._exact = {(pattern.stem or "/"): pattern for pattern in patterns if pattern.is_exact}
        self._below = {pattern.stem: pattern for pattern in patterns if not pattern.is_exact}
        self._depth = max((stem.count("/") for stem in self._below), default=0)

    def opens(self, path: PathReadings) -> bool:
        """Return whether a pattern matches every reading of a path."""
        return path.is_canonical and all(self.narrowest(reading) is not None for reading in path.readings)

    def narrowest(self, reading: str) -> Pattern | None:
        """Return the narrowest pattern of one reading of a canonical path; None if no pattern matches."""
        if reading in self._exact:
            return self._exact[reading]
        stems = _stems(reading, self._depth)
        return next((self._below[stem] for stem in reversed(stems) if stem in self._below), None)


class RulePatterns:
    """Patterns that close paths: a path matches in any spelling that a server, mount or framework may accept."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._all = frozenset(range(len(patterns)))
        self._exact: dict[str, list[int]] = {}
        self._below: dict[str, list[int]] = {}
        self._words = [_words(pattern.stem) for pattern in patterns]
        self._by_word: dict[str, list[int]] = {}
        for index, pattern in enumerate(patterns):
            by_stem = self._exact if pattern.is_exact else self._below
            by_stem.setdefault(_fold(pattern.stem), []).append(index)
            self._by_word.setdefault(min(self._words[index], default=""), []).append(index)
        self._depth = max((stem.count("/") for stem in self._below), default=0)

    def matching(self, path: PathReadings) -> tuple[int, ...]:
        """Return the indexes of all patterns that the path may match, in order.

        An odd spelling of a path matches all that the plain spelling matches, and possibly more.
        """
        if not self._all:
            return ()
        matches = frozenset[int]() if path.is_canonical else self._match_odd_spelling(path)
        if matches != self._all:
            matches = matches.union(*map(self.matching_reading, path.readings))
        return tuple(sorted(matches))

    def matching_reading(self, reading: str) -> Collection[int]:
        """Return the indexes of all patterns that match one reading."""
        if not self._all or _SHORT_NAME.search(reading):
            return self._all
        matches: set[int] = set()
        for path in _equivalent_paths(_fold(reading).rstrip("/")):
            matches.update(self._exact.get(path, ()))
            for stem in _stems(path, self._depth):
                matches.update(self._below.get(stem, ()))
        return matches

    def _match_odd_spelling(self, path: PathReadings) -> frozenset[int]:
        """Return the indexes of all patterns that a spelling may match which is not plain.

        Frameworks decode, fold, strip and cut paths in ways that cannot be listed. But none of them invents words, and
        only a prefix that is stripped as plain text can cut a word. So a pattern may match if all of its words are in
        the path, whatever is between them.
        """
        texts = None if path.is_unreadable else _decodings([*path.readings, *path.spellings])
        if texts is None:
            return self._all
        words = {""}
        for text in texts | {_INVISIBLE.sub("", text) for text in texts}:
            words |= _words(text)
        words = _with_parts(words, taken_off=path.taken_off, prefixes=path.prefixes)
        return frozenset(
            index for word in words for index in self._by_word.get(word, ()) if self._words[index] <= words
        )


def _stems(path: str, depth: int) -> list[str]:
    """Return the first `depth` prefixes of a path that consist of whole segments, the root first."""
    stems, end = [""], 0
    for _ in range(depth):
        end = path.find("/", end + 1)
        if end == -1:
            stems.append(path)
            break
        stems.append(path[:end])
    return stems


def _fold(text: str) -> str:
    return _normalize(_normalize(text).upper().casefold())


def _normalize(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _equivalent_paths(path: str) -> set[str]:
    """Return a path, and others that some frameworks or file systems treat as the same."""
    paths = {path}
    if ":" in path or "./" in path or path.endswith("."):  # Windows ignores ":..." and dots at the end of a file name
        paths.add("/".join(name.partition(":")[0].rstrip(".") for name in path.split("/")))
    # "/orders.json" may be "/orders" in another format (Django REST framework).
    without_suffix = [path.rpartition(".")[0] for path in paths if path.rfind(".") > path.rfind("/")]
    return paths.union(without_suffix)


def _words(text: str) -> frozenset[str]:
    return frozenset(_NON_WORD.split(_fold(text))) - {""}


def _with_parts(words: Collection[str], *, taken_off: Iterable[str], prefixes: Iterable[str]) -> set[str]:
    """Return words, and the parts that are left if a prefix is stripped that ends within a word."""
    kept_parts = {_NON_WORD.split(_fold(text))[-1] for text in prefixes} - {""}
    stripped_parts = {_NON_WORD.split(_fold(text))[-1] for text in taken_off} | kept_parts
    found, queue = set(words), list(words)
    while queue:
        word = queue.pop()
        remains = {word.removeprefix(part) for part in stripped_parts}
        remains |= {part for part in kept_parts if word.startswith(part)}
        queue += remains - found
        found |= remains
    return found


def _decodings(spellings: Sequence[str]) -> set[str] | None:
    """Return spellings, also percent-decoded repeatedly; None if one is too long or has too many layers of escapes."""
    found: set[str] = set()
    queue = [(text, 0) for text in spellings]
    while queue:
        text, times = queue.pop()
        if text in found:
            continue
        if times > MAX_DECODINGS or _is_too_long(text):
            return None
        found.add(text)
        # Normalization may make a "%" of another character, so both forms are decoded.
        for form in (text, _normalize(text)):
            queue += [(unquote(form), times + 1), (_unquote_text(form), times + 1)]
    return found


def _unquote_text(text: str) -> str:
    # A byte that is not valid UTF-8 by itself stays escaped: it may be part of a character once the rest is decoded.
    return _BYTE.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02x}", unquote(text, errors="surrogateescape"))


def _is_too_long(text: str) -> bool:
    return len(text.encode("utf-8", "surrogatepass")) > MAX_ODD_PATH_LENGTH
