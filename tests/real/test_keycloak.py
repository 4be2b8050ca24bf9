"""Logins at a real Keycloak, and what users and administrators do there, with sealed cookies and with a store."""

import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc import MemoryStore, Rule
from asgi_oidc.testing import Browser, Response, serve
from tests.real.app import protected_app
from tests.real.certificates import Certificate
from tests.real.keycloak import PASSWORD, Keycloak, client_secret
from tests.real.processes import free_port

pytestmark = pytest.mark.real

TUTORIAL = (Path(__file__).parents[2] / "examples" / "tutorial" / "README.md").read_text(encoding="utf-8")
TUTORIAL_REALM = re.findall(r"```json\n(.*?)```", TUTORIAL, re.DOTALL)[0]
SECRET = "0123456789abcdef" * 2 + "fedcba9876543210" * 2
LIFETIME = 90  # seconds of an access token
DIRECTORS_ONLY = Rule("/directors/*", claims={"realm_access.roles": "director"})
OUT_OF_REACH = Rule("/vault", acr_values=["urn:example:mfa"])  # this realm knows no such level
FORMS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "sealed cookies": dict,
    "a store": lambda: {"store": MemoryStore()},
}


@pytest.fixture
def server(keycloak_server: Keycloak) -> Keycloak:
    """The one that all tests share."""
    return keycloak_server


@pytest.fixture(params=FORMS)
def sessions(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Where sessions are."""
    return FORMS[request.param]()


class Clock:
    """The time of this machine, and what the test adds to it: Keycloak goes by the first alone."""

    def __init__(self) -> None:
        self.added = 0.0

    def __call__(self) -> float:
        return time.time() + self.added


@pytest.fixture
def clock() -> Clock:
    """The clock of the app."""
    return Clock()


@pytest.fixture(autouse=True)
def trust(monkeypatch: pytest.MonkeyPatch, certificate: Certificate) -> None:
    """Let the app trust our authority, as one does for a provider inside a company."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate.ca)


@contextlib.asynccontextmanager
async def served(server: Keycloak, *, roles_in_id_token: bool = False, **settings: Any) -> AsyncIterator[Browser]:
    """Serve the app, registered at Keycloak, and give a browser that can reach both."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    client_id = server.register(origin, roles_in_id_token=roles_in_id_token, access_token_lifetime=LIFETIME)
    ours = {"client_id": client_id, "client_secret": client_secret(client_id), "base_url": f"{origin}/"}
    app = protected_app(**ours, issuer=server.issuer, secret=SECRET, **settings)
    async with httpx.AsyncHTTPTransport(verify=server.trust) as network:
        with serve(app, port=port):
            yield Browser(network, origin, {server.url: network})


async def sign_in(browser: Browser, path: str = "/private", *, user: str = "alice") -> Response:
    """Open a page, and fill Keycloak's login page in where that comes up."""
    page = await browser.get(path)
    return page if page.url.startswith(browser.origin) else await fill_in(browser, user)


async def fill_in(browser: Browser, user: str = "alice") -> Response:
    """Send the login page that this tab shows."""
    return await browser.submit(data={"username": user, "password": PASSWORD})


async def is_in(browser: Browser) -> bool:
    """Say whether the session goes on."""
    return (await browser.fetch("/claims")).status_code == 200


async def has_access_token(browser: Browser) -> bool:
    """Say whether the app gets a valid token, refreshed where needed."""
    return bool((await browser.fetch("/access-token")).json().get("has_access_token"))


async def next_second() -> None:
    """Wait until Keycloak's clock shows another second."""
    now = int(time.time())
    while int(time.time()) == now:  # noqa: ASYNC110  # time sets no event
        await anyio.sleep(0.02)


async def id_of_id_token(browser: Browser) -> object:
    """Return what tells one ID Token from the next."""
    return (await browser.fetch("/id-token")).json()["id_token"]


async def test_a_login_ends_on_the_page_that_was_asked_for(server, sessions):
    """Nothing has to be set but what the guide to providers names."""
    async with served(server, **sessions) as browser:
        page = await sign_in(browser, "/deep/link?page=2&q=a%20b")

    assert (page.status_code, page.path) == (200, "/deep/link?page=2&q=a%20b")
    assert "Alice Adams" in page.text
    assert browser.refused_cookies == []


async def test_realm_roles_are_not_in_the_id_token_by_default(server, sessions):
    """Keycloak puts them into the access token alone: such a rule lets nobody in."""
    async with served(server, rules=[DIRECTORS_ONLY], **sessions) as browser:
        page = await sign_in(browser, "/directors/board")

    assert (page.status_code, page.path) == (403, "/directors/board")


@pytest.mark.parametrize(("user", "status"), [("alice", 200), ("bob", 403)])
async def test_a_mapper_brings_realm_roles_to_rules(server, sessions, user, status):
    """With it in the client, the ID Token says who is a director."""
    async with served(server, roles_in_id_token=True, rules=[DIRECTORS_ONLY], **sessions) as browser:
        page = await sign_in(browser, "/directors/board", user=user)

    assert (page.status_code, page.path) == (status, "/directors/board")


@pytest.mark.parametrize(("user", "status"), [("alice", 200), ("bob", 403)])
async def test_realm_roles_of_the_access_token_count_on_request(server, sessions, clock, user, status):
    """Nothing has to be set at Keycloak for that, and they count after a refresh as well."""
    settings = {"claims_from_access_token": True, "rules": [DIRECTORS_ONLY], "clock": clock, **sessions}
    async with served(server, **settings) as browser:
        page = await sign_in(browser, "/directors/board", user=user)
        clock.added = LIFETIME + 1
        renewed = await has_access_token(browser)
        later = await browser.fetch("/directors/board")

    assert (page.status_code, renewed, later.status_code) == (status, True, status)


@pytest.mark.parametrize(("user", "status"), [("alice", 200), ("bob", 403)])
async def test_the_access_token_brings_realm_roles_to_rules(server, sessions, clock, user, status):
    """Without a mapper, where the setting asks for it: at login, and after a refresh."""
    settings = {"rules": [DIRECTORS_ONLY], "claims_from_access_token": True, **sessions}
    async with served(server, clock=clock, **settings) as browser:
        page = await sign_in(browser, "/directors/board", user=user)
        clock.added = LIFETIME + 1
        renewed = await has_access_token(browser)
        later = await browser.get("/directors/board")

    assert (page.status_code, page.path, renewed, later.status_code) == (status, "/directors/board", True, status)


async def test_tokens_are_refreshed_after_the_access_token_expires(server, sessions, clock):
    """Keycloak gives a refresh token without `offline_access`, and a new ID Token with each refresh."""
    async with served(server, clock=clock, **sessions) as browser:
        await sign_in(browser)
        first = await id_of_id_token(browser)
        clock.added = LIFETIME + 1
        renewed = await has_access_token(browser)
        second = await id_of_id_token(browser)

    assert renewed
    assert second != first


async def test_a_session_goes_on_after_a_step_up_that_fails(server, sessions, clock):
    """The user stays signed in, here and there: tokens are refreshed, and an administrator can end it all."""
    async with served(server, clock=clock, rules=[OUT_OF_REACH], **sessions) as browser:
        await sign_in(browser)
        await next_second()  # the password is asked for again, and `auth_time` is another one
        await browser.get("/vault")
        refused = await fill_in(browser)
        clock.added = LIFETIME + 1
        renewed = await has_access_token(browser)
        server.sign_out("alice")
        after = await is_in(browser)

    assert (refused.status_code, renewed, after) == (403, True, False)


async def test_a_user_who_is_locked_out_is_gone_after_the_recheck(server, sessions, clock):
    """Keycloak sends no logout token then: without a recheck, the session would last for hours."""
    async with served(server, clock=clock, recheck=30, **sessions) as browser:
        await sign_in(browser)
        clock.added = 31
        confirmed = await is_in(browser)
        with server.locked_out("alice"):
            before = await is_in(browser)
            clock.added = 62
            after = await is_in(browser)

    assert (confirmed, before, after) == (True, True, False)


async def test_an_administrator_signs_a_user_out(server, sessions):
    """Keycloak tells the app by back-channel logout; bob stays, and so does nothing of alice."""
    async with served(server, **sessions) as browser:
        bob = Browser(browser.apps[browser.origin], browser.origin, browser.apps)
        await sign_in(browser)
        await sign_in(bob, user="bob")
        before = await is_in(browser)
        server.sign_out("alice")
        after = [await is_in(browser), await is_in(bob)]
        again = await browser.get("/private")

    assert (before, after) == (True, [False, True])
    assert again.url.startswith(server.issuer)


async def test_a_user_signs_out_at_keycloak(server, sessions):
    """On its own page, not in the app."""
    async with served(server, **sessions) as browser:
        await sign_in(browser)
        await browser.get(f"{server.issuer}/protocol/openid-connect/logout")
        await browser.submit(button="Logout")
        after = await is_in(browser)

    assert not after


async def test_a_sign_out_in_the_app_is_one_at_keycloak(server, sessions):
    """No page in between, back to the app, and the next login asks for the password."""
    async with served(server, **sessions) as browser:
        page = await sign_in(browser)
        home = await browser.submit(page, "Sign out")
        again = await browser.get("/private")

    assert (home.status_code, home.url.partition("?")[0]) == (200, f"{browser.origin}/")
    assert again.url.startswith(server.issuer)
    assert again.page.forms


async def test_new_keys_disturb_nobody(server, sessions, clock):
    """Existing sessions go on, their tokens are refreshed, and new logins work, without a restart."""
    async with served(server, clock=clock, **sessions) as browser:
        bob = Browser(browser.apps[browser.origin], browser.origin, browser.apps)
        await sign_in(browser)
        server.rotate_keys()
        clock.added = LIFETIME + 1
        renewed = await has_access_token(browser)
        new = await sign_in(bob, user="bob")

    assert renewed
    assert (new.status_code, new.path) == (200, "/private")


async def test_a_login_page_that_has_expired_leads_to_a_fresh_login(server, sessions):
    """Keycloak has forgotten that page, and knows who signed in meanwhile: it sends `authentication_expired` back."""
    async with served(server, **sessions) as browser:
        other = browser.tab()
        await other.get("/second")
        await browser.get("/first")
        first = await fill_in(browser)
        second = await fill_in(other)

    assert (first.status_code, first.path) == (200, "/first")
    assert (second.status_code, second.path) == (200, "/second")


@pytest.mark.parametrize(("user", "status"), [("alice", 200), ("bob", 403)])
async def test_the_realm_of_the_tutorial_is_all_that_the_tutorial_needs(server, user, status):
    """A login, the rule about roles, and a sign-out that comes back to the app."""
    port = free_port()
    realm = json.loads(TUTORIAL_REALM.replace("127.0.0.1:8001", f"127.0.0.1:{port}"))
    realm["realm"] = f"tutorial-{user}"
    (client,) = realm["clients"]
    origin = f"http://127.0.0.1:{port}"
    ours = {"client_id": client["clientId"], "client_secret": client["secret"], "base_url": origin}
    rule = Rule("/admin/*", claims={"roles": "admin"})
    app = protected_app(**ours, issuer=server.import_realm(realm), secret=SECRET, rules=[rule])

    async with httpx.AsyncHTTPTransport(verify=server.trust) as network:
        with serve(app, port=port):
            browser = Browser(network, origin, {server.url: network})
            await browser.get("/private")
            private = await browser.submit(data={"username": user, "password": user})
            admin = await browser.get("/admin")
            await browser.get("/private")
            out = await browser.submit(button="Sign out")

    assert (private.status_code, private.path, admin.status_code) == (200, "/private", status)
    assert out.url == f"{origin}/"


async def test_a_keycloak_with_another_address_inside_is_reached_there(server):
    """Its metadata and tokens name the public address, under which the app does not find it."""
    port, public = free_port(), server.url.replace("127.0.0.1", "localhost")
    origin = f"http://127.0.0.1:{port}"
    realm = json.loads(TUTORIAL_REALM.replace("127.0.0.1:8001", f"127.0.0.1:{port}"))
    realm |= {"realm": "inside", "attributes": {"frontendUrl": public}}
    (client,) = realm["clients"]
    server.import_realm(realm)
    inside = InsideOnly(server)
    app = protected_app(
        client_id=client["clientId"],
        client_secret=client["secret"],
        base_url=origin,
        issuer=f"{public}/realms/inside",
        internal_url=server.url,
        http_client=httpx.AsyncClient(transport=inside),
        secret=SECRET,
    )

    async with httpx.AsyncHTTPTransport(verify=server.trust) as network:
        with serve(app, port=port):
            browser = Browser(network, origin, {public: network})
            login = await browser.get("/private")
            private = await browser.submit(data={"username": "alice", "password": "alice"})
            claims = (await browser.get("/claims")).json()
            out = await browser.post("/auth/logout", headers={"origin": origin})

    assert login.url.startswith(f"{public}/realms/inside/")
    assert (private.status_code, private.path, claims["iss"]) == (200, "/private", f"{public}/realms/inside")
    assert out.url == f"{origin}/"
    assert {"token", "certs"} <= inside.endpoints


class InsideOnly(httpx.AsyncBaseTransport):
    """A network in which Keycloak has one address only."""

    def __init__(self, server: Keycloak) -> None:
        self._server = server
        self.endpoints: set[str] = set()
        """The last segments of the paths that were called."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Refuse any other address; each call has a connection of its own, as it may come from any event loop."""
        if not str(request.url).startswith(f"{self._server.url}/"):
            raise httpx.ConnectError("no route to this host", request=request)
        self.endpoints.add(request.url.path.rpartition("/")[2])
        async with httpx.AsyncHTTPTransport(verify=self._server.trust) as network:
            answer = await network.handle_async_request(request)
            body = b"".join([piece async for piece in answer.aiter_raw()])
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(body))
