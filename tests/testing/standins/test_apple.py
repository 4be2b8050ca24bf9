"""The stand-in for Apple behaves as Apple's documentation says."""

import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from asgi_oidc.testing import Account, AppleStandIn
from tests.testing.standins.client import NOW, REDIRECT_URI, HttpClient
from tests.testing.standins.openid import discovered, verified

SIX_MONTHS = 15_777_000  # seconds
FORM = {"response_mode": "form_post"}


@pytest.fixture
def apple() -> AppleStandIn:
    return AppleStandIn(clock=lambda: NOW)


@pytest.fixture
def client(apple: AppleStandIn) -> HttpClient:
    return HttpClient(apple, "openid name email")


def client_secret(apple: AppleStandIn, *, key: str = "", header: dict[str, Any] | None = None, **claims: object) -> str:
    """Sign a client secret as a developer does, with other claims or members of the header."""
    made = {
        "iss": apple.team_id,
        "sub": "web",
        "aud": "https://appleid.apple.com",
        "iat": NOW,
        "exp": NOW + 300,
        **claims,
    }
    kept = {name: value for name, value in made.items() if value is not ...}
    signed_with = ECKey.import_key(key or apple.private_key)
    members = {"alg": "ES256", "kid": apple.key_id, **(header or {})}
    return jws.serialize_compact(members, json.dumps(kept).encode(), signed_with, [members["alg"]])


async def first_response(client: HttpClient, sub: str = "1000001", **changes: str | None) -> dict[str, str]:
    return await client.response(sub, **{**FORM, **changes})


async def tokens(client: HttpClient, sub: str = "1000001", **changes: str | None) -> dict[str, Any]:
    secret = client_secret(client.standin)  # type: ignore[arg-type]  # it is the one for Apple
    answer = await client.exchange((await first_response(client, sub, **changes))["code"], client_secret=secret)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_its_metadata_is_below_the_issuer(client, apple):
    """All at one origin, without userinfo and without a sign-out."""
    metadata = await discovered(client, "https://appleid.apple.com")

    assert (metadata["issuer"], metadata["jwks_uri"]) == (apple.issuer, "https://appleid.apple.com/auth/keys")
    assert metadata["revocation_endpoint"] == "https://appleid.apple.com/auth/revoke"
    assert {"userinfo_endpoint", "end_session_endpoint", "code_challenge_methods_supported"}.isdisjoint(metadata)


@pytest.mark.parametrize("scope", ["openid name", "email"])
async def test_a_name_or_an_address_comes_by_form_only(client, scope):
    """Not in the URL of a redirect."""
    refused = await client.response("1000001", scope=scope)
    without = await client.response("1000001", scope="openid")

    assert (refused["error"], "response_mode" in refused["error_description"]) == ("invalid_request", True)
    assert "code" in without


async def test_the_name_comes_with_the_first_login_only(client):
    """At the next one there is no `user`."""
    first, second = await first_response(client), await first_response(client)
    of_bob = await first_response(client, "1000002")

    assert json.loads(first["user"]) == {
        "name": {"firstName": "Alice", "lastName": "Adams"},
        "email": "alice@example.com",
    }
    assert ("user" in second, "user" in of_bob) == (False, True)


async def test_the_name_comes_only_if_it_was_asked_for(client):
    """The scopes decide what is in `user`, and whether it is there."""
    address_only = await first_response(client, scope="openid email")
    nothing = await first_response(client, "1000002", scope="openid")

    assert json.loads(address_only["user"]) == {"email": "alice@example.com"}
    assert "user" not in nothing


async def test_the_id_token_has_no_name_and_texts_for_booleans(client):
    """Apple checks all addresses but those of organizations."""
    claims = await verified(client, (await tokens(client))["id_token"])
    of_mallory = await verified(client, (await tokens(client, "1000003"))["id_token"])

    assert (claims["iss"], claims["aud"], claims["nonce"]) == ("https://appleid.apple.com", "web", "a-nonce")
    assert (claims["email"], claims["email_verified"], claims["nonce_supported"]) == ("alice@example.com", "true", True)
    assert {"name", "given_name", "sid", "is_private_email"}.isdisjoint(claims)
    assert (claims["exp"] - claims["iat"], of_mallory["email_verified"]) == (86_400, "false")


async def test_an_address_of_the_private_relay_is_marked(client, apple):
    """The user hides the real one from the app."""
    apple.personas["7"] = Account("7", "Dana Doe", "x1x1xxx11x@privaterelay.appleid.com")
    claims = await verified(client, (await tokens(client, "7"))["id_token"])

    assert (claims["is_private_email"], claims["email_verified"]) == ("true", "true")


async def test_without_the_scope_there_is_no_address(client):
    """The ID Token has only what was asked for."""
    claims = await verified(client, (await tokens(client, scope="name"))["id_token"])

    assert {"email", "email_verified"}.isdisjoint(claims)


async def test_a_cancelled_login_has_an_error_of_its_own(client):
    """It is not `access_denied`."""
    response = await first_response(client, None)  # type: ignore[arg-type]  # nobody

    assert response == {"error": "user_cancelled_authorize", "state": "a-state"}


async def test_a_secret_for_six_months_is_accepted(client, apple):
    """No longer than that."""
    code = (await first_response(client))["code"]
    answer = await client.exchange(code, client_secret=client_secret(apple, exp=NOW + SIX_MONTHS))

    assert (answer.status_code, sorted(answer.json())) == (
        200,
        ["access_token", "expires_in", "id_token", "refresh_token", "token_type"],
    )


OTHER_KEY = ECKey.generate_key("P-256").as_pem(private=True).decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "OTHERTEAM1"},
        {"iss": ...},
        {"sub": "spa"},
        {"sub": ...},
        {"aud": "https://appleid.apple.com/"},
        {"aud": ["https://appleid.apple.com"]},
        {"aud": ...},
        {"exp": NOW},
        {"exp": NOW + SIX_MONTHS + 1},
        {"exp": ...},
        {"exp": str(NOW + 300)},
        {"iat": NOW + 1},
        {"iat": ...},
        {"header": {"kid": "OTHERKEY12"}},
        {"header": {"alg": "ES384"}, "key": ECKey.generate_key("P-384").as_pem(private=True).decode()},
        {"key": OTHER_KEY},
    ],
)
async def test_a_secret_that_is_not_as_documented_is_refused(client, apple, changes):
    """Algorithm, key id, team, client, audience, lifetime and signature."""
    code = (await first_response(client))["code"]
    answer = await client.exchange(code, client_secret=client_secret(apple, **changes))

    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_client"})


@pytest.mark.parametrize("secret", ["web-secret-for-tests", "a.b.c", "..", "e30.e30.", "bnVsbA.e30.x", "é.e30.e30"])
async def test_a_secret_that_is_no_jwt_is_refused(client, secret):
    """Not even the fixed secret of the client."""
    code = (await first_response(client))["code"]

    assert (await client.exchange(code, client_secret=secret)).json() == {"error": "invalid_client"}


async def test_credentials_in_a_header_are_refused(client, apple):
    """The documentation has them in the body."""
    code = (await first_response(client))["code"]
    answer = await client.exchange(code, auth=("web", client_secret(apple)))

    assert answer.json() == {"error": "invalid_client"}


async def test_a_code_works_once_and_for_five_minutes(client, apple):
    """With the redirect URI and the verifier of its login."""
    codes = [(await first_response(client))["code"] for _ in range(4)]
    secret = client_secret(apple, exp=NOW + 900)
    used = [await client.exchange(codes[0], client_secret=secret) for _ in range(2)]
    elsewhere = await client.exchange(codes[1], client_secret=secret, redirect_uri=REDIRECT_URI + "x")
    unproven = await client.exchange(codes[2], client_secret=secret, code_verifier=None)
    apple.clock = lambda: NOW + 301
    late = await client.exchange(codes[3], client_secret=secret)

    assert [answer.status_code for answer in used] == [200, 400]
    assert [answer.json()["error"] for answer in (elsewhere, unproven, late)] == ["invalid_grant"] * 3


async def test_a_refresh_token_works_again_and_again(client, apple):
    """The answer has no new one."""
    form = {
        "grant_type": "refresh_token",
        "refresh_token": (await tokens(client))["refresh_token"],
        "client_secret": client_secret(apple),
    }
    answers = [await client.exchange("", code_verifier=None, **form) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert "refresh_token" not in answers[0].json()


async def test_a_revocation_takes_the_consent_back(client, apple):
    """The next login is like the first, and the name comes again."""
    token = (await tokens(client))["refresh_token"]
    url = apple.metadata["revocation_endpoint"]
    refused = await client.call("POST", url, data={"client_id": "web", "client_secret": "x", "token": token})
    again = await first_response(client)
    accepted = await client.call(
        "POST", url, data={"client_id": "web", "client_secret": client_secret(apple), "token": token}
    )

    assert ("user" in again, "user" in await first_response(client)) == (False, True)
    assert (refused.json(), accepted.status_code) == ({"error": "invalid_client"}, 200)
