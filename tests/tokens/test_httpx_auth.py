"""The user's token is sent to its origins only, and at most twice."""

from collections.abc import AsyncIterator

import httpx
import httpx2
import pytest

from asgi_oidc.tokens.api_token import ApiCalls, ApiToken
from asgi_oidc.tokens.httpx_auth import ApiAuth, make_api_auth

API = "https://api.example.com"
CALLS = ApiCalls(now=lambda: 1_800_000_000)


class Tokens:
    """Gives a token, and another one where that was refused."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.refused: list[str | None] = []

    async def __call__(self, refused: ApiToken | None = None) -> ApiToken:
        self.refused.append(None if refused is None else refused.value)
        return ApiToken(self._tokens[min(len(self.refused), len(self._tokens)) - 1])


class Api(httpx.AsyncBaseTransport):
    """An API that writes down the tokens that it got, by origin, and takes some of them."""

    def __init__(self, *good: str) -> None:
        self.good = good
        self.got: list[tuple[str, str | None]] = []
        self.bodies: list[bytes] = []
        self.redirect: str | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.got.append((str(request.url.copy_with(path="/")), request.headers.get("authorization")))
        # As on a real connection: the body is read from its stream, and kept by nobody.
        assert isinstance(request.stream, httpx.AsyncByteStream)
        self.bodies.append(b"".join([part async for part in request.stream]))
        if self.redirect is not None:
            location, self.redirect = self.redirect, None
            return httpx.Response(307, headers={"location": location})
        token = (request.headers.get("authorization") or "").removeprefix("Bearer ")
        return httpx.Response(200 if token in self.good else 401)


def client(api: Api, tokens: Tokens, *origins: str) -> httpx.AsyncClient:
    auth = ApiAuth(origins or (API,), tokens, CALLS)
    return httpx.AsyncClient(transport=api, auth=auth, follow_redirects=True)


async def test_the_token_goes_along():
    """RFC 6750 §2.1."""
    api, tokens = Api("one"), Tokens("one")

    async with client(api, tokens) as calls:
        response = await calls.get(f"{API}/things")

    assert (response.status_code, api.got, tokens.refused) == (200, [(f"{API}/", "Bearer one")], [None])


async def test_after_a_401_a_newer_token_goes_once():
    """An API may refuse a token that looks fine; it is told which one."""
    api, tokens = Api("two"), Tokens("one", "two")

    async with client(api, tokens) as calls:
        response = await calls.post(f"{API}/things", json={"a": 1})

    assert (response.status_code, tokens.refused) == (200, [None, "one"])
    assert [token for _, token in api.got] == ["Bearer one", "Bearer two"]
    assert api.bodies == [b'{"a":1}'] * 2


async def test_an_api_that_refuses_every_token_is_called_twice():
    """And no more: the 401 is the app's."""
    api = Api()

    async with client(api, Tokens("one", "two", "three")) as calls:
        assert (await calls.get(API)).status_code == 401

    assert len(api.got) == 2


async def test_the_same_token_is_not_sent_again():
    """There is no newer one."""
    api = Api()

    async with client(api, Tokens("one", "one")) as calls:
        assert (await calls.get(API)).status_code == 401

    assert len(api.got) == 1


async def test_a_body_that_can_be_read_once_is_sent_once():
    """A second call would send half of it, or nothing."""
    api, tokens = Api("two"), Tokens("one", "two")

    async def body() -> AsyncIterator[bytes]:
        yield b"once"

    async with client(api, tokens) as calls:
        response = await calls.post(API, content=body())

    assert (response.status_code, api.bodies, tokens.refused) == (401, [b"once"], [None])


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example.com/",
        "https://api.example.com.evil.example/",
        "https://api.example.com@evil.example/",
        "https://sub.api.example.com/",
        "https://api.example.com./",
        "https://api.example.com:8443/",
        "http://api.example.com/",
        "http://localhost/",
        "https://[::1]/",
    ],
)
async def test_the_token_goes_nowhere_else(url):
    """Nor is one got for it, nor anything asked after a 401."""
    api, tokens = Api("one"), Tokens("one")

    async with client(api, tokens) as calls:
        assert (await calls.get(url)).status_code == 401

    assert ([token for _, token in api.got], tokens.refused) == ([None], [])


@pytest.mark.parametrize(
    ("origin", "url"),
    [
        (API, "https://API.example.com/x"),
        (API, "https://api.example.com:443/x"),
        (f"{API}/", f"{API}/x?y#z"),
        ("https://API.example.com:443", f"{API}/x"),
        ("https://api.example.com:8443", "https://api.example.com:8443/"),
        ("http://localhost:9000", "http://localhost:9000/"),
        ("http://[::1]:9000", "http://[::1]:9000/"),
    ],
)
async def test_an_origin_is_the_same_in_all_its_spellings(origin, url):
    """RFC 6454 §4: case and default port say nothing."""
    api = Api("one")

    async with client(api, Tokens("one"), "https://first.example.com", origin) as calls:
        assert (await calls.get(url)).status_code == 200


async def test_a_redirect_to_elsewhere_loses_the_token():
    """An open redirect in the API must not give it away."""
    api = Api("one")
    api.redirect = "https://evil.example/"

    async with client(api, Tokens("one")) as calls:
        assert (await calls.get(API)).status_code == 401

    assert [token for origin, token in api.got if "evil" in origin] == [None]


async def test_a_redirect_from_elsewhere_brings_no_token():
    """It is for calls that the app makes, not for those that others make it make."""
    api, tokens = Api("one"), Tokens("one")
    api.redirect = f"{API}/delete-everything"

    async with client(api, tokens) as calls:
        assert (await calls.get("https://evil.example/")).status_code == 401

    assert ([token for _, token in api.got], tokens.refused) == ([None, None], [])


@pytest.mark.parametrize(
    "origins",
    [
        (),
        "https://api.example.com",
        ("http://api.example.com",),
        ("https://api.example.com/path",),
        ("https://api.example.com?x",),
        ("https://api.example.com#x",),
        ("https://user@api.example.com",),
        ("api.example.com",),
        ("https://*.example.com",),
        ("",),
        (API, "ftp://x"),
    ],
)
def test_an_origin_that_a_token_must_not_go_to_is_refused(origins):
    """When it is made, and not with the first call."""
    with pytest.raises(ValueError, match=r"the origin must|an origin has|name the origins"):
        ApiAuth(origins, Tokens("one"), CALLS)


def test_a_client_that_does_not_wait_is_refused():
    """There is no way to renew a token in it."""
    api = httpx.MockTransport(lambda request: httpx.Response(200))

    calls = httpx.Client(transport=api, auth=ApiAuth((API,), Tokens("one"), CALLS))
    with calls, pytest.raises(RuntimeError, match="AsyncClient"):
        calls.get(API)


async def test_it_serves_httpx_and_its_successor():
    """Both ask for an instance of their own class."""
    api, tokens = Api("one"), Tokens("one")
    auth = make_api_auth((API,), tokens, CALLS)

    async with httpx.AsyncClient(transport=api) as calls:
        assert (await calls.get(API, auth=auth)).status_code == 200

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200 if request.headers.get("authorization") == "Bearer one" else 401)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as calls_2:
        assert isinstance(auth, httpx2.Auth)
        assert (await calls_2.get(API, auth=auth)).status_code == 200


def test_its_repr_names_where_the_token_goes():
    """And never the token."""
    assert repr(ApiAuth(("https://b.example.com", "https://A.example.com/"), Tokens("s3cret"), CALLS)) == (
        "ApiAuth(https://a.example.com, https://b.example.com)"
    )
