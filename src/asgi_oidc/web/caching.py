"""Keeps answers that are about one user out of shared caches (RFC 9111 §3, §5.2.2; RFC 9213)."""

import re
from collections.abc import Iterable, Sequence

Headers = Iterable[tuple[bytes, bytes]]

MAX_NAMES = 512  # that are remembered: an app sends the same ones again and again
MAX_NAME_LENGTH = 256  # bytes

# A name, and a value that may be quoted and hold commas (RFC 9111 §5.2); what is none is left out.
_DIRECTIVE = re.compile(rb"[A-Za-z0-9_-]+(?:=(?:\"[^\"]*\"|[A-Za-z0-9_-]*))?")

# Directives that let a shared cache keep an answer (must-understand can undo no-store), or that we write ourselves.
_SHARING = (b"public", b"s-maxage", b"must-understand", b"private")
# They overrule Cache-Control at the edge, as does everything that ends with "cdn-cache-control".
_FOR_THE_EDGE = (b"surrogate-control", b"edge-control", b"x-accel-expires", b"x-litespeed-cache-control")
_PRIVATE = ((b"vary", b"Cookie"), (b"cache-control", b"private"))

_silent: set[bytes] = set()


def private_headers(headers: Headers, set_cookies: Sequence[bytes] = ()) -> list[tuple[bytes, bytes]]:
    """Make the headers of an answer to a signed-in user private, stricter wishes of the app kept.

    Args:
        set_cookies: cookies of ours that go along; with one of them no cache at all may keep the answer.
    """
    if type(headers) is not list:
        headers = list(headers)
    try:
        if not set_cookies and _silent.issuperset([name for name, _ in headers]):
            return [*headers, *_PRIVATE]
    except (TypeError, ValueError):  # no bytes, but what can be made such
        pass
    names = [bytes(name) for name, _ in headers]
    if not set_cookies and _say_nothing(names):
        return [*headers, *_PRIVATE]
    kept: list[tuple[bytes, bytes]] = []
    directives: list[bytes] = []
    for name, (_, value) in zip(names, headers, strict=True):
        lowered = name.lower()
        if lowered == b"cache-control":
            directives += _directives(bytes(value))
        elif not _is_for_shared_caches(lowered):
            kept.append((name, value))
    cache_control = b"no-store" if set_cookies else _private(directives)
    if not _varies_by_cookie(kept):
        kept.append((b"vary", b"Cookie"))
    return [*kept, (b"cache-control", cache_control), *((b"set-cookie", line) for line in set_cookies)]


def _say_nothing(names: Sequence[bytes]) -> bool:
    """Say whether some headers have nothing to do with caches; then their names are kept."""
    lowered = [name.lower() for name in names]
    if any(name in (b"cache-control", b"vary") or _is_for_shared_caches(name) for name in lowered):
        return False
    if len(names) <= MAX_NAMES and all(len(name) <= MAX_NAME_LENGTH for name in names):
        if len(_silent) >= MAX_NAMES:
            _silent.clear()
        _silent.update(names)
    return True


def _directives(value: bytes) -> list[bytes]:
    return _DIRECTIVE.findall(value)


def _private(directives: Iterable[bytes]) -> bytes:
    kept = [one for one in directives if one.partition(b"=")[0].lower() not in _SHARING]
    if any(one.lower() == b"no-store" for one in kept):
        return b", ".join(kept)
    return b", ".join([b"private", *kept])


def _is_for_shared_caches(name: bytes) -> bool:
    return name in _FOR_THE_EDGE or name.endswith(b"cdn-cache-control")


def _varies_by_cookie(headers: Headers) -> bool:
    words = {
        word.strip().lower() for name, value in headers if name.lower() == b"vary" for word in bytes(value).split(b",")
    }
    return bool(words & {b"cookie", b"*"})
