"""The fake provider authenticates clients by signed assertions (RFC 7523, OpenID Connect Core §9, FAPI 2.0)."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import OctKey

from asgi_oidc.testing import AssertionIssuer, Client, ClientKey, FakeProvider
from asgi_oidc.testing.client_assertions import ASSERTION_TYPE
from asgi_oidc.testing.keys import base64url, json_bytes, signing_key
from tests.testing.relying_party import NOW
from tests.testing.strong_relying_party import KEY, STRONG, StrongRelyingParty, strong_provider

ENDPOINTS = {
    "token_endpoint": {"grant_type": "client_credentials"},
    "revocation_endpoint": {"token": "made-up"},
    "introspection_endpoint": {"token": "made-up"},
}
SECRET = "0123456789abcdef0123456789abcdef"
ISSUER = "https://id.example.com"


async def answer_to(provider: FakeProvider, form: dict[str, Any], **kwargs: Any) -> httpx.Response:
    async with provider.http_client() as client:
        form = {"grant_type": "client_credentials", **form}
        return await client.post(provider.metadata["token_endpoint"], data=form, **kwargs)


def signed(key: ClientKey = KEY, client_id: str = "strong", **claims: Any) -> dict[str, str]:
    assertion = key.assertion(client_id, ISSUER, claims=claims)
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


async def outcome(provider: FakeProvider, form: dict[str, Any], **kwargs: Any) -> tuple[int, str]:
    """Give status and error of a call, and check that the provider says why."""
    answer = await answer_to(provider, form, **kwargs)
    members = answer.json()
    if answer.status_code == 401:
        assert members["error_description"] == f"client authentication failed: {provider.client_refusals[-1]}"
    return answer.status_code, members.get("error", "")


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "PS256", "RS256", "EdDSA", "Ed25519"])
async def test_a_key_of_any_kind_authenticates(alg):
    """FAPI 2.0 names PS256, ES256 and EdDSA; others have more."""
    key = ClientKey(alg, clock=lambda: NOW)
    provider = FakeProvider(
        clock=lambda: NOW, clients=[Client("strong", None, jwks=lambda: {"keys": [7, key.public_jwk]})]
    )

    assert await outcome(provider, signed(key)) == (200, "")


async def test_a_login_works_without_a_secret():
    """The same form as ever, and the assertion in place of the secret."""
    provider = strong_provider()
    tokens = await StrongRelyingParty(provider).login()

    assert tokens["token_type"] == "Bearer"
    assert provider.token_info(tokens["access_token"]).client_id == "strong"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_each_endpoint_takes_assertions_and_says_so(endpoint):
    """A client authenticates in one way everywhere."""
    provider = strong_provider()
    rp = StrongRelyingParty(provider)
    form = ENDPOINTS[endpoint]

    assert (await rp.call(endpoint, form)).status_code == 200
    assert (await rp.call(endpoint, {**form, **rp.assertion(sub="web")})).json()["error"] == "invalid_client"
    assert "private_key_jwt" in provider.metadata[f"{endpoint}_auth_methods_supported"]
    assert {"PS256", "ES256"} <= set(provider.metadata[f"{endpoint}_auth_signing_alg_values_supported"])


CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({"iss": "web"}, "iss and sub"),
    ({"sub": ...}, "iss and sub"),
    ({"aud": [ISSUER]}, "aud must be the issuer"),
    ({"aud": f"{ISSUER}/token"}, "aud must be the issuer"),
    ({"aud": f"{ISSUER}/"}, "aud must be the issuer"),
    ({"exp": ...}, "exp must be"),
    ({"exp": NOW}, "exp must be"),
    ({"exp": NOW + 301}, "exp must be"),
    ({"exp": str(NOW + 60)}, "exp must be"),
    ({"exp": True}, "exp must be"),
    ({"iat": NOW + 11}, "in the future"),
    ({"nbf": NOW + 11}, "in the future"),
    ({"nbf": "soon"}, "in the future"),
    ({"jti": ...}, "jti is missing"),
    ({"jti": 7}, "jti is missing"),
]


@pytest.mark.parametrize(("claims", "reason"), CLAIMS)
async def test_an_assertion_with_wrong_claims_is_refused(claims, reason):
    """Each of them could be an assertion for somebody else, or one that was stolen."""
    provider = strong_provider()

    assert await outcome(provider, {**signed(**claims), "client_id": "strong"}) == (401, "invalid_client")
    assert reason in provider.client_refusals[-1]


@pytest.mark.parametrize("claims", [{"exp": NOW + 300}, {"iat": NOW + 10}, {"iat": ...}, {"nbf": NOW}])
async def test_an_assertion_within_the_limits_is_accepted(claims):
    """Clocks differ a little, and RFC 7523 demands no `iat`."""
    assert await outcome(strong_provider(), signed(**claims)) == (200, "")


async def test_an_assertion_works_once():
    """Whoever sees one cannot use it."""
    provider, form = strong_provider(), signed()

    assert await outcome(provider, form) == (200, "")
    assert await outcome(provider, form) == (401, "invalid_client")
    assert provider.client_refusals == ["the jti was used before"]


def tampered(form: dict[str, str]) -> dict[str, str]:
    start, _, signature = form["client_assertion"].rpartition(".")
    return form | {"client_assertion": f"{start}.{'A' * len(signature)}"}


def unsigned(form: dict[str, str]) -> dict[str, str]:
    payload = form["client_assertion"].split(".")[1]
    return form | {"client_assertion": f"{base64url(json_bytes({'alg': 'none'}))}.{payload}."}


def with_header(**members: Any) -> dict[str, str]:
    return signed() | {"client_assertion": KEY.assertion("strong", ISSUER, header=members)}


FORMS: list[tuple[Callable[[], dict[str, Any]], str]] = [
    (lambda: signed() | {"client_assertion_type": "jwt-bearer"}, "client_assertion_type must be"),
    (lambda: {"client_assertion": signed()["client_assertion"]}, "client_assertion_type must be"),
    (lambda: {"client_assertion_type": ASSERTION_TYPE, "client_id": "strong"}, "not a signed JWT"),
    (lambda: signed() | {"client_assertion": "a.b"}, "not a signed JWT"),
    (lambda: signed() | {"client_assertion": "e30.W10.AA"}, "not a signed JWT"),
    (lambda: signed() | {"client_assertion": "e30.e30=.AA"}, "not a signed JWT"),
    (lambda: signed() | {"client_assertion": "e30._w.AA"}, "not a signed JWT"),
    (lambda: with_header(crit=["exp"]), "not a signed JWT"),
    (lambda: signed() | {"client_secret": ""}, "exactly one credential"),
    (lambda: signed(client_id="nobody"), "the client is unknown"),
    (lambda: signed() | {"client_id": "spa"}, "not registered for private_key_jwt"),
    (lambda: signed(client_id="web"), "not registered for private_key_jwt"),
    (lambda: tampered(signed()), "by no key of the client"),
    (lambda: unsigned(signed()), "algorithm 'none' is not allowed"),
    (lambda: signed(ClientKey(clock=lambda: NOW)), "by no key of the client"),
    (lambda: with_header(kid="another"), "by no key of the client"),
    (lambda: with_header(alg="ES384"), "by no key of the client"),
    (lambda: with_header(alg="HS256"), "not registered for client_secret_jwt"),
    (lambda: with_header(alg=7), "algorithm '' is not allowed"),
]


@pytest.mark.parametrize(("form", "reason"), FORMS)
async def test_what_is_no_good_assertion_is_refused(form, reason):
    """The signature, the algorithm and the form itself have to be right."""
    provider = strong_provider()

    assert await outcome(provider, form()) == (401, "invalid_client")
    assert reason in provider.client_refusals[-1]


async def test_no_other_credential_stands_beside_an_assertion():
    """RFC 6749 §2.3: one method for each call."""
    provider = strong_provider()

    assert await outcome(provider, signed(), auth=("web", "web-secret-for-tests")) == (401, "invalid_client")
    assert provider.client_refusals == ["a call has exactly one credential"]


async def test_a_key_without_a_kid_is_found():
    """The header need not name one."""
    assert await outcome(strong_provider(), with_header(kid=...)) == (200, "")


JWKS: list[tuple[str, Callable[[ClientKey], dict[str, Any]]]] = [
    ("RS256", lambda key: key.public_jwk | {"use": "enc"}),
    ("RS256", lambda key: key.public_jwk | {"alg": "PS256"}),
    ("RS256", lambda key: key.public_jwk | {"kty": "EC"}),
    ("RS256", lambda key: key.public_jwk | {"n": "***"}),
    ("ES256", lambda key: key.public_jwk | {"crv": "P-384"}),
    ("ES256", lambda key: key.public_jwk | {"x": key.public_jwk["y"]}),
    ("EdDSA", lambda key: key.public_jwk | {"x": "AAAA"}),
    ("EdDSA", lambda key: key.public_jwk | {"kty": "EC"}),
]


@pytest.mark.parametrize(("alg", "spoilt"), JWKS)
async def test_a_key_that_does_not_fit_the_signature_verifies_nothing(alg, spoilt):
    """Its purpose, its algorithm and its type count."""
    key = ClientKey(alg, clock=lambda: NOW)
    provider = FakeProvider(clock=lambda: NOW, clients=[Client("strong", None, jwks=[spoilt(key)])])

    assert await outcome(provider, signed(key)) == (401, "invalid_client")
    assert provider.client_refusals == ["the signature is by no key of the client"]


async def test_a_small_rsa_key_verifies_nothing():
    """RFC 7518 §3.3: 2048 bits at least."""
    key = ClientKey("RS256", clock=lambda: NOW)
    key.key = signing_key("RS256", rsa_bits=1024)
    assert isinstance(key.key.private, rsa.RSAPrivateKey)
    provider = FakeProvider(clock=lambda: NOW, clients=[Client("strong", None, jwks=[key.public_jwk])])

    assert await outcome(provider, signed(key)) == (401, "invalid_client")


@pytest.mark.parametrize("registered", [True, False])
async def test_only_the_registered_algorithm_or_those_of_the_metadata_are_allowed(registered):
    """A provider that says PS256 takes nothing else."""
    provider = FakeProvider(
        clock=lambda: NOW,
        clients=[
            Client(
                "strong", None, jwks=[KEY.public_jwk], token_endpoint_auth_signing_alg="PS256" if registered else None
            )
        ],
    )
    if not registered:
        provider.metadata["token_endpoint_auth_signing_alg_values_supported"] = ["PS256"]

    assert await outcome(provider, signed()) == (401, "invalid_client")
    assert provider.client_refusals == ["the algorithm 'ES256' is not allowed"]


def by_secret(secret: str, alg: str = "HS256") -> dict[str, str]:
    claims = {"iss": "shared", "sub": "shared", "aud": ISSUER, "jti": "1", "exp": NOW + 60}
    assertion = jwt.encode({"alg": alg}, claims, OctKey.import_key(secret), algorithms=[alg])
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


@pytest.mark.parametrize(
    ("registered", "used", "alg", "status"),
    [
        (SECRET, SECRET, "HS256", 200),
        (SECRET * 2, SECRET * 2, "HS512", 200),
        (SECRET, SECRET[::-1], "HS256", 401),
        (SECRET, SECRET, "HS512", 401),
        ("only-20-bytes-long!!", "only-20-bytes-long!!", "HS256", 401),
    ],
)
async def test_a_long_secret_can_sign(registered, used, alg, status):
    """`client_secret_jwt`: the secret itself is never sent, and must be as long as the hash (RFC 7518 §3.2)."""
    client = Client("shared", registered, auth_methods=["client_secret_jwt"])
    provider = FakeProvider(clock=lambda: NOW, clients=[client])

    assert (await outcome(provider, by_secret(used, alg)))[0] == status
    assert provider.metadata["token_endpoint_auth_signing_alg_values_supported"] == ["HS256", "HS384", "HS512"]


def workload(key: ClientKey, audience: str | None = None) -> Client:
    cluster = AssertionIssuer("https://cluster.example.com", "system:app", [key.public_jwk], audience)
    return Client("strong", None, assertion_issuers=[cluster])


VOUCHED: dict[str, Any] = {"iss": "https://cluster.example.com", "sub": "system:app", "jti": ...}


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        (VOUCHED | {"aud": [ISSUER]}, ""),
        (VOUCHED | {"aud": "https://another.example.com"}, "aud does not name this provider"),
        (VOUCHED | {"sub": "system:other"}, "sub is not the subject"),
        (VOUCHED | {"exp": NOW}, "expired"),
        (VOUCHED | {"exp": ...}, "expired"),
        (VOUCHED | {"iss": "https://evil.example.com"}, "by no key of the client"),
    ],
)
async def test_a_third_party_vouches_for_a_client(claims, reason):
    """As a cluster does for its workloads: `iss` is not the client, which is named beside."""
    key = ClientKey("RS256", clock=lambda: NOW)
    provider = FakeProvider(clock=lambda: NOW, clients=[workload(key)])
    form = {"client_id": "strong", **signed(key, **claims)}

    first, second = await outcome(provider, form), await outcome(provider, form)
    assert first == second == ((401, "invalid_client") if reason else (200, ""))
    assert not reason or reason in provider.client_refusals[-1]


async def test_a_third_party_signs_with_its_own_key_for_its_audience():
    """Some clusters name another audience than the issuer."""
    key = ClientKey(clock=lambda: NOW)
    provider = FakeProvider(clock=lambda: NOW, clients=[workload(key, "api://exchange")])
    good = {"client_id": "strong", **signed(key, **VOUCHED, aud="api://exchange")}

    assert await outcome(provider, good) == (200, "")
    assert await outcome(provider, good | tampered(good)) == (401, "invalid_client")
    assert provider.client_refusals == ["the signature is not that of the assertion's issuer"]


class Keys:
    """Publishes the keys of a client, or fails."""

    def __init__(self) -> None:
        self.published: Any = {"keys": [KEY.public_jwk]}
        self.count = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url == "https://app.example.com/auth/jwks"
        self.count += 1
        return httpx.Response(200 if self.published else 503, json=self.published)


async def test_the_keys_of_a_client_are_fetched_for_each_call():
    """So that a client's rotation can be tested."""
    keys = Keys()
    provider = FakeProvider(
        clock=lambda: NOW, clients=[Client(), Client("strong", None, jwks_uri="https://app.example.com/auth/jwks")]
    )
    new = ClientKey(clock=lambda: NOW)
    async with httpx.AsyncClient(transport=httpx.MockTransport(keys)) as client:
        before = await outcome(provider, signed())
        provider.client_keys_client = client
        fetched = await outcome(provider, signed())
        await answer_to(provider, {}, auth=("web", "web-secret-for-tests"))
        keys.published = {"keys": [new.public_jwk]}
        rotated = (await outcome(provider, signed()), await outcome(provider, signed(new)))
        keys.published = None
        down = await outcome(provider, signed(new))

    assert (before, fetched, down) == ((401, "invalid_client"), (200, ""), (401, "invalid_client"))
    assert (rotated, keys.count) == (((401, "invalid_client"), (200, "")), 4)


async def test_a_client_can_be_registered_later():
    """The metadata follows."""
    provider = FakeProvider(clock=lambda: NOW)
    before = provider.metadata["token_endpoint_auth_methods_supported"]
    provider.register(STRONG)

    assert await outcome(provider, signed()) == (200, "")
    assert provider.metadata["token_endpoint_auth_methods_supported"] == [*before, "private_key_jwt"]
    assert "private_key_jwt" not in before


def test_a_client_key_tells_nothing_secret():
    """Its repr ends up in the output of tests."""
    assert repr(KEY) == f"ClientKey('ES256', kid='{KEY.kid}')"
    assert "d" not in KEY.public_jwk
    assert KEY.pem.startswith("-----BEGIN PRIVATE KEY-----")
    assert json.dumps(KEY.public_jwk)
