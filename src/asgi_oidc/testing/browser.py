"""A browser-like client over ASGI apps: navigations, fetches, forms, cookies and Fetch Metadata."""

import copy
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import httpx
import msgspec

from .browser_request import BrowserRequest, fetch_metadata_of, referrer_of
from .cookie_jar import CookieJar, RefusedCookie
from .forms import SUBMITS_ITSELF, Form, Page
from .in_process import call_app
from .web_urls import is_trustworthy, join, origin_of, site_of
from .wire import ASGIApp

MAX_REDIRECTS = 20
PATIENCE = 60.0  # seconds for one request, so that a hanging test fails
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) TestBrowser/1.0"
ACCEPT_PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class NavigationError(Exception):
    """The browser cannot navigate: no such link or button, too many redirects, or an unknown origin."""


@dataclass(frozen=True)
class Request:
    """A request that the browser has sent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Response:
    """A response that the browser has received."""

    status_code: int
    headers: httpx.Headers = field(repr=False)
    content: bytes = field(repr=False)
    request: Request = field(repr=False)
    history: tuple["Response", ...] = ()
    """The redirects and self-submitting pages that led here, oldest first."""

    @property
    def url(self) -> str:
        """The URL of the response, after redirects."""
        return self.request.url

    @property
    def path(self) -> str:
        """The path and query of `url`."""
        split = urllib.parse.urlsplit(self.url)
        return urllib.parse.urlunsplit(("", "", split.path or "/", split.query, ""))

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode("utf-8", "replace")

    @property
    def location(self) -> str:
        """The target of a redirect, as an absolute URL; empty if there is none."""
        location = self.headers.get("location")
        return "" if location is None else join(self.url, location)

    @property
    def set_cookies(self) -> list[str]:
        """The `Set-Cookie` headers."""
        return self.headers.get_list("set-cookie")

    @property
    def page(self) -> Page:
        """The forms and links of the page."""
        return Page(self.text)

    def json(self) -> Any:
        """Read the body as JSON."""
        return msgspec.json.decode(self.content)


class Browser:
    """One tab of a browser with its cookie jar.

    Two hosts count as the same site if their scheme and last two labels are equal, as in `app.example.com` and
    `id.example.com`; for cross-site tests, use another domain.

    Args:
        app: What answers at `origin`: an ASGI app, or an `httpx` transport for a real server.
        origin: The base of relative URLs.
        others: Further origins and what answers there: `{"https://id.example.com": provider}`.
        clock: Returns seconds since the epoch; decides when cookies expire.
        fetch_metadata: False for an old browser that sends no `Sec-Fetch-...` headers.
        jar: Cookies to start with.
    """

    def __init__(
        self,
        app: ASGIApp | httpx.AsyncBaseTransport,
        origin: str = "https://app.example.com",
        others: Mapping[str, ASGIApp | httpx.AsyncBaseTransport] | None = None,
        *,
        clock: Callable[[], float] = time.time,
        fetch_metadata: bool = True,
        jar: CookieJar | None = None,
    ) -> None:
        self.origin = origin_of(origin)
        self.apps = {self.origin: app} | {origin_of(url): other for url, other in (others or {}).items()}
        self.fetch_metadata = fetch_metadata
        self.jar = CookieJar(clock) if jar is None else jar
        self.response: Response | None = None
        """The page that this tab shows."""

    @property
    def cookies(self) -> CookieJar:
        """The jar: iterate it, or `browser.cookies["name"]`."""
        return self.jar

    @property
    def refused_cookies(self) -> list[RefusedCookie]:
        """The `Set-Cookie` headers that the browser refused, with the reasons."""
        return self.jar.refused

    def tab(self) -> "Browser":
        """Open a second tab, with the same cookies and no page yet."""
        tab = copy.copy(self)
        tab.response = None
        return tab

    async def get(
        self,
        url: str = "/",
        *,
        follow: bool = True,
        initiator: str | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Response:
        """Navigate to a URL and follow redirects, as if the user had typed it into the address bar.

        Args:
            initiator: URL of the page whose link the user clicked instead: `"https://evil.example"`.
            headers: Further headers, or other values for those that a browser sends; `None` leaves one out.
        """
        visit = BrowserRequest("GET", join(self.origin, url), initiator=initiator, headers=headers or {})
        return await self._navigate(visit, follow=follow)

    async def post(
        self,
        url: str,
        data: Mapping[str, str] | None = None,
        *,
        follow: bool = True,
        initiator: str | None = "",
        headers: Mapping[str, str | None] | None = None,
    ) -> Response:
        """Navigate to a URL by posting a form.

        Args:
            initiator: URL of the page that has the form; by default a page at `origin`.
        """
        body, content = _form_body(list((data or {}).items()))
        visit = BrowserRequest(
            "POST",
            join(self.origin, url),
            body,
            {**content, **(headers or {})},
            initiator=self.origin + "/" if initiator == "" else initiator,
        )
        return await self._navigate(visit, follow=follow)

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        json: Any = None,
        data: Mapping[str, str] | None = None,
        initiator: str = "",
        headers: Mapping[str, str | None] | None = None,
    ) -> Response:
        """Send a request as `fetch()` in a script does, with cookies; redirects are returned, not followed.

        Args:
            initiator: URL of the page that runs the script; by default a page at `origin`.
        """
        body, content = b"", dict[str, str]()
        if json is not None:
            body, content = msgspec.json.encode(json), {"content-type": "application/json"}
        elif data is not None:
            body, content = _form_body(list(data.items()))
        visit = BrowserRequest(
            method,
            join(self.origin, url),
            body,
            {**content, **(headers or {})},
            mode="cors",
            initiator=initiator or self.origin + "/",
        )
        return await self._send(visit)

    async def click(self, link: str, response: Response | None = None, *, follow: bool = True) -> Response:
        """Click a link, named by its text or `href`, on a page; by default on the page that this tab shows."""
        page = self._shown(response)
        found = [href for href, text in page.page.links if link in (href, text)]
        if not found:
            raise NavigationError(f"no link {link!r} on {page.url}; there are {page.page.links}")
        visit = BrowserRequest("GET", join(page.url, found[0]), initiator=page.url, policy=_policy_of(page))
        return await self._navigate(visit, follow=follow)

    async def submit(
        self,
        response: Response | None = None,
        button: str | None = None,
        *,
        data: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Response:
        """Submit a form of a page by pressing a button, named by its text, name or value.

        Args:
            response: The page; by default the one that this tab shows.
            button: By default the first button of the first form.
            data: Fields to fill in.
        """
        page = self._shown(response)
        form, pressed = _form_with(page, button)
        pairs = form.data(pressed, dict(data or {}))
        return await self._navigate(_submission(page, form, pairs), follow=follow)

    async def sign_in(self, sub: str = "alice", path: str = "/", *, provider: str | None = None) -> Response:
        """Open a path; if that leads to the provider's login page, sign in as this persona.

        Args:
            provider: which provider to choose, by its name in `providers`, if the page to choose from comes first.

        Raises:
            NavigationError: the page does not offer that provider.
        """
        page = await self.get(path)
        if provider is not None and origin_of(page.url) == self.origin:
            page = await self.click(_link_to_provider(page, provider), page)
        if origin_of(page.url) == self.origin or not page.page.forms:
            return page
        return await self.submit(page, sub)

    def _shown(self, response: Response | None) -> Response:
        page = response or self.response
        if page is None:
            raise NavigationError("this tab shows no page yet")
        return page

    async def _navigate(self, visit: BrowserRequest, *, follow: bool) -> Response:
        history: list[Response] = []
        while True:
            response = replace(await self._send(visit), history=tuple(history))
            following = _next_visit(visit, response) if follow else None
            if following is None:
                self.response = response
                return response
            if len(history) == MAX_REDIRECTS:
                trail = " -> ".join(short(step.url) for step in history[-4:])
                raise NavigationError(f"more than {MAX_REDIRECTS} redirects: ... {trail}")
            history.append(response)
            visit = following

    async def _send(self, visit: BrowserRequest) -> Response:
        app = self.apps.get(origin_of(visit.url))
        if app is None:
            raise NavigationError(f"nothing answers at {origin_of(visit.url)}; add it to `others`")
        url = urllib.parse.urldefrag(visit.url).url
        headers = self._headers(visit, url)
        request = Request(visit.method, url, headers, visit.body)
        with anyio.fail_after(PATIENCE):
            status, raw, content = await _exchange(app, request)
        response = Response(status, httpx.Headers(raw), content, replace(request, url=visit.url))
        for line in response.set_cookies:
            self.jar.receive(line, url)
        return response

    def _headers(self, visit: BrowserRequest, url: str) -> dict[str, str]:
        is_navigation = visit.mode == "navigate"
        is_safe = visit.method in ("GET", "HEAD")
        headers = {
            "host": urllib.parse.urlsplit(url).netloc,
            "user-agent": USER_AGENT,
            "accept": ACCEPT_PAGE if is_navigation else "*/*",
            "accept-language": "en",
        }
        if self.fetch_metadata and is_trustworthy(url):
            headers |= fetch_metadata_of(visit, url)
        if visit.body or not is_safe:
            headers["content-length"] = str(len(visit.body))
        if visit.initiator is not None:
            headers |= referrer_of(visit, url)
        cookies = self.jar.header(
            url,
            is_same_site=visit.initiator is None or site_of(visit.initiator) == site_of(url),
            is_safe_navigation=is_navigation and is_safe,
        )
        if cookies:
            headers["cookie"] = cookies
        headers |= {name.lower(): value for name, value in visit.headers.items() if value is not None}
        left_out = {name.lower() for name, value in visit.headers.items() if value is None}
        return {name: value for name, value in headers.items() if name not in left_out}


def _next_visit(visit: BrowserRequest, response: Response) -> BrowserRequest | None:
    """Return the request that the browser makes by itself next: for a redirect or a self-submitting page."""
    if response.status_code in (301, 302, 303, 307, 308) and response.location:
        return _redirected(visit, response)
    if response.headers.get("content-type", "").startswith("text/html") and SUBMITS_ITSELF.search(response.text):
        page = response.page
        if page.submits_itself and page.forms:
            submission = _submission(response, page.forms[0], page.forms[0].data(None, {}))
            return replace(submission, is_by_user=False)
    return None


def _redirected(visit: BrowserRequest, response: Response) -> BrowserRequest:
    chain = (*visit.chain, visit.url)
    turns_to_get = response.status_code == 303 or (response.status_code in (301, 302) and visit.method == "POST")
    if turns_to_get and visit.method != "HEAD":
        kept = {name: value for name, value in visit.headers.items() if not name.lower().startswith("content-")}
        return replace(visit, method="GET", url=response.location, body=b"", headers=kept, chain=chain)
    return replace(visit, url=response.location, chain=chain)


def _link_to_provider(page: Response, provider: str) -> str:
    hrefs = [href for href, _ in page.page.links]
    found = [href for href in hrefs if ("provider", provider) in _query_of(href)]
    if not found:
        raise NavigationError(
            f"no link to sign in at {provider!r} on {page.url} ({page.status_code}); there are {hrefs}"
        )
    return found[0]


def _query_of(url: str) -> list[tuple[str, str]]:
    return urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query)


def _form_with(page: Response, button: str | None) -> tuple[Form, Any]:
    for form in page.page.forms:
        pressed = form.button(button)
        if pressed is not None or button is None:
            return form, pressed
    labels = [pressed.text for form in page.page.forms for pressed in form.buttons]
    raise NavigationError(f"no button {button!r} on {page.url} ({page.status_code}); there are {labels}")


def _submission(page: Response, form: Form, pairs: list[tuple[str, str]]) -> BrowserRequest:
    action = join(page.url, form.action) if form.action else page.url
    policy = _policy_of(page)
    if form.method == "POST":
        body, content = _form_body(pairs)
        return BrowserRequest("POST", action, body, content, initiator=page.url, policy=policy)
    query = urllib.parse.urlencode(pairs)
    url = urllib.parse.urlsplit(action)._replace(query=query).geturl()
    return BrowserRequest("GET", url, initiator=page.url, policy=policy)


def _form_body(pairs: list[tuple[str, str]]) -> tuple[bytes, dict[str, str]]:
    return urllib.parse.urlencode(pairs).encode(), {"content-type": "application/x-www-form-urlencoded"}


async def _exchange(
    app: ASGIApp | httpx.AsyncBaseTransport, request: Request
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    if not isinstance(app, httpx.AsyncBaseTransport):
        return await call_app(app, request.method, request.url, request.headers, request.body)
    sent = httpx.Request(request.method, request.url, headers=dict(request.headers), content=request.body)
    answer = await app.handle_async_request(sent)
    try:
        return answer.status_code, answer.headers.raw, await answer.aread()
    finally:
        await answer.aclose()


def _policy_of(page: Response) -> str:
    named = [part.strip() for part in page.headers.get("referrer-policy", "").split(",")]
    return named[-1] or "strict-origin-when-cross-origin"


def short(url: str) -> str:
    """Return a URL without its query, which may contain codes and states."""
    return url.partition("?")[0]
