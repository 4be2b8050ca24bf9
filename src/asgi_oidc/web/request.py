"""Reads what the middleware needs of a request from its ASGI scope: method, cookies, Fetch Metadata, parameters."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from asgi_oidc.errors import RequestRejected
from asgi_oidc.web.cookies import COOKIE_PREFIX, Cookies
from asgi_oidc.web.headers import read_names
from asgi_oidc.web.paths import UNREAD, PathReadings

# RFC 9110 §9, RFC 5789 and the IANA HTTP Method Registry. WEBSOCKET is our name for the handshake of a websocket, which
# counts as a GET as well.
_METHODS = (
    "ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE "
    "MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PRI "
    "PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE "
    "UPDATEREDIRECTREF VERSION-CONTROL WEBSOCKET"
)
METHODS = frozenset(_METHODS.split())
_SERVED_AS = {method: (method, "GET") if method in ("HEAD", "WEBSOCKET") else (method,) for method in METHODS}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110 §9.2.1
MAX_QUERY_LENGTH = 16_384  # bytes; far more than a callback with a long code has
MAX_PARAMETERS = 64

Scope = Mapping[str, Any]

_HTML = (b"text/html", b"application/xhtml+xml", b"text/vnd.turbo-stream.html")
_FRAMES = (b"iframe", b"frame", b"embed", b"object", b"fencedframe")  # elements that show a document inside another
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(?=/|$)")


class Request:
    """A request of the browser, as far as signing in is concerned.

    Attributes:
        method: as received: only an exact "GET" or "HEAD" can be a navigation, "get" cannot.
        cookie_header: all Cookie headers, joined by ";".
        is_safe: whether the method is safe (RFC 9110 §9.2.1) and no header replaces the method.
        path: the readings of the path, from `read_path`.
        session_over_at: seconds since the epoch when the session was found to be over; None if it was not.
        dpop_nonce: a new nonce that the response brings to the client (RFC 9449 §8.2); None if none is due.
    """

    __slots__ = (
        "_cookies",
        "_headers",
        "_names",
        "_scope",
        "cookie_header",
        "dpop_nonce",
        "is_safe",
        "method",
        "path",
        "query",
        "session_over_at",
    )

    def __init__(self, scope: Scope, path: PathReadings = UNREAD) -> None:
        """Read an http or websocket scope; no content of it makes this fail."""
        headers = list(scope.get("headers", ()))  # a copy, because the app may change the list
        if headers and type(headers[0]) is not tuple:  # some servers use mutable pairs
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
        self.dpop_nonce: str | None = None

    def __repr__(self) -> str:
        return f"Request(method={self.method!r})"

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods as which an app may serve this request: its own, and those that override headers name."""
        methods = methods_of("WEBSOCKET" if self.is_websocket else str(self._scope.get("method", "")))
        if not self._names.overrides:
            return methods
        overrides = [value.decode("latin-1") for name in self._names.overrides for value in self.values(name)]
        return tuple(dict.fromkeys([*methods, *(method for name in overrides for method in methods_of(name))]))

    @property
    def cookies(self) -> Cookies:
        """The cookies that may be ours, by exact name; repeated names are left out."""
        if self._cookies is None:
            self._cookies = Cookies(self.cookie_header, COOKIE_PREFIX)
        return self._cookies

    @property
    def is_preflight(self) -> bool:
        """Whether this is a CORS preflight: may a script of another origin make a request (Fetch §3.2.2)?"""
        return self.method == "OPTIONS" and self.has(b"origin") and self.has(b"access-control-request-method")

    def values(self, name: bytes) -> list[bytes]:
        """Return all values of a header, in order."""
        return [bytes(self._headers[position][1]) for position in self._names.positions.get(name, ())]

    def header(self, name: bytes) -> str | None:
        """Return the value of a header that was sent exactly once, else None."""
        values = self.values(name)
        return values[0].decode("latin-1") if len(values) == 1 else None

    def has(self, name: bytes) -> bool:
        """Whether a header was sent at all."""
        return name in self._names.positions

    @property
    def scope(self) -> Scope:
        """The ASGI scope; it must not be changed."""
        return self._scope

    @property
    def is_websocket(self) -> bool:
        """Whether this is the handshake of a websocket."""
        return bool(self._scope.get("type") == "websocket")

    def scope_copy(self) -> dict[str, Any]:
        """Return a copy of the ASGI scope, for a function of the app."""
        return {**self._scope, "headers": list(self._scope.get("headers", ()))}

    @property
    def target(self) -> str:
        """The path and query that the browser requested."""
        query = self.query.decode("utf-8", "replace")
        return f"{self.path.external}?{query}" if query else self.path.external

    @property
    def is_prefetch(self) -> bool:
        """Whether this is a prefetch: the browser loads a page before the user opens it."""
        names = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")
        values = [value.lower() for name in names for value in self.values(name)]
        return any(word in value for value in values for word in (b"prefetch", b"prerender", b"preview"))

    @property
    def is_subresource(self) -> bool:
        """Whether a page loads this as an image, a frame, a style or the like: no user or script requested it."""
        return any(value not in (b"document", b"empty") for value in self.values(b"sec-fetch-dest"))

    @property
    def is_navigation(self) -> bool:
        """Whether the user opens a page with this request, by Fetch Metadata or else by `Accept`."""
        return self.method in ("GET", "HEAD") and self.wants_page and not self.is_prefetch

    @property
    def wants_page(self) -> bool:
        """Whether the response is for a user to see as a page, not for a program."""
        if self.has(b"sec-fetch-mode") or self.has(b"sec-fetch-dest"):
            if self.header(b"sec-fetch-mode") != "navigate":
                return False
            destinations = self.values(b"sec-fetch-dest")
            # "empty" is a navigation that a service worker passes on. No script can set the mode (Fetch §5.3).
            return destinations in ([], [b"document"]) or (destinations == [b"empty"] and self._asks_for_html)
        if self.header(b"x-requested-with") is not None:
            return False
        return any(b"text/html" in value.lower() for value in self.values(b"accept"))

    @property
    def shows_html(self) -> bool:
        """Whether the response will be shown as HTML: as a page, in a frame, or in a part of a page (htmx, Turbo).

        This only chooses between HTML and JSON; no access decision depends on it.
        """
        if self.is_websocket or self.is_prefetch:
            return False
        if self.wants_page and self.method not in ("GET", "HEAD") and not self.has_form:
            return False  # a browser opens pages only with GET, HEAD or a form
        return self._asks_for_html or (self.is_htmx and b"json" not in self._accept)

    @property
    def is_htmx(self) -> bool:
        """Whether htmx sent this request; htmx shows HTML, but does not ask for it in `Accept`."""
        return self.header(b"hx-request") == "true"

    @property
    def page_url(self) -> str:
        """URL of the page that sent this request, by `HX-Current-URL` or `Referer`; empty if there is neither."""
        current = self.header(b"hx-current-url") if self.is_htmx else None
        return current or self.header(b"referer") or ""

    @property
    def is_framed(self) -> bool:
        """Whether the response is a document inside another one."""
        destinations = self.values(b"sec-fetch-dest")
        return len(destinations) == 1 and destinations[0] in _FRAMES

    @property
    def is_cross_site_call(self) -> bool:
        """Whether a page of another site sent this other than by opening a page or a frame with a safe method.

        Browsers do not send `SameSite=Lax` cookies with such requests (RFC 6265bis §5.8.3).
        """
        if self.values(b"sec-fetch-site") != [b"cross-site"]:
            return False
        return not self.is_safe or self.is_websocket or self.values(b"sec-fetch-mode") != [b"navigate"]

    @property
    def frame_ancestors(self) -> str:
        """The sources of CSP's `frame-ancestors`: which pages may show the response in a frame.

        Pages of other sites never may: in their frames, browsers do not send the session's `SameSite=Lax` cookies.
        """
        site = self.header(b"sec-fetch-site")
        if not self.is_framed or site not in ("same-origin", "same-site"):
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
        """Whether the headers tell that this is not a page navigation; missing headers do not tell that."""
        is_stated = any(self.has(name) for name in (b"sec-fetch-mode", b"sec-fetch-dest", b"x-requested-with"))
        accept = self._accept
        wants_json = b"json" in accept and b"text/html" not in accept
        return self.is_prefetch or ((is_stated or wants_json) and not self.wants_page)

    @property
    def has_form(self) -> bool:
        """Whether the body is one that an HTML form can send (HTML §4.10.21)."""
        media_type = (self.header(b"content-type") or "").partition(";")[0].strip().lower()
        return self.method == "POST" and media_type in (
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "text/plain",
        )

    @property
    def is_form(self) -> bool:
        """Whether the body is a URL-encoded form, as browsers and providers post it."""
        media_type = (self.header(b"content-type") or "").partition(";")[0].strip().lower()
        return media_type == "application/x-www-form-urlencoded"

    def is_from_elsewhere(self, origin: str) -> bool:
        """Whether a page of another origin led the browser here, by Fetch Metadata or else by `Referer`."""
        if self.has(b"sec-fetch-site"):
            return self.header(b"sec-fetch-site") not in ("none", "same-origin")
        return self.has(b"referer") and not self.is_same_origin(origin)

    def is_sent_by_other_site(self, origin: str) -> bool:
        """Whether another origin or a script led the browser here, not a user who typed a URL or clicked on a link."""
        is_script = self.header(b"sec-fetch-site") == "same-origin" and self.header(b"sec-fetch-user") is None
        return is_script or self.is_from_elsewhere(origin)

    def is_same_origin(self, origin: str) -> bool:
        """Whether one of our own pages sent this: by Fetch Metadata; in old browsers, by `Origin` or else `Referer`."""
        if self.has(b"sec-fetch-site"):
            return self.header(b"sec-fetch-site") == "same-origin"
        if self.has(b"origin"):
            return self.header(b"origin") == origin
        referer = self.header(b"referer") or ""
        return referer == origin or referer.startswith(origin + "/")

    def may_be_forged(self, origin: str, allowed: Collection[str]) -> bool:
        """Whether this is a cross-site request that may change something (CSRF): it must not act as the user.

        A request with neither `Origin` nor Fetch Metadata passes: it is not from a browser, because all browsers send
        `Origin` with methods that are not safe.

        Args:
            origin: our own origin.
            allowed: further origins whose pages may send such requests.

        Source: Fetch Metadata; RFC 6454 §7.3.
        """
        if self.is_safe:
            return False
        origins, sites = self.values(b"origin"), self.values(b"sec-fetch-site")
        if len(origins) > 1 or len(sites) > 1:
            return True
        sender = origins[0].decode("latin-1") if origins else None
        site = sites[0] if sites else None
        if sender is not None and sender in allowed:
            return False
        if sender is None:
            return site not in (None, b"same-origin", b"none")
        if sender == "null":  # the page hides its origin; Fetch Metadata still tells whether it is ours
            return site != b"same-origin"
        return sender != origin or site == b"cross-site"

    def parameters(self) -> list[tuple[str, str]]:
        """Read the parameters of the query.

        Raises:
            RequestRejected: too long, too many, or not UTF-8.
        """
        return read_form(self.query)


def methods_of(method: str) -> tuple[str, ...]:
    """Return all methods as which an app may serve a request; `WEBSOCKET` stands for a handshake."""
    served_as = _SERVED_AS.get(method) or _SERVED_AS.get(method.strip().upper())
    return tuple(METHODS) if served_as is None else served_as  # an app may serve an unknown method as any of them


def read_form(data: bytes) -> list[tuple[str, str]]:
    """Read `application/x-www-form-urlencoded` pairs, in order.

    Raises:
        RequestRejected: too long, too many, or not UTF-8.
    """
    if len(data) > MAX_QUERY_LENGTH:
        raise RequestRejected("parameters_too_long", f"expected at most {MAX_QUERY_LENGTH} bytes, got {len(data)}")
    try:
        return parse_qsl(data.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as exc:
        detail = f"expected at most {MAX_PARAMETERS} parameters, URL-encoded in UTF-8"
        raise RequestRejected("parameters_malformed", detail) from exc
