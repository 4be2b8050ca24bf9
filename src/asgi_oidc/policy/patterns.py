"""Which paths a pattern means: read strictly where it opens, and in any spelling where it closes.

What opens a path (`public`) needs one plain spelling that everybody reads alike. What closes one (a rule) has to hold
for each spelling that some server, mount or framework takes for that path; so it rather closes too much.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from asgi_oidc.web.paths import PathReadings

MAX_ODD_PATH_LENGTH = 2048  # bytes of a spelling that is not plain; a longer one is taken for every path at once
MAX_DECODINGS = 4  # times that a spelling is decoded; one that still holds escapes is taken for every path at once

# "/x" or "/x/*"; plain characters only, so that a pattern means exactly what it says.
_PATTERN = re.compile(r"/|/\*|(/[\w~!$&'()+,=:@.-]+)+(/\*)?")
_NO_WORD = re.compile(r"[\W_]+")
_SHORT_NAME = re.compile(r"/[^/]{1,6}~[0-9]")  # that Windows has for a file with a longer one: it may be any
_BYTE = re.compile(r"[\udc80-\udcff]")  # what `surrogateescape` makes of one
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")  # some strip these


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path, or a path and all below it.

    Attributes:
        stem: the path without `/` at its end; empty for the root.
        is_exact: whether paths below do not count.
    """

    stem: str
    is_exact: bool

    @property
    def width(self) -> tuple[int, bool]:
        """Orders the patterns of one path: the longer stem is the narrower, and an exact one narrower still."""
        return -len(self.stem), not self.is_exact

    def __str__(self) -> str:
        return self.stem or "/" if self.is_exact else f"{self.stem}/*"


def read_pattern(text: object) -> Pattern:
    """Read `/x` or `/x/*`.

    Raises:
        ValueError: it is neither.
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
    """Patterns that open: a reading matches in its plain spelling alone, exact case, whole segments."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        patterns = list(patterns)
        self._exact = {(pattern.stem or "/"): pattern for pattern in patterns if pattern.is_exact}
        self._below = {pattern.stem: pattern for pattern in patterns if not pattern.is_exact}
        self._depth = max((stem.count("/") for stem in self._below), default=0)

    def opens(self, path: PathReadings) -> bool:
        """Say whether a path is open in every reading."""
        return path.is_canonical and all(self.narrowest(reading) is not None for reading in path.readings)

    def narrowest(self, reading: str) -> Pattern | None:
        """Return the narrowest pattern of one reading of a canonical path, None where none matches."""
        if reading in self._exact:
            return self._exact[reading]
        stems = _stems(reading, self._depth)
        return next((self._below[stem] for stem in reversed(stems) if stem in self._below), None)


class RulePatterns:
    """Patterns that close: a path matches in any spelling that somebody may take for it."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._all = frozenset(range(len(patterns)))
        self._exact: dict[str, list[int]] = {}
        self._below: dict[str, list[int]] = {}
        self._words = [_words(pattern.stem) for pattern in patterns]
        self._by_word: dict[str, list[int]] = {}
        for index, pattern in enumerate(patterns):
            known = self._exact if pattern.is_exact else self._below
            known.setdefault(_folded(pattern.stem), []).append(index)
            self._by_word.setdefault(min(self._words[index], default=""), []).append(index)
        self._depth = max((stem.count("/") for stem in self._below), default=0)

    def matching(self, path: PathReadings) -> tuple[int, ...]:
        """Return the places of all patterns that the path may mean, in order.

        An odd spelling of a path meets what the plain one meets, and more.
        """
        if not self._all:
            return ()
        found = frozenset[int]() if path.is_canonical else self._odd(path)
        if found != self._all:
            found = found.union(*map(self.of, path.readings))
        return tuple(sorted(found))

    def of(self, reading: str) -> Collection[int]:
        """Return the places of all patterns that one reading meets."""
        if not self._all or _SHORT_NAME.search(reading):
            return self._all
        found: set[int] = set()
        for folded in _names(_folded(reading).rstrip("/")):
            found.update(self._exact.get(folded, ()))
            for stem in _stems(folded, self._depth):
                found.update(self._below.get(stem, ()))
        return found

    def _odd(self, path: PathReadings) -> frozenset[int]:
        """Match a spelling that is not plain.

        Frameworks decode, fold, strip and cut in ways that no one can list; but none makes up words, and only what is
        taken off as plain text leaves a part of one. So a pattern may be meant when all of its words stand in the
        path, whatever stands between them.
        """
        texts = None if path.is_unreadable else _decodings([*path.readings, *path.spellings])
        if texts is None:
            return self._all
        words = {""}
        for text in texts | {_UNSEEN.sub("", text) for text in texts}:
            words |= _words(text)
        words = _with_parts(words, taken_off=path.taken_off, prefixes=path.prefixes)
        return frozenset(
            index for word in words for index in self._by_word.get(word, ()) if self._words[index] <= words
        )


def _stems(path: str, depth: int) -> list[str]:
    """Return the first `depth` beginnings of a path that end with a whole segment, the root first."""
    stems, end = [""], 0
    for _ in range(depth):
        end = path.find("/", end + 1)
        if end == -1:
            stems.append(path)
            break
        stems.append(path[:end])
    return stems


def _folded(text: str) -> str:
    return _compatible(_compatible(text).upper().casefold())


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _names(path: str) -> set[str]:
    """Return a path, and others that some frameworks or file systems take it for."""
    names = {path}
    if ":" in path or "./" in path or path.endswith("."):  # files on Windows end before a ":", and without dots
        names.add("/".join(name.partition(":")[0].rstrip(".") for name in path.split("/")))
    # "/orders.json" may be "/orders" in another format (Django REST framework).
    cut = [name.rpartition(".")[0] for name in names if name.rfind(".") > name.rfind("/")]
    return names.union(cut)


def _words(text: str) -> frozenset[str]:
    return frozenset(_NO_WORD.split(_folded(text))) - {""}


def _with_parts(words: Collection[str], *, taken_off: Iterable[str], prefixes: Iterable[str]) -> set[str]:
    """Return words, and what is left of each where a text that ends with the beginning of it is taken off."""
    firsts = {_NO_WORD.split(_folded(text))[-1] for text in prefixes} - {""}
    ends = {_NO_WORD.split(_folded(text))[-1] for text in taken_off} | firsts
    found, waiting = set(words), list(words)
    while waiting:
        word = waiting.pop()
        segments = {word.removeprefix(end) for end in ends} | {first for first in firsts if word.startswith(first)}
        waiting += segments - found
        found |= segments
    return found


def _decodings(spellings: Sequence[str]) -> set[str] | None:
    """Return spellings as they are, and percent-decoded again and again; None where that is long or has no end."""
    found: set[str] = set()
    waiting = [(text, 0) for text in spellings]
    while waiting:
        text, times = waiting.pop()
        if text in found:
            continue
        if times > MAX_DECODINGS or _is_long(text):
            return None
        found.add(text)
        # What Unicode folds may become a "%", or be one no more.
        for each in (text, _compatible(text)):
            waiting += [(unquote(each), times + 1), (_unquote_text(each), times + 1)]
    return found


def _unquote_text(text: str) -> str:
    # A byte that is no text by itself stays escaped: it may be a part of some once the rest is decoded.
    return _BYTE.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02x}", unquote(text, errors="surrogateescape"))


def _is_long(text: str) -> bool:
    return len(text.encode("utf-8", "surrogatepass")) > MAX_ODD_PATH_LENGTH
