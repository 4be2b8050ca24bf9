"""The fake provider reads signed authorization requests (RFC 9101)."""

from collections.abc import Callable

import httpx
import pytest

from asgi_oidc.testing import Client, ClientKey, FakeProvider
from asgi_oidc.testing.keys import base64url, json_bytes
from tests.testing.relying_party import NOW, RelyingParty
from tests.testing.strong_relying_party import KEY, StrongRelyingParty, strong_provider

PAR = "pushed_authorization_request_endpoint"


@pytest.fixture
def provider() -> FakeProvider:
    return strong_provider()


@pytest.fixture
def rp(provider: FakeProvider) -> StrongRelyingParty:
    return StrongRelyingParty(provider)


async def push(rp: StrongRelyingParty, request_object: str, **more: str) -> httpx.Response:
    return await rp.call(PAR, {"client_id": "strong", "request": request_object, **more})


@pytest.mark.parametrize("alg", ["ES256", "PS256", "EdDSA"])
async def test_a_signed_request_starts_a_login(alg):
    """Its parameters are all that counts; a list is a parameter for each item, and a number is written out."""
    key = ClientKey(alg, clock=lambda: NOW)
    provider = FakeProvider(clock=lambda: NOW, clients=[Client("strong", None, jwks=[key.public_jwk])])
    provider.requires_signed_requests = True
    rp = StrongRelyingParty(provider)
    resources = ["https://api.example.com", "https://other.example.com"]
    url = rp.signed_url(rp.signed(key=key, resource=resources, max_age=60, claims={"userinfo": {}}))
    response = await rp.response_to(url)
    grant = provider.memory.codes[response["code"]]

    assert (response["state"], grant.nonce, grant.resources) == ("a-state", "a-nonce", tuple(resources))
    assert (grant.params["max_age"], grant.params["claims"]) == ("60", '{"userinfo": {}}')
    assert not set(grant.params) & {"iss", "aud", "exp", "nbf"}


async def test_a_signed_request_can_be_pushed(provider, rp):
    """As FAPI 2.0 Message Signing has it."""
    provider.requires_signed_requests = provider.requires_par = True
    pushed = await push(rp, rp.signed())
    response = await rp.response_to(rp.pushed_url(pushed.json()["request_uri"]))

    assert (pushed.status_code, response["state"], provider.ignored_params) == (201, "a-state", [])


async def test_parameters_beside_a_request_object_count_for_nothing(provider, rp):
    """A browser could have added them; the provider notes them for the test (§6.3)."""
    response = await rp.response_to(rp.signed_url(rp.signed(), state="another", scope="openid admin"))
    await push(rp, rp.signed(), prompt="none")

    assert response["state"] == "a-state"
    assert provider.ignored_params == ["state", "scope", "prompt"]


def unsigned(rp: StrongRelyingParty) -> str:
    payload = rp.signed().split(".")[1]
    return f"{base64url(json_bytes({'alg': 'none', 'typ': 'oauth-authz-req+jwt'}))}.{payload}."


OBJECTS: list[tuple[Callable[[StrongRelyingParty], str], str]] = [
    (lambda _: "not a JWT", "not a signed JWT"),
    (lambda rp: rp.signed().rpartition(".")[0] + ".", "by no key"),
    (unsigned, "algorithm 'none'"),
    (lambda rp: rp.signed({"alg": "HS256"}), "algorithm 'HS256'"),
    (lambda rp: rp.signed({"typ": "JWT"}), "typ must be"),
    (lambda rp: rp.signed({"typ": ...}), "typ must be"),
    (lambda rp: rp.signed(key=ClientKey(clock=lambda: NOW)), "by no key"),
    (lambda rp: rp.signed(iss="web"), "iss and client_id"),
    (lambda rp: rp.signed(iss=...), "iss and client_id"),
    (lambda rp: rp.signed(client_id="web"), "iss and client_id"),
    (lambda rp: rp.signed(client_id=...), "iss and client_id"),
    (lambda rp: rp.signed(aud="https://other.example.com"), "aud must be"),
    (lambda rp: rp.signed(aud=["https://other.example.com"]), "aud must be"),
    (lambda rp: rp.signed(aud=...), "aud must be"),
    (lambda rp: rp.signed(exp=...), "exp and nbf"),
    (lambda rp: rp.signed(nbf=...), "exp and nbf"),
    (lambda rp: rp.signed(exp=str(NOW + 60)), "exp and nbf"),
    (lambda rp: rp.signed(exp=NOW), "has expired"),
    (lambda rp: rp.signed(nbf=NOW + 11), "not valid yet"),
    (lambda rp: rp.signed(exp=NOW + 3601), "at most 3600"),
    (lambda rp: rp.signed(nbf=NOW - 3601), "at most 3600"),
    (lambda rp: rp.signed(request="another"), "must not contain"),
    (lambda rp: rp.signed(request_uri="urn:ietf:params:oauth:request_uri:x"), "must not contain"),
]


@pytest.mark.parametrize(("make", "reason"), OBJECTS)
async def test_a_wrong_request_object_is_refused(rp, make, reason):
    """In the browser with a page, for nothing in it is to be trusted; at PAR with an error."""
    page = await rp.browser().get(rp.signed_url(make(rp)), follow=False)
    pushed = await push(rp, make(rp))

    assert (page.status_code, "invalid_request_object" in page.text) == (400, True)
    assert (pushed.status_code, pushed.json()["error"]) == (400, "invalid_request_object")
    assert reason in pushed.json()["error_description"]


@pytest.mark.parametrize(
    "claims", [{"aud": ["https://id.example.com", "x"]}, {"nbf": NOW - 3540}, {"nbf": NOW + 10}, {"jti": "1"}]
)
async def test_a_request_object_within_the_limits_is_accepted(rp, claims):
    """Clocks differ a little, and `aud` may be a list here."""
    assert "code" in await rp.response_to(rp.signed_url(rp.signed(**({"exp": NOW + 60} | claims))))


async def test_what_the_object_asks_for_is_checked_like_any_request(rp):
    """A signature makes no scope good."""
    refused = await rp.response_to(rp.signed_url(rp.signed(scope="profile")))
    pushed = await push(rp, rp.signed(redirect_uri="ftp://app.example.com"))

    assert (refused["error"], pushed.json()["error"]) == ("invalid_scope", "invalid_request")


@pytest.mark.parametrize("registered", [True, False])
async def test_only_the_registered_algorithm_or_those_of_the_metadata_are_allowed(registered):
    """A provider that says PS256 takes nothing else."""
    client = Client("strong", None, jwks=[KEY.public_jwk], request_object_signing_alg="PS256" if registered else None)
    provider = FakeProvider(clock=lambda: NOW, clients=[client])
    if not registered:
        provider.metadata["request_object_signing_alg_values_supported"] = ["PS256"]

    rp = StrongRelyingParty(provider)
    assert "ES256" in (await push(rp, rp.signed())).json()["error_description"]


async def test_only_signed_requests_are_accepted_where_that_is_required(provider, rp):
    """By value and pushed; and the metadata says so (§10.5)."""
    provider.requires_signed_requests = True
    refused = await rp.response_to(rp.authorization_url())
    pushed = await rp.push()
    async with provider.http_client() as client:
        metadata = (await client.get(f"{provider.issuer}/.well-known/openid-configuration")).json()

    assert (refused["error"], pushed.json()["error"]) == ("invalid_request", "invalid_request")
    assert metadata["require_signed_request_object"] is True
    assert "ES256" in metadata["request_object_signing_alg_values_supported"]


async def test_a_signed_request_must_be_pushed_where_that_is_required(provider, rp):
    """A signature does not keep it from the browser's history."""
    provider.requires_par = True

    assert (await rp.response_to(rp.signed_url(rp.signed())))["error"] == "invalid_request"


@pytest.mark.parametrize("client_id", ["web", "nobody"])
async def test_a_client_without_keys_cannot_sign(provider, client_id):
    """Nothing could verify it."""
    rp = StrongRelyingParty(provider, client_id=client_id)
    url = rp.signed_url(rp.signed(iss=client_id)).replace("client_id=strong", f"client_id={client_id}")
    page = await rp.browser().get(url, follow=False)

    assert page.status_code == 400


async def test_the_keys_are_fetched_for_a_signed_request():
    """From the `jwks_uri` of the client that the URL names."""

    def keys(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"keys": [KEY.public_jwk]})

    uri = "https://app.example.com/auth/jwks"
    provider = FakeProvider(clock=lambda: NOW, clients=[Client("strong", None, jwks_uri=uri)])
    rp = StrongRelyingParty(provider)
    async with httpx.AsyncClient(transport=httpx.MockTransport(keys)) as client:
        provider.client_keys_client = client
        response = await rp.response_to(rp.signed_url(rp.signed()))

    assert "code" in response


async def test_plain_requests_need_none_of_it(provider):
    """Nothing changes for those who use none of it."""
    assert (await RelyingParty(provider).login())["token_type"] == "Bearer"
