"""The stand-in for Entra behaves as Microsoft's documentation says."""

import base64
import json

import pytest
from joserfc.errors import InvalidKeyIdError

from asgi_oidc.testing import EntraStandIn, Persona
from asgi_oidc.testing.standins.entra_accounts import CONTOSO, FABRIKAM, PERSONAL_ACCOUNTS, STRANGERS
from tests.testing.standins.client import NOW, HttpClient, payload
from tests.testing.standins.openid import discovered, verified

HOST = "https://login.microsoftonline.com"
GROUPS_URL = "https://graph.microsoft.com/v1.0/me/getMemberObjects"


@pytest.fixture
def entra() -> EntraStandIn:
    return EntraStandIn(clock=lambda: NOW)


@pytest.fixture
def client(entra: EntraStandIn) -> HttpClient:
    return HttpClient(entra, "openid profile email offline_access")


@pytest.mark.parametrize("alias", ["organizations", "common", "consumers"])
async def test_the_issuer_of_several_tenants_is_a_template(client, alias):
    """The issuer of the metadata is no token's issuer."""
    metadata = await discovered(client, f"{HOST}/{alias}/v2.0")

    assert metadata["issuer"] == "https://login.microsoftonline.com/{tenantid}/v2.0"
    assert metadata["token_endpoint"] == f"{HOST}/{alias}/oauth2/v2.0/token"
    assert "code_challenge_methods_supported" not in metadata
    assert "authorization_response_iss_parameter_supported" not in metadata


async def test_the_issuer_of_one_tenant_is_exact(client):
    """As OpenID Connect Discovery wants it."""
    metadata = await discovered(client, f"{HOST}/{CONTOSO}/v2.0")

    assert metadata["issuer"] == f"{HOST}/{CONTOSO}/v2.0"
    assert metadata["userinfo_endpoint"] == "https://graph.microsoft.com/oidc/userinfo"


async def test_a_tenant_that_does_not_exist_has_no_metadata(client):
    """Neither has an address without a tenant."""
    unknown = await client.call(
        "GET", f"{HOST}/6babcaad-604b-40ac-a9d7-9fd97c0b779f/v2.0/.well-known/openid-configuration"
    )
    without = await client.call("GET", f"{HOST}/v2.0/.well-known/openid-configuration")

    assert (unknown.status_code, without.status_code) == (404, 404)


async def test_keys_say_whose_tokens_they_sign(client, entra):
    """One for all tenants, one for personal accounts only."""
    common = (await client.call("GET", f"{HOST}/common/discovery/v2.0/keys")).json()["keys"]
    of_tenant = (await client.call("GET", f"{HOST}/{CONTOSO}/discovery/v2.0/keys")).json()["keys"]

    assert [key["issuer"] for key in common] == [entra.issuer, f"{HOST}/{PERSONAL_ACCOUNTS}/v2.0"]
    assert [key["issuer"] for key in of_tenant] == [f"{HOST}/{CONTOSO}/v2.0"]


async def test_the_id_token_names_the_tenant(client, entra):
    """`iss` is the template, filled with `tid`; no hash, no session, no time of the login unless asked for."""
    claims = await verified(client, (await client.tokens("bob"))["id_token"])

    assert (claims["iss"], claims["tid"], claims["ver"]) == (f"{HOST}/{FABRIKAM}/v2.0", FABRIKAM, "2.0")
    assert (claims["sub"], claims["nonce"], claims["email"]) == (entra.sub_of("bob"), "a-nonce", "bob@fabrikam.com")
    assert not {"at_hash", "sid", "auth_time", "email_verified", "groups", "xms_edov"} & claims.keys()


async def test_each_client_knows_a_user_under_another_sub(entra):
    """Pairwise; `oid` and `tid` are the same for all."""
    account = entra.personas["alice"]

    assert entra.sub_of("alice") != entra.sub_of("alice", client_id="spa")
    assert account.oid != entra.personas["bob"].oid


async def test_the_key_of_personal_accounts_signs_their_tokens(client, entra):
    """And the tokens of nobody else."""
    endpoint = f"{HOST}/consumers/oauth2/v2.0/authorize"
    entra.metadata = {**entra.metadata, "authorization_endpoint": endpoint}
    token = (await client.tokens("pat"))["id_token"]

    assert (await verified(client, token))["tid"] == PERSONAL_ACCOUNTS
    with pytest.raises(InvalidKeyIdError):
        await verified(client, token, f"{HOST}/{CONTOSO}/discovery/v2.0/keys")


@pytest.mark.parametrize(("tenant", "name"), [("organizations", "pat"), ("consumers", "bob"), (CONTOSO, "bob")])
async def test_an_account_of_another_kind_cannot_sign_in(client, entra, tenant, name):
    """Entra says so on a page of its own, and nothing reaches the app."""
    entra.metadata = {**entra.metadata, "authorization_endpoint": f"{HOST}/{tenant}/oauth2/v2.0/authorize"}
    answer = await client.authorize(name)

    assert (answer.status_code, "AADSTS50020" in answer.text) == (400, True)


async def test_groups_that_do_not_fit_are_named_only(client, entra):
    """More than 200 groups: a link to Graph in their place."""
    entra.optional_claims.add("groups")
    few = await verified(client, (await client.tokens("alice"))["id_token"])
    many = await verified(client, (await client.tokens("erin"))["id_token"])
    none = await verified(client, (await client.tokens("bob"))["id_token"])

    assert (len(few["groups"]), "_claim_names" in few) == (2, False)
    assert (many["_claim_names"], "groups" in many) == ({"groups": "src1"}, False)
    assert many["_claim_sources"]["src1"]["endpoint"].startswith("https://graph.microsoft.com/v1.0/users/")
    assert not {"groups", "_claim_names"} & none.keys()


async def test_graph_has_all_groups(client):
    """With an access token that may read the user."""
    allowed = (await client.tokens("erin", scope="openid User.Read"))["access_token"]
    not_allowed = (await client.tokens("erin"))["access_token"]
    answers = [
        await client.call("POST", GROUPS_URL, headers={"authorization": f"Bearer {token}"}, json={})
        for token in (allowed, not_allowed, "unknown")
    ]

    assert [answer.status_code for answer in answers] == [200, 403, 401]
    assert len(answers[0].json()["value"]) == 250


async def test_an_address_of_an_unverified_domain_is_removed(client, entra):
    """The default of registrations since June 2023; older ones send it, and say so only with `xms_edov`."""
    entra.optional_claims.add("xms_edov")
    removed = await verified(client, (await client.tokens("mallory"))["id_token"])
    entra.removes_unverified_email = False
    sent = await verified(client, (await client.tokens("mallory"))["id_token"])
    owned = await verified(client, (await client.tokens("alice"))["id_token"])

    assert not {"email", "xms_edov"} & removed.keys()
    assert (sent["email"], sent["xms_edov"], sent["tid"]) == ("alice@contoso.com", False, STRANGERS)
    assert owned["xms_edov"] is True


async def test_tokens_of_the_first_version_have_another_issuer(client, entra):
    """`sts.windows.net`, and `ver` says so."""
    entra.token_version = "1.0"
    claims = payload((await client.tokens("alice"))["id_token"])

    assert (claims["iss"], claims["ver"]) == (f"https://sts.windows.net/{CONTOSO}/", "1.0")


async def test_a_refresh_token_works_on_beside_its_successor(client):
    """Entra does not revoke a refresh token that was used."""
    old = (await client.tokens("alice"))["refresh_token"]
    refresh = {"grant_type": "refresh_token", "refresh_token": old}
    answers = [(await client.exchange("", code_verifier=None, **refresh)).json() for _ in range(2)]
    successor = {"grant_type": "refresh_token", "refresh_token": answers[0]["refresh_token"]}

    assert len({old, *(answer["refresh_token"] for answer in answers)}) == 3
    assert (await client.exchange("", code_verifier=None, **successor)).status_code == 200


async def test_userinfo_is_a_part_of_graph(client, entra):
    """The `sub` is that of the ID Token; a token for another API is refused."""
    tokens = await client.tokens("alice")
    user = (await client.user(tokens["access_token"])).json()
    elsewhere = (await client.tokens("alice", scope="openid api://orders/read"))["access_token"]

    assert (user["sub"], user["email"]) == (entra.sub_of("alice"), "alice@contoso.com")
    assert not {"oid", "tid", "preferred_username", "email_verified"} & user.keys()
    assert (await client.user(elsewhere)).status_code == 401


async def test_a_national_cloud_is_another_host():
    """The same endpoints, and the host in every issuer."""
    client = HttpClient(EntraStandIn(url="https://login.microsoftonline.us", clock=lambda: NOW), "openid profile")
    metadata = await discovered(client, "https://login.microsoftonline.us/organizations/v2.0")
    claims = await verified(client, (await client.tokens("alice"))["id_token"])

    assert metadata["issuer"] == "https://login.microsoftonline.us/{tenantid}/v2.0"
    assert claims["iss"] == f"https://login.microsoftonline.us/{CONTOSO}/v2.0"


async def test_a_persona_is_a_user_of_the_first_tenant(client, entra):
    """What is known from the fake provider works here too."""
    entra.personas["dana"] = Persona("dana", "Dana Doe", "dana@contoso.com", {"roles": ["Admin"]})
    claims = await verified(client, (await client.tokens("dana"))["id_token"])

    assert (claims["tid"], claims["roles"]) == (CONTOSO, ["Admin"])


@pytest.mark.parametrize(("name", "tid"), [("alice", CONTOSO), ("bob", FABRIKAM), ("pat", PERSONAL_ACCOUNTS)])
def test_an_access_token_for_an_api_is_of_its_users_tenant(name, tid):
    """With the issuer, the subject and the key that an API of the app has to expect."""
    entra = EntraStandIn()
    token = entra.access_token(name, audience="api://orders", scopes=["orders.read"])
    machine = entra.machine_token("web", audience="api://orders", scopes=["Orders.Read"])

    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    own = {"iss": entra.issuer_of(tid), "tid": tid, "sub": entra.sub_of(name), "scp": "orders.read", "azp": "web"}
    assert {name: claims[name] for name in own} == own
    assert (header["kid"] == entra.key.kid) is (tid != PERSONAL_ACCOUNTS)
    assert json.loads(base64.urlsafe_b64decode(machine.split(".")[1] + "=="))["tid"] == CONTOSO
