"""The fake provider gives an access token for another one (RFC 8693)."""

import json

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from asgi_oidc.testing import Client, FakeProvider
from tests.testing.relying_party import NOW, RelyingParty

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
FORM = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token_type": ACCESS_TOKEN}
ORDERS = "https://orders.example.com/"


async def test_exchanged_token_is_for_the_targets_asked_for(provider, rp):
    """It is the same person's, for another API, with other scopes."""
    subject = (await rp.login("bob"))["access_token"]
    form = FORM | {"subject_token": subject, "audience": ["stock", "bills"], "resource": ORDERS, "scope": "orders:read"}
    answer = (await rp.token_call(form)).json()

    info = provider.token_info(answer.pop("access_token"))
    assert answer == {
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "orders:read",
    }
    assert (info.sub, info.client_id, info.scopes) == ("bob", "web", ("orders:read",))
    assert (info.audience, info.expires_at, info.active) == (("stock", "bills", ORDERS), NOW + 3600, True)
    assert provider.count_grants(FORM["grant_type"]) == 1


async def test_an_access_token_may_be_a_jwt(provider, rp):
    """As RFC 9068 writes them, or as the test wants them."""
    provider.jwt_access_tokens = True
    provider.access_token_overrides = {"realm_access": {"roles": ["admin"]}, "scope": ...}
    token = (await rp.login("bob"))["access_token"]
    keys = KeySet.import_key_set({"keys": provider.published_keys})

    read = jwt.decode(token, keys, algorithms=[provider.alg])
    claims = {name: read.claims[name] for name in ("iss", "sub", "aud", "client_id", "iat", "exp", "realm_access")}
    assert claims == {
        "iss": provider.issuer,
        "sub": "bob",
        "aud": "web",
        "client_id": "web",
        "iat": NOW,
        "exp": NOW + 3600,
        "realm_access": {"roles": ["admin"]},
    }
    assert (read.header["typ"], "scope" in read.claims, provider.token_info(token).active) == ("at+jwt", False, True)


@pytest.mark.parametrize(("typ", "header"), [("JWT", {"typ": "JWT"}), (None, {})])
async def test_a_jwt_access_token_has_the_type_that_the_test_wants(provider, rp, typ, header):
    """Providers from before RFC 9068 have others."""
    provider.jwt_access_tokens, provider.access_token_typ = True, typ
    rp = RelyingParty(provider, resource=ORDERS)

    read = jws.extract_compact((await rp.login())["access_token"].encode())

    assert {name: value for name, value in read.headers().items() if name == "typ"} == header
    assert json.loads(read.payload)["aud"] == [ORDERS]


async def test_exchange_that_asks_for_nothing_keeps_scopes_and_audience(provider):
    """What is left out stays as it was."""
    rp = RelyingParty(provider, resource=ORDERS)
    subject = (await rp.login())["access_token"]
    token = (await rp.token_call(FORM | {"subject_token": subject})).json()["access_token"]

    info = provider.token_info(token)
    assert (info.scopes, info.audience) == (("openid", "profile", "email"), (ORDERS,))


REFUSED = [
    ({"subject_token": "made-up"}, "invalid_request"),
    ({"subject_token": ""}, "invalid_request"),
    ({"subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}, "invalid_request"),
    ({"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
    ({"actor_token": "anything"}, "invalid_request"),
    ({"resource": "orders"}, "invalid_target"),
    ({"resource": "https://other.example.com/"}, "invalid_target"),
    ({"audience": "nobody"}, "invalid_target"),
]


@pytest.mark.parametrize(("changes", "error"), REFUSED)
async def test_wrong_exchange_is_refused(provider, rp, changes, error):
    """Every part is checked, and the errors are those of RFC 8693 §2.2.2."""
    provider.targets = [ORDERS]
    subject = (await rp.login())["access_token"]
    answer = await rp.token_call(FORM | {"subject_token": subject} | changes)

    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_expired_token_is_not_exchanged(rp, provider):
    """The subject token is a credential like any other."""
    provider.access_token_lifetime = 0
    subject = (await rp.login())["access_token"]

    assert (await rp.token_call(FORM | {"subject_token": subject})).json()["error"] == "invalid_request"


async def test_token_of_another_client_is_not_exchanged():
    """A client exchanges what was given to it."""
    provider = FakeProvider(clients=[Client(), Client("other", "other-secret")])
    subject = (await RelyingParty(provider).login())["access_token"]
    async with provider.http_client() as client:
        form = FORM | {"subject_token": subject}
        answer = await client.post(provider.metadata["token_endpoint"], data=form, auth=("other", "other-secret"))

    assert answer.json()["error"] == "invalid_request"


async def test_exchanged_token_ends_with_the_grant(provider):
    """What came from a grant goes with it."""
    rp = RelyingParty(provider, scope="openid offline_access")
    tokens = await rp.login()
    exchanged = (await rp.token_call(FORM | {"subject_token": tokens["access_token"]})).json()["access_token"]
    before = provider.token_info(exchanged).active
    await rp.revoke(token=tokens["refresh_token"])

    assert (before, provider.token_info(exchanged).active) == (True, False)


@pytest.mark.parametrize(
    ("resources", "status"), [(None, 200), ([ORDERS, "https://other.example.com/"], 200), (["https://stock/"], 400)]
)
async def test_an_api_exchanges_tokens_that_were_issued_for_it(resources, status):
    """On behalf of a user: the token is the caller's, and the new one is the API's (RFC 8693 §1.1)."""
    provider = FakeProvider(clients=[Client("orders", "a-secret", resources=resources)])
    token = provider.access_token("bob", audience=ORDERS, client_id="spa", opaque=True)
    form = FORM | {"subject_token": token, "audience": "stock", "client_id": "orders", "client_secret": "a-secret"}
    async with provider.http_client() as client:
        answer = await client.post(provider.metadata["token_endpoint"], data=form)

    assert answer.status_code == status
    if status == 200:
        info = provider.token_info(answer.json()["access_token"])
        assert (info.sub, info.client_id, info.audience) == ("bob", "orders", ("stock",))
