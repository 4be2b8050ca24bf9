"""The fake provider revokes tokens (RFC 7009) and remembers which."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from asgi_oidc.testing import Browser, Client, FakeProvider
from tests.testing.relying_party import RelyingParty


@pytest.fixture
def rp(provider: FakeProvider) -> RelyingParty:
    return RelyingParty(provider, scope="openid offline_access")


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
async def test_revocation_ends_all_tokens_of_the_grant(provider, rp, kind):
    """Whoever signs out is signed out with all that they were given."""
    tokens = await rp.login()
    answer = await rp.revoke(token=tokens[kind], token_type_hint=kind)

    assert (answer.status_code, answer.content) == (200, b"")
    assert [provider.token_info(tokens[it]).active for it in ("access_token", "refresh_token")] == [False] * 2
    assert (await rp.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (provider.revoked, provider.count("/revoke")) == ([tokens[kind]], 1)


async def test_revocation_ends_no_other_login(provider, rp):
    """The same person may be signed in elsewhere."""
    here, there = await rp.login(), await rp.login()
    await rp.revoke(token=here["refresh_token"])

    assert provider.token_info(there["refresh_token"]).active


async def test_revocation_can_end_all_that_a_client_has_of_a_sign_in(provider, rp):
    """As at Keycloak: two logins of one browser share the client session that a revocation ends."""
    provider.revocation_ends_session = True
    browser = Browser(rp, others={provider.origin: provider})
    first, second = [(await browser.sign_in("alice", "/private")).json()["token"] for _ in range(2)]
    late = await browser.get("/private", follow=False)
    code = dict(parse_qsl(urlsplit((await browser.get(late.location, follow=False)).location).query))
    elsewhere = await rp.login()
    await rp.revoke(token=first["refresh_token"])

    assert [provider.token_info(it["refresh_token"]).active for it in (second, elsewhere)] == [False, True]
    assert (await rp.exchange(code)).json()["error"] == "invalid_grant"
    assert [len(client_ids) for client_ids in provider.memory.reached.values()] == [0, 1]


async def test_refresh_token_that_is_used_up_still_ends_its_grant(provider, rp):
    """A logout may come with the token from before a refresh."""
    first = await rp.login()
    second = (await rp.refresh(first["refresh_token"])).json()
    await rp.revoke(token=first["refresh_token"])

    assert not provider.token_info(second["refresh_token"]).active
    assert provider.revoked == [first["refresh_token"]]


async def test_unknown_token_is_no_error(provider, rp):
    """The client wants it gone, and it is (RFC 7009 §2.2)."""
    answer = await rp.revoke(token="made-up")

    assert (answer.status_code, provider.revoked) == (200, [])


async def test_revocation_names_a_token(rp):
    """Without one there is nothing to revoke."""
    answer = await rp.revoke(token_type_hint="refresh_token")

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("auth", "status", "error"),
    [
        (("web", "wrong"), 401, "invalid_client"),
        (None, 401, "invalid_client"),
        (("other", "other-secret"), 400, "invalid_grant"),
    ],
)
async def test_only_the_client_of_a_token_revokes_it(auth, status, error):
    """Else anyone who saw a token could sign people out (RFC 7009 §2.1)."""
    provider = FakeProvider(clients=[Client(), Client("other", "other-secret")])
    token = (await RelyingParty(provider, scope="openid offline_access").login())["refresh_token"]
    async with provider.http_client() as client:
        answer = await client.post(provider.metadata["revocation_endpoint"], data={"token": token}, auth=auth)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert (provider.token_info(token).active, provider.revoked) == (True, [])
