"""The fake provider checks DPoP proofs and binds tokens to their keys (RFC 9449)."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from asgi_oidc.testing import DPoPKey, FakeProvider, TokenAuth
from asgi_oidc.testing.keys import base64url, json_bytes, new_key
from tests.testing.relying_party import NOW
from tests.testing.strong_relying_party import StrongRelyingParty, strong_provider

TOKEN_URL = "https://id.example.com/token"
MACHINE = {"grant_type": "client_credentials"}


def dpop_key(alg: str = "ES256") -> DPoPKey:
    return DPoPKey(alg, clock=lambda: NOW)


@pytest.fixture
def provider() -> FakeProvider:
    return strong_provider()


@pytest.fixture
def rp(provider: FakeProvider) -> StrongRelyingParty:
    rp = StrongRelyingParty(provider, scope="openid profile offline_access")
    rp.dpop_key = dpop_key()
    return rp


async def userinfo(rp: StrongRelyingParty, token: str, **changes: Any) -> httpx.Response:
    """Call the userinfo endpoint with the proof of the party's key; `proof` and `scheme` replace what is sent."""
    url = rp.fake.metadata["userinfo_endpoint"]
    assert rp.dpop_key is not None
    proof = changes.get("proof", rp.dpop_key.proof("GET", url, access_token=token, nonce=changes.get("nonce")))
    headers = {"authorization": f"{changes.get('scheme', 'DPoP')} {token}"} | ({"dpop": proof} if proof else {})
    async with rp.fake.http_client() as client:
        return await client.get(url, headers=headers)


async def test_tokens_are_bound_to_the_key_of_the_proof(provider, rp):
    """From the code exchange on; userinfo and introspection know it."""
    tokens = await rp.login()
    about = (await rp.call("introspection_endpoint", {"token": tokens["access_token"]})).json()
    claims = await userinfo(rp, tokens["access_token"])

    assert (tokens["token_type"], about["token_type"]) == ("DPoP", "DPoP")
    assert about["cnf"] == {"jkt": rp.dpop_key.thumbprint}
    assert (claims.status_code, claims.json()["sub"]) == (200, "alice")


@pytest.mark.parametrize("alg", ["ES256", "ES384", "PS256", "RS256", "EdDSA", "Ed25519"])
async def test_keys_of_every_kind_are_accepted(provider, rp, alg):
    """The metadata lists their algorithms (§5.1)."""
    rp.dpop_key = dpop_key(alg)
    answer = await rp.token_call(MACHINE)
    about = (await rp.call("introspection_endpoint", {"token": answer.json()["access_token"]})).json()

    assert alg in provider.metadata["dpop_signing_alg_values_supported"]
    assert (answer.json()["token_type"], about["cnf"]["jkt"]) == ("DPoP", rp.dpop_key.thumbprint)


async def test_without_a_proof_tokens_are_not_bound(provider, rp):
    """A client that does not use DPoP sees nothing of it."""
    rp.dpop_key = None
    answer = await rp.token_call(MACHINE)

    assert (answer.json()["token_type"], "dpop-nonce" in answer.headers) == ("Bearer", False)


async def test_a_provider_without_dpop_ignores_the_proof(provider, rp):
    """Its metadata says nothing of it, and the client has to notice the token's type."""
    del provider.metadata["dpop_signing_alg_values_supported"]
    tokens = await rp.login()
    rp.dpop_key = dpop_key()

    assert tokens["token_type"] == "Bearer"
    assert (await userinfo(rp, tokens["access_token"], scheme="Bearer")).status_code == 200


async def test_a_proof_can_be_required(provider, rp):
    """No unbound token is issued then."""
    provider.requires_dpop = True
    rp.dpop_key, key = None, rp.dpop_key
    refused = await rp.token_call(MACHINE)
    pushed = await rp.push()
    rp.dpop_key = key

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_dpop_proof")
    assert (pushed.status_code, (await rp.token_call(MACHINE)).status_code) == (201, 200)


KEY = dpop_key()


def unsigned() -> str:
    payload = KEY.proof("POST", TOKEN_URL).split(".")[1]
    header = {"typ": "dpop+jwt", "alg": "none", "jwk": KEY.public_jwk}
    return f"{base64url(json_bytes(header))}.{payload}."


def private_jwk() -> dict[str, Any]:
    return KEY.public_jwk | {"d": "AAAA"}


PROOFS: list[tuple[str, Callable[[], str]]] = [
    ("exactly one DPoP header", lambda: "not a JWT"),
    ("exactly one DPoP header", lambda: ""),
    ("typ must be", lambda: KEY.proof("POST", TOKEN_URL, header={"typ": "JWT"})),
    ("typ must be", lambda: KEY.proof("POST", TOKEN_URL, header={"typ": ...})),
    ("algorithm 'none'", unsigned),
    ("algorithm 'HS256'", lambda: KEY.proof("POST", TOKEN_URL, header={"alg": "HS256"})),
    ("jwk must be", lambda: KEY.proof("POST", TOKEN_URL, header={"jwk": ...})),
    ("jwk must be", lambda: KEY.proof("POST", TOKEN_URL, header={"jwk": {"kty": "oct", "k": "AAAA"}})),
    ("jwk must be", lambda: KEY.proof("POST", TOKEN_URL, header={"jwk": {"kty": ["EC"]}})),
    ("private key", lambda: KEY.proof("POST", TOKEN_URL, header={"jwk": private_jwk()})),
    ("signature", lambda: KEY.proof("POST", TOKEN_URL, signed_by=dpop_key())),
    ("signature", lambda: KEY.proof("POST", TOKEN_URL, header={"jwk": dpop_key("EdDSA").public_jwk})),
    ("jti", lambda: KEY.proof("POST", TOKEN_URL, claims={"jti": ...})),
    ("htm", lambda: KEY.proof("GET", TOKEN_URL)),
    ("htm", lambda: KEY.proof("post", TOKEN_URL)),
    ("htu", lambda: KEY.proof("POST", "https://id.example.com/par")),
    ("htu", lambda: KEY.proof("POST", "http://id.example.com/token")),
    ("htu", lambda: KEY.proof("POST", "https://other.example.com/token")),
    ("htu", lambda: KEY.proof("POST", "https://id.example.com:8443/token")),
    ("htu", lambda: KEY.proof("POST", "https://id.example.com:x/token")),
    ("htu", lambda: KEY.proof("POST", TOKEN_URL, claims={"htu": ...})),
    ("iat", lambda: KEY.proof("POST", TOKEN_URL, claims={"iat": NOW - 61})),
    ("iat", lambda: KEY.proof("POST", TOKEN_URL, claims={"iat": NOW + 61})),
    ("iat", lambda: KEY.proof("POST", TOKEN_URL, claims={"iat": ...})),
    ("iat", lambda: KEY.proof("POST", TOKEN_URL, claims={"iat": str(NOW)})),
]


@pytest.mark.parametrize(("reason", "proof"), PROOFS)
async def test_a_wrong_proof_is_refused(provider, rp, reason, proof):
    """Line by line of §4.3."""
    answer = await rp.call("token_endpoint", MACHINE, proof())

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
    assert reason in answer.json()["error_description"]
    assert provider.memory.access_tokens == {}


async def test_a_small_rsa_key_proves_nothing(rp):
    """RFC 7518 §3.3: 2048 bits at least."""
    key = dpop_key("RS256")
    key.key = new_key("RS256", rsa_bits=1024)

    assert (await rp.call("token_endpoint", MACHINE, key.proof("POST", TOKEN_URL))).status_code == 400


async def test_two_proofs_are_refused(provider, rp):
    """Which one would count? (§4.3, 1)"""
    headers = [("dpop", KEY.proof("POST", TOKEN_URL)), ("dpop", KEY.proof("POST", TOKEN_URL))]
    async with provider.http_client() as client:
        answer = await client.post(TOKEN_URL, data=MACHINE | rp.assertion(), headers=headers)

    assert answer.json()["error"] == "invalid_dpop_proof"


GOOD = [
    {"claims": {"iat": NOW - 60}},
    {"claims": {"iat": NOW + 60}},
    {"claims": {"htu": "https://ID.example.com:443/token?x=1#y"}},
    {"claims": {"nonce": "not-asked-for"}},
    {"header": {"kid": "a-name"}},
]


@pytest.mark.parametrize("changes", GOOD)
async def test_a_proof_within_the_limits_is_accepted(rp, changes):
    """Clocks differ a little, and a URL can be written in more than one way."""
    answer = await rp.call("token_endpoint", MACHINE, KEY.proof("POST", TOKEN_URL, **changes))

    assert answer.json()["token_type"] == "DPoP"


async def test_a_proof_works_once(rp):
    """Whoever sees it cannot use it (§11.1)."""
    proof = KEY.proof("POST", TOKEN_URL)

    assert (await rp.call("token_endpoint", MACHINE, proof)).status_code == 200
    assert "used before" in (await rp.call("token_endpoint", MACHINE, proof)).json()["error_description"]


async def test_a_wrong_proof_uses_up_neither_code_nor_refresh_token(provider, rp):
    """The client may try again (§8)."""
    response = await rp.response_to(rp.authorization_url())
    key, rp.dpop_key = rp.dpop_key, DPoPKey(clock=lambda: NOW - 3600)
    late = await rp.exchange(response)
    rp.dpop_key = key
    tokens = (await rp.exchange(response)).json()
    provider.dpop_nonces = "always"
    without_nonce = await rp.refresh(tokens["refresh_token"])

    assert (late.json()["error"], without_nonce.json()["error"]) == ("invalid_dpop_proof", "use_dpop_nonce")
    assert (await rp.refresh(tokens["refresh_token"])).json()["token_type"] == "DPoP"


@pytest.mark.parametrize("way", ["dpop_jkt", "proof"])
@pytest.mark.parametrize("is_same", [True, False])
async def test_a_code_is_bound_to_the_key_of_the_request(rp, way, is_same):
    """A code that was stolen is worth nothing without the key (§10)."""
    jkt = rp.dpop_key.thumbprint
    if way == "proof":
        url = rp.pushed_url((await rp.push()).json()["request_uri"])
    else:
        url = rp.authorization_url(dpop_jkt=jkt)
    response = await rp.response_to(url)
    rp.dpop_key = rp.dpop_key if is_same else dpop_key()
    answer = await rp.exchange(response)

    assert answer.json().get("error") == (None if is_same else "invalid_grant")


async def test_a_bound_code_needs_a_proof(rp):
    """Leaving it out is no way round."""
    response = await rp.response_to(rp.authorization_url(dpop_jkt=rp.dpop_key.thumbprint))
    rp.dpop_key = None

    assert (await rp.exchange(response)).json()["error"] == "invalid_grant"


async def test_a_pushed_request_has_one_key(rp):
    """`dpop_jkt` and the proof must agree (§10.1)."""
    agreed = await rp.push(dpop_jkt=rp.dpop_key.thumbprint)
    refused = await rp.push(dpop_jkt=dpop_key().thumbprint)
    wrong = await rp.call("pushed_authorization_request_endpoint", rp.request(), KEY.proof("POST", TOKEN_URL))

    assert (agreed.status_code, refused.json()["error"]) == (201, "invalid_request")
    assert wrong.json()["error"] == "invalid_dpop_proof"


@pytest.mark.parametrize("client_id", ["spa", "strong"])
async def test_refresh_tokens_of_public_clients_are_bound(provider, client_id):
    """Others authenticate, and may use another key (§5)."""
    rp = StrongRelyingParty(provider, client_id=client_id, scope="openid offline_access")
    rp.dpop_key = dpop_key()
    response = await rp.response_to(rp.authorization_url())
    first = (await rp.exchange(response, client_id=client_id)).json()
    second = (await rp.refresh(first["refresh_token"], client_id=client_id)).json()
    rp.dpop_key = dpop_key()
    third = (await rp.refresh(second["refresh_token"], client_id=client_id)).json()

    assert (first["token_type"], second["token_type"]) == ("DPoP", "DPoP")
    assert third.get("error") == ("invalid_grant" if client_id == "spa" else None)


async def test_an_exchanged_token_is_bound_to_the_key_of_its_call(provider, rp):
    """Not to that of the token that was exchanged."""
    subject = (await rp.login())["access_token"]
    rp.dpop_key = dpop_key()
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": subject,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    answer = (await rp.token_call(form)).json()

    assert answer["token_type"] == "DPoP"
    assert provider.memory.access_tokens[answer["access_token"]].cnf == {"jkt": rp.dpop_key.thumbprint}


USERINFO: list[tuple[str, dict[str, Any]]] = [
    ("invalid_token", {"scheme": "Bearer"}),
    ("invalid_dpop_proof", {"proof": None}),
    ("invalid_dpop_proof", {"proof": "not a JWT"}),
    ("ath", {"proof": lambda it, url, token: it.proof("GET", url)}),
    ("ath", {"proof": lambda it, url, token: it.proof("GET", url, access_token="another")}),
    ("htm", {"proof": lambda it, url, token: it.proof("POST", url, access_token=token)}),
    ("bound to", {"proof": lambda _, url, token: KEY.proof("GET", url, access_token=token)}),
]


@pytest.mark.parametrize(("told", "changes"), USERINFO)
async def test_userinfo_needs_the_proof_of_the_tokens_key(provider, rp, told, changes):
    """A stolen token is worth nothing (§7)."""
    token = (await rp.login())["access_token"]
    proof = changes.get("proof")
    made = proof(rp.dpop_key, provider.metadata["userinfo_endpoint"], token) if callable(proof) else proof
    answer = await userinfo(rp, token, **(changes | ({"proof": made} if "proof" in changes else {})))

    assert (answer.status_code, told in answer.text) == (401, True)
    assert answer.headers["www-authenticate"].startswith("Bearer" if "scheme" in changes else "DPoP")


async def test_an_unbound_token_is_no_dpop_token(rp):
    """The scheme must be that of the token (§7.1)."""
    token = rp.fake.access_token(audience=None)
    answer = await userinfo(rp, token)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'DPoP error="invalid_token"')
    assert (await userinfo(rp, token, scheme="Bearer")).status_code == 200


async def test_tokens_made_for_a_test_are_bound_at_userinfo(rp):
    """`access_token(dpop_key=...)` is for the app's API and the provider's alike."""
    token = rp.fake.access_token(audience=None, dpop_key=rp.dpop_key)

    assert (await userinfo(rp, token)).status_code == 200
    assert (await userinfo(rp, token, scheme="Bearer")).status_code == 401


async def demanded(rp: StrongRelyingParty) -> tuple[int, str]:
    answer = await rp.token_call(MACHINE)
    return answer.status_code, answer.json().get("error", "")


MODES: list[tuple[str, list[bool]]] = [
    # Whether each of five calls is accepted; before the third, an interval passes, before the last, two.
    ("never", [True, True, True, True, True]),
    ("always", [False, True, True, True, False]),
    ("errors_only", [False, True, False, True, False]),
    ("every_answer", [False, True, True, True, True]),
]


@pytest.mark.parametrize(("mode", "accepted"), MODES)
async def test_nonces_are_demanded_as_the_setting_says(mode, accepted):
    """A client has to cope with each kind of provider (§8)."""
    now = [NOW]
    provider = strong_provider()
    provider.clock = lambda: now[0]
    provider.dpop_nonces = mode
    provider.dpop_nonce_lifetime = 10
    rp = StrongRelyingParty(provider)
    rp.dpop_key = DPoPKey(clock=lambda: now[0])
    outcomes = []
    for later in (0, 0, 10, 0, 20):
        now[0] += later
        outcomes.append(await demanded(rp))

    assert outcomes == [(200, "") if good else (400, "use_dpop_nonce") for good in accepted]


@pytest.mark.parametrize(
    ("mode", "told"), [("never", (False, False)), ("always", (True, True)), ("errors_only", (True, False))]
)
async def test_nonces_are_told_as_the_setting_says(provider, rp, mode, told):
    """In the demand, and maybe in every other answer."""
    provider.dpop_nonces = mode
    answers = [await rp.token_call(MACHINE) for _ in range(2)]

    assert tuple("dpop-nonce" in answer.headers for answer in answers) == told
    assert answers[1].status_code == 200


async def test_a_nonce_of_every_answer_works_once(provider, rp):
    """And the answer to a good call brings the next one, also if it is an error."""
    provider.dpop_nonces = "every_answer"
    await rp.token_call(MACHINE)
    old = rp.nonce
    unknown = await rp.token_call({"grant_type": "refresh_token", "refresh_token": "x"})
    nonces = {old, rp.nonce}
    rp.nonce = old

    assert (unknown.json()["error"], len(nonces)) == ("invalid_grant", 2)
    assert await demanded(rp) == (400, "use_dpop_nonce")
    assert await demanded(rp) == (200, "")


async def test_par_and_token_endpoint_share_their_nonces(provider, rp):
    """They are one server."""
    provider.dpop_nonces = "always"
    demand = await rp.push()

    assert (demand.status_code, demand.json()["error"]) == (400, "use_dpop_nonce")
    assert ((await rp.push()).status_code, await demanded(rp)) == (201, (200, ""))


async def test_userinfo_has_nonces_of_its_own(provider, rp):
    """A client must not send one server's nonce to another (§9)."""
    token = (await rp.login())["access_token"]
    provider.dpop_nonces = "always"
    await demanded(rp)
    demand = await userinfo(rp, token, nonce=rp.nonce)
    good = await userinfo(rp, token, nonce=demand.headers["dpop-nonce"])

    assert (demand.status_code, demand.headers["dpop-nonce"] == rp.nonce) == (401, False)
    assert demand.headers["www-authenticate"].startswith('DPoP error="use_dpop_nonce"')
    assert (good.status_code, good.headers["dpop-nonce"]) == (200, demand.headers["dpop-nonce"])


async def test_the_kits_own_client_reaches_userinfo(provider, rp):
    """`TokenAuth` answers the demand for a nonce by itself."""
    token = (await rp.login())["access_token"]
    provider.dpop_nonces = "every_answer"
    async with provider.http_client() as client:
        auth = TokenAuth(token, rp.dpop_key)
        answers = [await client.get(provider.metadata["userinfo_endpoint"], auth=auth) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert provider.count("/userinfo") == 3
