"""The authorization response as a signed JWT (JARM), and the algorithms that a client registered."""

from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet

from asgi_oidc.testing import Browser, Client, FakeProvider
from tests.testing.relying_party import NOW, RelyingParty, read

MODES = ["jwt", "query.jwt", "form_post.jwt"]
API = "https://api.example.com"


async def metadata_of(provider: FakeProvider) -> Any:
    async with provider.http_client() as client:
        return (await client.get(f"{provider.issuer}/.well-known/openid-configuration")).json()


async def response_of(provider: FakeProvider, mode: str | None = "jwt", **params: str) -> list[tuple[str, str]]:
    """Give the parameters that come back to the client."""
    provider.sign_in_as("alice")
    rp = RelyingParty(provider)
    browser = Browser(rp, others={provider.origin: provider}, clock=lambda: NOW)
    back = await browser.get(rp.authorization_url(response_mode=mode, **params), follow=False)
    if back.location:
        return httpx.URL(back.location).params.multi_items()
    return back.page.forms[0].fields


def claims_of(provider: FakeProvider, response: str, alg: str = "RS256") -> dict[str, Any]:
    keys = KeySet.import_key_set({"keys": provider.published_keys})
    return dict(jwt.decode(response, keys, algorithms=[alg]).claims)


@pytest.mark.parametrize("mode", MODES)
async def test_a_response_is_one_signed_jwt(provider, mode):
    """It names its provider, its client and its end (JARM §2.1), and nothing is sent beside it."""
    [(name, response)] = await response_of(provider, mode)

    claims = claims_of(provider, response)
    assert (name, claims.pop("code") != "") == ("response", True)
    assert claims == {"iss": provider.issuer, "aud": "web", "exp": NOW + 600, "state": "a-state"}


async def test_the_form_is_posted_for_form_post_only(provider, browser, rp):
    """`jwt` stands for `query.jwt` in the code flow (JARM §2.3.4)."""
    provider.sign_in_as("alice")
    posted = await browser.get(rp.authorization_url(response_mode="form_post.jwt"), follow=False)
    sent = await browser.get(rp.authorization_url(response_mode="jwt"), follow=False)

    assert (posted.status_code, posted.page.submits_itself, sent.status_code) == (200, True, 303)


async def test_an_error_is_signed_too(provider):
    """Nobody can plant an error."""
    [(_, response)] = await response_of(provider, scope="profile")

    claims = claims_of(provider, response)
    assert (claims["error"], claims["state"], "code" in claims) == ("invalid_scope", "a-state", False)


async def test_the_code_in_the_response_can_be_exchanged(provider, rp):
    """The rest of the login is as usual."""
    [(_, response)] = await response_of(provider)

    answer = await rp.exchange({"code": claims_of(provider, response)["code"]})
    assert (answer.status_code, "id_token" in read(answer)) == (200, True)


async def test_plain_responses_are_as_before(provider):
    """With `iss` as a parameter of its own (RFC 9207)."""
    names = sorted(name for name, _ in await response_of(provider, None))

    assert names == ["code", "iss", "state"]


async def test_an_unknown_response_mode_is_refused(provider):
    """Such as the fragment of the implicit flow."""
    names = dict(await response_of(provider, "fragment.jwt"))

    assert names["error"] == "invalid_request"


async def test_the_metadata_announces_it(provider):
    """A client may look before it asks (JARM §4)."""
    metadata = await metadata_of(provider)

    assert set(MODES) <= set(metadata["response_modes_supported"])
    assert metadata["authorization_signing_alg_values_supported"] == ["RS256"]


async def test_each_kind_of_jwt_is_signed_as_the_client_registered():
    """A client that pins an algorithm gets it, beside clients that do not."""
    pinned = Client(
        id_token_signed_response_alg="ES256",
        userinfo_signed_response_alg="PS256",
        introspection_signed_response_alg="ES384",
        authorization_signed_response_alg="RS512",
    )
    provider = FakeProvider(clients=[pinned, Client("other")], clock=lambda: NOW)
    rp = RelyingParty(provider)
    [(_, response)] = await response_of(provider)
    tokens = read(await rp.exchange({"code": claims_of(provider, response, "RS512")["code"]}))
    access_token = tokens["access_token"]
    async with provider.http_client() as client:
        bearer = {"authorization": f"Bearer {access_token}"}
        userinfo = await client.get(provider.metadata["userinfo_endpoint"], headers=bearer)
        introspection = await client.post(
            provider.metadata["introspection_endpoint"],
            data={"token": access_token},
            auth=("web", "web-secret-for-tests"),
            headers={"accept": "application/token-introspection+jwt"},
        )

    assert claims_of(provider, tokens["id_token"], "ES256")["sub"] == "alice"
    assert claims_of(provider, userinfo.text, "PS256")["aud"] == "web"
    assert claims_of(provider, introspection.text, "ES384")["token_introspection"]["active"] is True
    assert claims_of(provider, provider.id_token(client_id="other"))["aud"] == "other"


async def test_the_metadata_has_the_algorithms_that_clients_registered():
    """Else a client that compares would refuse them."""
    pinned = Client(id_token_signed_response_alg="ES256", authorization_signed_response_alg="PS256")
    provider = FakeProvider(clients=[pinned])
    metadata = await metadata_of(provider)

    assert metadata["id_token_signing_alg_values_supported"] == ["RS256", "ES256"]
    assert metadata["authorization_signing_alg_values_supported"] == ["RS256", "PS256"]
    assert "userinfo_signing_alg_values_supported" not in metadata


async def test_keys_of_all_algorithms_rotate(provider):
    """A pinned algorithm has a key of its own, which rotates with the others."""
    provider.clients["web"] = Client(id_token_signed_response_alg="ES256")
    before = provider.id_token()
    provider.rotate_keys()

    assert claims_of(provider, provider.id_token(), "ES256")["sub"] == "alice"
    with pytest.raises(InvalidKeyIdError):
        claims_of(provider, before, "ES256")
