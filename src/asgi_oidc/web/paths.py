"""What a path may mean: the server, a mount and the framework can each read it in their own way.

No single reading can be trusted, so all of them are kept in one list: what opens a path has to open every reading,
what closes one has to close a single reading.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from asgi_oidc.web.path_readings import UNKNOWN, Mounts, all_readings, own_readings, strip_prefix

MAX_PATH_LENGTH = 8192  # characters; what is longer is protected, and nobody comes back to it

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
        taken_off: for a path that is not canonical, what may be taken off as plain text, perhaps within a word.
        prefixes: the same of mounts and routes, which are a part of the path.
        is_unreadable: whether nobody can list what it may mean: every rule applies.
        mismatch: whether the server's `root_path` is neither empty nor the path of `base_url`.
    """

    readings: frozenset[str]
    is_canonical: bool
    external: str = field(repr=False)
    own: frozenset[str] = field(default=frozenset(), repr=False)
    spellings: tuple[str, ...] = field(default=(), repr=False)
    taken_off: tuple[str, ...] = field(default=(), repr=False)
    prefixes: tuple[str, ...] = field(default=(), repr=False)
    is_unreadable: bool = False
    mismatch: bool = False


UNREAD = PathReadings(frozenset(), is_canonical=False, external="")


def read_path(scope: Mapping[str, Any], *, base_path: str, mounts: Mounts = UNKNOWN) -> PathReadings:
    """Read the path of a scope.

    `scope["path"]` holds the mount (ASGI 3.0), but servers, proxies and frameworks differ: some leave
    `root_path` empty, some strip it, and one lets a client choose it. Where `root_path` is the path of
    `base_url`, the two agree on where the app starts; else every reading is kept.
    """
    path, root_path = str(scope.get("path", "")), str(scope.get("root_path", ""))
    root = root_path.rstrip("/")
    is_mismatch = root not in ("", base_path)
    if max(len(path), len(root_path)) > MAX_PATH_LENGTH:
        return PathReadings(
            frozenset({path}), False, external=f"{base_path}/", is_unreadable=True, mismatch=is_mismatch
        )
    raw: Any = scope.get("raw_path")
    taken = _taken(raw, path, base_path=base_path)
    if taken and len(path) > 1 and path.endswith("/") and not raw.endswith(b"/"):
        path = path[:-1]  # some mounts add it (Litestar); the browser did not ask so
    own = frozenset(own_readings(path, root_path, base_path=base_path))
    everything = all_readings(own, path, root_path, base_path=base_path, mounts=mounts)
    is_plain = _is_canonical(path) and (raw is None or (taken is not None and _is_canonical_raw(raw)))
    external = _external(raw, path, taken=taken, root_path=root, base_path=base_path)
    if is_plain and not is_mismatch and everything is not None:
        return PathReadings(frozenset(everything), True, external, own=own)
    return PathReadings(
        readings=frozenset(everything or own),
        is_canonical=False,
        external=external,
        own=own,
        spellings=(path, raw.decode("latin-1") if isinstance(raw, bytes) else ""),
        taken_off=(root_path, *mounts.root_paths, *(mounts.roots if mounts.hides_roots else ())),
        prefixes=tuple(mounts.prefixes),
        is_unreadable=(is_mismatch and not _is_plain_root(root_path)) or _has_any_root(mounts),
        mismatch=is_mismatch,
    )


def _is_plain_root(root_path: str) -> bool:
    return root_path.startswith("/") and _OPERATOR.search(root_path) is None


def _has_any_root(mounts: Mounts) -> bool:
    return mounts.hides_roots and any("{}" in root for root in mounts.roots)


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
