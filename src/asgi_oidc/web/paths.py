"""Reads the path of a request: which paths a server, a mount or a framework may serve it as (its *readings*).

They differ in how they decode a path and which prefixes they remove, so no single reading can be trusted. A path is
public only if every reading is public; a rule applies if it matches any reading.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from asgi_oidc.web.path_readings import UNKNOWN, Mounts, all_readings, own_readings, strip_prefix

MAX_PATH_LENGTH = 8192  # characters; a longer path is protected, and a login does not return to it

# Segments of plain characters: no "%", ";", "\\", "?", "#" or control character that a later decoder, proxy or
# framework could read as something else; no segment of dots only, and no spaces at the ends of one.
_PLAIN = re.compile(r"/|(/(?! |\.+(/|\Z))[\w~!$&'()*+,=:@ .-]++(?<! ))+/?")
# In the raw path, only characters without a special meaning in paths may be percent-encoded.
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_MAY_BE_ENCODED = frozenset(b" !$&'()*+,=:@") | frozenset(range(0x80, 0x100))
_RAW = re.compile(rb"/[A-Za-z0-9._~!$&'()*+,=:@/%-]*")
# Starlette 0.33 to 0.38 uses `root_path` as a regular expression: with one of these in it, it may remove any text.
_OPERATOR = re.compile(r"[\\^$*+?{}\[\]|()]")


@dataclass(frozen=True, slots=True)
class PathReadings:
    """The readings of one path, relative to the wrapped app.

    Attributes:
        readings: every path as which a server, a mount or a framework may serve it.
        is_canonical: whether it may be public: all servers and frameworks decode it alike, and the server's `root_path`
            is empty or the path of `base_url`.
        external: the percent-encoded path that the browser requested, as far as it is known; that of `base_url` if the
            path is too long.
        own: the readings of the outermost app only; the middleware's own URLs are searched in these.
        spellings: for a path that is not canonical, further texts that a server or framework may decode.
        taken_off: for a path that is not canonical, root paths that may be removed as plain text, even within a word.
        prefixes: the same for the mounts and routes of the app.
        is_unreadable: whether its readings cannot be listed; then every rule applies.
        mismatch: whether the server's `root_path` is neither empty nor the path of `base_url`.
        is_too_long: whether it is longer than `MAX_PATH_LENGTH`.
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
    is_too_long: bool = False


UNREAD = PathReadings(frozenset(), is_canonical=False, external="")


def read_path(scope: Mapping[str, Any], *, base_path: str, mounts: Mounts = UNKNOWN) -> PathReadings:
    """Read the path of a scope.

    `scope["path"]` includes the mount (ASGI 3.0), but servers, proxies and frameworks differ: some leave `root_path`
    empty, some remove it from the path, and one lets the client choose it. If `root_path` is the path of `base_url`,
    it is clear where the wrapped app starts; otherwise all possible readings are returned.
    """
    path, root_path = str(scope.get("path", "")), str(scope.get("root_path", ""))
    root = root_path.rstrip("/")
    is_mismatch = root not in ("", base_path)
    if max(len(path), len(root_path)) > MAX_PATH_LENGTH:
        return PathReadings(
            readings=frozenset({path}),
            is_canonical=False,
            external=f"{base_path}/",
            is_unreadable=True,
            mismatch=is_mismatch,
            is_too_long=True,
        )
    raw: Any = scope.get("raw_path")
    removed = _removed_prefix(raw, path, base_path=base_path)
    if removed and len(path) > 1 and path.endswith("/") and not raw.endswith(b"/"):
        path = path[:-1]  # some mounts add the slash (Litestar); the browser did not send it
    own = frozenset(own_readings(path, root_path, base_path=base_path))
    readings = all_readings(own, path, root_path, base_path=base_path, mounts=mounts)
    is_plain = _is_canonical(path) and (raw is None or (removed is not None and _is_canonical_raw(raw)))
    external = _external(raw, path, removed=removed, root_path=root, base_path=base_path)
    if is_plain and not is_mismatch and readings is not None:
        return PathReadings(frozenset(readings), True, external, own=own)
    return PathReadings(
        readings=frozenset(readings or own),
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
    # Some file systems and frameworks normalize Unicode, which turns "\uff0f" into "/", for example.
    return bool(_PLAIN.fullmatch(path)) and unicodedata.is_normalized("NFKC", path)


def _removed_prefix(raw: Any, path: str, *, base_path: str) -> str | None:
    """Return the prefix that a mount removed from the path but not from the raw path; None if the two do not match.

    Most mounts change both or neither. Litestar removes the path of `base_url` from the path, appends a "/", and leaves
    the raw path unchanged.
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


def _external(raw: Any, path: str, *, removed: str | None, root_path: str, base_path: str) -> str:
    """Return the path as the browser requested it, below the path of `base_url`; from the raw path if there is one."""
    if removed is not None and raw.isascii():
        encoded = str(raw, "ascii")
    else:
        encoded = (removed or "") + quote(path.encode("utf-8", "surrogatepass"), safe="/!$&'()*+,;=:@~")
    if removed or not base_path or strip_prefix(path, base_path) != path:
        return encoded
    # A proxy has removed the path of `base_url`, or its first part, and the app is mounted on the rest.
    if root_path and base_path.endswith(root_path) and strip_prefix(path, root_path) != path:
        return base_path.removesuffix(root_path) + encoded
    return base_path + encoded
