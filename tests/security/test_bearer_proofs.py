"""A token that is bound to a key or a certificate counts only with a proof for this very request."""

import logging
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest

from asgi_oidc.testing import ClientCertificate, DPoPKey, FakeProvider
from tests.scripted_store import ScriptedStore

from .api_calls import PLACES, PROTECTED, PUBLIC, WEBSOCKET, APISite, Headers, bearer, refusal_of, set_cookies, written
from .attacked_site import NOW, ORIGIN, Broken
from .test_bearer_secrets import report_of

KEY, OTHER = DPoPKey(clock=lambda: NOW), DPoPKey(clock=lambda: NOW)
RSA = DPoPKey("RS256", clock=lambda: NOW)
Proof = Callable[[str, str], list[bytes]]  # of a URL and a token


def url_of(place: str) -> str:
    """Return the URL that a proof has to name: of a websocket, that of its handshake."""
    return ORIGIN + place.rpartition(" ")[2]


def dpop(token: str, *proofs: bytes) -> Headers:
    """Return the headers of a request with these proofs."""
    return [(b"authorization", b"DPoP " + token.encode()), *((b"dpop", proof) for proof in proofs)]


def good(url: str, token: str, **changes: Any) -> bytes:
    return KEY.proof("GET", url, access_token=token, **changes).encode()


def claims(**changes: Any) -> Proof:
    return lambda url, token: [good(url, token, claims=changes)]


def header(**changes: Any) -> Proof:
    return lambda url, token: [good(url, token, header=changes)]


def private_jwk() -> dict[str, Any]:
    """Return the public key with what looks like its private part."""
    return {**KEY.public_jwk, "d": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}


PROOFS: dict[str, Proof] = {
    "none": lambda url, token: [],
    "two": lambda url, token: [good(url, token), good(url, token)],
    "two in one header": lambda url, token: [good(url, token) + b", " + good(url, token)],
    "empty": lambda url, token: [b""],
    "the token": lambda url, token: [token.encode()],
    "no JWT": lambda url, token: [b"proof"],
    "dots": lambda url, token: [b"." * 20_000],
    "not ASCII": lambda url, token: [good(url, token) + b"\xe9"],
    "huge": claims(padding="x" * 100_000),
    "no signature": lambda url, token: [good(url, token).rpartition(b".")[0] + b"."],
    "of another key": lambda url, token: [OTHER.proof("GET", url, access_token=token).encode()],
    "of another kind of key": lambda url, token: [RSA.proof("GET", url, access_token=token).encode()],
    "signed by another key": lambda url, token: [good(url, token, signed_by=OTHER)],
    "typ missing": header(typ=...),
    "typ of a JWT": header(typ="JWT"),
    "typ of an access token": header(typ="at+jwt"),
    "alg none": lambda url, token: [good(url, token, header={"alg": "none"}).rpartition(b".")[0] + b"."],
    "alg HS256": header(alg="HS256"),
    "alg unknown": header(alg="ES257"),
    "alg missing": header(alg=...),
    "jwk missing": header(jwk=...),
    "jwk a text": header(jwk="key"),
    "jwk private": lambda url, token: [good(url, token, header={"jwk": private_jwk()})],
    "jwk symmetric": header(jwk={"kty": "oct", "k": "AAAA"}),
    "jwk not on the curve": lambda url, token: [good(url, token, header={"jwk": {**KEY.public_jwk, "y": "AAAA"}})],
    "kid instead of jwk": header(jwk=..., kid="key"),
    "crit": header(crit=["exp"]),
    "b64": header(b64=False),
    "htm missing": claims(htm=...),
    "htm of another method": claims(htm="POST"),
    "htm in lower case": claims(htm="get"),
    "htm a list": claims(htm=["GET"]),
    "htu missing": claims(htu=...),
    "htu of another path": claims(htu=f"{ORIGIN}/other"),
    "htu of another host": claims(htu="https://other.example.com/page"),
    "htu of the provider": claims(htu="https://id.example.com/token"),
    "htu with a user": claims(htu="https://app.example.com@evil.example/page"),
    "htu of plain http": claims(htu="http://app.example.com/page"),
    "htu of another port": claims(htu="https://app.example.com:8443/page"),
    "htu a path": claims(htu="/page"),
    "htu a list": claims(htu=[f"{ORIGIN}/page"]),
    "iat missing": claims(iat=...),
    "iat a text": claims(iat=str(NOW)),
    "iat true": claims(iat=True),
    "iat huge": claims(iat=1e300),
    "iat long ago": claims(iat=NOW - 3600),
    "iat to come": claims(iat=NOW + 3600),
    "jti missing": claims(jti=...),
    "jti empty": claims(jti=""),
    "jti a number": claims(jti=7),
    "jti huge": claims(jti="j" * 5000),
    "ath missing": claims(ath=...),
    "ath of another token": lambda url, token: [KEY.proof("GET", url, access_token=token + "x").encode()],
    "ath null": claims(ath=None),
}


def site_with_key() -> tuple[APISite, str]:
    site = APISite(FakeProvider(clock=lambda: NOW, alg="ES256"))
    return site, site.token("bob", dpop_key=KEY)


@pytest.mark.parametrize("name", PROOFS)
async def test_a_wrong_proof_is_refused_everywhere(name: str) -> None:
    """Each has one thing wrong; the token is good, and so is the session beside it."""
    site, token = site_with_key()
    cookie = await site.session_cookie("alice")

    for place in PLACES:
        for session in ([], [cookie]):
            answer = await site.call(place, [*session, *dpop(token, *PROOFS[name](url_of(place), token))])
            refusal = refusal_of(answer)
            assert (refusal.status, refusal.challenges[0].split()[0]) == (401, "DPoP"), place
            assert 'error="invalid_' in refusal.challenges[0], place
            assert set_cookies(answer) == []
    assert site.app.visits == []


@pytest.mark.parametrize("place", PLACES)
async def test_a_right_proof_counts_once(place: str) -> None:
    """Whoever sees a request cannot make it again, and the user can make another one."""
    site, token = site_with_key()
    proof, another = good(url_of(place), token), good(url_of(place), token)

    answers = [await site.call(place, dpop(token, it)) for it in (proof, proof, another)]

    assert [it.sent[0].get("status", 101) >= 400 for it in answers] == [False, True, False]
    assert refusal_of(answers[1]).status == 401


async def test_a_proof_for_one_place_is_not_valid_for_another() -> None:
    """Not even if it was never used."""
    site, token = site_with_key()
    proof = good(url_of(PROTECTED), token)

    refused = await site.call(PUBLIC, dpop(token, proof))
    accepted = await site.call(PROTECTED, dpop(token, proof))

    assert (refused.status, accepted.status) == (401, 200)


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_bound_token_sent_as_bearer_is_refused_even_with_a_proof(is_known: bool) -> None:
    """The scheme tells what the client knows of its token (RFC 9449 §7.1)."""
    site, token = site_with_key()
    if is_known:
        assert (await site.call(PROTECTED, dpop(token, good(url_of(PROTECTED), token)))).status == 200

    for headers in ([bearer(token)], [bearer(token), (b"dpop", good(url_of(PROTECTED), token))]):
        assert refusal_of(await site.call(PROTECTED, headers)).status == 401


@pytest.mark.parametrize("opaque", [False, True])
async def test_an_unbound_token_sent_as_dpop_is_refused(opaque: bool) -> None:
    """A key that the token does not name proves nothing."""
    site = APISite()
    token = site.token("bob", opaque=opaque)

    refusal = refusal_of(await site.call(PROTECTED, dpop(token, good(url_of(PROTECTED), token))))

    assert (refusal.status, site.app.visits) == (401, [])


async def test_an_opaque_token_is_bound_as_well() -> None:
    """Introspection says to which key (RFC 9449 §6.2)."""
    site = APISite()
    token = site.token("bob", opaque=True, dpop_key=KEY)

    accepted = await site.call(PROTECTED, dpop(token, good(url_of(PROTECTED), token)))
    refused = [await site.call(PROTECTED, it) for it in ([bearer(token)], dpop(token))]

    assert (accepted.status, [it.status for it in refused]) == (200, [401, 401])


@pytest.mark.parametrize("required", ["dpop", "mtls"])
async def test_what_is_required_is_required(required: str) -> None:
    """An API that needs bound tokens takes no others."""
    site = APISite(bearer={required: "require"})
    certificate = ClientCertificate()
    tls = {"extensions": {"tls": {"client_cert_chain": [certificate.pem]}}}
    plain, keyed = site.token(), site.token(dpop_key=KEY)
    certified = site.token(client_certificate=certificate)

    statuses = [
        (await site.call(PROTECTED, [bearer(plain)])).status,
        (await site.call(PROTECTED, dpop(keyed, good(url_of(PROTECTED), keyed)))).status,
        (await site.call(PROTECTED, [bearer(certified)], **tls)).status,
    ]

    assert statuses == ([401, 200, 401] if required == "dpop" else [401, 401, 200])


async def test_a_nonce_is_asked_for_and_then_counts() -> None:
    """So that proofs cannot be made ahead (RFC 9449 §8)."""
    site, key = APISite(bearer={"dpop_nonce": True}), KEY
    token = site.token(dpop_key=key)

    refused = await site.call(PROTECTED, dpop(token, good(url_of(PROTECTED), token)))
    [nonce] = [value.decode() for value in refused.headers(b"dpop-nonce")]
    answers = [
        await site.call(PROTECTED, dpop(token, good(url_of(PROTECTED), token, nonce=it)))
        for it in (nonce, nonce + "x", "", "made-up")
    ]

    assert 'error="use_dpop_nonce"' in refusal_of(refused).challenges[0]
    assert [it.status for it in answers] == [200, 401, 401, 401]


CERTIFICATE, OTHER_CERTIFICATE = ClientCertificate(), ClientCertificate("other")
TLS: dict[str, Any] = {
    "no extension": {},
    "no certificate": {"tls": {"client_cert_chain": []}},
    "another certificate": {"tls": {"client_cert_chain": [OTHER_CERTIFICATE.pem]}},
    "the right one second": {"tls": {"client_cert_chain": [OTHER_CERTIFICATE.pem, CERTIFICATE.pem]}},
    "a certificate that failed": {"tls": {"client_cert_chain": [CERTIFICATE.pem], "client_cert_error": "expired"}},
    "no PEM": {"tls": {"client_cert_chain": ["certificate"]}},
    "bytes": {"tls": {"client_cert_chain": [b"certificate"]}},
    "a text": {"tls": {"client_cert_chain": CERTIFICATE.pem}},
    "null": {"tls": {"client_cert_chain": None}},
    "a list": {"tls": []},
}


@pytest.mark.parametrize("name", TLS)
@pytest.mark.parametrize("is_known", [False, True])
async def test_a_token_without_its_certificate_is_refused(name: str, is_known: bool) -> None:
    """Whoever stole the token has no key for the handshake."""
    site = APISite()
    token = site.token(client_certificate=CERTIFICATE)
    right = {"tls": {"client_cert_chain": [CERTIFICATE.pem], "client_cert_error": None}}
    if is_known:
        assert (await site.call(PROTECTED, [bearer(token)], extensions=right)).status == 200
        site.app.visits.clear()

    for place in (PROTECTED, PUBLIC):
        answer = await site.call(place, [bearer(token)], extensions=TLS[name])
        assert refusal_of(answer).status == 401
    assert site.app.visits == []


CERTIFICATE_HEADERS = [b"x-client-cert", b"X-Client-Cert", b"client-cert", b"x-forwarded-client-cert", b"x_client_cert"]


@pytest.mark.parametrize("name", CERTIFICATE_HEADERS)
@pytest.mark.parametrize("bearer_settings", [{}, {"client_certificate_header": "X-Client-Cert"}], ids=["none", "named"])
async def test_a_certificate_in_a_header_counts_from_a_proxy_alone(name: bytes, bearer_settings: Any) -> None:
    """Any client can write a header."""
    proxies = {"client_certificate_proxies": ["10.0.0.7"]} if bearer_settings else {}
    site = APISite(bearer={**bearer_settings, **proxies})
    token = site.token(client_certificate=CERTIFICATE)

    for client in (("192.0.2.1", 50000), None, ("", 0), ("10.0.0.77", 1), ("::ffff:192.0.2.1", 1)):
        headers = [bearer(token), (name, der(CERTIFICATE)), (b"x-forwarded-for", b"10.0.0.7")]
        assert refusal_of(await site.call(PROTECTED, headers, client=client)).status == 401
    assert site.app.visits == []


def der(certificate: ClientCertificate) -> bytes:
    """Return a certificate as some proxies send it: base64 without the lines of PEM."""
    return "".join(certificate.pem.splitlines()[1:-1]).encode()


PASSED_ON: dict[str, tuple[list[bytes], int]] = {
    "base64": ([der(CERTIFICATE)], 200),
    "RFC 9440": ([b":" + der(CERTIFICATE) + b":"], 200),
    "URL-encoded PEM": ([urllib.parse.quote(CERTIFICATE.pem).encode()], 200),
    "nothing": ([], 401),
    "empty": ([b""], 401),
    "another": ([der(OTHER_CERTIFICATE)], 401),
    "another one and the right one": ([der(OTHER_CERTIFICATE), der(CERTIFICATE)], 401),
    "the right one and another": ([der(CERTIFICATE), der(OTHER_CERTIFICATE)], 401),
    "twice": ([der(CERTIFICATE), der(CERTIFICATE)], 401),
    "in one header": ([der(CERTIFICATE) + b", " + der(OTHER_CERTIFICATE)], 401),
    "no base64": ([b"certificate"], 401),
    "half of it": ([der(CERTIFICATE)[:100]], 401),
    "more after it": ([der(CERTIFICATE) + der(OTHER_CERTIFICATE)], 401),
    "the thumbprint": ([CERTIFICATE.thumbprint.encode()], 401),
    "100 kB": ([b"A" * 100_000], 401),
    "not ASCII": ([der(CERTIFICATE) + b"\xe9"], 401),
    "two in PEM": ([urllib.parse.quote(OTHER_CERTIFICATE.pem + CERTIFICATE.pem).encode()], 401),
}


@pytest.mark.parametrize("name", PASSED_ON)
async def test_the_proxy_passes_one_certificate_on(name: str) -> None:
    """A header that can be read in two ways is none."""
    values, status = PASSED_ON[name]
    named = {"client_certificate_header": "X-Client-Cert", "client_certificate_proxies": ["10.0.0.0/24"]}
    site = APISite(bearer=named)
    headers = [bearer(site.token(client_certificate=CERTIFICATE)), *((b"x-client-cert", value) for value in values)]

    for _ in range(2):
        answer = await site.call(PROTECTED, headers, client=("10.0.0.7", 4711))
        assert answer.status == status
    assert len(site.app.visits) == (2 if status == 200 else 0)


async def test_the_certificate_of_a_proxy_is_not_that_of_its_client() -> None:
    """The connection of a client that comes without the proxy has its own."""
    named = {"client_certificate_header": "X-Client-Cert", "client_certificate_proxies": ["10.0.0.7"]}
    site = APISite(bearer=named)
    tls = {"tls": {"client_cert_chain": [CERTIFICATE.pem]}}
    token = bearer(site.token(client_certificate=CERTIFICATE))

    answers = [await site.call(PROTECTED, [token], extensions=tls, client=(it, 1)) for it in ("10.0.0.7", "192.0.2.1")]

    assert [answer.status for answer in answers] == [401, 200]


async def test_a_websocket_needs_its_certificate_as_well() -> None:
    """The handshake is a request like any other."""
    site = APISite()

    assert refusal_of(await site.call(WEBSOCKET, [bearer(site.token(client_certificate=CERTIFICATE))])).status == 401


@pytest.mark.parametrize("place", [PROTECTED, PUBLIC, WEBSOCKET])
async def test_a_store_that_cannot_tell_replays_lets_nobody_in(place: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is asked before the app runs; the client may try again, with another proof."""
    store = ScriptedStore()
    site = APISite(store=store)
    token = site.token(dpop_key=KEY)
    proof = good(url_of(place), token)
    store.broken = {"add"}
    with caplog.at_level(logging.DEBUG):
        refusal = refusal_of(await site.call(place, dpop(token, proof)))

    assert (refusal.status, site.app.visits) == (503, [])
    assert [text[:10] for text in (token, proof.decode(), KEY.thumbprint) if text in written(caplog.records)] == []
    store.broken = set()
    assert (await site.call(place, dpop(token, good(url_of(place), token)))).sent[0].get("status", 101) < 300


async def test_an_app_that_crashes_brings_no_proof_out() -> None:
    """Its exception passes through our frames, whose local variables error reporters send."""
    errors: list[BaseException] = []

    async def crash(scope: Any, receive: Any, send: Any) -> None:
        raise Broken("the app is broken")

    site = APISite(inner=crash)
    token = site.token(dpop_key=KEY)
    proof = good(url_of(PROTECTED), token)
    try:
        await site.call(PROTECTED, dpop(token, proof))
    except Broken as error:
        errors.append(error)

    assert [text for error in errors for text in (token, proof.decode()) if text in report_of(error)] == []
    assert len(errors) == 1
