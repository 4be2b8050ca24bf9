"""The kit's client calls an app's API as a program: with a token, and with proofs of its key (RFC 9449)."""

import base64
import hashlib
import json
from typing import Any

import httpx
import pytest
from joserfc import jwk, jwt
from joserfc.errors import JoseError

from asgi_oidc.testing import ClientCertificate, DPoPKey, TokenAuth, api_client
from tests.testing.relying_party import NOW

URL = "https://api.example.com/orders"


def read_proof(proof: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check a proof against the key that it brings, as RFC 9449 §4.3 has it."""
    start = proof.partition(".")[0]
    header = json.loads(base64.urlsafe_b64decode(start + "=" * (-len(start) % 4)))
    return header, jwt.decode(proof, jwk.import_key(header["jwk"]), algorithms=[header["alg"]]).claims


class API:
    """Tells what it has got, and asks for the nonce that it has, if any."""

    def __init__(self, nonce: str | None = None) -> None:
        self.nonce = nonce
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        proof = read_proof(headers["dpop"])[1] if "dpop" in headers else {}
        is_refused = proof.get("nonce") != self.nonce
        answer = [(b"dpop-nonce", self.nonce.encode())] if self.nonce else []
        challenge = [(b"www-authenticate", b'DPoP error="use_dpop_nonce"')] if is_refused else []
        await send({"type": "http.response.start", "status": 401 if is_refused else 200, "headers": answer + challenge})
        await send({"type": "http.response.body", "body": json.dumps({"headers": headers, "proof": proof}).encode()})


def test_a_proof_says_what_the_request_is():
    """As RFC 9449 §4.2 has it."""
    key = DPoPKey(clock=lambda: NOW)

    header, claims = read_proof(key.proof("POST", f"{URL}?page=2#top", access_token="a-token", nonce="a-nonce"))
    digest = hashlib.sha256(b"a-token").digest()
    assert header == {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.public_jwk}
    assert set(header["jwk"]) == {"kty", "crv", "x", "y"}
    assert len(claims.pop("jti")) > 20
    assert claims == {
        "htm": "POST",
        "htu": URL,
        "iat": NOW,
        "nonce": "a-nonce",
        "ath": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
    }


@pytest.mark.parametrize("alg", ["ES256", "ES384", "RS256", "PS256", "EdDSA"])
def test_the_thumbprint_is_that_of_the_public_key(alg):
    """Joserfc computes the same (RFC 7638)."""
    key = DPoPKey(alg)

    assert (jwk.import_key(key.public_jwk).thumbprint(), key.alg) == (key.thumbprint, alg)


def test_a_proof_can_be_wrong_in_one_thing():
    """A test of an API needs proofs of every shape."""
    key, other = DPoPKey(), DPoPKey()

    header, claims = read_proof(key.proof("GET", URL, header={"typ": "JWT"}, claims={"iat": ..., "htm": "PUT"}))
    assert (header["typ"], claims["htm"], "iat" in claims) == ("JWT", "PUT", False)
    with pytest.raises(JoseError, match="bad_signature"):
        read_proof(key.proof("GET", URL, signed_by=other))


async def test_a_token_is_sent_as_bearer():
    """Nothing else tells who calls: there are no cookies."""
    async with api_client(API(), token="a-token", headers={"x-request-id": "7"}) as api:
        headers = (await api.get("/orders")).json()["headers"]

    assert (headers["authorization"], headers["accept"], headers["x-request-id"]) == (
        "Bearer a-token",
        "application/json",
        "7",
    )
    assert {"cookie", "dpop"}.isdisjoint(headers)
    assert headers["host"] == "app.example.com"


async def test_without_a_token_nobody_calls():
    """An API has to refuse that, too."""
    async with api_client(API()) as api:
        assert "authorization" not in (await api.get("/orders")).json()["headers"]


async def test_each_request_has_a_proof_of_its_own():
    """A proof counts once."""
    key = DPoPKey()
    async with api_client(API(), token="a-token", dpop_key=key, base_url="https://api.example.com") as api:
        answers = [(await api.get("/orders", params={"page": 1})).json() for _ in range(2)]

    assert answers[0]["headers"]["authorization"] == "DPoP a-token"
    assert [(it["proof"]["htm"], it["proof"]["htu"]) for it in answers] == [("GET", URL), ("GET", URL)]
    assert answers[0]["proof"]["jti"] != answers[1]["proof"]["jti"]


async def test_a_nonce_is_learnt_once():
    """The first request is sent twice, the next with the nonce at once (RFC 9449 §9)."""
    app = API(nonce="a-nonce")
    async with api_client(app, token="a-token", dpop_key=DPoPKey()) as api:
        answers = [await api.post("/orders", json={}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(app.scopes) == 3


async def test_a_refused_nonce_is_not_tried_for_ever():
    """A server that refuses its own nonce is refused by the client."""
    auth = TokenAuth("a-token", DPoPKey())
    auth.nonces["https://app.example.com"] = "a-nonce"
    requests: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        headers = {"dpop-nonce": "a-nonce", "www-authenticate": 'DPoP error="use_dpop_nonce"'}
        return httpx.Response(401, headers=headers)

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse), auth=auth) as client:
        answer = await client.get("https://app.example.com/orders")

    assert (answer.status_code, len(requests)) == (401, 1)


async def test_a_certificate_is_passed_on_as_by_a_server():
    """In the TLS extension of ASGI."""
    app, certificate = API(), ClientCertificate()
    async with api_client(app, token="a-token", client_certificate=certificate) as api:
        await api.get("/orders")

    assert app.scopes[0]["extensions"]["tls"]["client_cert_chain"] == [certificate.pem]


def test_reprs_hold_no_token():
    """What a failed assertion prints is read by many."""
    assert "a-token" not in repr(TokenAuth("a-token"))
