"""Where a browser goes after a login: a path on our own site, or home (RFC 9700 §4.11)."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from asgi_oidc import events

MAX_RETURN_TO_LENGTH = 2048  # characters; it travels in a cookie

# RFC 3986 path, one leading slash. Stricter than any browser: no "\", no control characters, no "//" or "/\" that
# would start a host, nothing that needs decoding to be understood.
_PATH = re.compile(r"/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@/%-]*")
# In a query browsers leave more as it is, a lone "%" too; there it is data, and cannot become a host.
_QUERY = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?%\[\]-]*")
# RFC 3986 §3.5; single-page apps keep paths and queries of their own there.
_FRAGMENT = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?%\[\]#-]*")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOT_SEGMENT = re.compile(r"/\.{1,2}(/|$)")


def shorter_paths(path: str) -> list[str]:
    """Return what may stand for a checked return path that is too long: without the fragment, without the query."""
    page = path.partition("#")[0]
    return [short for short in (page, page.partition("?")[0]) if short != path]


def _ascii_without(encoded: str) -> str:
    return "".join(chr(code) for code in range(128) if chr(code) not in encoded)


# These are percent-encoded, as are other alphabets; all else that is odd is refused.
_KEPT_IN_PATH = _ascii_without(' "<>^`{|}')
_KEPT_IN_QUERY = _ascii_without(' "<>^`{|}\\')


def check_return_to(value: str, *, own_paths: str) -> str | None:
    """Return the path, query and fragment when a browser may be sent there, else None; what is too long is left out.

    Args:
        value: as a person or a program wrote it; blanks, braces and other alphabets are percent-encoded.
        own_paths: where our own URLs start: going back to one of them would log in or out again.
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
    if len(whole) > MAX_RETURN_TO_LENGTH:  # the page is worth more than a place on it
        whole = path
    elif len(whole) + len(hash_mark) + len(fragment) <= MAX_RETURN_TO_LENGTH:
        whole += hash_mark + fragment
    read = unquote(path)  # as the server will read it
    if _BROKEN_ESCAPE.search(path) or _DOT_SEGMENT.search(read):
        return None
    if read == own_paths or read.startswith(own_paths + "/"):
        return None
    return whole


@dataclass(frozen=True, slots=True)
class ReturnPaths:
    """Says which paths of our own site a browser may be sent to.

    Attributes:
        origin: our own.
        own_paths: where our own URLs start.
    """

    origin: str
    own_paths: str

    def check(self, value: str) -> str | None:
        """Return a path that a browser may come back to, else None; a URL of our own origin counts as its path."""
        if value.startswith(self.origin + "/"):
            value = value[len(self.origin) :]
        checked = check_return_to(value, own_paths=self.own_paths)
        if checked is None and value:
            events.log(events.RETURN_TO_IGNORED, reason="not a plain path of this site")
        return checked

    def check_page(self, url: str) -> str | None:
        """Do the same for the page that a request says it comes from."""
        return self.check(url) if url.startswith(f"{self.origin}/") else None
