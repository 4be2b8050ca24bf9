"""What the provider says in its own words is in the log and reaches the developer, and never a page."""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, quote_plus

import httpx
import pytest

from asgi_oidc import OIDCError, TokenNotGranted
from asgi_oidc.testing import FakeProvider
from tests.protected_site import CLIENT_SECRET, ORIGIN, PROGRAM
from tests.token_site import LIFETIME, STORES, TokenSite

HOSTILE = 'client secret is expired</p><a href="https://evil.example">\r\nWARNING call\u202e 1-800-SCAM'
LOGGED = 'client secret is expired</p><a href="https://evil.example"> WARNING call 1-800-SCAM'
SHOWN = ("expired", "evil", "SCAM", "secret is")


class Refusing(httpx.AsyncBaseTransport):
    """Brings calls to the provider, or refuses those to one endpoint in hostile words, with all that they carried.

    Attributes:
        refuses: the end of the path, or a grant type.
        sent: what the refused calls had in their forms and their headers.
    """

    def __init__(self, provider: FakeProvider) -> None:
        self.inner = httpx.ASGITransport(app=provider)
        self.refuses = ""
        self.status = 400
        self.says = HOSTILE
        self.repeats = False
        self.sent: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        form = dict(parse_qsl((await request.aread()).decode()))
        if self.refuses not in (form.get("grant_type"), request.url.path):
            return await self.inner.handle_async_request(request)
        authorization = request.headers.get("authorization", "").rpartition(" ")[2]
        sent = [*form.values(), authorization]
        self.sent += sent
        says = f"{self.says} {' '.join(sent)}" if self.repeats else self.says
        if self.refuses == "/userinfo":
            quoted = says.encode("ascii", "ignore").decode().replace('"', '\\"').replace("\r\n", " ")
            challenge = f'Bearer realm="x", error="invalid_token", error_description="{quoted}"'
            return httpx.Response(401, headers={"www-authenticate": challenge}, stream=httpx.ByteStream(b""))
        body = json.dumps({"error": "invalid_client", "error_description": says}).encode()
        return httpx.Response(self.status, stream=httpx.ByteStream(body))


class RefusingSite(TokenSite):
    """A site whose provider can be told to refuse."""

    def __init__(self, store: str, **settings: Any) -> None:
        provider = FakeProvider(alg="ES256")
        self.network = Refusing(provider)
        client = httpx.AsyncClient(transport=self.network)
        super().__init__(store, provider=provider, http_client=client, userinfo="always", **settings)


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest) -> RefusingSite:
    """Once with sealed cookies, once with a store."""
    return RefusingSite(request.param)


@pytest.fixture(autouse=True)
def all_levels(caplog: pytest.LogCaptureFixture) -> None:
    """The refusal of a refresh is no warning: sessions end."""
    caplog.set_level(logging.INFO, "asgi_oidc")


async def log_in(site: RefusingSite) -> list[str]:
    """Come back from the provider, as a person and as a program."""
    texts = []
    for headers in (None, PROGRAM):
        browser, url = await site.at_callback()
        texts.append((await browser.get(url, headers=headers)).text)
    return texts


async def renew(site: RefusingSite) -> list[str]:
    """Need a new token."""
    refuses, site.network.refuses = site.network.refuses, ""
    browser = await site.signed_in()
    site.network.refuses = refuses
    site.clock.advance(LIFETIME + 1)
    return [(await browser.get("/page", follow=False)).text, (await browser.fetch("/page")).text]


async def sign_out(site: RefusingSite) -> list[str]:
    """Give the refresh token back."""
    browser = await site.signed_in()
    return [(await browser.post("/auth/logout")).text]


async def exchange(site: RefusingSite) -> list[str]:
    """Need a token for another API, and let the error through."""
    browser = await site.signed_in()

    async def ask(scope: Any) -> None:
        await scope["oidc"].exchange_token(audience="orders")

    site.app.at_work = ask
    with pytest.raises(TokenNotGranted) as caught:
        await browser.fetch("/page")
    assert LOGGED in caught.value.detail
    return []


TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
PLACES: dict[str, tuple[str, Callable[[RefusingSite], Awaitable[list[str]]]]] = {
    "code": ("authorization_code", log_in),
    "userinfo": ("/userinfo", log_in),
    "refresh": ("refresh_token", renew),
    "revocation": ("/revoke", sign_out),
    "exchange": (TOKEN_EXCHANGE, exchange),
}
in_all_places = pytest.mark.parametrize(("refuses", "visit"), PLACES.values(), ids=PLACES)


@in_all_places
async def test_what_the_provider_says_is_in_the_log_and_on_no_page(site, refuses, visit, caplog):
    """It holds the answer, and words that others choose can fool people."""
    site.network.refuses = refuses

    texts = await visit(site)

    assert "client secret is expired" in caplog.text
    assert all(record.getMessage().isprintable() for record in caplog.records)
    assert [text for text in texts if any(word in text for word in SHOWN)] == []


@in_all_places
async def test_what_the_provider_repeats_of_our_secrets_is_not_logged(site, refuses, visit, caplog):
    """Some show the token, the code or the credentials that they refuse."""
    site.network.refuses, site.network.repeats, site.network.says = refuses, True, HOSTILE[:24]

    try:
        await visit(site)
    except AssertionError:  # an exchange that says something else
        assert visit is exchange

    secrets = {CLIENT_SECRET, *(text for text in site.network.sent if len(text) > 20 and ":" not in text)}
    assert "client secret is expired" in caplog.text
    assert len(secrets) > 1
    assert [secret for secret in secrets if secret in caplog.text or secret[:12] in caplog.text] == []


async def test_a_form_that_the_provider_repeats_as_it_came_is_not_logged(caplog):
    """A secret with "/" or "+" looks different there."""
    secret = "pa/ss+wo=rd&12/34+56=78&zz"
    site = RefusingSite("cookies", client_secret=secret, client_auth="client_secret_post")
    site.network.refuses = "authorization_code"
    site.network.says = f"could not read grant_type=x&client_secret={quote_plus(secret)}&client_id=web"

    await log_in(site)

    assert "could not read grant_type=x&client_secret=[...]&client_id=web" in caplog.text


async def test_a_refused_refresh_tells_the_app_why(site):
    """ "Session not active" is what Keycloak says when its own session has ended."""
    site.network.says = "Session not active"
    await site.signed_in()
    site.clock.advance(LIFETIME + 1)
    site.network.refuses = "refresh_token"

    with pytest.raises(OIDCError) as caught:
        await site.app.scope["oidc"].access_token()

    assert "Session not active" in caught.value.detail


async def test_an_outage_tells_its_reason(site, caplog):
    """The status alone does not say until when."""
    site.network.refuses, site.network.status, site.network.says = "authorization_code", 503, "maintenance until noon"

    await log_in(site)

    assert "invalid_client: maintenance until noon" in caplog.text


async def test_words_that_a_browser_brings_are_logged_as_such(site, caplog):
    """Anybody can write them into a URL; they are bounded, and never shown."""
    texts = []
    for headers in (None, PROGRAM):
        browser, url = await site.at_callback()
        state = httpx.URL(url).params["state"]
        params = {"error": "access_denied", "error_description": HOSTILE + "x" * 3000, "state": state}
        back = await browser.get(str(httpx.URL(f"{ORIGIN}/auth/callback", params=params)), headers=headers)
        texts.append(back.text)

    lines = [record.getMessage() for record in caplog.records if "access_denied" in record.getMessage()]
    assert [text for text in texts if any(word in text for word in SHOWN)] == []
    assert len([line for line in lines if "sent by the browser" in line and "client secret is expired" in line]) == 2
    assert all(line.isprintable() and len(line) < 1000 for line in lines)


async def test_a_description_that_stands_twice_or_is_endless_stops_nothing(site):
    """It is for the log alone."""
    browser, url = await site.at_callback()

    page = await browser.get(f"{url}&error_description=a&error_description={'b' * 9000}")

    assert page.status_code == 200


async def test_what_an_error_repeats_of_a_login_is_not_logged(site, caplog):
    """The state and the nonce bind a login to its browser."""
    browser = site.browser()
    asked = await browser.get("/page", follow=False)
    sent = httpx.URL(asked.location).params
    says = f"wrong {sent['state']} for {sent['nonce']}"
    params = {"error": "invalid_request", "error_description": says, "state": sent["state"]}

    await browser.get(str(httpx.URL(f"{ORIGIN}/auth/callback", params=params)))

    assert "invalid_request: wrong [...] for [...] (sent by the browser" in caplog.text
