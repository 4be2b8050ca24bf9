"""Encrypted tokens: `decryption_key` opens them, and what is inside counts only with a signature of the provider."""

import base64
import json
from typing import Any

import pytest

from asgi_oidc.testing import Client, DecryptionKey, FakeProvider, faults
from asgi_oidc.testing.encryption import compact_jwe
from tests.protected_site import ORIGIN, PROGRAM, Clock, Site, who_am_i

RSA = DecryptionKey()
EC = DecryptionKey("ECDH-ES+A256KW")
KEYS = {key.alg: key for key in (RSA, EC, DecryptionKey("ECDH-ES"), DecryptionKey("ECDH-ES+A128KW"))}
ENCS = ("A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM")
PINNED: dict[str, Any] = {"id_token_encrypted_response_alg": RSA.alg, "id_token_encrypted_response_enc": "A256GCM"}

ACCEPTED = ("jwe_unknown_kid", "jwe_no_kid", "jwe_no_cty")
REFUSED = {
    "jwe_left_out": "token_unencrypted",
    "jwe_foreign_key": "token_decryption",
    "jwe_rsa1_5": "alg_not_allowed",
    "jwe_rsa_oaep": "alg_not_allowed",
    "jwe_dir": "alg_not_allowed",
    "jwe_pbes2": "alg_not_allowed",
    "jwe_another_enc": "alg_not_allowed",
    "jwe_unknown_enc": "alg_not_allowed",
    "jwe_unknown_alg": "alg_not_allowed",
    "jwe_zip": "header_zip",
    "jwe_zip_bomb": "header_zip",
    "jwe_crit": "header_crit",
    "jwe_wrong_tag": "token_decryption",
    "jwe_short_tag": "token_decryption",
    "jwe_off_the_curve": "alg_not_allowed",
    "jwe_two_recipients": "id_token_malformed",
    "jwe_unsigned": "token_unsigned",
    "jwe_unsigned_with_cty": "token_unsigned",
    "jwe_alg_none_inside": "alg_not_allowed",
    "jwe_signed_by_foreign_key": "signature",
    "jwe_encrypted_twice": "token_unsigned",
}


def encrypting_provider(key: DecryptionKey = RSA, *, enc: str | None = "A256GCM", **client: Any) -> FakeProvider:
    algs: dict[str, Any] = {"id_token_encrypted_response_alg": key.alg, "id_token_encrypted_response_enc": enc}
    return FakeProvider(clock=Clock(), alg="ES256", clients=[Client(jwks=[key.public_jwk], **{**algs, **client})])


def encrypting_site(key: DecryptionKey = RSA, *, provider: FakeProvider | None = None, **settings: Any) -> Site:
    return Site(provider=provider or encrypting_provider(key), **{"decryption_key": key.pem, **settings})


@pytest.mark.parametrize("alg", KEYS)
async def test_an_encrypted_id_token_signs_in_with_each_algorithm(alg):
    """The provider chooses one of those that it and the key know."""
    site = encrypting_site(KEYS[alg])

    assert await who_am_i(await site.signed_in()) == "alice"


@pytest.mark.parametrize("enc", ENCS)
async def test_the_content_may_be_encrypted_in_each_way(enc):
    """`A128CBC-HS256` is the default of OpenID Connect Registration."""
    site = encrypting_site(provider=encrypting_provider(enc=enc), id_token_encrypted_response_alg=RSA.alg)

    assert await who_am_i(await site.signed_in()) == "alice"


def test_every_fault_has_a_rule():
    """A fault that is added to the fake provider must not be forgotten here."""
    assert set(faults.ENCRYPTION) <= {*ACCEPTED, *REFUSED}


@pytest.mark.parametrize(("fault", "code"), REFUSED.items())
async def test_an_encrypted_token_that_fails_a_check_is_refused(fault, code):
    """The app never runs."""
    site = encrypting_site(**PINNED)

    response = await site.failed_login(fault)

    assert (response.status_code, response.json()["error"], site.app.scopes) == (502, code, [])


@pytest.mark.parametrize("fault", ACCEPTED)
async def test_what_the_specification_allows_is_no_failure(fault):
    """`kid` is a hint, and `cty` is left out by some."""
    site = encrypting_site(**PINNED)

    with site.provider.fault(fault):
        assert await site.signed_in()


async def test_a_point_off_the_curve_is_refused():
    """It could reveal the private key."""
    site = encrypting_site(EC)

    response = await site.failed_login("jwe_off_the_curve")

    assert (response.status_code, response.json()["error"]) == (502, "token_decryption")


async def test_an_encrypted_token_without_a_key_says_what_is_missing(caplog):
    """The provider was told to encrypt; the app was not told how to decrypt."""
    site = encrypting_site(decryption_key=...)

    response = await site.failed_login()

    assert (response.status_code, response.json()["error"]) == (502, "token_encrypted")
    assert "OIDC_DECRYPTION_KEY" in caplog.text


async def test_the_public_keys_are_published_for_the_provider():
    """With `use` and `alg`, as it looks for them; and never a private part."""
    site = encrypting_site(decryption_key=[RSA.pem, EC.private_jwk])

    keys = (await site.browser().fetch("/auth/jwks")).json()["keys"]

    assert [(key["kid"], key["use"], key["alg"]) for key in keys] == [
        (RSA.kid, "enc", "RSA-OAEP-256"),
        (EC.kid, "enc", "ECDH-ES+A256KW"),
    ]
    assert not any("d" in key for key in keys)


async def test_a_list_of_keys_rotates():
    """A token for the older key is still opened, whether the header names the key or not."""
    site = encrypting_site(decryption_key=[DecryptionKey().pem, RSA.pem])
    with site.provider.fault("jwe_no_kid"):
        assert await site.signed_in("bob")

    assert await site.signed_in()


@pytest.mark.parametrize("is_pinned", [True, False])
async def test_rsa_oaep_is_accepted_only_by_name(is_pinned):
    """It rests on SHA-1, and is the default of some providers."""
    key = DecryptionKey("RSA-OAEP")
    pinned: dict[str, Any] = {"id_token_encrypted_response_alg": "RSA-OAEP"} if is_pinned else {}
    site = encrypting_site(key, **pinned)

    browser, url = await site.at_callback()
    response = await browser.get(url, headers=PROGRAM, follow=False)

    assert (response.status_code, "alg_not_allowed" in response.text) == ((303, False) if is_pinned else (502, True))


async def test_the_session_keeps_the_signed_token_and_the_provider_gets_it_as_hint():
    """OpenID Connect Core §3.1.2.1: the hint is the decrypted token."""
    site = encrypting_site()
    browser = await site.signed_in()
    kept = site.app.scope["oidc"].id_token

    bye = await browser.post("/auth/logout", {}, follow=False)

    assert kept.count(".") == 2
    assert f"id_token_hint={kept}" in bye.location


async def test_a_refreshed_id_token_is_decrypted_too():
    """And kept without its encryption."""
    site = encrypting_site(scope="openid offline_access", **PINNED)
    site.provider.access_token_lifetime = 20
    browser = await site.signed_in()
    first = site.app.scope["oidc"].id_token
    site.clock.advance(21)
    site.app.at_work = renew

    await browser.get("/page")
    await browser.get("/page")

    newer = site.app.scope["oidc"].id_token
    assert (newer != first, newer.count("."), site.provider.count_grants("refresh_token")) == (True, 2, 1)


async def renew(scope: Any) -> None:
    await scope["oidc"].access_token()


@pytest.mark.parametrize("fault", ["jwe_left_out", "jwe_foreign_key"])
async def test_a_refreshed_id_token_is_checked_like_the_first(fault):
    """A refresh is no way around encryption."""
    site = encrypting_site(scope="openid offline_access", **PINNED)
    site.provider.access_token_lifetime = 20
    browser = await site.signed_in()
    first = site.app.scope["oidc"].id_token
    site.clock.advance(21)
    site.app.at_work = renew

    with site.provider.fault(fault):
        page = await browser.get("/page")

    assert (page.status_code, site.app.scope["oidc"].id_token) == (503, first)


async def test_userinfo_and_the_response_may_be_encrypted():
    """Each kind of token has algorithms of its own."""
    algs: dict[str, Any] = {f"{kind}_encrypted_response_alg": RSA.alg for kind in ("userinfo", "authorization")}
    provider = encrypting_provider(userinfo_signed_response_alg="ES256", **algs)
    site = encrypting_site(
        provider=provider,
        userinfo="always",
        userinfo_signed_response_alg="ES256",
        authorization_params={"response_mode": "jwt"},
        **algs,
    )

    assert await who_am_i(await site.signed_in()) == "alice"


@pytest.mark.parametrize(
    ("fault", "code"),
    [("jwe_left_out", "token_unencrypted"), ("jwe_unsigned", "token_unsigned"), ("jwe_zip", "header_zip")],
)
async def test_an_encrypted_response_is_checked_like_an_id_token(fault, code):
    """Before anything inside is read."""
    algs: dict[str, Any] = {"authorization_encrypted_response_alg": RSA.alg}
    provider = encrypting_provider(id_token_encrypted_response_alg=None, id_token_encrypted_response_enc=None, **algs)
    site = encrypting_site(provider=provider, authorization_params={"response_mode": "jwt"}, **algs)

    response = await site.failed_login(fault)

    assert (response.status_code, response.json()["error"], site.provider.count("/token")) == (400, code, 0)


async def test_a_logout_token_may_be_encrypted():
    """As the ID Tokens of the client are, or only signed (Back-Channel Logout 1.0 §2.4)."""
    site = encrypting_site(**PINNED)
    browser = await site.signed_in()
    token = site.provider.logout_token("alice")
    header = {"alg": RSA.alg, "enc": "A256GCM", "kid": RSA.kid, "cty": "JWT"}
    encrypted = compact_jwe(header, token.encode(), RSA.public_jwk)

    answer = await site.browser().post("/auth/backchannel-logout", {"logout_token": encrypted})

    assert (answer.status_code, await who_am_i(browser)) == (200, None)


@pytest.mark.parametrize("part", range(5))
async def test_no_changed_part_of_a_token_is_accepted(part):
    """Each is protected by the tag; and none is told from another by the answer."""
    site = encrypting_site()
    browser, url = await site.at_callback()
    original = site.provider.encrypted

    def changed(*args: Any) -> str:
        segments = original(*args).split(".")
        raw = bytearray(base64.urlsafe_b64decode(segments[part] + "=="))
        if part == 0:
            raw[:] = json.dumps({**json.loads(raw), "x": 1}).encode()
        else:
            raw[len(raw) // 2] ^= 1
        segments[part] = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        return ".".join(segments)

    site.provider.encrypted = changed  # type: ignore[method-assign, assignment]  # the fake provider's, not ours
    response = await browser.get(url, headers=PROGRAM, follow=False)

    assert (response.status_code, response.json()["error"]) == (502, "token_decryption")
    assert f"{ORIGIN}/" not in response.location


async def test_a_token_signed_with_our_public_key_as_a_secret_is_refused():
    """Everybody knows the public key."""
    site = encrypting_site()
    browser, url = await site.at_callback()
    header = {"alg": RSA.alg, "enc": "A256GCM"}
    inner = faults.ID_TOKEN_SIGNING["id_token_hs256_with_public_key"]

    def forged(_token: str, draft: Any, *_args: Any) -> str:
        return compact_jwe(header, inner(draft).encode(), RSA.public_jwk)

    site.provider.encrypted = forged  # type: ignore[method-assign, assignment]  # the fake provider's, not ours
    response = await browser.get(url, headers=PROGRAM, follow=False)

    assert (response.status_code, response.json()["error"]) == (502, "alg_not_allowed")
