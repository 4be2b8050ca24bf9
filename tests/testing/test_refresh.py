"""The fake provider gives new tokens for a refresh token, in the ways in which real ones do."""

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from asgi_oidc.testing import Browser, FakeProvider, Persona, TokenInfo, numbered_personas
from tests.testing.relying_party import NOW, RelyingParty

ORDERS, STOCK = "https://orders.example.com/", "https://stock.example.com/"


@pytest.fixture
def times() -> list[int]:
    return [NOW]


@pytest.fixture
def provider(times: list[int]) -> FakeProvider:
    return FakeProvider(clock=lambda: times[0])


@pytest.fixture
def rp(provider: FakeProvider) -> RelyingParty:
    return RelyingParty(provider, scope="openid profile offline_access")


def claims_of(provider: FakeProvider, id_token: str) -> dict[str, object]:
    keys = KeySet.import_key_set({"keys": provider.published_keys})
    return jwt.decode(id_token, keys, algorithms=[provider.alg]).claims


async def test_refreshed_id_token_is_about_the_same_sign_in(provider, rp, times):
    """Same issuer, person, client, sign-in and session; no nonce (OpenID Connect Core §12.2)."""
    first = await rp.login()
    times[0] += 100
    second = (await rp.refresh(first["refresh_token"])).json()

    before, after = (claims_of(provider, it["id_token"]) for it in (first, second))
    kept = ("iss", "sub", "aud", "auth_time", "sid")
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert (after["iat"], "nonce" in before, "nonce" in after) == (NOW + 100, True, False)
    assert second["access_token"] != first["access_token"]


async def test_refresh_shows_what_has_changed_about_the_person(provider, rp):
    """Claims are read anew, so that a role that was taken away is gone."""
    first = await rp.login()
    provider.personas["alice"] = Persona("alice", "Alice Brown", "alice@example.com", {"roles": []})
    second = (await rp.refresh(first["refresh_token"])).json()

    claims = claims_of(provider, second["id_token"])
    assert (claims["name"], claims["roles"]) == ("Alice Brown", [])


async def test_a_deleted_person_gets_no_tokens(provider, rp):
    """An account that was deleted ends what it granted."""
    token = (await rp.login())["refresh_token"]
    del provider.personas["alice"]

    assert (await rp.refresh(token)).json()["error"] == "invalid_grant"


async def test_refresh_token_stays_where_the_provider_does_not_rotate(provider, rp):
    """Many providers keep it, and name it only once."""
    provider.rotates_refresh_tokens = False
    token = (await rp.login())["refresh_token"]
    answers = [await rp.refresh(token), await rp.refresh(token)]

    assert [(it.status_code, "refresh_token" in it.json()) for it in answers] == [(200, False)] * 2


@pytest.mark.parametrize("always", [True, False])
async def test_refresh_tokens_may_come_without_offline_access(provider, always):
    """Some providers give them to every client that is registered for them."""
    provider.always_refresh_tokens = always

    assert ("refresh_token" in await RelyingParty(provider, scope="openid").login()) is always


async def test_refresh_may_bring_no_id_token(provider, rp):
    """It is optional there (OpenID Connect Core §12.2)."""
    provider.id_token_on_refresh = False
    first = await rp.login()
    second = (await rp.refresh(first["refresh_token"])).json()

    assert ("id_token" in first, "id_token" in second) == (True, False)


@pytest.mark.parametrize(("passed", "status"), [(59, 200), (60, 400)])
async def test_refresh_tokens_expire_when_the_provider_says_so(provider, rp, times, passed, status):
    """A session that nobody used for long ends at the provider."""
    provider.refresh_token_lifetime = 60
    token = (await rp.login())["refresh_token"]
    times[0] += passed

    assert (await rp.refresh(token)).status_code == status


async def test_refresh_may_ask_for_fewer_scopes_and_not_for_more(provider, rp):
    """The refresh token keeps what the login granted (RFC 6749 §6)."""
    first = await rp.login()
    more = await rp.refresh(first["refresh_token"], scope="openid admin")
    fewer = (await rp.refresh(first["refresh_token"], scope="profile")).json()
    all_again = (await rp.refresh(fewer["refresh_token"])).json()

    assert more.json()["error"] == "invalid_scope"
    assert (fewer["scope"], "id_token" in fewer) == ("profile", False)
    assert all_again["scope"] == "openid profile offline_access"


async def test_refresh_token_of_another_client_is_refused(provider, rp):
    """It is bound to the client that it was given to."""
    token = (await rp.login())["refresh_token"]
    async with provider.http_client() as client:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "spa"}
        answer = await client.post(provider.metadata["token_endpoint"], data=form)

    assert answer.json()["error"] == "invalid_grant"
    assert provider.token_info(token).active


async def test_calls_are_counted_by_grant_type(provider, rp):
    """So that a test can say: exactly one refresh."""
    token = (await rp.login())["refresh_token"]
    await rp.refresh(token)
    await rp.refresh(token)

    assert (provider.count_grants("refresh_token"), provider.count_grants("authorization_code")) == (2, 1)


# --- resources


async def test_access_token_is_for_the_resources_of_the_login(provider):
    """A login may name several, and the token is for all of them (RFC 8707 §2.1)."""
    rp = RelyingParty(provider, resource=[ORDERS, STOCK])
    token = (await rp.login())["access_token"]

    expected = TokenInfo(True, "alice", "web", ("openid", "profile", "email"), (ORDERS, STOCK), NOW + 3600)
    assert provider.token_info(token) == expected


async def test_refresh_gives_a_token_for_one_resource(provider):
    """Each API gets a token of its own (RFC 8707 §2.2)."""
    rp = RelyingParty(provider, scope="openid offline_access", resource=[ORDERS, STOCK])
    first = await rp.login()
    one = (await rp.refresh(first["refresh_token"], resource=STOCK)).json()
    both = (await rp.refresh(one["refresh_token"])).json()

    assert provider.token_info(one["access_token"]).audience == (STOCK,)
    assert provider.token_info(both["access_token"]).audience == (ORDERS, STOCK)


async def test_resource_that_was_not_granted_is_refused_and_uses_nothing_up(provider):
    """A mistake in the resource must not cost the session."""
    rp = RelyingParty(provider, scope="openid offline_access", resource=ORDERS)
    token = (await rp.login())["refresh_token"]
    answer = await rp.refresh(token, resource=[ORDERS, STOCK])

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")
    assert provider.token_info(token).active


async def test_login_without_a_resource_grants_any(provider, rp):
    """As a provider does that decides by its own rules."""
    answer = await rp.refresh((await rp.login())["refresh_token"], resource=STOCK)

    assert provider.token_info(answer.json()["access_token"]).audience == (STOCK,)


@pytest.mark.parametrize("resource", ["orders", "https://orders.example.com/#a", STOCK])
async def test_login_for_no_such_resource_is_refused(provider, browser, resource):
    """A resource is an absolute URI without a fragment, and one that there is."""
    provider.targets = [ORDERS]
    rp = RelyingParty(provider, resource=resource)
    back = await Browser(rp, others={provider.origin: provider}).get("/private")

    assert back.json()["response"]["error"] == "invalid_target"


async def test_code_may_be_exchanged_for_a_granted_resource_alone(provider):
    """The token call narrows what the login named (RFC 8707 §2.2)."""
    provider.sign_in_as("alice")
    rp = RelyingParty(provider, resource=[ORDERS, STOCK])
    browser = Browser(rp, others={provider.origin: provider})
    answers = []
    for resource in (STOCK, "https://other.example.com/"):
        back = await browser.get(rp.authorization_url(), follow=False)
        code = back.location.partition("code=")[2].partition("&")[0]
        answers.append((await rp.exchange({"code": code}, resource=resource)).json())

    assert provider.token_info(answers[0]["access_token"]).audience == (STOCK,)
    assert answers[1]["error"] == "invalid_target"


# --- tokens and people


async def test_token_info_says_when_a_token_is_spent(provider, rp, times):
    """Expired, used up and never heard of are all not active."""
    first = await rp.login()
    second = (await rp.refresh(first["refresh_token"])).json()
    times[0] += 3600

    tokens = (first["refresh_token"], second["refresh_token"], second["access_token"])
    assert [provider.token_info(it).active for it in tokens] == [False, True, False]
    assert provider.token_info("made-up") == TokenInfo()


async def test_many_people_can_sign_in_without_the_page(rp, provider):
    """A thousand buttons on a thousand pages would be what the test waits for."""
    provider.personas = {persona.sub: persona for persona in numbered_personas(1000)}
    browser = Browser(rp, others={provider.origin: provider}, clock=lambda: NOW)
    browser.jar.receive(provider.session_cookie("user-0999"), provider.issuer)
    token = (await browser.get("/private")).json()["token"]["access_token"]

    assert (len(provider.personas), provider.token_info(token).sub) == (1000, "user-0999")
    assert provider.count("/authorize") == 1
