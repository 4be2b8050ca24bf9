"""Reads the names of a request's headers, and caches the result: clients send the same names in the same order."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_LISTS = 128  # lists of names that are cached
MAX_NAMES = 64  # per cached list
MAX_LIST_LENGTH = 2048  # bytes per cached list

# Headers that make an app treat a request as one with another method.
METHOD_OVERRIDES = (b"x-http-method-override", b"x-http-method", b"x-method-override")
# In all spellings: to some apps, "_" and "-" are the same.
_OVERRIDES = frozenset(
    words[0] + b"".join(joined)
    for words in (name.split(b"-") for name in METHOD_OVERRIDES)
    for joined in itertools.product(*((b"-" + word, b"_" + word) for word in words[1:]))
)


@dataclass(frozen=True, slots=True)
class Names:
    """What the names of a request's headers tell, without their values.

    Attributes:
        count: the number of headers.
        positions: by name in lower case, the positions of the headers with that name.
        overrides: the names that replace the method.
        cookies: the positions of the Cookie headers.
    """

    count: int
    positions: Mapping[bytes, Sequence[int]]
    overrides: tuple[bytes, ...]
    cookies: Sequence[int]


def read_names(headers: Sequence[Sequence[bytes]]) -> Names:
    """Read the names of headers; their case does not matter."""
    joined = b"\n".join([name for name, _ in headers])
    cached = _cached.get(joined)
    if cached is not None and cached.count == len(headers):  # otherwise a name contains a line break
        return cached
    names = _read([bytes(name) for name, _ in headers])
    is_short = len(headers) <= MAX_NAMES and len(joined) <= MAX_LIST_LENGTH
    if is_short and joined.count(b"\n") == len(headers) - 1:
        if len(_cached) >= MAX_LISTS:
            _cached.clear()
        _cached[joined] = names
    return names


_cached: dict[bytes, Names] = {}  # the result depends on the names only, so all middlewares of a process share it


def _read(names: Sequence[bytes]) -> Names:
    positions: dict[bytes, list[int]] = {}
    for position, name in enumerate(names):
        positions.setdefault(name.lower(), []).append(position)
    overrides = tuple(_OVERRIDES.intersection(positions))
    return Names(len(names), positions, overrides, positions.get(b"cookie", ()))
