"""A browser's cookie jar: strict, small, and outspoken about what it refuses (RFC 6265bis)."""

import email.utils
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .web_urls import is_ip_address

MAX_NAME_AND_VALUE = 4096  # bytes, RFC 6265bis §5.7
MAX_ATTRIBUTE = 1024  # bytes, RFC 6265bis §5.6
MAX_LIFETIME = 400 * 86_400  # seconds, RFC 6265bis §5.5
MAX_PER_HOST = 180  # cookies; Chromium's number


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
    """`Lax`, `Strict` or `None`; one that does not say is `Lax`."""
    expires_at: float | None = None
    """`None`: until the browser is closed."""

    def __repr__(self) -> str:
        return f"Cookie({self.name!r}, domain={self.domain!r}, path={self.path!r})"  # values are secrets


@dataclass(frozen=True)
class RefusedCookie:
    """A `Set-Cookie` that the browser did not take, and why."""

    name: str
    reason: str
    url: str


class CookieJar:
    """All cookies of one browser.

    Args:
        clock: Gives seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.refused: list[RefusedCookie] = []
        self._cookies: dict[tuple[str, str, str], Cookie] = {}  # in the order of their creation

    def __iter__(self) -> Iterator[Cookie]:
        now = self.clock()
        return iter([it for it in self._cookies.values() if it.expires_at is None or it.expires_at > now])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return any(cookie.name == name for cookie in self)

    def __getitem__(self, name: str) -> Cookie:
        """Give the one cookie of this name; a `KeyError` when there is none or more than one."""
        found = [cookie for cookie in self if cookie.name == name]
        if len(found) != 1:
            raise KeyError(f"{len(found)} cookies are named {name!r}; there are {[it.name for it in self]}")
        return found[0]

    def get(self, name: str) -> Cookie | None:
        """Give the first cookie of this name."""
        return next((cookie for cookie in self if cookie.name == name), None)

    def starting_with(self, prefix: str) -> list[Cookie]:
        """Give the cookies whose name starts so."""
        return [cookie for cookie in self if cookie.name.startswith(prefix)]

    def put(self, cookie: Cookie) -> None:
        """Plant a cookie as it is, with no question asked."""
        self._cookies[cookie.name, cookie.domain, cookie.path] = cookie

    def delete(self, name: str) -> None:
        """Throw away every cookie of this name."""
        self._cookies = {key: it for key, it in self._cookies.items() if it.name != name}

    def clear(self) -> None:
        """Throw all away."""
        self._cookies.clear()

    def copy(self) -> "CookieJar":
        """Give a second jar with the same cookies: a thief's, or a snapshot."""
        jar = CookieJar(self.clock)
        jar._cookies = dict(self._cookies)
        return jar

    def close_browser(self) -> None:
        """Throw away the cookies that only live until the browser is closed."""
        self._cookies = {key: it for key, it in self._cookies.items() if it.expires_at is not None}

    def receive(self, set_cookie: str, url: str) -> None:
        """Take or refuse one `Set-Cookie` that came with an answer from this URL."""
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
        """Make the `Cookie` header of one request; empty when there is nothing to send.

        Args:
            is_same_site: Whether the page that caused the request is of the same site.
            is_safe_navigation: Whether it is a top-level GET or HEAD, which `Lax` lets through.
        """
        allowed = {"Strict", "Lax", "None"} if is_same_site else {"None"}
        if is_safe_navigation:
            allowed.add("Lax")
        split = urllib.parse.urlsplit(url)
        sent = [it for it in self if it.same_site in allowed and _goes_to(it, split)]
        sent.sort(key=lambda cookie: -len(cookie.path))  # stable: the older of two comes first
        return "; ".join(f"{it.name}={it.value}" if it.name else it.value for it in sent)

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
        """Keep http from laying a cookie over one that https set (RFC 6265bis §5.7 step 16)."""
        if split.scheme == "https":
            return ""
        covered = any(it.secure and it.name == cookie.name and it.domain == cookie.domain for it in self)
        return "an http answer may not replace a Secure cookie" if covered else ""


def read_attributes(text: str) -> dict[str, str]:
    """Read what follows the name and value; names in lower case, of a doubled one the last counts."""
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
    """Say when a cookie dies: `Max-Age` counts before `Expires` (RFC 6265bis §5.7 steps 7 and 8)."""
    max_age = attributes.get("max-age", "")
    if max_age.removeprefix("-").isdigit():
        return now + min(int(max_age), MAX_LIFETIME) if int(max_age) > 0 else 0.0
    if "expires" in attributes:
        date = email.utils.parsedate_tz(attributes["expires"])
        return None if date is None else min(email.utils.mktime_tz(date), now + MAX_LIFETIME)
    return None


def default_path(path: str) -> str:
    """Give the folder of the page, for a cookie without `Path` (RFC 6265bis §5.1.4)."""
    return path.rpartition("/")[0] or "/"


def why_refused(cookie: Cookie, line: str, url: urllib.parse.SplitResult) -> str:
    """Say why a browser would not take this cookie; empty when it would."""
    host = url.hostname or ""
    prefix = cookie.name.lower()
    if any((ord(letter) < 32 and letter != "\t") or ord(letter) == 127 for letter in line):
        return "it holds a control character"
    if not cookie.name and not cookie.value:
        return "it has neither a name nor a value"
    if len(cookie.name.encode("latin-1", "replace")) + len(cookie.value.encode("latin-1", "replace")) > (
        MAX_NAME_AND_VALUE
    ):
        return f"name and value are more than {MAX_NAME_AND_VALUE} bytes"
    if not cookie.host_only and not domain_fits(host, cookie.domain):
        return f"its Domain {cookie.domain} is not that of {host}"
    if cookie.secure and url.scheme != "https":
        return "it is Secure and came over http"
    if cookie.same_site == "None" and not cookie.secure:
        return "SameSite=None needs Secure"
    if prefix.startswith("__secure-") and not cookie.secure:
        return "the prefix __Secure- needs Secure"
    if prefix.startswith("__host-") and not (cookie.secure and cookie.host_only and _says_root(line)):
        return "the prefix __Host- needs Secure, Path=/ and no Domain"
    if not cookie.name and cookie.value.lower().startswith(("__host-", "__secure-")):
        return "a value without a name may not pose as a prefix"
    return ""


def _says_root(line: str) -> bool:
    return read_attributes(line.partition(";")[2]).get("path") == "/"


def domain_fits(host: str, domain: str) -> bool:
    """Say whether a host may set a cookie for this domain; a domain without a dot is a public suffix."""
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
