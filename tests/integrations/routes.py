"""Tests of route requirements that are the same for every framework."""

import re
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc.testing import Browser, Persona, Response
from tests.protected_site import ORIGIN, PROGRAM, Clock, Exchange, Site, cookie_header

MFA = "urn:example:mfa"
TERMS: dict[str, dict[str, Any]] = {
    "/me": {},
    "/staff": {"claims": {"roles": "admin"}},
    "/mail": {"scopes": ["email"]},
    "/orders": {"scopes": ["openid", "orders:read"]},
    "/company": {"email_domains": ["example.com"]},
    "/fresh": {"max_age": 300},
    "/strong": {"acr_values": [MFA]},
}
"""The paths that the app of each framework has, and what they ask for; each says in JSON whose `sub` it was."""
SOCKETS = {"/ws": "/me", "/ws/staff": "/staff", "/ws/fresh": "/fresh"}
"""The same for websockets: each says it in a text."""
ODD = Persona("mallory", "Mallory", "m@example.com@evil.example", {"roles": {"admin": True}})


def site_of(app: Any, **settings: Any) -> Site:
    """Wrap an app so that all its paths are public, and it alone says who may have a route.

    Frameworks look at the clock on the wall, so the provider does as well.
    """
    clock = Clock()
    clock.now = time.time()
    site = Site(**{"inner": app, "clock": clock, "public": "everything-but-rules", **settings})
    site.provider.personas[ODD.sub] = ODD
    return site


async def sign_in(site: Site, sub: str = "alice", *, seconds_ago: int = 0) -> Browser:
    """Open a browser that has signed in."""
    browser = site.browser()
    site.clock.now = time.time() - seconds_ago
    await browser.get("/auth/login?return_to=/elsewhere")
    await browser.submit(button=sub)
    site.clock.now = time.time()
    return browser


async def connect(site: Site, path: str, browser: Browser | None = None) -> list[Any]:
    """Open a websocket on a server that knows no other refusal than a close; give what the app sent."""
    headers = [(b"origin", ORIGIN.encode())]
    if browser is not None:
        headers.append((b"cookie", cookie_header(browser).encode()))
    exchange = Exchange({"type": "websocket.connect"})
    scope: dict[str, Any] = {"type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": headers, "scheme": "wss", "subprotocols": [], "root_path": "", "extensions": {}}
    scope |= {"asgi": {"version": "3.0", "spec_version": "2.3"}, "client": ("192.0.2.1", 50000)}
    await site.middleware(scope, exchange.receive, exchange.send)
    return exchange.sent


def query_of(url: str) -> dict[str, str]:
    """Give the parameters of a URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


class RoutesContract:
    """Subclass it with what the framework has."""

    def make_app(self) -> Any:
        """Make an app with the paths of `TERMS` and `SOCKETS`."""
        raise NotImplementedError

    def requires(self, **wanted: Any) -> Any:
        """Require something of a route in the way of this framework."""
        raise NotImplementedError

    def problem(self, response: Response) -> dict[str, Any]:
        """Read the problem details."""
        raise NotImplementedError

    @pytest.fixture
    def site(self) -> Site:
        return site_of(self.make_app())

    @pytest.mark.parametrize("path", ["/me", "/staff", "/mail", "/company", "/fresh"])
    async def test_a_user_who_meets_the_requirements_reaches_the_route(self, site, path):
        """The route gets the user object of the scope."""
        browser = await sign_in(site)

        page, program = await browser.get(path), await browser.fetch(path)

        assert [(each.status_code, each.json()["sub"]) for each in (page, program)] == [(200, "alice")] * 2

    @pytest.mark.parametrize(
        ("sub", "path", "error"),
        [
            ("bob", "/staff", "forbidden"),
            ("mallory", "/staff", "forbidden"),
            ("mallory", "/company", "forbidden"),
            ("alice", "/orders", "insufficient_scope"),
        ],
    )
    async def test_a_user_without_the_right_is_refused(self, site, sub, path, error):
        """The response is a 403, even for a page: another login would not help. A malformed claim counts as missing."""
        browser = await sign_in(site, sub)

        page, program = await browser.get(path, follow=False), await browser.fetch(path)

        assert [(each.status_code, each.location) for each in (page, program)] == [(403, "")] * 2
        assert (self.problem(program)["error"], "sub" in program.json()) == (error, False)
        assert f'error="{error}"' in program.headers["www-authenticate"]
        assert program.headers["cache-control"].startswith("no-store")

    @pytest.mark.parametrize(("trusted", "status"), [(["example.com"], 200), ([], 403)])
    async def test_a_trusted_email_domain_counts_here_as_in_rules(self, trusted, status):
        """The provider does not send whether an address is verified."""
        site = site_of(self.make_app(), trusted_email_domains=trusted)
        site.provider.id_token_overrides = {"email_verified": ...}
        browser = await sign_in(site)

        assert (await browser.fetch("/company")).status_code == status

    async def test_missing_scopes_are_in_the_response_and_everything_else_only_in_the_log(self, site, caplog):
        """A client can request a scope (RFC 6750 §3.1); claims are no business of outsiders."""
        browser = await sign_in(site, "bob")

        with caplog.at_level("INFO", "asgi_oidc"):
            orders, staff = await browser.fetch("/orders"), await browser.fetch("/staff")

        assert 'scope="openid orders:read"' in orders.headers["www-authenticate"]
        assert "roles" not in staff.text + staff.headers["www-authenticate"]
        assert f"why='claims roles' reference={self.problem(staff)['reference']}" in caplog.text
        assert "no claim" not in caplog.text

    async def test_a_missing_claim_is_named_in_the_log_only(self, site, caplog):
        """As for a rule: the configuration of the provider has to change."""
        browser = await sign_in(site, "chloe")

        staff = await browser.fetch("/staff")

        assert (staff.status_code, "no claim" in staff.text) == (403, False)
        assert "hint='this session has no claim roles'" in caplog.text

    async def test_an_anonymous_navigation_is_sent_to_a_login_and_comes_back(self, site):
        """It comes back to the same page with its query."""
        browser = site.browser()

        redirect = await browser.get("/me?a=1&b=%C3%A9", follow=False)
        page = await browser.sign_in("alice", "/me?a=1&b=%C3%A9")

        assert (redirect.status_code, redirect.headers["cache-control"]) == (303, "no-store")
        assert redirect.location.startswith(f"{ORIGIN}/auth/login?")
        assert (page.status_code, page.path, page.json()["sub"]) == (200, "/me?a=1&b=%C3%A9", "alice")

    async def test_a_login_comes_back_through_a_proxy_that_takes_a_part_of_the_path_off(self):
        """`base_url` is enough to know the public path; the server need not be configured."""
        site = site_of(self.make_app(), base_url=f"{ORIGIN}/app")

        async def proxy(scope: Any, receive: Any, send: Any) -> None:
            path = scope["path"].removeprefix("/app")
            await site.middleware({**scope, "path": path, "raw_path": path.encode()}, receive, send)

        page = await site.browser(app=proxy).sign_in("alice", "/app/me?a=1")

        assert (page.status_code, page.path, page.json()["sub"]) == (200, "/app/me?a=1", "alice")

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"sec-purpose": "prefetch"},
            {"sec-fetch-dest": "iframe"},
            PROGRAM,
            {"x-requested-with": "XMLHttpRequest"},
        ],
    )
    async def test_an_anonymous_request_that_is_not_a_navigation_gets_401(self, site, headers):
        """It is never redirected; it gets a login URL that leads back to the page of the script."""
        is_page = bool(headers) and headers is not PROGRAM
        browser = site.browser(fetch_metadata="x-requested-with" not in headers)

        if is_page:
            response = await browser.get("/me", headers=headers, follow=False)
        else:
            response = await browser.fetch("/me", headers=headers, initiator=f"{ORIGIN}/shop?cart=1")

        assert (response.status_code, response.location, response.set_cookies) == (401, "", [])
        challenge = f'Cookie realm="sign-in", form-action="{ORIGIN}/auth/login"'
        assert response.headers["www-authenticate"] == challenge
        assert self.problem(response)["error"] == "login_required"
        back = query_of(self.problem(response)["login_url"]).get("return_to")
        assert back == (None if is_page else "/shop?cart=1")

    async def test_a_navigation_by_a_service_worker_leads_to_the_login(self, site):
        """A service worker passes on page navigations with fetch headers of its own."""
        headers = {"sec-fetch-dest": "empty"}

        response = await site.browser().get("/me?a=1", headers=headers, follow=False)

        assert (response.status_code, query_of(response.location)["return_to"]) == (303, "/me?a=1")

    async def test_htmx_is_led_to_the_login_that_comes_back_to_its_page(self, site):
        """htmx obeys a response header, and does not read problem details."""
        headers = {"hx-request": "true", "hx-current-url": f"{ORIGIN}/shop?cart=1"}

        response = await site.browser().fetch("/me", headers=headers)

        assert (response.status_code, response.location) == (401, "")
        assert query_of(response.headers["hx-redirect"])["return_to"] == "/shop?cart=1"

    async def test_htmx_is_led_to_no_other_site(self, site):
        """The header with the URL of the page can be any URL."""
        headers = {"hx-request": "true", "hx-current-url": f"{ORIGIN}.evil.example/x"}

        response = await site.browser().fetch("/me", headers=headers)

        assert response.headers["hx-redirect"] == f"{ORIGIN}/auth/login"

    async def test_a_page_of_another_site_is_not_named(self, site):
        """The login could not return to it."""
        response = await site.browser().fetch("/me", headers={"referer": f"{ORIGIN}.evil.example/x"})

        assert self.problem(response)["login_url"] == f"{ORIGIN}/auth/login"

    async def test_an_old_browser_is_told_by_what_it_accepts(self, site):
        """It sends no Fetch Metadata, so its Accept header shows that it is a page navigation."""
        browser = site.browser(fetch_metadata=False)

        page, program = await browser.get("/me", follow=False), await browser.fetch("/me")

        assert (page.status_code, program.status_code) == (303, 401)

    async def test_a_login_that_is_too_old_is_done_again(self, site):
        """A page navigation is redirected there and back; a program gets the requirements (RFC 9470 §3)."""
        browser = await sign_in(site, seconds_ago=400)

        program = await browser.fetch("/fresh")
        redirect = await browser.get("/fresh", follow=False)
        page = await browser.sign_in("alice", "/fresh")

        assert (redirect.status_code, program.status_code, page.json()["sub"]) == (303, 401, "alice")
        assert 'error="insufficient_user_authentication", max_age="300"' in program.headers["www-authenticate"]
        problem = self.problem(program)
        assert (problem["error"], problem["max_age"]) == ("insufficient_user_authentication", 300)
        at_provider = await browser.get(problem["login_url"], follow=False)
        assert query_of(at_provider.location)["max_age"] == "300"

    async def test_a_login_that_is_too_weak_is_done_again(self, site):
        """One of the requested contexts is enough."""
        browser = await sign_in(site)

        program = await browser.fetch("/strong")
        page = await browser.sign_in("alice", "/strong")

        assert (program.status_code, self.problem(program)["acr_values"]) == (401, [MFA])
        assert f'acr_values="{MFA}"' in program.headers["www-authenticate"]
        assert any("/authorize" in step.url for step in page.history)
        assert (page.status_code, (await browser.fetch("/strong")).status_code) == (200, 200)

    async def test_the_first_login_asks_for_all_that_its_route_needs(self, site):
        """Users should not have to sign in twice in a row."""
        browser = site.browser()

        page = await browser.sign_in("alice", "/strong")

        assert (page.status_code, sum("/authorize" in step.url for step in page.history)) == (200, 1)

    async def test_claims_that_the_app_made_are_no_proof_of_a_login(self):
        """As for a rule, only claims that the provider signed count."""

        async def on_login(user: Any, claims: dict[str, Any]) -> None:
            claims |= {"acr": MFA, "auth_time": 4_000_000_000}

        site = site_of(self.make_app(), on_login=on_login)
        browser = await sign_in(site, seconds_ago=400)

        assert [(await browser.fetch(path)).status_code for path in ("/strong", "/fresh")] == [401, 401]

    async def test_a_login_that_says_nothing_of_its_time_is_too_old(self, site):
        """A missing `auth_time` does not meet the requirement, and is no error."""
        with site.provider.fault("id_token_no_auth_time"):
            browser = await sign_in(site)

        assert (await browser.fetch("/fresh")).status_code == 401

    async def test_below_a_mount_the_login_comes_back_below_it(self):
        """`scope["path"]` includes the mount (ASGI 3.0)."""
        site = site_of(self.make_app(), base_url=f"{ORIGIN}/app")
        page = {"accept": "text/html"}

        exchange = await site.call("/app/me", root_path="/app", headers=page, query_string=b"x=1")

        location = (exchange.header(b"location") or b"").decode()
        assert (exchange.status, query_of(location)["return_to"]) == (303, "/app/me?x=1")

    @pytest.mark.parametrize("path", list(SOCKETS))
    async def test_a_websocket_has_the_user_too(self, site, path):
        """The same requirements apply."""
        sent = await connect(site, path, await sign_in(site))

        assert [message["text"] for message in sent if message["type"] == "websocket.send"] == ["alice"]

    @pytest.mark.parametrize(
        ("path", "sub", "seconds_ago", "code"),
        [("/ws", None, 0, 4401), ("/ws/staff", "bob", 0, 4403), ("/ws/fresh", "alice", 400, 4401)],
    )
    async def test_a_websocket_is_closed_with_our_codes(self, site, path, sub, seconds_ago, code):
        """As in the middleware, it is closed before it is accepted."""
        browser = None if sub is None else await sign_in(site, sub, seconds_ago=seconds_ago)

        sent = await connect(site, path, browser)

        assert [(message["type"], message.get("code")) for message in sent] == [("websocket.close", code)]

    @pytest.mark.parametrize(
        ("wanted", "error", "told"),
        [
            ({"claims": {"roles": []}}, ValueError, "claims: 'roles'"),
            ({"scopes": "email"}, ValueError, "scopes: "),
            ({"email_domains": ["@example.com"]}, ValueError, "email_domains: "),
            ({"acr_values": []}, ValueError, "acr_values: "),
            ({"max_age": -1}, ValueError, "max_age: "),
            ({"scope": ["email"]}, TypeError, "scope"),
        ],
    )
    def test_a_mistake_fails_where_it_is_written(self, wanted, error, told):
        """The error must not wait for the first user, and the route must not be open meanwhile."""
        with pytest.raises(error, match=re.escape(told)):
            self.requires(**wanted)
