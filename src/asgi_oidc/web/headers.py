"""The names of a request's headers, read once for all requests that bring the same ones in the same order."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_LISTS = 128  # of names that are remembered: a client sends the same ones again and again
MAX_NAMES = 64  # of one list
MAX_LIST_LENGTH = 2048  # bytes of one

# They tell an app to take one method for another. Each in all spellings: some apps take "_" for "-".
_OVERRIDES = frozenset(
    b"".join(letters)
    for name in ("x-http-method-override", "x-http-method", "x-method-override")
    for letters in itertools.product(*((b"-", b"_") if letter == "-" else (letter.encode(),) for letter in name))
)


@dataclass(frozen=True, slots=True)
class Names:
    """What a list of names says before anybody looks at a value.

    Attributes:
        count: how many.
        positions: where a name stands, in lower case.
        overrides: those that name another method.
        cookies: where the cookies stand.
    """

    count: int
    positions: Mapping[bytes, Sequence[int]]
    overrides: tuple[bytes, ...]
    cookies: Sequence[int]


def read_names(headers: Sequence[Sequence[bytes]]) -> Names:
    """Read the names of headers, in whatever case they came."""
    joined = b"\n".join([name for name, _ in headers])
    known = _known.get(joined)
    if known is not None and known.count == len(headers):  # else a name has a line break in it
        return known
    names = _read([bytes(name) for name, _ in headers])
    is_short = len(headers) <= MAX_NAMES and len(joined) <= MAX_LIST_LENGTH
    if is_short and joined.count(b"\n") == len(headers) - 1:
        if len(_known) >= MAX_LISTS:
            _known.clear()
        _known[joined] = names
    return names


_known: dict[bytes, Names] = {}  # what names say never changes, so all middlewares of a process share it


def _read(names: Sequence[bytes]) -> Names:
    positions: dict[bytes, list[int]] = {}
    for position, name in enumerate(names):
        positions.setdefault(name.lower(), []).append(position)
    overrides = tuple(_OVERRIDES.intersection(positions))
    return Names(len(names), positions, overrides, positions.get(b"cookie", ()))
