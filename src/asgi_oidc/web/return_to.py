"""Checks where the browser goes after a login: only to a path of the same origin, no open redirect (RFC 9700 §4.11)."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote, unquote

from asgi_oidc import events

MAX_RETURN_TO_LENGTH = 2048  # characters, because a cookie carries it

# An RFC 3986 path with one leading slash. Stricter than any browser: no "\", no control characters, and no "//" or
# "/\", after which browsers read a host.
_PATH = re.compile(r"/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@/%-]*")
# In a query, browsers leave more characters unencoded, a lone "%" for example; they cannot become a host there.
_QUERY = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?%\[\]-]*")
# RFC 3986 §3.5; single-page apps keep their own paths and queries in the fragment.
_FRAGMENT = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?%\[\]#-]*")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOT_SEGMENT = re.compile(r"/\.{1,2}(/|$)")


def shorter_paths(path: str) -> list[str]:
    """Return replacements for a checked return path that is too long: without its fragment, without its query."""
    page = path.partition("#")[0]
    return [short for short in (page, page.partition("?")[0]) if short != path]


def _ascii_without(encoded: str) -> str:
    return "".join(chr(code) for code in range(128) if chr(code) not in encoded)


# The characters that stay as they are. The excluded ones and non-ASCII characters are percent-encoded first; `_PATH`,
# `_QUERY` and `_FRAGMENT` then refuse what is not allowed.
_KEPT_IN_PATH = _ascii_without(' "<>^`{|}')
_KEPT_IN_QUERY = _ascii_without(' "<>^`{|}\\')


def check_return_to(value: str, *, own_paths: str) -> str | None:
    """Return the path, query and fragment if a browser may be sent there, else None.

    Query and fragment are left out if they are too long.

    Args:
        value: as a user or a program wrote it; spaces, braces and non-ASCII characters are percent-encoded.
        own_paths: the path of the middleware's own URLs: returning to one of them would log in or out again.
    """
    before, hash_mark, fragment = value.partition("#")
    path, question_mark, query = before.partition("?")
    path = quote(path, safe=_KEPT_IN_PATH, errors="replace")
    query = quote(query, safe=_KEPT_IN_QUERY, errors="replace")
    fragment = quote(fragment, safe=_KEPT_IN_QUERY, errors="replace")
    if not _PATH.fullmatch(path) or not _QUERY.fullmatch(query) or not _FRAGMENT.fullmatch(fragment):
        return None
    if len(path) > MAX_RETURN_TO_LENGTH:
        return None
    whole = f"{path}{question_mark}{query}"
    if len(whole) > MAX_RETURN_TO_LENGTH:  # the page without its query is better than the start page
        whole = path
    elif len(whole) + len(hash_mark) + len(fragment) <= MAX_RETURN_TO_LENGTH:
        whole += hash_mark + fragment
    decoded = unquote(path)  # as the server will read it
    if _BROKEN_ESCAPE.search(path) or _DOT_SEGMENT.search(decoded):
        return None
    if decoded == own_paths or decoded.startswith(own_paths + "/"):
        return None
    return whole


def _plain_path(checked: str) -> str:
    return unquote(checked.partition("#")[0].partition("?")[0]).rstrip("/")


@dataclass(frozen=True, slots=True)
class ReturnPaths:
    """Checks return paths for one middleware.

    Attributes:
        origin: the origin of `base_url`.
        own_paths: the path of the middleware's own URLs.
        further_paths: those of its URLs elsewhere, that the settings name.
    """

    origin: str
    own_paths: str
    further_paths: Collection[str] = ()

    def check(self, value: str) -> str | None:
        """Return the path if a browser may return to it, else None; a URL of our own origin counts as its path."""
        if value.startswith(self.origin + "/"):
            value = value[len(self.origin) :]
        checked = check_return_to(value, own_paths=self.own_paths)
        if checked is not None and self.further_paths and _plain_path(checked) in self.further_paths:
            checked = None
        if checked is None and value:
            events.log(events.RETURN_TO_IGNORED, reason="not a plain path of this site")
        return checked

    def check_page(self, url: str) -> str | None:
        """Return the path of a page, given by its URL (`Referer`), if it is ours and a browser may return to it."""
        return self.check(url) if url.startswith(f"{self.origin}/") else None
