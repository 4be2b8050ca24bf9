"""An access token of a request is verified with the keys of the provider, at a bounded price."""

from dataclasses import replace
from hmac import digest
from typing import Any

import pytest

from asgi_oidc.errors import ProviderUnavailable, TokenRejected
from asgi_oidc.provider.jwks import BURST, COOL_DOWN
from asgi_oidc.provider.openid_connection import OpenIDConnection
from asgi_oidc.provider.token_verifier import Expectations
from asgi_oidc.testing import FakeProvider, GitHubStandIn
from asgi_oidc.testing.faults.registry import ACCESS_TOKEN_CLAIMS, ACCESS_TOKEN_SIGNING
from asgi_oidc.testing.keys import base64url, compact_jws, json_bytes, signing_key
from tests.internals import connection_of
from tests.protected_site import CLIENT_SECRET, Clock
from tests.provider.token_connection import API, EXPECTED, TokenConnection
from tests.providers.oauth2_site import OAuth2Site

NO_KID = "access_token_no_kid"  # which is allowed (RFC 7515 §4.1.4)
FAULTS = [name for name in (*ACCESS_TOKEN_CLAIMS, *ACCESS_TOKEN_SIGNING) if name != NO_KID]
STYLES = ["rfc9068", "keycloak", "auth0", "okta", "entra", "entra-v1", "cognito"]


@pytest.mark.parametrize("style", STYLES)
async def test_the_tokens_of_many_providers_pass(style):
    """Each writes the client and the scopes in its own way."""
    site = TokenConnection()

    token = await site.check(site.token(style=style, scopes=["orders:read"]))

    assert (token.sub, token.client_id, token.scopes) == ("alice", "program", ("orders:read",))
    assert (token.is_machine, token.issued_at) == (False, int(site.clock.now))


@pytest.mark.parametrize("style", STYLES)
async def test_the_tokens_of_machines_pass_and_say_so(style):
    """A client that acts on its own behalf (RFC 6749 §4.4)."""
    site = TokenConnection()

    token = await site.check(site.provider.machine_token("robot", audience=API, style=style))

    assert (token.is_machine, token.client_id) == (True, "robot")


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_faulty_token_is_refused(fault):
    """As strictly as an ID Token."""
    site = TokenConnection()

    with site.provider.fault(fault):
        error = await site.check_error(site.token())

    assert error.partition(" ")[0] in ("TokenRejected", "KeyUnknown")


async def test_a_token_need_not_name_its_key():
    """If a key of the provider fits, it does not matter which."""
    site = TokenConnection()

    with site.provider.fault(NO_KID):
        assert await site.check_error(site.token()) == ""


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_the_default_algorithms_pass(alg):
    """Those of ID Tokens."""
    site = TokenConnection(FakeProvider(alg=alg))

    assert await site.check_error(site.token()) == ""


async def test_other_algorithms_have_to_be_named():
    """A key that fits does not make an algorithm acceptable."""
    plain, named = (
        TokenConnection(FakeProvider(alg="ES384")),
        TokenConnection(FakeProvider(alg="ES384"), algorithms=["ES384"]),
    )

    assert await plain.check_error(plain.token()) == "TokenRejected alg_not_allowed"
    assert await named.check_error(named.token()) == ""


def hs256_token(claims: dict[str, Any]) -> str:
    start = f"{base64url(json_bytes({'alg': 'HS256', 'typ': 'at+jwt'}))}.{base64url(json_bytes(claims))}"
    return f"{start}.{base64url(digest(CLIENT_SECRET.encode() * 2, start.encode(), 'sha256'))}"


async def test_a_shared_secret_signs_no_access_token():
    """Not even where it may sign ID Tokens: every client of the API would have to know it (RFC 9068 §2.1)."""
    secret = CLIENT_SECRET * 2
    site = TokenConnection(client_secret=secret, allow_hs256=True, algorithms=["HS256", "ES256"])
    now = int(site.clock.now)
    claims = {"iss": site.provider.issuer, "aud": API, "sub": "alice", "client_id": "x", "iat": now, "exp": now + 60}

    assert await site.check_error(hs256_token(claims)) == "TokenRejected alg_not_allowed"


def malformed(site: TokenConnection) -> list[str]:
    good = site.token()
    header, payload, signature = good.split(".")
    return [
        "",
        "opaque",
        "a.b.c",
        f"{good}.x.y",
        f"{payload}.{header}.{signature}",
        f"{header}.{payload}",
        "x" * 100_000,
        f"{header}.{'y' * 100_000}.{signature}",
        compact_jws({"alg": "none"}, json_bytes({}), site.provider.key),
        compact_jws({"alg": "HS256"}, json_bytes({}), site.provider.key),
        compact_jws({"alg": "ES256", "crit": ["x"]}, json_bytes({}), site.provider.key),
    ]


async def test_a_malformed_token_costs_no_call():
    """Not even on a cold process: anyone can send one."""
    site = TokenConnection()

    errors = [await site.check_error(token) for token in malformed(site)]

    assert {error.partition(" ")[0] for error in errors} == {"TokenRejected"}
    assert site.provider.calls == []


async def test_a_flood_of_made_up_keys_has_a_budget_of_its_own():
    """It costs neither a sign-in nor a sign-out its look at the keys."""
    site = TokenConnection()
    assert await site.check_error(site.token()) == ""

    for number in range(50):
        made_up = site.token(header={"kid": f"made-up-{number}"})
        assert await site.check_error(made_up) == "KeyUnknown kid_unknown"

    assert site.key_calls == 1 + BURST
    assert await site.signs_in_with_a_new_key()
    site.provider.rotate_keys()
    logout = await site.connection.check_logout_token(site.provider.logout_token("alice"))
    assert (logout.sub, site.key_calls) == ("alice", 3 + BURST)


async def test_a_rotated_key_is_fetched():
    """Programs go on while the provider changes its keys."""
    site = TokenConnection()
    assert await site.check_error(site.token()) == ""
    site.provider.rotate_keys()

    assert await site.check_error(site.token()) == ""
    assert site.key_calls == 2


async def test_after_a_flood_a_rotated_key_is_found_soon():
    """The budget comes back, one fetch at a time."""
    site = TokenConnection()
    for number in range(BURST + 2):
        await site.check_error(site.token(header={"kid": f"made-up-{number}"}))
    site.provider.rotate_keys()
    token = site.token()

    assert await site.check_error(token) == "KeyUnknown kid_unknown"
    site.clock.advance(COOL_DOWN)
    assert await site.check_error(token) == ""


@pytest.mark.parametrize("fault", ["jwks_down", "jwks_html"])
async def test_without_keys_it_cannot_be_told_whether_a_token_is_good(fault):
    """So the token is not to blame."""
    site = TokenConnection()

    with site.provider.fault(fault):
        error = await site.check_error(site.token())

    assert error.partition(" ")[0] in ("ProviderUnavailable", "AnswerRejected")


async def test_an_unknown_key_that_cannot_be_looked_up_is_an_outage():
    """The program can send the token again."""
    site = TokenConnection()
    assert await site.check_error(site.token()) == ""
    site.provider.rotate_keys()
    token = site.token()

    with site.provider.fault("jwks_down"):
        assert (await site.check_error(token)).startswith("ProviderUnavailable")
    assert await site.check_error(token) == ""


async def test_it_issues_tokens_of_its_own_issuer_only():
    """To the byte; the issuer of a token chooses the provider that verifies it."""
    connection = TokenConnection().connection
    issuer = connection.settings.issuer

    assert connection.issues(issuer)
    assert not any(
        connection.issues(other) for other in ("", f"{issuer}/", issuer.upper(), "https://other.example.com")
    )


async def test_users_who_may_not_sign_in_may_not_call_either():
    """Google's organizations; the setting is about users, not about how they come."""
    site = TokenConnection()
    settings = replace(site.connection.settings, hosted_domains=frozenset({"example.com"}))
    site.connection = OpenIDConnection(settings, Expectations(leeway=30), site.connection.http, site.clock)

    assert await site.check_error(site.token(claims={"hd": "example.com"})) == ""
    assert await site.check_error(site.token()) == "TokenRejected claim_hd"
    assert await site.introspection_error(site.token(opaque=True)) == "TokenRejected claim_hd"


async def test_a_key_of_another_provider_verifies_nothing():
    """However well the claims fit."""
    site, other = TokenConnection(), FakeProvider("https://other.example.com", alg="ES256", clock=Clock())
    other.rotate_keys()
    token = other.access_token(audience=API, claims={"iss": site.provider.issuer})
    forged = compact_jws({"alg": "ES256", "kid": site.provider.key.kid}, b"{}", signing_key("ES256", 7))

    assert (await site.check_error(token)).partition(" ")[2] in ("kid_unknown", "signature")
    assert await site.check_error(forged) == "TokenRejected signature"


async def test_a_provider_without_openid_connect_has_no_tokens_that_can_be_checked():
    """Its user API tells neither the audience nor the client of a token (RFC 6749 §10.16)."""
    site = OAuth2Site(GitHubStandIn())
    connection = connection_of(site.middleware, "hub")

    for check in (connection.check_bearer_token, connection.introspect):
        with pytest.raises(TokenRejected) as caught:
            await check("token", EXPECTED)
        assert caught.value.code == "bearer_unsupported"
    assert not connection.issues(connection.settings.issuer)


async def test_a_token_of_entra_version_1_is_refused_with_the_fix():
    """The commonest mistake with Entra: the manifest of the API asks for no version."""
    tenant = "4a5bbb1c-0000-4000-8000-000000000001"
    site = TokenConnection()

    with pytest.raises(TokenRejected, match="requestedAccessTokenVersion to 2") as caught:
        await site.check(site.token(claims={"iss": f"https://sts.windows.net/{tenant}/"}))

    assert caught.value.code == "claim_iss"


async def test_the_error_of_an_outage_says_when_to_try_again():
    """It becomes the Retry-After of a 503."""
    site = TokenConnection()

    with site.provider.fault("jwks_down"), pytest.raises(ProviderUnavailable) as caught:
        await site.check(site.token())

    assert caught.value.retry_after > 0
