"""The proxies of the guide, really run, before an app that is no ASGI app: what gets through to it, and as whom."""

import json
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from random import Random
from urllib.parse import quote_from_bytes

import anyio
import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from asgi_oidc.testing import Browser
from tests.real.forward_auth_site import GROUPS, IDENTITY, ForwardAuthSite, forward_auth_site, told_headers
from tests.security.sizes import size
from tests.security.spellings import spelling

pytestmark = pytest.mark.real

PROXIES = ("nginx", "caddy")
# No dot segments, no empty ones, and no escape of a character that means something in a path.
PLAIN_PUBLIC = re.compile(
    r"/|/public/(?!.*(//|/\.))([A-Za-z0-9._~!$&'()*+,=:@/-]|%(?!2[3-5EFef]|3[BFbf]|5[Cc]|[01]|7[Ff])[0-9A-Fa-f]{2})*"
)


@pytest.fixture(scope="module")
def site() -> Iterator[ForwardAuthSite]:
    """Both proxies before one app, and one `asgi-oidc serve` for both."""
    with forward_auth_site(PROXIES) as running:
        yield running


@pytest.fixture(scope="module")
def trust(site: ForwardAuthSite) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=site.certificate.ca)


@pytest.fixture(params=PROXIES)
def origin(request: pytest.FixtureRequest, site: ForwardAuthSite) -> str:
    return site.origins[request.param]


@pytest.fixture
async def network(trust: ssl.SSLContext) -> AsyncIterator[httpx.AsyncHTTPTransport]:
    async with httpx.AsyncHTTPTransport(verify=trust) as transport:
        yield transport


@pytest.fixture
def browser(site: ForwardAuthSite, origin: str, network: httpx.AsyncHTTPTransport) -> Browser:
    return Browser(network, origin, {site.provider.issuer: network})


def said_by(site: ForwardAuthSite) -> str:
    """Give what `asgi-oidc serve` has written."""
    assert site.server is not None
    return site.server.said


def cookie_of(browser: Browser) -> str:
    """Write the Cookie header of a browser."""
    return browser.jar.header(f"{browser.origin}/", is_same_site=True, is_safe_navigation=True)


async def test_a_user_signs_in_comes_back_and_the_app_knows_who_it_is(browser, site):
    """From the first click to the sign-out; the app itself knows nothing of us."""
    page = await browser.sign_in("alice", "/wiki?page=a%2Fb")
    told = page.json()
    out = await browser.post("/auth/logout", data={"return_to": "/public/bye"})
    after = await browser.fetch("/wiki")

    assert (page.status_code, page.path, told["path"]) == (200, "/wiki?page=a%2Fb", "/wiki?page=a%2Fb")
    assert [told_headers(told, name) for name in ("X-User", "X-Email")] == [["alice"], ["alice@example.com"]]
    assert (out.status_code, out.json()["path"]) == (200, "/public/bye")
    assert (after.status_code, after.json()["error"]) == (401, "login_required")


async def test_a_list_arrives_as_json_whatever_its_values_hold(browser):
    """Commas, quotes and letters of other alphabets."""
    page = await browser.sign_in("alice", "/wiki")
    (groups,) = told_headers(page.json(), "X-Groups")

    assert httpx.Response(200, text=groups).json() == GROUPS


async def test_an_address_that_is_not_verified_arrives_empty(browser):
    """nginx leaves an empty header out."""
    page = await browser.sign_in("bob", "/wiki")

    assert told_headers(page.json(), "X-User") == ["bob"]
    assert told_headers(page.json(), "X-Email") in ([], [""])


async def test_the_app_can_verify_the_signed_header(browser, site, origin):
    """With the public keys that the server publishes, by any JWT library."""
    page = await browser.sign_in("alice", "/wiki")
    (token,) = told_headers(page.json(), "X-Identity")
    async with httpx.AsyncClient(trust_env=False) as client:
        keys = (await client.get(f"{site.oidc}/forward-auth/jwks")).json()

    claims = jwt.decode(token, KeySet.import_key_set(keys), algorithms=["ES256"]).claims

    assert (claims["sub"], claims["aud"], claims["iss"]) == ("alice", origin, next(iter(site.origins.values())))


SPELLINGS = [
    spelling
    for name in IDENTITY
    for spelling in (name, name.upper(), name.replace("-", "_"), name.replace("-", "_").upper(), name.replace("-", "."))
]


@pytest.mark.parametrize("user", ["bob", ""])
async def test_a_header_of_the_browser_never_gets_through(user, browser, trust):
    """Whether it is signed in or not, on a public path too, in any spelling that an app might take for ours."""
    if user:
        await browser.sign_in(user, "/wiki")
    own = {"accept": "application/json", **({"cookie": cookie_of(browser)} if user else {})}
    reached = []
    async with httpx.AsyncClient(base_url=browser.origin, verify=trust, trust_env=False) as client:
        for name in SPELLINGS:
            answer = await client.get("/public/x", headers={**own, name: "mallory"})
            protected = await client.get("/wiki", headers={**own, name: "mallory"})
            reached += [each.json() for each in (answer, protected) if each.status_code == 200]

    assert len(reached) >= len(SPELLINGS) // 3  # a proxy that let nothing through would prove nothing
    assert {value for told in reached for value in told_headers(told, "X-User")} <= {user}
    assert [told for told in reached if "mallory" in str(told)] == []


async def test_connection_does_not_take_the_identity_away_unseen(browser, trust):
    """A browser names the header in `Connection`, so that a proxy drops it: nobody may get in as nobody."""
    await browser.sign_in("bob", "/wiki")
    async with httpx.AsyncClient(base_url=browser.origin, verify=trust, trust_env=False) as client:
        for name in ("X-User", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Host"):
            headers = {"cookie": cookie_of(browser), "connection": f"close, {name}", "accept": "application/json"}
            answer = await client.get("/wiki", headers=headers)
            if answer.status_code == 200:
                assert told_headers(answer.json(), "X-User") in (["bob"], []), name


async def test_a_path_that_the_browser_names_elsewhere_does_not_count(browser, trust):
    """The proxy replaces each of these headers."""
    async with httpx.AsyncClient(base_url=browser.origin, verify=trust, trust_env=False) as client:
        answers = [
            await client.get("/wiki", headers={name: value, "accept": "application/json"})
            for name, value in (
                ("X-Forwarded-Uri", "/public/x"),
                ("X_Forwarded_Uri", "/public/x"),
                ("X-Forwarded-Host", "evil.example"),
                ("X-Forwarded-Method", "OPTIONS"),
                ("X-Original-URI", "/public/x"),
                ("X-Original-URL", "/public/x"),
            )
        ]

    assert {answer.status_code for answer in answers} <= {401, 403}


async def test_no_header_moves_a_public_path_in_the_app(browser, trust):
    """Gunicorn serves `/wiki` for `/public/wiki` with `SCRIPT_NAME: /public`, if the proxy is on the same machine."""
    async with httpx.AsyncClient(base_url=browser.origin, verify=trust, trust_env=False) as client:
        for name in ("SCRIPT_NAME", "Script-Name", "Script.Name", "X-Script-Name", "Daphne-Root-Path", "X-Rewrite-URL"):
            answer = await client.get("/public/wiki", headers={name: "/public", "accept": "application/json"})

            assert answer.status_code in (200, 403)
            assert answer.status_code == 403 or name.lower() not in str(answer.json()).lower(), name


@pytest.mark.parametrize(
    "target",
    [
        *("/public/../wiki", "/public/%2e%2e/wiki", "/public/..%2fwiki", "/public/..;/wiki", "/public//../wiki"),
        *("//public/../wiki", "/public/x/%2e%2e/%2e%2e/wiki", "/public\\..\\wiki", "/public%2f..%2fwiki", "/./wiki"),
        *("/wiki?/public/x", "/wiki#/public/x", "/WIKI", "/wiki/", "/%77iki", "/wiki%00/public/x", "/wiki%0a"),
    ],
)
async def test_no_spelling_of_a_protected_path_reaches_the_app(target, browser, trust):
    """Whatever the proxy makes of it on the way."""
    host, _, port = browser.origin.removeprefix("https://").partition(":")
    answer = await raw_get(host, int(port), target, trust)

    assert b'"method"' not in answer, answer[:400]


@pytest.mark.long
async def test_whatever_a_browser_asks_for_only_plain_public_paths_reach_the_app_without_a_session(origin, trust):
    """The proxy passes a path on as it came, and the app may read it in any way."""
    random, reached = Random(f"forward auth behind {origin.partition(':')[0]}"), []
    host, _, port = origin.removeprefix("https://").partition(":")
    for _ in range(size(200, 3000)):
        target = quote_from_bytes(spelling(random), safe=bytes(range(0x21, 0x7F)))[:2000] or "/"
        for start, public in (("/health", "/public/x"), ("/static/", "/public/")):
            target = target.replace(start, public)
        answer = await raw_get(host, int(port), target, trust)
        _, _, told = answer.partition(b"\r\n\r\n")
        if b'"method"' in told:
            reached.append(json.loads(told[told.index(b"{") : told.rindex(b"}") + 1])["path"])

    assert reached
    assert [path for path in reached if not PLAIN_PUBLIC.fullmatch(path.partition("?")[0])] == []


async def raw_get(host: str, port: int, target: str, trust: ssl.SSLContext) -> bytes:
    """Send a request line as it stands; clients put such paths right."""
    stream = await anyio.connect_tcp(host, port, tls=True, ssl_context=trust, tls_standard_compatible=False)
    async with stream:
        await stream.send(f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        try:
            while True:
                answer += await stream.receive()
        except anyio.EndOfStream:
            return answer


async def test_a_rule_that_is_not_met_is_a_page_with_a_way_on(browser):
    """Not the proxy's own error page."""
    await browser.sign_in("bob", "/wiki")
    page = await browser.get("/staff/x")

    assert (page.status_code, "Use another account" in page.text) == (403, True)


async def test_a_script_gets_401_as_json(browser):
    """With a link to sign in, and no redirect to the provider."""
    answer = await browser.fetch("/wiki", headers={"accept": "application/json"})

    assert (answer.status_code, answer.json()["error"], answer.history) == (401, "login_required", ())


async def test_a_post_arrives_with_its_body_and_a_forged_one_does_not(browser):
    """nginx asks without the body, and passes it on afterwards."""
    await browser.sign_in("alice", "/wiki")
    own = await browser.post("/note", data={"text": "milk"})
    forged = await browser.post("/note", data={"text": "milk"}, initiator="https://evil.example/", follow=False)

    assert (own.status_code, own.json()["body"], own.json()["method"]) == (200, "text=milk", "POST")
    assert forged.status_code in (401, 403)
    assert '"body"' not in forged.text


async def test_nginx_keeps_a_form_that_was_interrupted(site, network):
    """It passes the whole request on to us after a "no"."""
    browser = Browser(network, site.origins["nginx"], {site.provider.issuer: network})
    await browser.get("/public/x")
    page = await browser.post("/note", data={"text": "Buy <milk>"})

    await browser.submit(page, "Sign in")
    await browser.submit(button="alice")
    sent = await browser.submit(button="Send it")

    assert (page.status_code, sent.status_code, sent.json()["method"]) == (401, 200, "POST")
    assert sent.json()["body"] == "text=Buy+%3Cmilk%3E"


async def test_a_websocket_needs_a_session_and_our_origin(browser, site, trust):
    """Whatever the proxy leaves of the handshake when it asks."""
    await browser.sign_in("alice", "/wiki")
    address = browser.origin.replace("https:", "wss:") + "/live"
    cookie = {"cookie": cookie_of(browser)}
    async with connect(address, additional_headers={**cookie, "origin": browser.origin}, ssl=trust) as websocket:
        said = await websocket.recv()
    statuses = []
    for headers in ({**cookie, "origin": "https://evil.example"}, {"origin": browser.origin}):
        with pytest.raises(InvalidStatus) as refused:
            await connect(address, additional_headers=headers, ssl=trust)
        statuses.append(refused.value.response.status_code)

    assert (said, statuses) == ('"alice"', [403, 401])
    assert "upgrade" not in said_by(site).lower()  # the server writes no line for each handshake


@pytest.mark.parametrize(
    "path", ["/forward-auth", "/forward-auth/nginx", "/_forward_auth", "/auth/../forward-auth/nginx"]
)
async def test_a_browser_cannot_ask_by_itself(path, browser, trust):
    """It would get the signed header of its user, which is for the app."""
    await browser.sign_in("alice", "/wiki")
    host = browser.origin.removeprefix("https://")
    headers = {
        "cookie": cookie_of(browser),
        "x-forwarded-method": "GET",
        "x-forwarded-proto": "https",
        "x-forwarded-host": host,
        "x-forwarded-uri": "/wiki",
    }
    async with httpx.AsyncClient(base_url=browser.origin, verify=trust, trust_env=False) as client:
        answers = [
            await client.get(path, headers=headers),
            # Refused as a forged request, and so passed on to us by nginx.
            await client.post(path, headers={**headers, "origin": "https://evil.example"}),
        ]

    assert [name for answer in answers for name in answer.headers if name in ("x-user", "x-identity")] == []


async def test_only_the_proxy_is_believed(site):
    """Whoever reaches the port from elsewhere cannot ask; here it is another loopback address."""
    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
    headers = {
        "x-forwarded-method": "GET",
        "x-forwarded-proto": "https",
        "x-forwarded-host": site.origins["nginx"].removeprefix("https://"),
        "x-forwarded-uri": "/public/x",
        "x-forwarded-for": "127.0.0.1",
    }
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        stranger = await client.get(f"{site.oidc}/forward-auth", headers=headers)
    async with httpx.AsyncClient(trust_env=False) as client:
        proxy = await client.get(f"{site.oidc}/forward-auth", headers=headers)

    assert (stranger.status_code, proxy.status_code) == (403, 200)
    assert "proxy_not_trusted" in said_by(site)
