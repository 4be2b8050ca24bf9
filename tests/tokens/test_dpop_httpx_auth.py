"""Calls to APIs with a token that is bound to a key: each has a proof of its own, and the proof goes nowhere else."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import httpx2
import pytest

from asgi_oidc.errors import ProofRejected
from asgi_oidc.protocol.dpop.check_proof import ExpectedProof, check_dpop_proof
from asgi_oidc.protocol.dpop.make_proof import make_dpop_key
from asgi_oidc.testing.jws import read_jwt
from asgi_oidc.tokens.api_token import ApiCalls, ApiToken
from asgi_oidc.tokens.httpx_auth import ApiAuth, make_api_auth

NOW = 1_800_000_000
API, OTHER = "https://api.example.com", "https://other.example.com"
KEY = make_dpop_key()


class Tokens:
    """Gives tokens that are bound to the key, the next one where one was refused."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.refused: list[str] = []

    async def __call__(self, refused: ApiToken | None = None) -> ApiToken:
        if refused is not None:
            self.refused.append(refused.value)
        return ApiToken(self._tokens[min(len(self.refused), len(self._tokens) - 1)], KEY.text)


class DPoPApi(httpx.AsyncBaseTransport):
    """The way to an API that checks proofs, and keeps what it got.

    Attributes:
        script: what it answers first, whatever it gets.
        nonces: those that it accepts one after another; the empty text demands none.
    """

    def __init__(self, *good: str, nonces: tuple[str, ...] = ("",), tells_in_errors_only: bool = False) -> None:
        self.good = good
        self.nonces = list(nonces)
        self.tells_in_errors_only = tells_in_errors_only
        self.script: list[httpx.Response] = []
        self.requests: list[httpx.Request] = []
        self.jtis: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for _ in request.stream:  # as on a real connection: the body is kept by nobody
            pass
        return self.answer(request)

    def answer(self, request: httpx.Request) -> httpx.Response:
        sent = httpx.Request(request.method, request.url, headers=request.headers.raw)  # as on the wire
        self.requests.append(sent)
        return self.script.pop(0) if self.script else self._answer(sent)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
        expected = ExpectedProof(request.method, origin, request.url.raw_path.decode().partition("?")[0], token, JKT)
        try:
            proof = check_dpop_proof(request.headers.get("dpop", ""), expected, now=NOW, leeway=0)
        except ProofRejected:
            return challenge("invalid_dpop_proof")
        if scheme != "DPoP" or proof.jti in self.jtis:
            return challenge("invalid_dpop_proof")
        self.jtis.add(proof.jti)
        nonce = self.nonces[0]
        if nonce and proof.nonce != nonce:
            return challenge("use_dpop_nonce", nonce)
        if len(self.nonces) > 1:
            self.nonces.pop(0)
        told = "" if self.tells_in_errors_only else self.nonces[0]
        if token not in self.good:
            return challenge("invalid_token", told)
        return httpx.Response(200, headers={"dpop-nonce": told} if told else {})


JKT = KEY.thumbprint


def challenge(error: str, nonce: str = "") -> httpx.Response:
    headers = {"www-authenticate": f'Bearer realm="x", DPoP error="{error}", algs="ES256"'}
    return httpx.Response(401, headers=headers | ({"dpop-nonce": nonce} if nonce else {}))


def calls() -> ApiCalls:
    return ApiCalls(now=lambda: NOW)


def client(api: DPoPApi, tokens: Tokens, shared: ApiCalls | None = None, *origins: str) -> httpx.AsyncClient:
    auth = ApiAuth(origins or (API,), tokens, shared or calls())
    return httpx.AsyncClient(transport=api, auth=auth, follow_redirects=True)


def proofs(api: DPoPApi) -> list[dict[str, Any]]:
    read = [read_jwt(request.headers["dpop"]) for request in api.requests]
    return [dict(jwt.claims) for jwt in read if jwt is not None]


@pytest.mark.parametrize("url", [f"{API}/things?page=2", f"{API}/things#top", f"{API}/th%C3%ADngs", API])
async def test_each_request_has_a_proof_of_its_own(url):
    """For its method, its URL and its token (RFC 9449 §7.1)."""
    api = DPoPApi("one")

    async with client(api, Tokens("one")) as http:
        responses = [await http.get(url), await http.post(url, json={"a": 1})]

    assert [response.status_code for response in responses] == [200, 200]
    assert [proof["htm"] for proof in proofs(api)] == ["GET", "POST"]
    assert len({proof["jti"] for proof in proofs(api)}) == 2


async def test_a_password_in_the_url_is_not_in_the_proof():
    """httpx keeps it in the URL, and the server never sees it there."""
    api = DPoPApi("one")

    async with client(api, Tokens("one")) as http:
        response = await http.get("https://user:s3cret@api.example.com/things")

    assert response.status_code == 200
    assert proofs(api)[0]["htu"] == f"{API}/things"


@pytest.mark.parametrize("in_errors_only", [False, True])
async def test_a_nonce_that_the_api_demands_is_repeated_and_learned(in_errors_only):
    """The second request knows it already (§9)."""
    api = DPoPApi("one", nonces=("a-nonce",), tells_in_errors_only=in_errors_only)
    shared = calls()

    async with client(api, Tokens("one"), shared) as http:
        first = await http.post(API, json={"a": 1})
    async with client(api, Tokens("one"), shared) as http:  # of another user, or of another request
        second = await http.get(API)

    assert (first.status_code, second.status_code) == (200, 200)
    assert [proof.get("nonce") for proof in proofs(api)] == [None, "a-nonce", "a-nonce"]


async def test_a_nonce_that_is_new_in_each_response_is_used_at_once():
    """No request is then sent twice but the first."""
    api = DPoPApi("one", nonces=("n1", "n2", "n3", "n4"))

    async with client(api, Tokens("one")) as http:
        for _ in range(3):
            assert (await http.get(API)).status_code == 200

    assert [proof.get("nonce") for proof in proofs(api)] == [None, "n1", "n2", "n3"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"dpop-nonce": ""}, {"dpop-nonce": "one, two"}, {"dpop-nonce": "n" * 2000}, {"dpop-nonce": 'a"b'}],
    ids=["missing", "empty", "two", "too long", "malformed"],
)
async def test_a_demand_without_a_usable_nonce_ends_it(headers):
    """The app gets the 401, and the token is not refreshed for it: it is fine."""
    api, tokens = DPoPApi("one"), Tokens("one", "two")
    api.script = [httpx.Response(401, headers={"www-authenticate": 'DPoP error="use_dpop_nonce"', **headers})]

    async with client(api, tokens) as http:
        response = await http.get(API)

    assert (response.status_code, len(api.requests), tokens.refused) == (401, 1, [])


async def test_an_api_that_accepts_no_nonce_is_called_twice():
    """A nonce is tried once, and so an endless demand costs one more call."""
    api, tokens = DPoPApi("one"), Tokens("one", "two")
    api.script = [challenge("use_dpop_nonce", f"n{number}") for number in range(5)]

    async with client(api, tokens) as http:
        response = await http.get(API)

    assert (response.status_code, len(api.requests), tokens.refused) == (401, 2, [])


async def test_a_refused_token_is_refreshed_once():
    """With the nonce of the response that refused it; three sends are the most."""
    api, tokens = DPoPApi("two", nonces=("n1", "n2")), Tokens("one", "two", "three")

    async with client(api, tokens) as http:
        response = await http.post(API, json={"a": 1})

    assert (response.status_code, tokens.refused) == (200, ["one"])
    assert [proof.get("nonce") for proof in proofs(api)] == [None, "n1", "n2"]


async def test_nothing_is_sent_more_than_three_times():
    """Whatever the API answers."""
    api, tokens = DPoPApi(nonces=("n1",)), Tokens("one", "two", "three")

    async with client(api, tokens) as http:
        response = await http.get(API)

    assert (response.status_code, len(api.requests), tokens.refused) == (401, 3, ["one"])


async def test_a_refused_proof_refreshes_nothing():
    """The token is fine; a wrong clock would otherwise cost a refresh for each request."""
    api, tokens = DPoPApi("one"), Tokens("one", "two")
    api.script = [challenge("invalid_dpop_proof")]

    async with client(api, tokens) as http:
        response = await http.get(API)

    assert (response.status_code, len(api.requests), tokens.refused) == (401, 1, [])


async def test_a_body_that_can_be_read_once_is_sent_once():
    """A second request would have half of it, or nothing."""
    api = DPoPApi("one", nonces=("a-nonce",))

    async def body() -> AsyncIterator[bytes]:
        yield b"once"

    async with client(api, Tokens("one")) as http:
        response = await http.post(API, content=body())

    assert (response.status_code, len(api.requests)) == (401, 1)


@pytest.mark.parametrize("target", [OTHER, "https://api.example.com:8443", "http://localhost"])
@pytest.mark.parametrize("status", [302, 303, 307, 308])
async def test_a_proof_never_goes_to_another_origin(target, status):
    """httpx removes `Authorization` there, and copies all other headers."""
    api, shared = DPoPApi("one"), calls()
    redirect = httpx.Response(status, headers={"location": f"{target}/elsewhere"})
    api.script = [redirect, challenge("use_dpop_nonce", "of-the-other-origin")]

    async with client(api, Tokens("one", "two"), shared) as http:
        response = await http.get(f"{API}/things")

    assert response.status_code == 401
    assert ["dpop" in request.headers for request in api.requests] == [True, False]
    assert "authorization" not in api.requests[1].headers
    assert shared.nonce(target) is None


async def test_a_redirect_that_is_not_followed_carries_no_proof():
    """The app may send `next_request` itself."""
    api = DPoPApi("one")
    api.script = [httpx.Response(302, headers={"location": f"{OTHER}/elsewhere"})]

    async with client(api, Tokens("one")) as http:
        response = await http.get(f"{API}/things", follow_redirects=False)

    assert response.next_request is not None
    assert (b"DPoP" in dict(response.next_request.headers.raw), "dpop" in response.request.headers) == (False, True)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_after_a_redirect_within_the_api_a_new_proof_is_made(method):
    """A proof is for one URL, so the request that followed the redirect had none."""
    api = DPoPApi("one", nonces=("a-nonce",))
    api.script = [httpx.Response(307, headers={"location": "/things/", "dpop-nonce": "a-nonce"})]

    async with client(api, Tokens("one")) as http:
        response = await http.request(method, f"{API}/things", content=b"x" if method == "POST" else None)

    assert response.status_code == 200
    assert api.requests[-1].url == f"{API}/things/"
    assert len(api.requests) <= 4  # the redirect, the request without a proof, one without a nonce, and the last


async def test_a_proof_of_the_app_itself_is_replaced():
    """Two headers would be refused (§4.3)."""
    api = DPoPApi("one")

    async with client(api, Tokens("one")) as http:
        response = await http.get(API, headers={"DPoP": "of the app"})

    assert (response.status_code, len(api.requests[0].headers.get_list("dpop"))) == (200, 1)


async def test_it_works_with_httpx2():
    """Its headers are of a class of their own."""
    api = DPoPApi("one", nonces=("a-nonce",))
    auth: Any = make_api_auth((API,), Tokens("one"), calls())

    def answer(request: Any) -> Any:
        got = api.answer(httpx.Request(request.method, str(request.url), headers=request.headers.raw))
        return httpx2.Response(got.status_code, headers=got.headers.raw)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer), auth=auth) as http:
        response = await http.post(f"{API}/things", json={"a": 1})

    assert (response.status_code, len(api.requests)) == (200, 2)


def test_nothing_shows_the_key():
    """Error reporters print the values of variables."""
    token = ApiToken("s3cret-token", KEY.text)
    auth = ApiAuth((API,), Tokens("one"), calls())

    assert [text for text in (repr(token), str(token), repr(auth)) if "s3cret" in text or KEY.text in text] == []
