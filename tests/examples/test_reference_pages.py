"""The reference pages that are written by hand: each cell of their tables is what the middleware does."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from asgi_oidc import (
    AccessTokenExpired,
    InsufficientScope,
    NotSignedIn,
    RefreshFailed,
    Rule,
    SessionEnded,
    StepUpRequired,
    StoreUnavailable,
)
from asgi_oidc.composition.endpoints import ENDPOINTS, PROVIDER_ENDPOINTS
from asgi_oidc.testing import Browser, Response
from tests.protected_site import ORIGIN, Exchange, Site, cookie_header
from tests.scripted_store import ScriptedStore

FOLDER = Path(__file__).parents[2] / "examples" / "reference"
DECISIONS = (FOLDER / "decisions.md").read_text(encoding="utf-8")
CLOSE = re.compile(r"close (\d+)")
GENERATED = ("settings.md", "events.md")  # pages made from the code
EVIL = "https://evil.example"
RULES = [
    Rule("/admin/*", claims={"roles": "director"}),
    Rule("/strong/*", acr_values=["urn:example:mfa"]),
    Rule("/api/*", login=False),
]
ACTIONS = ("POST", "PUT", "DELETE")

Outcome = str
Call = Callable[[Site, Browser, str], Awaitable[Sequence[Outcome]]]


class Table(NamedTuple):
    """A table of the page: its columns after the first, and the cells of each row by the first."""

    columns: list[str]
    rows: dict[str, list[str]]


def table_below(heading: str, number: int = 0) -> Table:
    """Read a table of a section."""
    section = DECISIONS.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    block = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)[number]
    lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in block.strip().splitlines()]
    lines = [[cell.strip("| ") for cell in line] for line in lines]
    return Table(lines[0][1:], {line[0]: line[1:] for line in lines[2:]})


def outcome(site: Site, response: Response, *, method: str = "GET") -> Outcome:
    """Say in the words of the page what came back, and fail where the rest does not fit."""
    kind = response.headers.get("content-type", "").partition(";")[0]
    status = response.status_code
    if status == 200:
        return "the app"
    assert response.headers["cache-control"] == "no-store"
    assert status != 503 or "retry-after" in response.headers
    if status == 303:
        assert response.location.startswith(f"{site.provider.issuer}/authorize?")
        return "303 to the provider"
    assert status != 401 or response.headers["www-authenticate"].startswith("Cookie ")
    assert kind in ("text/html", "application/problem+json")
    if kind == "text/html" or method == "HEAD":
        return f"{status} page"
    assert response.json()["login_url"].startswith(f"{ORIGIN}/auth/login")
    return f"{status} JSON"


async def navigated(site: Site, browser: Browser, path: str) -> Sequence[Outcome]:
    """Open a page, by GET and HEAD, and as an old browser does."""
    head = await browser.fetch(path, method="HEAD", headers={"sec-fetch-mode": "navigate", "sec-fetch-dest": None})
    old = Browser(
        browser.apps[ORIGIN], ORIGIN, browser.apps, clock=lambda: site.clock.now, fetch_metadata=False, jar=browser.jar
    )
    return [
        outcome(site, await browser.get(path, follow=False)),
        outcome(site, head, method="HEAD"),
        outcome(site, await old.get(path, follow=False)),
    ]


async def fetched(site: Site, browser: Browser, path: str) -> Sequence[Outcome]:
    """Make the calls of a script, of an older one, and of a program."""
    unsaid = dict.fromkeys(("sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site", "sec-fetch-user"))
    old: Mapping[str, str | None] = {**unsaid, "accept": "text/html", "x-requested-with": "XMLHttpRequest"}
    program: Mapping[str, str | None] = {**unsaid, "accept": "application/json", "referer": None}
    answers = [
        await browser.fetch(path),
        await browser.fetch(path, headers={**old, "accept": "*/*"}),
        await browser.fetch(path, headers=program),
    ]
    return [outcome(site, answer) for answer in answers]


async def acted(site: Site, browser: Browser, path: str) -> Sequence[Outcome]:
    """Change something by a script."""
    return [outcome(site, await browser.fetch(path, method=method)) for method in ACTIONS]


async def acted_from_elsewhere(site: Site, browser: Browser, path: str) -> Sequence[Outcome]:
    """The same by a script of another site, in a browser that sends cookies along."""
    headers = {"origin": EVIL, "sec-fetch-site": "cross-site"}
    return [outcome(site, await browser.fetch(path, method=method, headers=headers)) for method in ACTIONS]


async def framed(site: Site, browser: Browser, path: str) -> Sequence[Outcome]:
    """Ask for HTML in other ways than by opening a page."""
    html = "text/html,application/xhtml+xml,*/*;q=0.8"
    answers = [
        await browser.fetch(path, headers={"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe", "accept": html}),
        await browser.fetch(path, headers={"hx-request": "true", "accept": "*/*"}),
        await browser.fetch(path, headers={"accept": "text/vnd.turbo-stream.html, text/html"}),
        await browser.fetch(path, headers={"accept": html}),
    ]
    return [outcome(site, answer) for answer in answers]


async def posted(site: Site, browser: Browser, path: str) -> Sequence[Outcome]:
    """Send a form of our own page."""
    return [outcome(site, await browser.post(path, {"text": "hello"}, follow=False))]


async def prefetched(site: Site, browser: Browser, path: str) -> Sequence[Outcome]:
    """Look ahead."""
    headers = [{"sec-purpose": "prefetch;prerender"}, {"purpose": "prefetch"}, {"x-moz": "prefetch"}]
    return [outcome(site, await browser.get(path, headers=each, follow=False)) for each in headers]


async def asked_in_any_way(site: Site, browser: Browser, path: str) -> Sequence[Outcome]:
    """Navigate, call, act, and ask for HTML."""
    calls: list[Call] = [fetched, acted, framed, posted]
    page = outcome(site, await browser.get(path, follow=False))
    return [page, *[each for call in calls for each in await call(site, browser, path)]]


async def connected(site: Site, browser: Browser, path: str, origin: str | None = ORIGIN) -> Sequence[Outcome]:
    """Open a websocket, at a server that can send a response and at one that cannot."""
    headers = [(b"cookie", cookie_header(browser).encode())]
    headers += [] if origin is None else [(b"origin", origin.encode())]
    said = list[Outcome]()
    servers: list[dict[str, Any]] = [{"websocket.http.response": {}}, {}]
    for extensions in servers:
        exchange = Exchange({"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1005})
        scope = {"type": "websocket", "path": path, "headers": headers, "query_string": b"", "extensions": extensions}
        await site.middleware(scope, exchange.receive, exchange.send)
        first = exchange.sent[0]
        kinds = {"websocket.accept": "the app", "websocket.close": f"close {first.get('code')}"}
        said.append(kinds.get(first["type"], str(first.get("status"))))
    return ["the app" if said == ["the app"] * 2 else " or ".join(said)]


async def connected_from_elsewhere(site: Site, browser: Browser, path: str) -> Sequence[Outcome]:
    """The same from a page of another site, and from what says nothing of itself."""
    return [each for origin in (EVIL, "null", None) for each in await connected(site, browser, path, origin)]


WAYS: dict[str, Call] = {
    "page navigation (GET, HEAD)": navigated,
    "`fetch`, XHR, API client": fetched,
    "POST, PUT, DELETE, ... by a script or an API client": acted,
    "frame, htmx, Turbo: HTML is asked for first": framed,
    "form that a person sends": posted,
    "prefetch": prefetched,
    "below a rule with `login=False`, however it is asked for": asked_in_any_way,
    "POST, PUT, DELETE, ... by a page of another site": acted_from_elsewhere,
    "websocket from a page of the app": connected,
    "websocket from a page of another site, or without `Origin`": connected_from_elsewhere,
    "any method, any kind": asked_in_any_way,
}
WHAT_IS_ASKED = table_below("What a request gets")
PUBLIC = table_below("What a request gets", 1)
PATHS = {
    "nobody signed in": "/page",
    "signed in": "/page",
    "rule not met": "/admin/x",
    "stronger login needed": "/strong/x",
}


def new_site(*, is_program: bool, **settings: Any) -> Site:
    """Make a site with the rules of this page; below a rule of a program where the row says so."""
    rules = [*RULES[:2], Rule("/admin/*", login=False), Rule("/strong/*", login=False), Rule("/page", login=False)]
    return Site(rules=rules if is_program else RULES, public=["/public/*"], **settings)


@pytest.mark.parametrize("row", WHAT_IS_ASKED.rows)
@pytest.mark.parametrize("column", WHAT_IS_ASKED.columns)
async def test_a_protected_path_answers_as_the_table_says(row, column):
    """People build on it."""
    site = new_site(is_program="login=False" in row)
    browser = site.browser() if column == "nobody signed in" else await site.signed_in(path="/page2")
    before = len(site.app.scopes)
    expected = WHAT_IS_ASKED.rows[row][WHAT_IS_ASKED.columns.index(column)]

    got = await WAYS[row](site, browser, PATHS[column])

    assert set(got) == {expected}
    assert (len(site.app.scopes) > before) is (expected == "the app")


@pytest.mark.parametrize("row", PUBLIC.rows)
@pytest.mark.parametrize("column", PUBLIC.columns)
async def test_a_public_path_answers_as_the_table_says(row, column):
    """Rules do not apply there, and the user is known where the browser is theirs."""
    site = new_site(is_program=False)
    browser = site.browser() if column == "nobody signed in" else await site.signed_in()
    expected = PUBLIC.rows[row][PUBLIC.columns.index(column)]
    site.app.scopes.clear()

    got = await WAYS[row](site, browser, "/public/x")

    users = {scope["user"].sub for scope in site.app.scopes}
    assert set(got) == {expected.partition(",")[0]}
    assert users == {"the app, anonymous": {None}, "the app, with the user": {"alice"}}.get(expected, set())


DOWN = table_below("While something is down")


async def opened(site: Site, browser: Browser, path: str) -> Sequence[Outcome]:
    """Open a page."""
    return [outcome(site, await browser.get(path, follow=False))]


@pytest.mark.parametrize("row", DOWN.rows)
@pytest.mark.parametrize("column", DOWN.columns)
async def test_an_outage_is_answered_as_the_table_says(row, column):
    """Nobody is signed out by it, and nothing protected is served."""
    store = ScriptedStore()
    site = Site(store=store, public=["/public/*"])
    is_signed_in = "nobody" not in row
    browser = await site.signed_in() if is_signed_in else site.browser()
    cookies = cookie_header(browser)
    if "store" in column:
        store.broken |= {"get", "add", "replace", "remove", "link", "linked", "unlink"}
    else:
        site = site.restarted()
        browser = site.browser_of(browser)
    expected = DOWN.rows[row][DOWN.columns.index(column)]
    kind, _, _ = row.partition(",")
    ways: dict[str, Call] = {
        "page navigation": opened,
        "`fetch`": fetched,
        "websocket": connected,
        "public path": opened,
    }
    site.app.scopes.clear()

    with site.provider.fault(*([] if "store" in column else ["discovery_down"])):
        got = await ways[kind](site, browser, "/public/x" if kind == "public path" else "/page")

    assert set(got) == {expected.partition(",")[0]}
    if kind == "public path":
        assert site.app.scope["user"].sub == (None if "anonymous" in expected else "alice")
    if is_signed_in:
        assert cookie_header(browser) == cookies


RAISED = table_below("What an app can raise")
EXCEPTIONS: dict[str, Exception] = {
    "NotSignedIn": NotSignedIn(),
    "StepUpRequired": StepUpRequired(acr_values=["urn:example:mfa"]),
    "InsufficientScope": InsufficientScope("orders:write"),
    "AccessTokenExpired": AccessTokenExpired(),
    "SessionEnded": SessionEnded(),
    "RefreshFailed": RefreshFailed(),
    "StoreUnavailable": StoreUnavailable(),
}


@pytest.mark.parametrize("row", RAISED.rows)
@pytest.mark.parametrize(("column", "way"), [*zip(RAISED.columns, (opened, fetched), strict=True)])
async def test_exceptions_of_the_app_are_answered_as_the_table_says(row, column, way):
    """An app may leave it to the middleware what a user gets who lacks something."""
    error = next((each for name, each in EXCEPTIONS.items() if f"`{name}`" in row), KeyError("else"))
    site = Site(public=["/public/*"])
    browser = site.browser() if "public path" in row else await site.signed_in()
    site.clock.advance(61)

    async def fail(scope: Any) -> None:
        raise error

    site.app.at_work = fail
    path = "/public/x" if "public path" in row else "/page"
    expected = RAISED.rows[row][RAISED.columns.index(column)]

    if expected == "raised":
        with pytest.raises(KeyError):
            await way(site, browser, path)
        return
    assert set(await way(site, browser, path)) == {expected}


def test_every_url_of_ours_is_listed_with_its_methods():
    """No URL is forgotten, and none is made up."""
    listed = {row.strip("`"): cells[0] for row, cells in table_below("Our URLs").rows.items()}

    endpoints = {name: endpoint.methods for name, endpoint in ENDPOINTS.items()}
    endpoints |= {name: endpoint.methods for name, endpoint in PROVIDER_ENDPOINTS.items()}
    assert listed == {f"/auth/{name}": ", ".join(methods) for name, methods in endpoints.items()}


async def test_every_close_code_is_listed():
    """Scripts decide by them; 1011 is that of a check which breaks."""

    def broken(user: Any) -> bool:
        raise KeyError("broken")

    site = Site(rules=[Rule("/broken", check=broken)])

    (got,) = await connected(site, await site.signed_in(), "/broken")

    known = [
        code for rows in (WHAT_IS_ASKED, DOWN) for cells in rows.rows.values() for code in CLOSE.findall(str(cells))
    ]
    assert got == "500 or close 1011"
    assert set(table_below("Open connections").rows) == {*known, "1011"}


@pytest.mark.parametrize("page", ["decisions.md", "security.md"])
def test_every_link_of_a_page_leads_somewhere(page):
    """Pages move, and headings are renamed."""
    text = (FOLDER / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("https://")]
    links = [link for link in links if link not in GENERATED]

    assert links
    assert [link for link in links if not leads_somewhere(link, page)] == []


def leads_somewhere(link: str, page: str) -> bool:
    """Say whether there is such a file, with such a heading."""
    path, _, heading = link.partition("#")
    file = (FOLDER / (path or page)).resolve()
    if not file.is_file():
        return False
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return not heading or heading in [re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings]
