"""An app that calls other APIs as the user: the token goes where it was made for, and nowhere else."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import httpx2
import pytest

from asgi_oidc import NotSignedIn, RefreshFailed, TokenNotGranted
from tests.token_site import LIFETIME, STORES, TokenSite

API = "https://api.example.com"


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest) -> TokenSite:
    """Once with sealed cookies, once with a store."""
    return TokenSite(request.param)


class Api:
    """Another API: it takes the tokens that the provider calls live, but those that it was told not to."""

    def __init__(self, site: TokenSite) -> None:
        self.site = site
        self.refused: set[str] = set()
        self.takes_none = False
        self.calls: list[tuple[str, str | None, bytes]] = []
        """Origin, token and body of each."""

    def answer(self, request: Any, body: bytes) -> tuple[int, dict[str, str]]:
        """Answer a call, depending on its token."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or None
        self.calls.append((f"{request.url.scheme}://{request.url.netloc.decode()}", token, body))
        if request.url.path == "/elsewhere":
            return 302, {"location": "https://evil.example.net/"}
        bad = self.takes_none or token in self.refused or not self.site.provider.token_info(token or "").active
        return (401 if bad else 200), {}

    def client(self, auth: Any) -> httpx.AsyncClient:
        """Open a client that reaches it."""

        return httpx.AsyncClient(transport=Network(self), auth=auth)

    @property
    def tokens(self) -> list[str | None]:
        """What was sent, oldest first."""
        return [token for _, token, _ in self.calls]


class Network(httpx.AsyncBaseTransport):
    """Sends a body the way a real one does: piece by piece."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        stream = request.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        status, headers = self._api.answer(request, b"".join([piece async for piece in stream]))
        return httpx.Response(status, headers=headers)


async def oidc_of(site: TokenSite, sub: str = "alice") -> Any:
    """Sign in, and give the `scope["oidc"]` of a page."""
    await site.signed_in(sub)
    return site.app.scope["oidc"]


async def test_the_current_token_is_sent(site):
    """Refreshed when it is due, like any other."""
    oidc, api = await oidc_of(site), Api(site)
    site.clock.advance(LIFETIME + 1)

    async with api.client(oidc.httpx_auth(API)) as client:
        answer = await client.get(API + "/orders")

    assert (answer.status_code, site.refreshes, api.tokens) == (200, 1, [await oidc.access_token()])


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example.com/",
        "https://api.example.com:8443/",
        "http://api.example.com/",
        "https://api.example.com.evil.net/",
        "https://api.example.com@evil.net/",
        "https://xapi.example.com/",
    ],
)
async def test_the_token_goes_to_no_other_origin(site, url):
    """A URL may come from anywhere."""
    oidc, api = await oidc_of(site), Api(site)

    async with api.client(oidc.httpx_auth(API)) as client:
        await client.get(url)

    assert api.tokens == [None]


async def test_the_token_does_not_follow_a_redirect_to_another_origin(site):
    """The API may be fooled into sending us on."""
    oidc, api = await oidc_of(site), Api(site)

    async with api.client(oidc.httpx_auth(API)) as client:
        await client.get(API + "/elsewhere", follow_redirects=True)

    assert [(origin, token is None) for origin, token, _ in api.calls] == [
        (API, False),
        ("https://evil.example.net", True),
    ]


async def test_a_401_refreshes_the_token_once_and_repeats_the_call(site):
    """The API may know earlier than we that a token is over."""
    oidc, api = await oidc_of(site), Api(site)
    old = await oidc.access_token()
    api.refused.add(old)

    async with api.client(oidc.httpx_auth(API)) as client:
        answer = await client.post(API + "/orders", json={"a": 1})

    assert (answer.status_code, site.refreshes, len(api.calls)) == (200, 1, 2)
    assert [body for _, _, body in api.calls] == [b'{"a":1}'] * 2


async def test_an_api_that_takes_no_token_makes_one_refresh_a_minute(site):
    """Else it would use us as a hammer."""
    oidc, api = await oidc_of(site), Api(site)
    api.takes_none = True

    async with api.client(oidc.httpx_auth(API)) as client:
        for _ in range(5):
            await client.get(API)
        in_a_minute = site.refreshes
        site.clock.advance(60)
        await client.get(API)

    assert (in_a_minute, site.refreshes) == (1, 2)


async def test_a_stream_is_not_sent_twice(site):
    """It is gone when it was sent."""
    oidc, api = await oidc_of(site), Api(site)
    api.takes_none = True

    async def body() -> AsyncIterator[bytes]:
        yield b"once"

    async with api.client(oidc.httpx_auth(API)) as client:
        answer = await client.post(API, content=body())

    assert (answer.status_code, len(api.calls), site.refreshes) == (401, 1, 0)


async def test_the_successor_of_httpx_takes_it_too(site):
    """httpx2 has classes of its own."""
    oidc, api = await oidc_of(site), Api(site)

    async def handle(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(api.answer(request, await request.aread())[0])

    auth = oidc.httpx_auth(API)
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(handle), auth=auth) as client:
        answer = await client.get(API)

    assert answer.status_code == 200


async def test_a_synchronous_client_cannot_use_it(site):
    """There is no way to wait for a new token in it."""
    oidc = await oidc_of(site)

    with httpx.Client(auth=oidc.httpx_auth(API)) as client, pytest.raises(RuntimeError, match="AsyncClient"):
        client.get(API)  # noqa: ASYNC212  # that is the mistake


@pytest.mark.parametrize("origins", [(), ("http://api.example.com",), ("https://api.example.com/path",), ("api",)])
async def test_an_origin_that_a_token_must_not_go_to_is_refused(site, origins):
    """At once, and not with the first call."""
    oidc = await oidc_of(site)

    with pytest.raises(ValueError, match=r"origin|https|URL"):
        oidc.httpx_auth(*origins)


async def test_an_anonymous_user_has_no_token_to_send(site):
    """On a public page."""
    site.app.at_work = lambda scope: anyio.lowlevel.checkpoint()
    await site.browser().get("/")

    with pytest.raises(NotSignedIn):
        site.app.scope["oidc"].httpx_auth(API)


async def test_a_resource_has_a_token_of_its_own(site):
    """RFC 8707: kept until it is due, and the session's own token stays as it is."""
    oidc = await oidc_of(site)
    own = await oidc.access_token()

    tokens = [await oidc.access_token(resource="https://orders.example.com") for _ in range(3)]

    assert len({*tokens, own}) == 2
    assert site.provider.token_info(tokens[0]).audience == ("https://orders.example.com",)
    assert (site.refreshes, await oidc.access_token()) == (1, own)


async def test_a_token_is_exchanged_for_one_of_another_api(site):
    """RFC 8693: kept until it is due."""
    oidc = await oidc_of(site)

    tokens = [await oidc.exchange_token(audience="orders") for _ in range(3)]

    assert len(set(tokens)) == 1
    assert site.provider.token_info(tokens[0]).audience == ("orders",)


async def test_an_auth_may_use_the_token_of_another_api(site):
    """Each API with a token that is good there, and after a 401 with another one."""
    oidc, api = await oidc_of(site), Api(site)
    first = await oidc.exchange_token(audience="orders")
    api.refused.add(first)

    async with api.client(oidc.httpx_auth(API, audience="orders")) as client:
        answer = await client.get(API)

    assert (answer.status_code, api.tokens[0], len(set(api.tokens))) == (200, first, 2)


async def test_what_the_provider_does_not_give_is_not_asked_for_again_at_once(site):
    """A page that is reloaded must not make us a hammer."""
    oidc = await oidc_of(site)
    site.provider.targets = ["https://one.example.com"]
    calls = site.provider.count("/token")

    for _ in range(3):
        with pytest.raises(TokenNotGranted):
            await oidc.access_token(resource="https://two.example.com")
        with pytest.raises(TokenNotGranted):
            await oidc.exchange_token(audience="two")

    assert site.provider.count("/token") == calls + 2
    assert site.provider.token_info(await oidc.access_token()).active


async def test_a_resource_needs_a_refresh_token():
    """It says what to ask for."""
    site = TokenSite(scope="openid")
    oidc = await oidc_of(site)

    with pytest.raises(TokenNotGranted, match="needs a refresh token"):
        await oidc.access_token(resource="https://orders.example.com")


async def test_a_provider_that_is_down_gives_no_other_token(site):
    """The session goes on."""
    oidc = await oidc_of(site)

    with site.provider.fault("token_500"), pytest.raises(RefreshFailed):
        await oidc.exchange_token(audience="orders")


async def test_concurrent_answers_are_not_mixed_up(site):
    """Two users want the same at once, and the provider answers the second first."""
    alice, bob = await oidc_of(site), await oidc_of(site, "bob")
    got: dict[str, str] = {}

    async def get(name: str, oidc: Any) -> None:
        got[name] = await oidc.exchange_token(audience="orders")

    with site.provider.hold("token_exchange") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(get, "alice", alice)
            await gate.until_held(1)
            tasks.start_soon(get, "bob", bob)
            await gate.until_held(2)
            gate.held[1].let_go()
            await anyio.lowlevel.checkpoint()
            gate.open()

    assert {name: site.provider.token_info(token).sub for name, token in got.items()} == {
        "alice": "alice",
        "bob": "bob",
    }


@pytest.mark.parametrize("resource", ["", "orders", "https://api.example.com/#part", "https://a b", 5, "\ud800:x"])
async def test_a_resource_that_no_provider_takes_costs_no_refresh_token(site, resource):
    """RFC 8707 §2: an absolute URI without a fragment."""
    oidc = await oidc_of(site)

    with pytest.raises(ValueError, match="absolute URI"):
        await oidc.access_token(resource=resource)
    with pytest.raises(ValueError, match=r"absolute URI|text"):
        await oidc.exchange_token(resource=resource, audience="orders")

    assert site.refreshes == 0


async def test_an_audience_is_text(site):
    """It goes into a form, and names what is kept."""
    oidc = await oidc_of(site)

    with pytest.raises(ValueError, match="audience must be one line of text"):
        await oidc.exchange_token(audience=["orders"])
