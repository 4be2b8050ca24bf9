"""What the browser asks: an ASGI scope, read once and strictly."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from asgi_oidc.errors import RequestRejected
from asgi_oidc.web.cookies import COOKIE_PREFIX, Cookies
from asgi_oidc.web.headers import read_names
from asgi_oidc.web.paths import UNREAD, PathReadings

# RFC 9110 §9, RFC 5789 and the IANA HTTP Method Registry; the handshake of a websocket is WEBSOCKET, and GET.
_METHODS = (
    "ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE "
    "MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PRI "
    "PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE "
    "UPDATEREDIRECTREF VERSION-CONTROL WEBSOCKET"
)
METHODS = frozenset(_METHODS.split())
_TAKEN_FOR = {method: (method, "GET") if method in ("HEAD", "WEBSOCKET") else (method,) for method in METHODS}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110 §9.2.1
MAX_QUERY_LENGTH = 16_384  # bytes; a callback with a long code stays far below
MAX_PARAMETERS = 64

Scope = Mapping[str, Any]

_HTML = (b"text/html", b"application/xhtml+xml", b"text/vnd.turbo-stream.html")
_FRAMES = (b"iframe", b"frame", b"embed", b"object", b"fencedframe")  # what shows a document inside another one
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(?=/|$)")


class Request:
    """A request, as far as signing in is concerned.

    Attributes:
        method: as it came: only what we know by its exact name may pass for a navigation, and "get" is not GET.
        cookie_header: all cookies, in one piece.
        is_safe: whether the method changes nothing (RFC 9110 §9.2.1), and no header may make another of it.
        path: every meaning that the path may have for the app; whoever reads the request says so.
        session_over_at: when its session was found to be over, in seconds since the epoch; None where it was not.
    """

    __slots__ = (
        "_cookies",
        "_headers",
        "_names",
        "_scope",
        "cookie_header",
        "is_safe",
        "method",
        "path",
        "query",
        "session_over_at",
    )

    def __init__(self, scope: Scope, path: PathReadings = UNREAD) -> None:
        """Read an http or websocket scope; nothing in it can make this fail."""
        headers = list(scope.get("headers", ()))  # ours: the app may change its own
        if headers and type(headers[0]) is not tuple:  # some servers give pairs that can be changed as well
            headers = [(bytes(name), bytes(value)) for name, value in headers]
        names = read_names(headers)
        method, query = scope.get("method", "GET"), scope.get("query_string", b"")
        if type(method) is not str or type(query) is not bytes:
            method, query = str(method), bytes(query)
        self._scope = scope
        self._headers: Sequence[Sequence[bytes]] = headers
        self._names = names
        self._cookies: Cookies | None = None
        self.method = method
        self.query = query
        self.cookie_header = b";".join([headers[position][1] for position in names.cookies]) if names.cookies else b""
        self.is_safe = method in SAFE_METHODS and not names.overrides
        self.path = path
        self.session_over_at: int | None = None

    def __repr__(self) -> str:
        return f"Request(method={self.method!r})"

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods that somebody may take this for; those of a header never are instead of its own."""
        is_websocket = self._scope.get("type") == "websocket"
        methods = methods_of("WEBSOCKET" if is_websocket else str(self._scope.get("method", "")))
        if not self._names.overrides:
            return methods
        others = [value.decode("latin-1") for name in self._names.overrides for value in self.values(name)]
        return tuple(dict.fromkeys([*methods, *(method for other in others for method in methods_of(other))]))

    @property
    def cookies(self) -> Cookies:
        """Those that may be ours, by exact name; a name that came twice is not among them."""
        if self._cookies is None:
            self._cookies = Cookies(self.cookie_header, COOKIE_PREFIX)
        return self._cookies

    @property
    def is_preflight(self) -> bool:
        """Does a browser ask whether a script of another site may make a request (Fetch §3.2.2)?"""
        return self.method == "OPTIONS" and self.has(b"origin") and self.has(b"access-control-request-method")

    def values(self, name: bytes) -> list[bytes]:
        """Return all values of a header, in order."""
        return [bytes(self._headers[position][1]) for position in self._names.positions.get(name, ())]

    def header(self, name: bytes) -> str | None:
        """Return a header that came exactly once, else None."""
        values = self.values(name)
        return values[0].decode("latin-1") if len(values) == 1 else None

    def has(self, name: bytes) -> bool:
        """Say whether a header came at all."""
        return name in self._names.positions

    @property
    def target(self) -> str:
        """The path and query that the browser asked for."""
        query = self.query.decode("utf-8", "replace")
        return f"{self.path.external}?{query}" if query else self.path.external

    @property
    def is_prefetch(self) -> bool:
        """Is this a look ahead that no person has asked for?"""
        names = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")
        values = [value.lower() for name in names for value in self.values(name)]
        return any(word in value for value in values for word in (b"prefetch", b"prerender", b"preview"))

    @property
    def is_subresource(self) -> bool:
        """Does a page load this by itself, as an image, a frame or a style? Neither a person nor a script asks."""
        return any(value not in (b"document", b"empty") for value in self.values(b"sec-fetch-dest"))

    @property
    def is_navigation(self) -> bool:
        """Does a person open a page with this request (Fetch Metadata, else `Accept`)?"""
        return self.method in ("GET", "HEAD") and self.wants_page and not self.is_prefetch

    @property
    def wants_page(self) -> bool:
        """Will a person look at the answer, or a program?"""
        if self.has(b"sec-fetch-mode") or self.has(b"sec-fetch-dest"):
            if self.header(b"sec-fetch-mode") != "navigate":
                return False
            destinations = self.values(b"sec-fetch-dest")
            # "empty": a service worker passes a navigation on. No script of a page can set that mode (Fetch §5.3).
            return destinations in ([], [b"document"]) or (destinations == [b"empty"] and self._asks_for_html)
        if self.header(b"x-requested-with") is not None:
            return False
        return any(b"text/html" in value.lower() for value in self.values(b"accept"))

    @property
    def shows_html(self) -> bool:
        """Will the answer be shown as HTML: by a browser, in a frame, or in a part of a page (htmx, Turbo)?

        This chooses the form of an answer, and never decides anything.
        """
        if self._scope.get("type") == "websocket" or self.is_prefetch:
            return False
        if self.wants_page and self.method not in ("GET", "HEAD") and not self.has_form:
            return False  # no browser opens a page like that
        return self._asks_for_html or (self.is_htmx and b"json" not in self._accept)

    @property
    def is_htmx(self) -> bool:
        """Does htmx make this request, which asks for no media type but shows HTML?"""
        return self.header(b"hx-request") == "true"

    @property
    def page_url(self) -> str:
        """URL of the page that makes this request, as it says itself; empty where it does not say."""
        current = self.header(b"hx-current-url") if self.is_htmx else None
        return current or self.header(b"referer") or ""

    @property
    def frame_ancestors(self) -> str:
        """Whose pages may show the answer in a frame, in the words of CSP; other sites never: no session gets there."""
        destinations, site = self.values(b"sec-fetch-dest"), self.header(b"sec-fetch-site")
        if len(destinations) != 1 or destinations[0] not in _FRAMES:
            return "'none'"
        if site not in ("same-origin", "same-site"):
            return "'none'"
        framing = _ORIGIN.match(self.header(b"referer") or "") if site == "same-site" else None
        return f"'self' {framing[0]}" if framing else "'self'"

    @property
    def _accept(self) -> bytes:
        return b",".join(self.values(b"accept")).lower()

    @property
    def _asks_for_html(self) -> bool:
        return self._accept.partition(b",")[0].partition(b";")[0].strip() in _HTML

    @property
    def denies_navigation(self) -> bool:
        """Do the headers say that this is no page that a person opens? Silence does not."""
        says = any(self.has(name) for name in (b"sec-fetch-mode", b"sec-fetch-dest", b"x-requested-with"))
        accept = self._accept
        wants_json = b"json" in accept and b"text/html" not in accept
        return self.is_prefetch or ((says or wants_json) and not self.wants_page)

    @property
    def has_form(self) -> bool:
        """Is the body what a form in a page sends (HTML §4.10.21)?"""
        kind = (self.header(b"content-type") or "").partition(";")[0].strip().lower()
        return self.method == "POST" and kind in (
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "text/plain",
        )

    @property
    def is_form(self) -> bool:
        """Is the body a form, as browsers and providers post it?"""
        kind = (self.header(b"content-type") or "").partition(";")[0].strip().lower()
        return kind == "application/x-www-form-urlencoded"

    def is_from_elsewhere(self, origin: str) -> bool:
        """Has a page of another site brought the browser here?"""
        if self.has(b"sec-fetch-site"):
            return self.header(b"sec-fetch-site") not in ("none", "same-origin")
        return self.has(b"referer") and not self.is_same_origin(origin)

    def is_sent_by_other_site(self, origin: str) -> bool:
        """Has another site, or a script, brought the browser here, and no person who typed or clicked on our pages?"""
        is_script = self.header(b"sec-fetch-site") == "same-origin" and self.header(b"sec-fetch-user") is None
        return is_script or self.is_from_elsewhere(origin)

    def is_same_origin(self, origin: str) -> bool:
        """Did one of our own pages make this request? Old browsers are judged by Origin, then Referer."""
        if self.has(b"sec-fetch-site"):
            return self.header(b"sec-fetch-site") == "same-origin"
        if self.has(b"origin"):
            return self.header(b"origin") == origin
        referer = self.header(b"referer") or ""
        return referer == origin or referer.startswith(origin + "/")

    def acts_from_elsewhere(self, origin: str, allowed: Collection[str]) -> bool:
        """Would this change something, and may a page of another site have made it? Then it must not act for the user.

        Args:
            origin: our own.
            allowed: further origins that may.

        Source: Fetch Metadata; RFC 6454 §7.3. What says nothing of itself is no browser's: they all send `Origin`.
        """
        if self.is_safe:
            return False
        origins, sites = self.values(b"origin"), self.values(b"sec-fetch-site")
        if len(origins) > 1 or len(sites) > 1:
            return True
        stated = origins[0].decode("latin-1") if origins else None
        site = sites[0] if sites else None
        if stated is not None and stated in allowed:
            return False
        if stated is None:
            return site not in (None, b"same-origin", b"none")
        if stated == "null":  # a page that hides where it is; the browser knows all the same
            return site != b"same-origin"
        return stated != origin or site == b"cross-site"

    def parameters(self) -> list[tuple[str, str]]:
        """Read the query.

        Raises:
            RequestRejected: too long, or too many.
        """
        return read_form(self.query)


def methods_of(method: str) -> tuple[str, ...]:
    """Return all methods that somebody may take one for; `WEBSOCKET` is that of a handshake."""
    known = _TAKEN_FOR.get(method) or _TAKEN_FOR.get(method.strip().upper())
    return tuple(METHODS) if known is None else known  # of an unknown one nobody knows what an app makes


def read_form(data: bytes) -> list[tuple[str, str]]:
    """Read `application/x-www-form-urlencoded` pairs, in order.

    Raises:
        RequestRejected: too long, too many, or not UTF-8.
    """
    if len(data) > MAX_QUERY_LENGTH:
        raise RequestRejected("parameters_too_long", f"more than {MAX_QUERY_LENGTH} bytes")
    try:
        return parse_qsl(data.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as exc:
        raise RequestRejected("parameters_malformed", "too many, or not UTF-8") from exc
