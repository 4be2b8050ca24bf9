"""The browser-like client does what browsers do, header by header."""

import json
from typing import Any

import anyio
import httpx
import pytest
import trio.testing

from asgi_oidc.testing import Browser, NavigationError, Response
from asgi_oidc.testing.web_urls import join, origin_of, site_of
from asgi_oidc.testing.wire import Answer, Receive, Scope, Send, html_answer, read_call, send_answer
from tests.testing.relying_party import RelyingParty

APP = "https://app.example.com"
SIBLING = "https://id.example.com"
FOREIGN = "https://evil.example"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Show what came in; redirect, set cookies and show pages on demand."""
    call = await read_call(scope, receive)
    params = call.params
    if call.path == "/redirect":
        await send_answer(Answer(int(params.get("status", "303")), b"", {"location": params["to"]}), send)
        return
    if call.path == "/page":
        policy = {"referrer-policy": params["policy"]} if "policy" in params else {}
        answer = html_answer(params["html"])
        await send_answer(Answer(200, answer.body, {**answer.headers, **policy}), send)
        return
    shown = {"method": call.method, "path": call.path, "query": call.query, "headers": dict(call.headers)}
    shown |= {"host": scope["server"][0], "body": call.body.decode(), "raw_path": scope["raw_path"].decode()}
    headers = {"content-type": "application/json"}
    if "cookie" in params:
        headers["set-cookie"] = params["cookie"]
    await send_answer(Answer(200, json.dumps(shown).encode(), headers), send)


@pytest.fixture
def browser() -> Browser:
    return Browser(echo, APP, {SIBLING: echo, FOREIGN: echo, "http://localhost:8000": echo, "http://a.test": echo})


def headers_of(response: Response) -> dict[str, str]:
    return response.json()["headers"]  # type: ignore[no-any-return]  # JSON


def to(url: str, base: str = APP, **params: str) -> str:
    return str(httpx.URL(base + "/redirect", params={"to": url, **params}))


def showing(html: str, **params: str) -> str:
    return str(httpx.URL(APP + "/page", params={"html": html, **params}))


# --- what a request tells


async def test_a_typed_address_is_a_navigation_of_the_person(browser):
    """Nobody else caused it."""
    headers = headers_of(await browser.get("/x"))

    assert {name: it for name, it in headers.items() if name.startswith("sec-")} == {
        "sec-fetch-site": "none",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
        "sec-fetch-user": "?1",
    }
    assert headers["accept"].startswith("text/html,")
    assert {"origin", "referer", "cookie"}.isdisjoint(headers)


async def test_a_fetch_is_no_navigation(browser):
    """A script's call must be told apart from a page."""
    headers = headers_of(await browser.fetch("/x", method="POST", json={"a": 1}))

    expected = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
    expected |= {"accept": "*/*", "origin": APP, "referer": APP + "/", "content-type": "application/json"}
    assert expected.items() <= headers.items()
    assert "sec-fetch-user" not in headers


async def test_a_fetch_gives_redirects_back(browser):
    """A test wants to see that there is none."""
    response = await browser.fetch(to("/x"))

    assert (response.status_code, response.location) == (303, APP + "/x")


async def test_a_fetch_from_elsewhere_is_cross_site(browser):
    """With its origin, and without our `Lax` cookies."""
    await browser.get("/?cookie=lax=1")
    await browser.get("/?cookie=none=1; SameSite=None; Secure")
    headers = headers_of(await browser.fetch("/x", data={"a": "b"}, initiator=FOREIGN))

    assert (headers["sec-fetch-site"], headers["origin"]) == ("cross-site", FOREIGN)
    assert headers["cookie"] == "none=1"


async def test_an_old_browser_sends_no_fetch_metadata():
    """`Accept` is all that it tells."""
    browser = Browser(echo, fetch_metadata=False)

    assert not [name for name in headers_of(await browser.get("/")) if name.startswith("sec-fetch")]


async def test_fetch_metadata_needs_https_or_loopback(browser):
    """Browsers send it to trustworthy origins only."""
    plain = headers_of(await browser.get("http://a.test/"))
    loopback = headers_of(await browser.get("http://localhost:8000/"))

    assert ("sec-fetch-mode" in plain, "sec-fetch-mode" in loopback) == (False, True)


async def test_headers_can_be_added_changed_and_left_out(browser):
    """A prefetch, an odd client."""
    changes = {"Sec-Purpose": "prefetch", "Accept": "x/y", "sec-fetch-user": None}
    headers = headers_of(await browser.get("/", headers=changes))

    assert (headers["sec-purpose"], headers["accept"]) == ("prefetch", "x/y")
    assert "sec-fetch-user" not in headers


SITES = [
    (None, to("/x"), "none"),
    (None, to(APP + "/x", SIBLING), "none"),
    (APP + "/page", "/x", "same-origin"),
    (APP + "/page", to("/x"), "same-origin"),
    (SIBLING, "/x", "same-site"),
    (APP, to(APP + "/x", SIBLING), "same-site"),
    (FOREIGN, "/x", "cross-site"),
    (FOREIGN, to("/x"), "cross-site"),
    (APP, to(APP + "/x", FOREIGN), "cross-site"),
    ("http://app.example.com", "/x", "cross-site"),
]


@pytest.mark.parametrize(("initiator", "url", "site"), SITES)
async def test_sec_fetch_site_covers_all_redirects(browser, initiator, url, site):
    """A detour over another site makes a request cross-site for good."""
    assert headers_of(await browser.get(url, initiator=initiator))["sec-fetch-site"] == site


REFERRERS = [
    ("", "/x", APP + "/page"),
    ("", SIBLING + "/x", APP + "/"),
    ("", "http://a.test/x", None),
    ("no-referrer", "/x", None),
    ("same-origin", "/x", APP + "/page"),
    ("same-origin", SIBLING + "/x", None),
    ("origin", "/x", APP + "/"),
    ("strict-origin", "http://a.test/x", None),
    ("unsafe-url", "http://a.test/x", APP + "/page"),
    ("origin-when-cross-origin", SIBLING + "/x", APP + "/"),
    ("no-referrer-when-downgrade", SIBLING + "/x", APP + "/page"),
    ("nonsense, no-referrer", "/x", None),
]


@pytest.mark.parametrize(("policy", "url", "referrer"), REFERRERS)
async def test_a_link_tells_where_it_was_by_the_policy(browser, policy, url, referrer):
    """Referrer Policy §8.3."""
    await browser.get(showing(f'<a href="{url}">go</a>', policy=policy))
    told = headers_of(await browser.click("go")).get("referer")

    assert (told and told.partition("?")[0]) == referrer


ORIGINS = [
    ("", "/x", APP),
    ("", SIBLING + "/x", APP),
    ("no-referrer", "/x", "null"),
    ("same-origin", "/x", APP),
    ("same-origin", SIBLING + "/x", "null"),
    ("strict-origin", "http://a.test/x", "null"),
]


@pytest.mark.parametrize(("policy", "action", "origin"), ORIGINS)
async def test_a_posted_form_tells_its_origin_by_the_policy(browser, policy, action, origin):
    """`Referrer-Policy: no-referrer` makes it `null`, which many a check forgets."""
    html = f'<form method="post" action="{action}"><button>go</button></form>'
    await browser.get(showing(html, policy=policy))

    assert headers_of(await browser.submit())["origin"] == origin


# --- redirects


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [(301, "GET", ""), (302, "GET", ""), (303, "GET", ""), (307, "POST", "a=b"), (308, "POST", "a=b")],
)
async def test_redirects_of_a_post(browser, status, method, body):
    """Only 307 and 308 send the form again."""
    shown = (await browser.post(to("/x", status=str(status)), {"a": "b"})).json()

    assert (shown["method"], shown["body"], "content-type" in shown["headers"]) == (method, body, body != "")


async def test_a_post_redirected_by_another_origin_loses_its_origin(browser):
    """Fetch §4.4: a tainted origin is `null`."""
    url = to(to(APP + "/x", FOREIGN, status="307"), status="307")

    assert headers_of(await browser.post(url, {}))["origin"] == "null"


async def test_redirects_are_recorded(browser):
    """`history` has every step, oldest first."""
    response = await browser.get(to(to("/x", SIBLING)))

    assert [step.url.partition("?")[0] for step in response.history] == [APP + "/redirect", SIBLING + "/redirect"]
    assert (response.url, response.path) == (SIBLING + "/x", "/x")


async def test_the_page_shown_can_be_told_from_a_page_given(browser):
    """`submit` and `click` take an older page too."""
    first = await browser.get(showing('<a href="/x">go</a>'))
    await browser.get("/")

    assert (await browser.click("go", first)).path == "/x"


async def test_signing_in_twice_is_no_trouble(browser, provider):
    """Who is signed in already sees the page at once."""
    browser = Browser(echo, APP, {provider.origin: provider})

    assert (await browser.sign_in("alice", "/x")).path == "/x"
    with pytest.raises(NavigationError, match="Alice"):
        await Browser(RelyingParty(provider), APP, {provider.origin: provider}).sign_in("mallory")


async def test_redirects_can_be_looked_at(browser):
    """`follow=False` stops before the first."""
    response = await browser.get(to("/x?a=b#c"), follow=False)

    assert (response.status_code, response.location, response.history) == (303, APP + "/x?a=b#c", ())


async def test_a_redirect_loop_ends_in_an_error(browser):
    """A login loop is the classic fault."""

    async def loop(scope: Scope, receive: Receive, send: Send) -> None:
        await send_answer(Answer(302, b"", {"location": "/?secret=1"}), send)

    with pytest.raises(NavigationError, match=r"more than 20 redirects: .*example.com/$"):
        await Browser(loop).get("/")


async def test_an_unknown_origin_is_an_error_that_names_it(browser):
    """An open redirect cannot go unseen."""
    with pytest.raises(NavigationError, match=r"https://elsewhere\.example"):
        await browser.get(to("https://elsewhere.example/x"))


async def test_fragments_stay_in_the_browser(browser):
    """No server ever sees one."""
    response = await browser.get("/x?a=b#c")

    assert (response.url, response.json()["query"]) == (APP + "/x?a=b#c", [["a", "b"]])


# --- cookies on the way


async def test_cookies_are_kept_and_sent_to_their_host_only(browser):
    """The provider's cookies are not ours."""
    await browser.get("/?cookie=a=b; HttpOnly; Secure; Path=/")
    ours, theirs = headers_of(await browser.get("/")), headers_of(await browser.get(SIBLING + "/"))

    assert (ours["cookie"], "cookie" in theirs) == ("a=b", False)
    assert (browser.cookies["a"].http_only, browser.cookies["a"].secure) == (True, True)


async def test_refused_cookies_are_recorded(browser):
    """What a browser drops in silence, a test should see."""
    await browser.get("/?cookie=__Host-a=b")

    assert [(it.name, it.url) for it in browser.refused_cookies] == [("__Host-a", APP + "/?cookie=__Host-a=b")]


SAME_SITE = [
    ("get", None, {"lax", "strict", "none"}),
    ("get", APP, {"lax", "strict", "none"}),
    ("get", SIBLING, {"lax", "strict", "none"}),
    ("get", FOREIGN, {"lax", "none"}),
    ("post", FOREIGN, {"none"}),
    ("post", APP, {"lax", "strict", "none"}),
]


@pytest.mark.parametrize(("method", "initiator", "names"), SAME_SITE)
async def test_same_site_cookies_on_navigations(browser, method, initiator, names):
    """A form posted by a foreign page carries only `SameSite=None` cookies."""
    for line in ("lax=1; SameSite=Lax", "strict=1; SameSite=Strict", "none=1; SameSite=None; Secure"):
        await browser.get("/?cookie=" + line)
    headers = headers_of(await getattr(browser, method)("/x", initiator=initiator))

    assert {pair.partition("=")[0] for pair in headers["cookie"].split("; ")} == names


async def test_a_second_tab_shares_the_cookies(browser):
    """Two tabs are one browser with two pages."""
    await browser.get("/?cookie=a=b")
    tab = browser.tab()

    assert tab.response is None
    assert headers_of(await tab.get("/"))["cookie"] == "a=b"


@pytest.mark.parametrize("anyio_backend", [("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})])
async def test_two_requests_run_at_once(browser, provider):
    """Two tabs that log in at the same time must not wait for each other."""
    provider.latency = 30
    results: list[Response] = []

    async def sign_in(tab: Browser) -> None:
        results.append(await tab.get("/jwks"))

    first = Browser(provider, provider.origin)
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(sign_in, first.tab())

    assert [it.status_code for it in results] == [200] * 20
    assert anyio.current_time() - began == pytest.approx(provider.latency)


# --- forms and links

FORM = """
<input name=of-no-form>
<form><input name=first><button>Not this one</button></form>
<form method=post action="/target?x=1">
  <input name=kept value=1><input name=changed value=2><input type=checkbox name=off value=3>
  <input type=checkbox name=on value=4 checked><input type=submit name=go value=Send><input type=reset name=r>
  <button type=button name=no>No</button><button name=sub value=alice>Alice <b>Adams</b></button>
</form>
"""


@pytest.mark.parametrize("button", ["alice", "Alice Adams", "adams", "sub"])
async def test_a_button_is_found_by_text_name_or_value(browser, button):
    """Tests say what a person would."""
    await browser.get(showing(FORM))
    shown = (await browser.submit(button=button, data={"changed": "é&", "new": "5"})).json()

    assert (shown["method"], shown["path"], shown["query"]) == ("POST", "/target", [["x", "1"]])
    assert shown["body"] == "kept=1&changed=%C3%A9%26&on=4&new=5&sub=alice"


async def test_an_input_is_a_button_too(browser):
    """Of the old kind."""
    await browser.get(showing(FORM))

    assert (await browser.submit(button="Send")).json()["body"] == "kept=1&changed=2&on=4&go=Send"


async def test_a_get_form_puts_its_fields_into_the_query(browser):
    """And throws the query of the action away."""
    await browser.get(showing('<form action="/s?old=1"><input name=q value="a b"></form>'))
    shown = (await browser.submit()).json()

    assert (shown["method"], shown["query"]) == ("GET", [["q", "a b"]])


async def test_what_is_not_on_the_page_is_an_error_that_says_what_is(browser):
    """No guessing from a stack trace."""
    with pytest.raises(NavigationError, match="no page yet"):
        await browser.submit()
    await browser.get(showing(FORM + '<a href="/x">A link</a>'))
    with pytest.raises(NavigationError, match="Not this one"):
        await browser.submit(button="mallory")
    with pytest.raises(NavigationError, match="A link"):
        await browser.click("mallory")


POSTS_ITSELF = [
    '<form method=post action="/x"><input name=a value=b></form><script>document.forms[0].submit()</script>',
    '<body onload="document.forms[0].submit()"><form method=post action="/x"><input name=a value=b></form>',
]


@pytest.mark.parametrize("html", POSTS_ITSELF)
async def test_a_page_that_posts_itself_is_followed(browser, html):
    """As `response_mode=form_post` needs; no person pressed anything."""
    response = await browser.get(showing(html))

    assert (response.json()["body"], len(response.history)) == ("a=b", 1)
    assert "sec-fetch-user" not in headers_of(response)


async def test_a_page_that_posts_itself_can_be_looked_at(browser):
    """`follow=False` stops there."""
    response = await browser.get(showing(POSTS_ITSELF[0]), follow=False)

    assert response.page.submits_itself


# --- apps and URLs


async def test_exceptions_of_the_app_propagate():
    """An error 500 would hide the reason."""

    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    async def silent(*_: Any) -> None:
        return

    with pytest.raises(ZeroDivisionError):
        await Browser(broken).get("/")
    with pytest.raises(RuntimeError, match="without a response"):
        await Browser(silent).get("/")


async def test_an_app_that_starts_twice_is_found_out():
    """Servers drop the connection then; a test should see it."""

    async def twice(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.start", "status": 500, "headers": []})

    with pytest.raises(RuntimeError, match="two responses"):
        await Browser(twice).get("/")


async def test_an_app_that_never_stops_is_stopped():
    """An endless stream must not fill the memory."""

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})

    with pytest.raises(RuntimeError, match="more than"):
        await Browser(endless).get("/")


async def test_the_app_hears_when_the_browser_is_gone():
    """Streams and long polls wait for it."""
    heard = []

    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        async def listen() -> None:
            await receive()
            heard.append((await receive())["type"])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
            await send({"type": "http.response.body", "body": b"b"})

    response = await Browser(streaming).get("/")
    assert (response.text, heard) == ("ab", ["http.disconnect"])


async def test_the_path_is_decoded_as_servers_do(browser):
    """`scope["path"]` is decoded, `scope["raw_path"]` is not."""
    shown = (await browser.get("/a%2fb%20c/é")).json()

    assert (shown["path"], shown["raw_path"]) == ("/a/b c/é", "/a%2fb%20c/%C3%A9")


BASE = "https://a.example/x/y?q"
JOINED = [
    ("z", "https://a.example/x/z"),
    ("?a", "https://a.example/x/y?a"),
    ("../z", "https://a.example/z"),
    (" /z\n", "https://a.example/z"),
    ("//evil.example", "https://evil.example/"),
    ("/\\evil.example", "https://evil.example/"),
    ("\\\\evil.example", "https://evil.example/"),
    ("///evil.example", "https://evil.example/"),
    ("/\t/evil.example", "https://evil.example/"),
    ("https:/evil.example", "https://evil.example/"),
    ("HTTPS:\\\\evil.example", "https://evil.example/"),
    ("/a?b=\\c", "https://a.example/a?b=\\c"),
    ("/a b?c d", "https://a.example/a%20b?c%20d"),
]


@pytest.mark.parametrize(("url", "joined"), JOINED)
def test_urls_are_resolved_as_browsers_do(url, joined):
    """Python's own `urljoin` does not see where these really lead."""
    assert join(BASE, url) == joined


def test_origins_and_sites():
    """A port that goes without saying is not said; addresses are their own site."""
    assert origin_of("https://a.example:443/x") == "https://a.example"
    assert origin_of("http://[::1]:8000/x") == "http://[::1]:8000"
    assert site_of("https://a.b.example.com/x") == site_of("https://example.com:8443/")
    assert site_of("http://127.0.0.1:1/") != site_of("http://9.0.0.1:1/")
    assert site_of("http://localhost:1/") == site_of("http://localhost:2/")
