"""A browser's cookie jar: as strict as real browsers, and it records why it refuses a cookie (RFC 6265bis)."""

import email.utils
import re
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .web_urls import is_ip_address

CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # any but a tab
MAX_NAME_AND_VALUE = 4096  # bytes, RFC 6265bis §5.7
MAX_ATTRIBUTE = 1024  # bytes, RFC 6265bis §5.6
MAX_LIFETIME = 400 * 86_400  # seconds, RFC 6265bis §5.5
MAX_PER_HOST = 180  # cookies; Chromium's limit


@dataclass(frozen=True)
class Cookie:
    """One cookie as the browser keeps it."""

    name: str
    value: str
    domain: str
    path: str
    host_only: bool = True
    secure: bool = False
    http_only: bool = False
    same_site: str = "Lax"
    """`Lax`, `Strict` or `None`; without the attribute it is `Lax`."""
    expires_at: float | None = None
    """Seconds since the epoch; `None` for a cookie that lasts until the browser is closed."""

    def __repr__(self) -> str:
        return f"Cookie({self.name!r}, domain={self.domain!r}, path={self.path!r})"  # values are secrets


@dataclass(frozen=True)
class RefusedCookie:
    """A `Set-Cookie` that the browser refused, and why."""

    name: str
    reason: str
    url: str


class CookieJar:
    """All cookies of one browser.

    Args:
        clock: Returns seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.refused: list[RefusedCookie] = []
        self._cookies: dict[tuple[str, str, str], Cookie] = {}  # in the order of their creation

    def __iter__(self) -> Iterator[Cookie]:
        now = self.clock()
        valid = [cookie for cookie in self._cookies.values() if cookie.expires_at is None or cookie.expires_at > now]
        return iter(valid)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return any(cookie.name == name for cookie in self)

    def __getitem__(self, name: str) -> Cookie:
        """Return the one cookie with this name; `KeyError` if there is none or more than one."""
        found = [cookie for cookie in self if cookie.name == name]
        if len(found) != 1:
            raise KeyError(f"{len(found)} cookies are named {name!r}; there are {[cookie.name for cookie in self]}")
        return found[0]

    def get(self, name: str) -> Cookie | None:
        """Return the first cookie with this name, else None."""
        return next((cookie for cookie in self if cookie.name == name), None)

    def starting_with(self, prefix: str) -> list[Cookie]:
        """Return the cookies whose names start with `prefix`."""
        return [cookie for cookie in self if cookie.name.startswith(prefix)]

    def put(self, cookie: Cookie) -> None:
        """Add a cookie without any checks."""
        self._cookies[cookie.name, cookie.domain, cookie.path] = cookie

    def delete(self, name: str) -> None:
        """Delete every cookie with this name."""
        self._cookies = {key: cookie for key, cookie in self._cookies.items() if cookie.name != name}

    def clear(self) -> None:
        """Delete all cookies."""
        self._cookies.clear()

    def copy(self) -> "CookieJar":
        """Return a second jar with the same cookies: for a snapshot, or a thief."""
        jar = CookieJar(self.clock)
        jar._cookies = dict(self._cookies)
        return jar

    def close_browser(self) -> None:
        """Delete the cookies that last only until the browser is closed."""
        self._cookies = {key: cookie for key, cookie in self._cookies.items() if cookie.expires_at is not None}

    def receive(self, set_cookie: str, url: str) -> None:
        """Accept or refuse a `Set-Cookie` of a response from this URL."""
        pair, _, rest = set_cookie.partition(";")
        name, equals, value = pair.partition("=")
        name, value = (name.strip(" \t"), value.strip(" \t")) if equals else ("", pair.strip(" \t"))
        split = urllib.parse.urlsplit(url)
        cookie = _build(name, value, read_attributes(rest), split, now=self.clock())
        reason = why_refused(cookie, set_cookie, split) or self._why_protected(cookie, split)
        if reason:
            self.refused.append(RefusedCookie(name, reason, url))
            return
        self._keep(cookie)

    def header(self, url: str, *, is_same_site: bool, is_safe_navigation: bool) -> str:
        """Return the `Cookie` header of a request; empty if there is nothing to send.

        Args:
            is_same_site: Whether the page that caused the request is of the same site.
            is_safe_navigation: Whether it is a top-level GET or HEAD, for which `Lax` cookies are sent.
        """
        allowed = {"Strict", "Lax", "None"} if is_same_site else {"None"}
        if is_safe_navigation:
            allowed.add("Lax")
        split = urllib.parse.urlsplit(url)
        sent = [cookie for cookie in self if cookie.same_site in allowed and _goes_to(cookie, split)]
        sent.sort(key=lambda cookie: -len(cookie.path))  # a stable sort: the older of two comes first
        return "; ".join(f"{cookie.name}={cookie.value}" if cookie.name else cookie.value for cookie in sent)

    def _keep(self, cookie: Cookie) -> None:
        key = (cookie.name, cookie.domain, cookie.path)
        if cookie.expires_at is not None and cookie.expires_at <= self.clock():
            self._cookies.pop(key, None)
            return
        self._cookies[key] = cookie
        of_host = [key for key in self._cookies if key[1] == cookie.domain]
        if len(of_host) > MAX_PER_HOST:
            del self._cookies[of_host[0]]

    def _why_protected(self, cookie: Cookie, split: urllib.parse.SplitResult) -> str:
        """Return why a cookie set over http is refused: it would hide a Secure cookie (RFC 6265bis §5.7 step 16)."""
        if split.scheme == "https":
            return ""
        would_hide = any(other.secure and other.name == cookie.name and other.domain == cookie.domain for other in self)
        return "an http response may not replace a Secure cookie" if would_hide else ""


def read_attributes(text: str) -> dict[str, str]:
    """Read the attributes that follow name and value; names in lower case; of a repeated one, the last counts."""
    attributes = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if len(value.strip(" \t")) <= MAX_ATTRIBUTE:
            attributes[name.strip(" \t").lower()] = value.strip(" \t")
    return attributes


def _build(name: str, value: str, attributes: dict[str, str], url: urllib.parse.SplitResult, *, now: float) -> Cookie:
    domain = attributes.get("domain", "").lower().removeprefix(".")
    path = attributes.get("path", "")
    same_site = attributes.get("samesite", "").capitalize()
    return Cookie(
        name,
        value,
        domain=domain or (url.hostname or ""),
        path=path if path.startswith("/") else default_path(url.path),
        host_only=not domain,
        secure="secure" in attributes,
        http_only="httponly" in attributes,
        same_site=same_site if same_site in ("Strict", "None") else "Lax",
        expires_at=expiry_of(attributes, now=now),
    )


def expiry_of(attributes: dict[str, str], *, now: float) -> float | None:
    """Return when a cookie expires; `Max-Age` takes precedence over `Expires` (RFC 6265bis §5.7 steps 7 and 8)."""
    max_age = attributes.get("max-age", "")
    if max_age.removeprefix("-").isdigit():
        return now + min(int(max_age), MAX_LIFETIME) if int(max_age) > 0 else 0.0
    if "expires" in attributes:
        date = email.utils.parsedate_tz(attributes["expires"])
        return None if date is None else min(email.utils.mktime_tz(date), now + MAX_LIFETIME)
    return None


def default_path(path: str) -> str:
    """Return the path of a cookie without `Path`: the folder of the page (RFC 6265bis §5.1.4)."""
    return path.rpartition("/")[0] or "/"


def why_refused(cookie: Cookie, line: str, url: urllib.parse.SplitResult) -> str:
    """Return why a browser refuses this cookie; empty if it accepts it."""
    host = url.hostname or ""
    prefix = cookie.name.lower()
    if CONTROL_CHARACTER.search(line):
        return "it contains a control character"
    if not cookie.name and not cookie.value:
        return "it has neither a name nor a value"
    if len(cookie.name.encode("latin-1", "replace")) + len(cookie.value.encode("latin-1", "replace")) > (
        MAX_NAME_AND_VALUE
    ):
        return f"name and value are more than {MAX_NAME_AND_VALUE} bytes"
    if not cookie.host_only and not domain_fits(host, cookie.domain):
        return f"its Domain {cookie.domain} does not include {host}"
    if cookie.secure and url.scheme != "https":
        return "it is Secure, but was set over http"
    if cookie.same_site == "None" and not cookie.secure:
        return "SameSite=None needs Secure"
    if prefix.startswith("__secure-") and not cookie.secure:
        return "the prefix __Secure- needs Secure"
    if prefix.startswith("__host-") and not (cookie.secure and cookie.host_only and _says_root(line)):
        return "the prefix __Host- needs Secure, Path=/ and no Domain"
    if not cookie.name and cookie.value.lower().startswith(("__host-", "__secure-")):
        return "a value without a name must not begin with a prefix such as __Host-"
    return ""


def _says_root(line: str) -> bool:
    return read_attributes(line.partition(";")[2]).get("path") == "/"


def domain_fits(host: str, domain: str) -> bool:
    """Whether a host may set a cookie for this domain; a domain without a dot counts as a public suffix."""
    if host == domain:
        return True
    return "." in domain and not is_ip_address(host) and host.endswith("." + domain)


def _goes_to(cookie: Cookie, url: urllib.parse.SplitResult) -> bool:
    host = url.hostname or ""
    if host != cookie.domain and (cookie.host_only or not host.endswith("." + cookie.domain)):
        return False
    if cookie.secure and url.scheme != "https":
        return False
    path = url.path or "/"
    return path == cookie.path or path.startswith(cookie.path.rstrip("/") + "/")
