"""Keeps responses to signed-in users out of shared caches (RFC 9111 §3, §5.2.2; RFC 9213)."""

import re
from collections.abc import Iterable, Sequence

Headers = Iterable[tuple[bytes, bytes]]

MAX_NAMES = 512  # header names that are remembered, because an app sends the same ones in every response
MAX_NAME_LENGTH = 256  # bytes

# A directive: a name, and a value that may be quoted and contain commas (RFC 9111 §5.2); anything else is left out.
_DIRECTIVE = re.compile(rb"[A-Za-z0-9_-]+(?:=(?:\"[^\"]*\"|[A-Za-z0-9_-]*))?")

# Directives that let a shared cache keep a response (must-understand can override no-store), or that we set ourselves.
_SHARING = (b"public", b"s-maxage", b"must-understand", b"private")
# Headers that override Cache-Control in CDNs and proxies, as do all names that end with "cdn-cache-control".
_FOR_THE_EDGE = (b"surrogate-control", b"edge-control", b"x-accel-expires", b"x-litespeed-cache-control")
# What makes a response private, by the request header that tells who the user is.
BY_COOKIE = ((b"vary", b"Cookie"), (b"cache-control", b"private"))
BY_AUTHORIZATION = ((b"vary", b"Authorization"), (b"cache-control", b"private"))
# A token decides even where there is a cookie, so no browser may answer it with what it has cached for the cookie.
BY_COOKIE_WITHOUT_TOKEN = ((b"vary", b"Cookie"), (b"vary", b"Authorization"), (b"cache-control", b"private"))

NONCE_HEADER = b"dpop-nonce"

_harmless_names: set[bytes] = set()


def private_headers(
    headers: Headers, set_cookies: Sequence[bytes] = (), *, private: Sequence[tuple[bytes, bytes]] = BY_COOKIE
) -> list[tuple[bytes, bytes]]:
    """Make the response to a signed-in user private; stricter Cache-Control directives of the app are kept.

    Args:
        headers: those of the app's response.
        set_cookies: Set-Cookie lines of ours to add; a response with one of them must not be stored by any cache.
        private: one of the constants above.
    """
    if type(headers) is not list:
        headers = list(headers)
    try:
        if not set_cookies and _harmless_names.issuperset([name for name, _ in headers]):
            return [*headers, *private]
    except (TypeError, ValueError):  # not bytes; `bytes()` below converts them
        pass
    names = [bytes(name) for name, _ in headers]
    if not set_cookies and _are_harmless(names):
        return [*headers, *private]
    kept: list[tuple[bytes, bytes]] = []
    directives: list[bytes] = []
    for name, (_, value) in zip(names, headers, strict=True):
        lowered = name.lower()
        if lowered == b"cache-control":
            directives += _directives(bytes(value))
        elif not _is_for_shared_caches(lowered):
            kept.append((name, value))
    cache_control = b"no-store" if set_cookies else _private(directives)
    varied = _varied_by(kept)
    kept += [
        (name, value)
        for name, value in private
        if name == b"vary" and value.lower() not in varied and b"*" not in varied
    ]
    return [*kept, (b"cache-control", cache_control), *((b"set-cookie", line) for line in set_cookies)]


def _are_harmless(names: Sequence[bytes]) -> bool:
    """Whether no header of these names affects caches; if so, the names are remembered."""
    lowered = [name.lower() for name in names]
    if any(name in (b"cache-control", b"vary") or _is_for_shared_caches(name) for name in lowered):
        return False
    if len(names) <= MAX_NAMES and all(len(name) <= MAX_NAME_LENGTH for name in names):
        if len(_harmless_names) >= MAX_NAMES:
            _harmless_names.clear()
        _harmless_names.update(names)
    return True


def _directives(value: bytes) -> list[bytes]:
    return _DIRECTIVE.findall(value)


def with_nonce(headers: Headers, nonce: str | None) -> list[tuple[bytes, bytes]]:
    """Add the nonce for the next DPoP proof, if one is due, to a response that no cache stores then.

    From a cache, a client would get a nonce that is too old.

    Source: RFC 9449 §8.2.
    """
    if nonce is None:
        return list(headers)
    kept = [(name, value) for name, value in headers if bytes(name).lower() not in (b"cache-control", NONCE_HEADER)]
    return [*kept, (b"cache-control", b"no-store"), (NONCE_HEADER, nonce.encode("ascii"))]


def _private(directives: Iterable[bytes]) -> bytes:
    kept = [directive for directive in directives if directive.partition(b"=")[0].lower() not in _SHARING]
    if any(directive.lower() == b"no-store" for directive in kept):
        return b", ".join(kept)
    return b", ".join([b"private", *kept])


def _is_for_shared_caches(name: bytes) -> bool:
    return name in _FOR_THE_EDGE or name.endswith(b"cdn-cache-control")


def _varied_by(headers: Headers) -> set[bytes]:
    return {
        word.strip().lower() for name, value in headers if name.lower() == b"vary" for word in bytes(value).split(b",")
    }
