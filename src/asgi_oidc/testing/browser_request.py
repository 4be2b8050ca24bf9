"""A request that the browser is about to send, and the headers that tell where it comes from."""

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field

from .web_urls import origin_of, site_of


@dataclass(frozen=True)
class BrowserRequest:
    """A request to be sent, and the page that caused it."""

    method: str
    url: str
    body: bytes = b""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    mode: str = "navigate"
    initiator: str | None = None
    """URL of the page that caused it; `None` if the user typed the URL."""
    policy: str = "strict-origin-when-cross-origin"
    is_by_user: bool = True
    chain: tuple[str, ...] = ()
    """The URLs that have redirected here, oldest first."""


def fetch_metadata_of(visit: BrowserRequest, url: str) -> dict[str, str]:
    """Return the `Sec-Fetch-...` headers (W3C Fetch Metadata §2)."""
    is_navigation = visit.mode == "navigate"
    headers = {
        "sec-fetch-site": sec_fetch_site(visit.initiator, (*visit.chain, url)),
        "sec-fetch-mode": visit.mode,
        "sec-fetch-dest": "document" if is_navigation else "empty",
    }
    if is_navigation and visit.is_by_user:
        headers["sec-fetch-user"] = "?1"
    if is_navigation:
        headers["upgrade-insecure-requests"] = "1"
    return headers


def sec_fetch_site(initiator: str | None, urls: tuple[str, ...]) -> str:
    """Return `Sec-Fetch-Site` for a chain of redirects: of the step farthest from the page; `none` for a typed URL."""
    if initiator is None:
        return "none"
    if any(site_of(url) != site_of(initiator) for url in urls):
        return "cross-site"
    if any(origin_of(url) != origin_of(initiator) for url in urls):
        return "same-site"
    return "same-origin"


def referrer_of(visit: BrowserRequest, url: str) -> dict[str, str]:
    """Return `Referer` and `Origin`, by the page's Referrer-Policy (W3C Referrer Policy §8.3, Fetch §3.2)."""
    page = urllib.parse.urldefrag(visit.initiator or "").url
    origin = origin_of(page)
    is_same = all(origin_of(step) == origin for step in (*visit.chain, url))
    is_downgrade = page.startswith("https:") and not url.startswith("https:")
    referrer = _referrer(visit.policy, page, is_same=is_same, is_downgrade=is_downgrade)
    headers = {"referer": referrer} if referrer else {}
    if visit.method not in ("GET", "HEAD"):
        hidden = visit.mode != "cors" and (
            visit.policy == "no-referrer"
            or (visit.policy == "same-origin" and not is_same)
            or (visit.policy.startswith("strict-") and is_downgrade)
        )
        tainted = len({origin_of(step) for step in visit.chain} - {origin}) > 0
        headers["origin"] = "null" if hidden or tainted else origin
    elif visit.mode == "cors" and not is_same:
        headers["origin"] = origin
    return headers


def _referrer(policy: str, page: str, *, is_same: bool, is_downgrade: bool) -> str:
    origin = origin_of(page) + "/"
    match policy:
        case "no-referrer":
            return ""
        case "same-origin":
            return page if is_same else ""
        case "origin":
            return origin
        case "strict-origin":
            return "" if is_downgrade else origin
        case "unsafe-url":
            return page
        case "origin-when-cross-origin":
            return page if is_same else origin
        case "no-referrer-when-downgrade":
            return "" if is_downgrade else page
        case _:
            return page if is_same else ("" if is_downgrade else origin)
