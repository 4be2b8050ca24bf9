"""The decision about a request behind a proxy is that of the middleware, and only "yes" has a status of 2xx."""

import pytest

from asgi_oidc import MemoryStore, Rule, audit
from asgi_oidc.forward_auth.answers import MAX_COOKIES
from asgi_oidc.testing import Browser
from tests.bearer.token_calls import TokenSite
from tests.forward_auth.forward_site import HANDSHAKE, NAVIGATION, PROXY, STRANGER, ForwardSite, told
from tests.internals import deliver_events
from tests.protected_site import ORIGIN, Exchange, cookie_header
from tests.scripted_store import ScriptedStore

JSON = {"accept": "application/json"}
ADMINS = Rule("/admin/*", claims={"roles": "admin"})
FORM = {
    **NAVIGATION,
    "content-type": "application/x-www-form-urlencoded",
    "origin": ORIGIN,
    "sec-fetch-site": "same-origin",
}
both = pytest.mark.parametrize("proxy", ["nginx", "traefik"])


def receive(browser: Browser, lines: list[str]) -> None:
    """Let a browser get these Set-Cookie lines, as the proxy passes them on."""
    for line in lines:
        browser.jar.receive(line, f"{ORIGIN}/page")


@pytest.fixture
def site() -> ForwardSite:
    return ForwardSite(rules=[ADMINS])


@both
async def test_a_user_gets_yes_and_the_app_is_told_who_it_is(site, proxy):
    """The answer has no body, and no cache keeps it."""
    reply = await site.ask(cookie=await site.cookie(), headers=NAVIGATION, proxy=proxy)

    told = [reply.header(name) for name in ("x-user", "x-email", "x-roles", "cache-control", "content-length")]
    assert (reply.status, reply.body) == (200, b"")
    assert told == ["alice", "alice@example.com", '["admin"]', "no-store", "0"]


@both
async def test_on_a_public_path_nobody_is_told_as_nobody(site, proxy):
    """Each header is there, and empty: a proxy that copies it thereby replaces that of the browser."""
    reply = await site.ask("/public/x", proxy=proxy)

    assert (reply.status, [reply.header(name) for name in ("x-user", "x-email", "x-roles")]) == (200, ["", "", ""])


async def test_a_navigation_without_a_session_goes_to_the_provider_and_comes_back_to_that_very_url(site):
    """Traefik and Caddy pass the redirect and its cookie on."""
    reply = await site.ask("/page?a=b", headers=NAVIGATION)
    browser = site.browser()
    receive(browser, reply.all("set-cookie"))
    await browser.get(str(reply.header("location")))
    back = await browser.submit(button="alice", follow=False)
    done = await browser.get(back.location, follow=False)

    assert (reply.status, done.status_code, done.location) == (303, 303, f"{ORIGIN}/page?a=b")
    assert (await site.ask(cookie=cookie_header(browser))).header("x-user") == "alice"


async def test_a_program_without_a_session_gets_401_with_a_link(site):
    """No redirect that it would follow."""
    reply = await site.ask(headers=JSON)

    assert (reply.status, reply.error, reply.header("location")) == (401, "login_required", None)


@pytest.mark.parametrize("headers", [NAVIGATION, JSON])
async def test_nginx_gets_401_and_no_login_begins(site, headers):
    """It would pass neither the redirect nor its cookie on; the browser's own request is passed on to us instead."""
    reply = await site.ask(headers=headers, proxy="nginx")

    assert (reply.status, reply.all("set-cookie"), reply.header("location"), reply.body) == (401, [], None, b"")


async def test_what_nginx_passes_on_after_a_no_is_answered_like_any_request(site):
    """A redirect to the provider, a page or JSON, and the form of a POST is kept."""
    browser = site.browser()
    page = await browser.get("/page", follow=False)
    json = await browser.fetch("/page", headers=JSON)

    assert (page.status_code, page.location.partition("?")[0]) == (303, site.twin.provider.issuer + "/authorize")
    assert (json.status_code, json.json()["error"]) == (401, "login_required")


async def test_a_request_for_the_app_that_is_passed_on_to_us_is_refused(site):
    """This server has nothing of the app, whoever asks."""
    browser = site.browser(jar=(await site.twin.signed_in()).jar)
    reply = await browser.fetch("/page")
    public = await site.browser().fetch("/public/x")

    assert [(each.status_code, each.json()["error"]) for each in (reply, public)] == [(403, "forward_auth_only")] * 2


@both
async def test_a_rule_that_is_not_met_is_a_403(site, proxy):
    """As a page for users of Traefik and Caddy."""
    alice, bob = await site.cookie("alice"), await site.cookie("bob")
    replies = [await site.ask("/admin/x", cookie=cookie, headers=NAVIGATION, proxy=proxy) for cookie in (alice, bob)]

    assert [reply.status for reply in replies] == [200, 403]
    assert (b"<!doctype html>" in replies[1].body.lower()) == (proxy == "traefik")


@both
async def test_a_step_up_is_a_login(proxy):
    """Whoever is signed in, but not strongly enough."""
    site = ForwardSite(rules=[Rule("/pay", acr_values=["mfa"])])
    reply = await site.ask("/pay", cookie=await site.cookie(), headers=NAVIGATION, proxy=proxy)

    assert reply.status == (401 if proxy == "nginx" else 303)


@both
@pytest.mark.parametrize("path", ["/page", "/public/x"])
async def test_a_forged_post_is_refused(site, proxy, path):
    """A page of another site must not act as the user, on a public path neither."""
    cookie = await site.cookie()
    replies = [
        await site.ask(path, "POST", cookie=cookie, headers={"origin": origin}, proxy=proxy)
        for origin in (ORIGIN, "https://evil.example", "null")
    ]

    assert [reply.status for reply in replies] == [200, 403, 403]


@both
@pytest.mark.parametrize("seen", [HANDSHAKE, {**HANDSHAKE, "upgrade": "websocket", "connection": "Upgrade"}])
async def test_a_websocket_is_decided_by_its_origin(site, proxy, seen):
    """nginx and Traefik take `Upgrade` away before they ask, so the other headers of a handshake count as well."""
    cookie = await site.cookie()
    replies = [
        await site.ask("/live", cookie=cookie, headers={**seen, "origin": origin}, proxy=proxy)
        for origin in (ORIGIN, "https://evil.example")
    ]

    assert [reply.status for reply in replies] == [200, 403]
    assert [reply.all("x-user") for reply in replies] == [["alice"], []]


@both
async def test_a_websocket_of_another_origin_is_nobody_on_a_public_path(site, proxy):
    """As in process."""
    reply = await site.ask(
        "/public/x",
        cookie=await site.cookie(),
        headers={**HANDSHAKE, "origin": "https://evil.example"},
        proxy=proxy,
    )

    assert (reply.status, reply.header("x-user")) == (200, "")


@both
async def test_a_websocket_without_a_session_is_a_401(site, proxy):
    """With a body that says why."""
    assert (await site.ask("/live", headers={**HANDSHAKE, "origin": ORIGIN}, proxy=proxy)).status == 401


async def test_headers_of_a_handshake_do_not_make_a_get_of_another_method():
    """Else a rule for that method would not apply."""
    site = ForwardSite(rules=[Rule("/page", methods=["POST"], claims={"roles": "admin"})])
    cookie = await site.cookie("bob")

    replies = [
        await site.ask(method=method, cookie=cookie, headers={**HANDSHAKE, "origin": ORIGIN})
        for method in ("GET", "POST")
    ]

    assert [reply.status for reply in replies] == [200, 403]


@pytest.mark.parametrize("methods", [["GET"], ["WEBSOCKET"]])
@pytest.mark.parametrize("handshake", [{}, {"sec-websocket-version": "13"}])
async def test_a_connect_meets_the_rules_of_a_websocket(methods, handshake):
    """It opens one over HTTP/2, and the proxy makes a GET of it for the app (RFC 8441 §4)."""
    site = ForwardSite(rules=[Rule("/live", methods=methods, claims={"roles": "admin"})])
    cookie, headers = await site.cookie("bob"), {**handshake, "origin": ORIGIN}

    replies = [await site.ask(path, "CONNECT", cookie=cookie, headers=headers) for path in ("/live", "/other")]

    assert [reply.status for reply in replies] == [403, 200]


async def test_a_connect_of_another_site_is_refused():
    """Browsers let any site open a websocket, and send cookies along."""
    site = ForwardSite()
    cookie = await site.cookie()

    replies = [
        await site.ask("/live", "CONNECT", cookie=cookie, headers=headers)
        for headers in ({}, {"origin": "https://evil.example"})
    ]

    assert [reply.status for reply in replies] == [403, 403]


@pytest.mark.parametrize("name", ["x-http-method-override", "X_HTTP_Method", "x.http.method.override"])
async def test_a_header_that_replaces_the_method_meets_the_rules_of_both(name):
    """The app may obey it."""
    site = ForwardSite(rules=[Rule("/page", methods=["DELETE"], claims={"roles": "admin"})])
    cookie = await site.cookie("bob")

    reply = await site.ask(method="POST", cookie=cookie, headers={name: "DELETE", "origin": ORIGIN})

    assert reply.status == 403


@both
@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/auth/session", "GET"),
        ("/auth/login", "GET"),
        ("/auth/login/", "GET"),
        ("/auth/logout", "POST"),
        ("/auth/frontchannel-logout", "GET"),
        ("/auth/backchannel-logout", "POST"),
        ("/auth/form", "GET"),
    ],
)
async def test_our_own_urls_are_never_a_yes_and_have_no_effect(site, proxy, path, method):
    """A proxy that asks about them is configured wrongly: the app must not get them, and the user stays signed in."""
    cookie = await site.cookie()
    reply = await site.ask(path, method, cookie=cookie, headers={"origin": ORIGIN}, proxy=proxy)

    assert (reply.status, reply.all("set-cookie"), reply.all("x-user")) == (403, [], [])
    assert (await site.ask(cookie=cookie)).status == 200


@both
async def test_a_callback_that_a_proxy_asks_about_is_not_used_up(site, proxy):
    """Its code would be lost, and with it the login."""
    browser, url = await site.twin.at_callback()
    reply = await site.ask(url.removeprefix(ORIGIN), cookie=cookie_header(browser), headers=NAVIGATION, proxy=proxy)
    done = await browser.get(url)

    assert (reply.status, done.status_code) == (403, 200)


@both
async def test_the_page_after_a_sign_out_is_no_yes(site, proxy):
    """The browser comes back from the provider to a page of the app, and the middleware answers with one of its own."""
    site = ForwardSite(public=["/public/*"])
    browser = await site.twin.signed_in()
    out = await browser.post("/auth/logout", follow=False)
    while out.location and not out.location.startswith(ORIGIN):
        out = await browser.get(out.location, follow=False)
    landed = out.location or f"{ORIGIN}/"

    reply = await site.ask(landed.removeprefix(ORIGIN), headers=NAVIGATION, proxy=proxy)

    assert "state=" in landed
    assert reply.status == 403
    assert (b"signed out" in reply.body) == (proxy == "traefik")


@both
@pytest.mark.parametrize("return_to", ["/public/x", None])
async def test_a_browser_that_comes_back_from_a_sign_out_is_sent_on(site, proxy, return_to):
    """Also from a public page: the state in its URL is for the middleware."""
    browser = await site.twin.signed_in()
    out = await browser.post("/auth/logout", data={"return_to": return_to} if return_to else {}, follow=False)
    while not out.location.startswith(f"{ORIGIN}/?") and out.location != ORIGIN:
        out = await browser.get(out.location, follow=False)

    reply = await site.ask(out.location.removeprefix(ORIGIN), headers=NAVIGATION, proxy=proxy)
    own = await site.browser(jar=browser.jar).get(out.location, follow=False)

    assert reply.status == (401 if proxy == "nginx" else 303)
    assert own.location == f"{ORIGIN}{return_to or '/'}"


@both
async def test_a_preflight_is_no_yes(proxy):
    """The middleware answers it itself with 204; the app behind would get a request of nobody."""
    site = ForwardSite(rules=[Rule("/api/*", origins=["https://spa.example.com"])])
    headers = {"origin": "https://spa.example.com", "access-control-request-method": "POST"}

    reply = await site.ask("/api/x", "OPTIONS", headers=headers, proxy=proxy)

    assert (reply.status, reply.all("x-user")) == (403, [])


@both
async def test_during_a_store_outage_protected_paths_are_a_503(proxy):
    """Nobody is in, and nobody is signed out."""
    store = ScriptedStore()
    site = ForwardSite(store=store)
    cookie = await site.cookie()
    store.broken.add("get")
    replies = [await site.ask(path, cookie=cookie, headers=NAVIGATION, proxy=proxy) for path in ("/page", "/public/x")]

    assert [reply.status for reply in replies] == [503, 200]
    assert replies[1].header("x-user") == ""


@both
async def test_an_access_token_decides_alone(proxy):
    """As in process: an invalid one never falls back to the cookie, on a public path neither."""
    tokens = TokenSite()
    site = ForwardSite(
        **{name: value for name, value in tokens.settings.items() if name != "issuer"}, provider=tokens.provider
    )
    good, bad = tokens.token(), tokens.token(aud="https://other.example.com")
    cookie = await site.cookie("bob")
    replies = [
        await site.ask(path, cookie=cookie, headers={"authorization": f"Bearer {token}", **JSON}, proxy=proxy)
        for token, path in ((good, "/page"), (bad, "/page"), (bad, "/public/x"))
    ]

    assert [reply.status for reply in replies] == [200, 401, 401]
    assert replies[0].header("x-user") == "alice"
    assert [bool(reply.all("www-authenticate")) for reply in replies] == [False, *[proxy == "traefik"] * 2]


@both
async def test_one_of_several_hosts_is_chosen_by_what_the_proxy_says(proxy):
    """A session is of one host."""
    site = ForwardSite(base_url=[ORIGIN, "https://other.example.com"])
    cookie = await site.cookie()
    replies = [
        await site.ask(cookie=cookie, headers=JSON, proxy=proxy, forwarded=told(host=host))
        for host in ("app.example.com", "other.example.com", "third.example.com")
    ]

    assert [reply.status for reply in replies] == [200, 401, 403]


@pytest.mark.parametrize(
    ("forwarded_for", "peer", "address"),
    [
        (["203.0.113.7"], PROXY, "203.0.113.7"),
        (["127.0.0.9, 203.0.113.7"], PROXY, "203.0.113.7"),
        (["2001:db8::7"], PROXY, "2001:db8::7"),
        ([], PROXY, PROXY[0]),
        (["203.0.113.7, unknown"], PROXY, PROXY[0]),
        (["203.0.113.7", "203.0.113.8"], PROXY, PROXY[0]),
        (["203.0.113.7"], STRANGER, STRANGER[0]),
    ],
)
async def test_the_audit_trail_has_the_address_that_a_trusted_proxy_names(forwarded_for, peer, address):
    """At the end of the header; what is before that, a client may have written."""
    events: list[audit.AuditEvent] = []
    site = ForwardSite(on_event=events.append, rules=[ADMINS])
    pairs = [("x-forwarded-for", value) for value in forwarded_for]
    cookie = await site.cookie("bob")
    await site.ask("/admin/x", cookie=cookie, forwarded=[*told("/admin/x"), *pairs], peer=peer)
    await deliver_events(site.app.app)

    denied = [event for event in events if isinstance(event, audit.AccessDenied)]
    assert [event.client_address for event in denied] == ([address] if peer == PROXY else [])


@both
async def test_below_the_path_of_base_url_and_nowhere_else(proxy):
    """The proxy passes the whole path on."""
    site = ForwardSite(base_url=f"{ORIGIN}/app")
    replies = [
        await site.ask(path, headers=JSON, proxy=proxy) for path in ("/app/public/x", "/app/page", "/public/x", "/appx")
    ]

    assert [reply.status for reply in replies] == [200, 401, 403, 403]


async def test_a_form_without_its_body_is_lost_and_the_page_says_so(site):
    """Traefik asks without the body by default: an empty form must not be offered to be sent again."""
    site = ForwardSite(keep_forms=True)
    lost = await site.ask("/note", "POST", headers=FORM)
    kept = await site.ask("/note", "POST", headers=FORM, body=b"note=milk")

    assert [reply.status for reply in (lost, kept)] == [401, 401]
    assert [b'name="form"' in reply.body or b"milk" in reply.body for reply in (lost, kept)] == [False, True]


@pytest.mark.parametrize(
    ("headers", "method"),
    [(NAVIGATION, "POST"), (NAVIGATION, "HEAD"), (JSON, "GET"), ({**HANDSHAKE, "origin": ORIGIN}, "GET")],
)
async def test_what_is_no_page_navigation_is_never_sent_to_the_same_url_again(headers, method):
    """A script would see a redirect, and a form be lost."""
    site = ForwardSite(session_idle=600)
    cookie = await site.cookie()
    site.clock.advance(120)

    reply = await site.ask(cookie=cookie, method=method, headers={**headers, "origin": ORIGIN})

    assert (reply.status, reply.header("x-user")) == (200, "alice")


async def test_a_browser_gets_renewed_cookies_by_a_redirect_to_the_same_page():
    """Traefik and Caddy pass no cookie on with "yes"."""
    site = ForwardSite(session_idle=600)
    browser = await site.twin.signed_in()
    site.clock.advance(120)
    first = await site.ask("/page?a=//evil.example", cookie=cookie_header(browser), headers=NAVIGATION)
    receive(browser, first.all("set-cookie"))
    second = await site.ask("/page?a=//evil.example", cookie=cookie_header(browser), headers=NAVIGATION)
    site.clock.advance(550)
    third = await site.ask(cookie=cookie_header(browser), headers=NAVIGATION)

    assert (first.status, first.header("location")) == (307, f"{ORIGIN}/page?a=//evil.example")
    assert first.header("cache-control") == "no-store"
    assert [second.status, third.status] == [200, 307]


async def test_a_browser_that_keeps_no_renewed_cookie_is_not_sent_around_in_circles():
    """Once a minute at most."""
    site = ForwardSite(session_idle=600)
    cookie = await site.cookie()
    site.clock.advance(120)

    replies = [await site.ask(cookie=cookie, headers=NAVIGATION) for _ in range(3)]

    assert [reply.status for reply in replies] == [307, 200, 200]


async def test_nginx_gets_renewed_cookies_in_numbered_headers():
    """Of several Set-Cookie headers, its variables have the first, or all joined."""
    site = ForwardSite(session_idle=600)
    browser = await site.twin.signed_in()
    site.clock.advance(120)
    reply = await site.ask(cookie=cookie_header(browser), headers=NAVIGATION, proxy="nginx")
    lines = [line for number in range(1, MAX_COOKIES + 1) for line in reply.all(f"x-auth-cookie-{number}")]
    receive(browser, lines)
    site.clock.advance(550)
    later = await site.ask(cookie=cookie_header(browser), proxy="nginx")

    assert (reply.status, len(lines), reply.all("set-cookie")) == (200, 1, [])
    assert later.status == 200


async def test_with_a_store_no_cookie_is_ever_renewed():
    """The last use is in the store."""
    site = ForwardSite(session_idle=600, store=MemoryStore())
    cookie = await site.cookie()
    site.clock.advance(120)
    first = await site.ask(cookie=cookie, headers=NAVIGATION)

    assert first.status == 200


async def test_a_websocket_to_the_server_itself_is_refused(site):
    """Proxies ask by http."""
    exchange = Exchange({"type": "websocket.connect"})
    scope = {"type": "websocket", "path": "/public/x", "raw_path": b"/public/x", "root_path": "", "headers": []}
    await site.app(scope, exchange.receive, exchange.send)

    assert [message["type"] for message in exchange.sent] == ["websocket.close"]


async def test_the_health_check_is_answered_at_the_server_itself():
    """A probe comes without a proxy; in an auth request, it is a URL of ours like any other."""
    site = ForwardSite(health_path="/healthz")
    probe = await site.browser().fetch("/healthz/live")
    asked = await site.ask("/healthz")

    assert (probe.status_code, asked.status, asked.error) == (200, 403, "forwarded_own_url")
