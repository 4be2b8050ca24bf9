"""What a path may mean: the server, a mount and the framework can each read it in their own way.

No single reading can be trusted, so all of them are kept in one list: what opens a path has to open every reading,
what closes one has to close a single reading.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote_to_bytes

MOST_NESTED = 64  # readings of apps that are mounted in one another; a path with more is not canonical
LONGEST_NESTED = 16_384  # characters of all of them
LONGEST_PATH = 8192  # characters; what is longer is protected, and nobody comes back to it

# Segments of plain characters: no "%", ";", "\\", "?", "#" or control character that a later decoder, proxy or
# framework could read as something else; no segment of dots alone, and no blanks around one.
_PLAIN = re.compile(r"/|(/(?! |\.+(/|\Z))[\w~!$&'()*+,=:@ .-]++(?<! ))+/?")
# In the raw path only these may be percent-encoded: what has no meaning of its own in a path.
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_MAY_BE_ENCODED = frozenset(b" !$&'()*+,=:@") | frozenset(range(0x80, 0x100))
_RAW = re.compile(rb"/[A-Za-z0-9._~!$&'()*+,=:@/%-]*")
# Starlette 0.33 to 0.38 took `root_path` for a regular expression: with one of these in it, any text may be taken off.
_OPERATOR = re.compile(r"[\\^$*+?{}\[\]|()]")


@dataclass(frozen=True, slots=True)
class PathReadings:
    """The readings of one path, relative to the wrapped app.

    Attributes:
        readings: every path that a server, a mount or a framework may take it for.
        is_canonical: whether it may be opened: everybody reads the spelling alike, and the server's `root_path` is
            empty or the path of `base_url`.
        external: the percent-encoded path that the browser asked for, as far as it can be known.
        own: the readings of the outermost app alone; the URLs of the middleware are looked for in these.
        spellings: for a path that is not canonical, further texts that someone may decode.
        taken_off: what may be taken off the path as plain text, perhaps in the middle of a word.
        is_unreadable: whether nobody can list what it may mean: every rule applies.
        mismatch: whether the server's `root_path` is neither empty nor the path of `base_url`.
    """

    readings: frozenset[str]
    is_canonical: bool
    external: str = field(repr=False)
    own: frozenset[str] = field(default=frozenset(), repr=False)
    spellings: tuple[str, ...] = field(default=(), repr=False)
    taken_off: tuple[str, ...] = field(default=(), repr=False)
    is_unreadable: bool = False
    mismatch: bool = False


UNREAD = PathReadings(frozenset(), is_canonical=False, external="")


def read_path(scope: Mapping[str, Any], *, base_path: str) -> PathReadings:
    """Read the path of a scope.

    `scope["path"]` holds the mount (ASGI 3.0), but servers, proxies and frameworks differ: some leave
    `root_path` empty, some strip it, and one lets a client choose it. Where `root_path` is the path of
    `base_url`, the two agree on where the app starts; else every reading is kept.
    """
    path, root_path = str(scope.get("path", "")), str(scope.get("root_path", ""))
    root = root_path.rstrip("/")
    is_mismatch = root not in ("", base_path)
    if max(len(path), len(root_path)) > LONGEST_PATH:
        return PathReadings(
            frozenset({path}), False, external=f"{base_path}/", is_unreadable=True, mismatch=is_mismatch
        )
    raw: Any = scope.get("raw_path")
    taken = _taken(raw, path, base_path=base_path)
    if taken and len(path) > 1 and path.endswith("/") and not raw.endswith(b"/"):
        path = path[:-1]  # some mounts add it (Litestar); the browser did not ask so
    own = {strip_prefix(path, base_path), *_rooted_readings(path, root_path)}
    if root != base_path:
        own.add(path)
    all_readings = _nested_readings(own, root_path)
    is_plain = _is_canonical(path) and (raw is None or (taken is not None and _is_canonical_raw(raw)))
    is_canonical = is_plain and not is_mismatch and all_readings is not None
    return PathReadings(
        readings=frozenset(all_readings or own),
        is_canonical=is_canonical,
        external=_external(raw, path, taken=taken, root_path=root, base_path=base_path),
        own=frozenset(own),
        spellings=() if is_canonical else (path, raw.decode("latin-1") if isinstance(raw, bytes) else ""),
        taken_off=() if is_canonical else (root_path,),
        is_unreadable=is_mismatch and (_OPERATOR.search(root_path) is not None or not root_path.startswith("/")),
        mismatch=is_mismatch,
    )


def strip_prefix(path: str, prefix: str) -> str:
    """Take a prefix of whole segments off a path; a path that lacks it stays as it is."""
    if not prefix or not path.startswith(prefix):
        return path
    rest = path[len(prefix) :]
    if rest == "":
        return "/"
    return rest if rest.startswith("/") else path


def _rooted_readings(path: str, root_path: str) -> set[str]:
    """Take `root_path` off the ways frameworks do.

    As whole segments, as a plain prefix, at its first occurrence, and as a regular expression in which "." stands for
    any character.
    """
    readings: set[str] = set()
    for root in {root_path, root_path.rstrip("/")} - {""}:
        taken_off = strip_prefix(path, root), path.removeprefix(root), path.split(root, 1)[-1], _after(root, path)
        readings.update(map(_from_slash, taken_off))
    return readings


def _after(root: str, path: str) -> str:
    end = 0
    for piece in root.split("."):
        if not path.startswith(piece, end):
            return path
        end += len(piece) + 1
    return path[end - 1 :]


def _from_slash(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def _nested_readings(readings: Collection[str], root_path: str) -> set[str] | None:
    """Read as apps do that are mounted in one another: each takes `root_path` off what the one before has left.

    Returns:
        Those that were given, and all that come of them; None where that is too much.
    """
    roots = {root_path, root_path.rstrip("/"), f"/{root_path.strip('/')}"} - {"", "/"}
    found, waiting = set(readings), list(readings)
    while waiting and roots:
        path = waiting.pop()
        for root in roots:
            at = path.find(root)
            while at != -1:
                # A mount at "/" leaves no "/" at the beginning, where the root would have to be.
                ends = [end for end in range(at + 1) if path.startswith("/", end) and (at, end) != (0, 0)]
                count = len(found) + len(ends) - len(readings)
                if count > MOST_NESTED or count * len(path) > LONGEST_NESTED:
                    return None
                rest = _from_slash(path[at + len(root) :])
                new = {path[:end] + rest for end in ends} - found
                found |= new
                waiting += new
                at = path.find(root, at + 1)
    return found


def _is_canonical(path: str) -> bool:
    # What Unicode would fold into other characters ("\uff0f" into "/") some file system or framework folds.
    return bool(_PLAIN.fullmatch(path)) and unicodedata.is_normalized("NFKC", path)


def _taken(raw: Any, path: str, *, base_path: str) -> str | None:
    """Return what a mount took off the raw path to make the path; None where they say different things.

    Most mounts change neither or both; one takes the path of `base_url` off, ends what is left with "/", and leaves
    the raw path whole (Litestar).
    """
    if not isinstance(raw, bytes):
        return None
    whole, below = unquote_to_bytes(raw), path.encode("utf-8", "surrogatepass")
    if whole == below:
        return ""
    base = base_path.encode()
    is_below = bool(base) and (whole == base + below or (whole == base + below[:-1] and below.endswith(b"/")))
    return base_path if is_below else None


def _is_canonical_raw(raw: bytes) -> bool:
    escapes = _ENCODED.findall(raw)
    return (
        _RAW.fullmatch(raw) is not None
        and len(escapes) == raw.count(b"%")
        and all(int(code, 16) in _MAY_BE_ENCODED for code in escapes)
    )


def _external(raw: Any, path: str, *, taken: str | None, root_path: str, base_path: str) -> str:
    """Spell the path as the browser did, where the raw path is known, below the path of `base_url`."""
    if taken is not None and raw.isascii():
        spelt = str(raw, "ascii")
    else:
        spelt = (taken or "") + quote(path.encode("utf-8", "surrogatepass"), safe="/!$&'()*+,;=:@~")
    if taken or not base_path or strip_prefix(path, base_path) != path:
        return spelt
    # A proxy has stripped it; or its first part, and the app is mounted on the rest.
    if root_path and base_path.endswith(root_path) and strip_prefix(path, root_path) != path:
        return base_path.removesuffix(root_path) + spelt
    return base_path + spelt
