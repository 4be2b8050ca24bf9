"""One app on several hosts: each has its own cookies and URLs, and a sign-out at one of them counts on all."""

import copy
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc import MemoryStore
from asgi_oidc.testing import Browser
from asgi_oidc.testing.in_process import http_scope
from tests.logout_site import FORM, FORMS, LogoutSite, sid_of
from tests.protected_site import PROGRAM, Exchange, Site

A = "https://a.example.com"
B = "https://b.example.org"
HOSTS = [A, B]


def at(site: Site, origin: str, browser: Browser | None = None) -> Browser:
    """Open a browser at one of the hosts, with the cookies of another browser."""
    jar = None if browser is None else browser.jar
    others = {each: site.middleware for each in HOSTS if each != origin}
    opened = site.browser(origin=origin, jar=jar)
    opened.apps |= others
    return opened


async def signed_in_at(site: Site, origin: str, browser: Browser | None = None) -> Browser:
    """Sign alice in at one of the hosts."""
    opened = at(site, origin, browser)
    page = await opened.sign_in("alice", "/page")
    assert page.url == f"{origin}/page"
    assert page.status_code == 200
    return opened


async def is_signed_in(browser: Browser) -> bool:
    """Say whether a program in this browser gets the page."""
    return (await browser.fetch("/page", headers=PROGRAM)).status_code == 200


async def login_at(site: Site, host: bytes | None, *more: bytes) -> str:
    """Return the redirect URI of a login that starts at a host."""
    exchange = Exchange({"type": "http.request", "body": b"", "more_body": False})
    scope = http_scope("GET", f"{A}/auth/login", {"accept": "text/html", "sec-fetch-mode": "navigate"})
    scope["headers"] += [(b"host", each) for each in (host, *more) if each is not None]
    await site.middleware(scope, exchange.receive, exchange.send)
    location = (exchange.header(b"location") or b"").decode()
    return parse_qs(urlsplit(location).query)["redirect_uri"][0]


@pytest.mark.parametrize("origin", HOSTS)
async def test_everything_of_a_login_is_of_the_host(origin):
    """Redirect URI, return URL, cookies, and the URLs that the app gets."""
    site = Site(base_url=HOSTS)
    browser = await signed_in_at(site, origin)

    oidc = site.app.scope["oidc"]
    session = (await browser.fetch("/auth/session")).json()
    assert oidc.login_url().startswith(f"{origin}/auth/login")
    assert oidc.logout_url().startswith(f"{origin}/auth/logout")
    assert session["sub"] == "alice"
    own = [cookie.name for cookie in browser.cookies if cookie.domain == urlsplit(origin).netloc]
    assert own
    assert all(name.startswith("__Host-") for name in own)


async def test_a_session_of_one_host_is_invalid_at_another():
    """Its cookies are sealed for its `base_url`, even if somebody copies them."""
    site = Site(base_url=HOSTS)
    browser = await signed_in_at(site, A)
    header = browser.jar.header(f"{A}/", is_same_site=True, is_safe_navigation=True)

    def status_with(host: str) -> Any:
        return site.call("/page", headers={**{k: v for k, v in PROGRAM.items() if v}, "host": host, "cookie": header})

    assert (await status_with("a.example.com")).status == 200
    assert (await status_with("b.example.org")).status == 401
    assert not await is_signed_in(at(site, B, browser))


@pytest.mark.parametrize(
    ("host", "more"),
    [
        (b"b.example.org", ()),
        (b"B.Example.ORG", ()),
        (b"b.example.org:443", ()),
    ],
    ids=str,
)
async def test_a_host_is_found_in_each_way_to_write_it(host, more):
    """Its case does not matter, and its default port may be written."""
    assert (await login_at(Site(base_url=HOSTS), host, *more)).startswith(f"{B}/")


@pytest.mark.parametrize(
    ("host", "more"),
    [
        (None, ()),
        (b"", ()),
        (b"c.example.com", ()),
        (b"b.example.org.", ()),
        (b"b.example.org:80", ()),
        (b"b.example.org:", ()),
        (b"b.example.org:0443", ()),
        (b"b.example.org:4430", ()),
        (b"user@b.example.org", ()),
        (b"b.example.org@evil.example", ()),
        (b"b.example.org/x", ()),
        (b"https://b.example.org", ()),
        (b"b.example.org, a.example.com", ()),
        (b" b.example.org", ()),
        (b"b.example.org\x00", ()),
        (b"xb.example.org", ()),
        (b"b.example.org.evil.example", ()),
        (b"\xff\xfe", ()),
        (b"[::1]", ()),
        (b"b" * 10_000, ()),
        (b"b.example.org", (b"a.example.com",)),
        (b"b.example.org", (b"b.example.org",)),
        (b"a.example.com", (b"b.example.org",)),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_any_other_host_is_served_as_the_first(host, more):
    """Exact comparison and nothing else, so no header can lead a login to a host that is not in the settings."""
    assert (await login_at(Site(base_url=HOSTS), host, *more)).startswith(f"{A}/")


async def test_forwarded_headers_choose_no_host():
    """Clients can send them through proxies that do not set them."""
    site = Site(base_url=HOSTS)
    headers = {"host": "a.example.com", "x-forwarded-host": "b.example.org", "forwarded": "host=b.example.org"}
    headers |= {"accept": "text/html", "sec-fetch-mode": "navigate", "x-host": "b.example.org"}

    exchange = await site.call("/auth/login", headers=headers)

    assert parse_qs(urlsplit((exchange.header(b"location") or b"").decode()).query)["redirect_uri"][0].startswith(A)


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("https://xn--bcher-kva.example", b"XN--bcher-kva.example"),
        ("http://[::1]:8000", b"[::1]:8000"),
        ("http://localhost:8000", b"localhost:8000"),
        ("http://localhost", b"localhost:80"),
        ("https://b.example.org:8443", b"b.example.org:8443"),
        ("https://B.example.org/", b"b.example.org"),
    ],
    ids=str,
)
async def test_hosts_of_all_kinds_are_found(base_url, host):
    """Punycode, addresses and ports."""
    site = Site(base_url=[A, base_url])

    assert (await login_at(site, host)).startswith(base_url.rstrip("/"))


async def test_headers_that_can_be_read_only_once_reach_the_app():
    """ASGI promises an iterable, not a list."""
    site = Site(base_url=HOSTS)

    exchange = Exchange({"type": "http.request", "body": b"", "more_body": False})
    headers = iter([(b"Host", b"b.example.org"), (b"x", b"y")])

    await site.middleware(
        {**http_scope("GET", f"{A}/public/x", {}), "headers": headers}, exchange.receive, exchange.send
    )

    assert exchange.status == 200
    assert (b"x", b"y") in site.app.scope["headers"]
    assert site.app.scope["oidc"].login_url().startswith(B)


async def test_a_page_of_one_host_cannot_act_at_another():
    """`Origin` is compared with the host that was chosen, not with any of them."""
    site = Site(base_url=HOSTS)
    browser = await signed_in_at(site, A)

    own = await browser.fetch("/page", method="POST", initiator=f"{A}/", headers={"origin": A})
    other = await browser.fetch("/page", method="POST", headers={"origin": B, "sec-fetch-site": "same-origin"})

    assert (own.status_code, other.status_code) == (200, 403)


async def test_websockets_belong_to_their_host():
    """The handshake's `Origin` must be that of its `Host`, and its session too."""
    site = Site(base_url=HOSTS)
    browser = await signed_in_at(site, B)
    cookie = browser.jar.header(f"{B}/", is_same_site=True, is_safe_navigation=True).encode()

    async def handshake(host: bytes, origin: str) -> str:
        exchange = Exchange({"type": "websocket.connect"})
        headers = [(b"host", host), (b"origin", origin.encode()), (b"cookie", cookie)]
        scope = {**http_scope("GET", f"{A}/page", {}), "type": "websocket", "headers": headers, "subprotocols": []}
        await site.middleware(scope, exchange.receive, exchange.send)
        return str(exchange.sent[0]["type"])

    assert await handshake(b"b.example.org", B) == "websocket.accept"
    assert await handshake(b"b.example.org", A) == "websocket.close"
    assert await handshake(b"a.example.com", A) == "websocket.close"


async def test_signing_out_at_the_provider_comes_back_to_the_host():
    """The post-logout redirect URI is that of the host."""
    site = Site(base_url=HOSTS)
    browser = await signed_in_at(site, B)

    response = await browser.post("/auth/logout", follow=False)

    assert parse_qs(urlsplit(response.location).query)["post_logout_redirect_uri"] == [B]
    assert not await is_signed_in(browser)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("heard_at", HOSTS)
async def test_a_back_channel_logout_at_one_host_ends_the_sessions_of_all(form, heard_at):
    """The provider knows one client, and calls the address that it was given."""
    site = LogoutSite(form, base_url=HOSTS)
    at_a, at_b = await signed_in_at(site, A), await signed_in_at(site, B)
    other = at(site, B)
    await other.sign_in("bob", "/page")
    token = site.provider.logout_token("alice")
    body = f"logout_token={token}".encode()

    exchange = Exchange({"type": "http.request", "body": body, "more_body": False})
    headers = {**FORM, "host": urlsplit(heard_at).netloc}
    scope = http_scope("POST", f"{heard_at}/auth/backchannel-logout", headers)
    await site.middleware(scope, exchange.receive, exchange.send)

    assert exchange.status == 200
    assert [await is_signed_in(each) for each in (at_a, at_b, other)] == [False, False, True]


async def test_a_logout_token_is_used_once_on_all_hosts():
    """The replay cache is common to them."""
    site = LogoutSite("cookies", base_url=HOSTS)
    token = site.provider.logout_token("alice")
    statuses = []
    for origin in HOSTS:
        exchange = Exchange({"type": "http.request", "body": f"logout_token={token}".encode(), "more_body": False})
        scope = http_scope("POST", f"{origin}/auth/backchannel-logout", {**FORM, "host": urlsplit(origin).netloc})
        await site.middleware(scope, exchange.receive, exchange.send)
        statuses.append(exchange.status)

    assert statuses == [200, 400]


async def test_the_app_lists_and_ends_the_sessions_of_all_hosts():
    """A user is one person, however many names the app has."""
    site = LogoutSite("a store", base_url=HOSTS)
    at_a, at_b = await signed_in_at(site, A), await signed_in_at(site, B)
    sessions = site.middleware.sessions

    listed = await sessions.of("alice")
    ended = await sessions.end_all("alice")

    assert (len(listed), ended) == (2, 2)
    assert [await is_signed_in(each) for each in (at_a, at_b)] == [False, False]


@pytest.mark.parametrize("form", ["cookies", "a store"])
async def test_one_session_of_many_is_ended_by_its_id(form):
    """With the `sid` of the login at one host, the session at the other continues."""
    site = LogoutSite(form, base_url=HOSTS)
    at_a, at_b = await signed_in_at(site, A), await signed_in_at(site, B)
    sids = [await sid_of(each) for each in (at_a, at_b)]
    assert sids[0] != sids[1]

    await site.hear(site.provider.logout_token("alice", sid=sids[1]))

    assert [await is_signed_in(each) for each in (at_a, at_b)] == [True, False]


@pytest.mark.parametrize("form", FORMS)
async def test_the_sessions_of_the_first_host_survive_a_change_of_the_others(form):
    """Hosts come and go."""
    site = LogoutSite(form, base_url=A)
    browser = await signed_in_at(site, A)

    for base_url in (HOSTS, [A], [A, "https://c.example.com"], A):
        site = site.restarted(base_url=base_url)  # type: ignore[assignment]  # a site is enough
        assert await is_signed_in(at(site, A, browser))


async def test_cookies_of_another_host_do_not_outlive_the_list_of_what_has_ended():
    """Shared revocations are stored under the first host: if it is removed, they are no longer found."""
    site = LogoutSite("cookies of many processes", base_url=HOSTS)
    browser = await signed_in_at(site, B)
    saved = site.browser(jar=copy.deepcopy(browser.jar))
    await browser.post("/auth/logout", follow=False)

    assert not await is_signed_in(at(site.restarted(base_url=B), B, saved))


async def test_a_session_of_another_host_survives_without_the_first_if_nothing_is_shared():
    """What this process remembers is lost with a restart anyway."""
    site = Site(base_url=HOSTS)
    browser = await signed_in_at(site, B)

    assert await is_signed_in(at(site.restarted(base_url=B), B, browser))


async def test_the_provider_is_discovered_once_for_all_hosts():
    """Connections, keys and their caches are common."""
    site = Site(base_url=HOSTS)
    for origin in HOSTS:
        await signed_in_at(site, origin)

    assert [site.provider.count(path) for path in ("/openid-configuration", "/jwks")] == [1, 1]


async def test_the_public_methods_know_all_hosts():
    """`covers` and `explain` take whole URLs."""
    site = Site(base_url=[A, "https://a.example.com:8443"], store=MemoryStore())
    middleware = site.middleware

    assert middleware.base_url == A
    assert middleware.covers(f"{A}/x")
    assert middleware.covers("https://a.example.com:8443/x")
    assert middleware.explain("https://a.example.com:8443/public/x").is_public
    assert not middleware.explain(f"{A}/x").is_public
    assert "https://a.example.com:8443" in middleware.explain_all()
    with pytest.raises(ValueError, match=r"is not a path of https://a\.example\.com"):
        middleware.explain("https://a.example.com.evil.example/x")


async def test_another_app_takes_the_place_on_all_hosts():
    """Tests and instrumentation replace the app."""
    site = Site(base_url=HOSTS)
    seen = []

    async def other(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    site.middleware.app = other
    for host in ("a.example.com", "b.example.org"):
        await site.call("/public/x", headers={"host": host})

    assert seen == ["http", "http"]


@pytest.mark.parametrize("origin", HOSTS)
async def test_a_callback_path_is_one_of_each_host(origin):
    """Both redirect URIs are registered."""
    site = Site(base_url=HOSTS, callback_path="/login/return")

    assert await login_at(site, urlsplit(origin).netloc.encode()) == f"{origin}/login/return"
    await signed_in_at(site, origin)


async def test_another_site_starts_a_login_at_one_host():
    """The target is a page of that host; another host is elsewhere."""
    site = Site(base_url=HOSTS)
    browser = at(site, B)
    form = {"iss": site.provider.issuer, "target_link_uri": f"{A}/page"}

    first = await browser.post("/auth/login", form, initiator="https://portal.example.net", follow=False)
    await browser.get(first.location)
    page = await browser.submit(button="alice")

    assert first.location.startswith(f"{B}/auth/login?iss=")
    assert page.url == f"{B}/"
