"""A pinned algorithm is the only one that is accepted, and a plain answer is no way around it."""

from typing import Any

import pytest

from asgi_oidc.testing import Client, DecryptionKey, FakeProvider
from tests.protected_site import Clock, Site, who_am_i
from tests.provider.token_connection import TokenConnection

KEY = DecryptionKey()
SILENT: dict[str, Any] = {"userinfo_signing_alg_values_supported": None}
USERINFO: dict[str, Any] = {"userinfo_signed_response_alg": "ES256"}
INTROSPECTION: dict[str, Any] = {"introspection_signed_response_alg": "ES256"}
ENCRYPTED: dict[str, Any] = {"introspection_encrypted_response_alg": KEY.alg}


def pinning_site(provider: FakeProvider | None = None, **pins: Any) -> Site:
    return Site(provider=provider or provider_with(), **pins)


def provider_with(**client: Any) -> FakeProvider:
    return FakeProvider(clock=Clock(), alg="ES256", clients=[Client(jwks=[KEY.public_jwk], **client)])


@pytest.mark.parametrize(("alg", "status"), [("ES256", 303), ("RS256", 502)])
async def test_an_id_token_has_the_pinned_algorithm(alg, status):
    """Even if the provider signs with another one that would be accepted otherwise, and its metadata is silent."""
    site = pinning_site(id_token_signed_response_alg=alg, metadata={"id_token_signing_alg_values_supported": None})
    browser, url = await site.at_callback()

    response = await browser.get(url, follow=False)

    assert response.status_code == status


async def test_a_response_has_the_pinned_algorithm():
    """`jarm_another_alg` is a good signature by a key of the provider."""
    mode: dict[str, Any] = {"response_mode": "jwt"}
    site = pinning_site(authorization_signed_response_alg="ES256", authorization_params=mode)

    refused = await site.failed_login("jarm_another_alg")

    assert (refused.status_code, refused.json()["error"]) == (400, "alg_not_allowed")
    assert await who_am_i(await site.signed_in()) == "alice"


@pytest.mark.parametrize("pin", ["userinfo_signed_response_alg", "userinfo_encrypted_response_alg"])
async def test_plain_userinfo_is_refused_if_it_is_pinned(pin):
    """No downgrade."""
    pinned: dict[str, Any] = {pin: "ES256" if "signed" in pin else KEY.alg}
    site = pinning_site(userinfo="always", decryption_key=KEY.pem, **pinned)

    refused = await site.failed_login()

    assert (refused.status_code, refused.json()["error"]) == (502, "userinfo_unsigned")


async def test_signed_userinfo_has_the_pinned_algorithm():
    """And no other one."""
    good = pinning_site(provider_with(**USERINFO), userinfo="always", **USERINFO)
    other: dict[str, Any] = {"userinfo_signed_response_alg": "PS256"}
    strict = pinning_site(provider_with(**USERINFO), userinfo="always", metadata=SILENT, **other)

    refused = await strict.failed_login()

    assert await who_am_i(await good.signed_in()) == "alice"
    assert (refused.status_code, refused.json()["error"]) == (502, "alg_not_allowed")


@pytest.mark.parametrize("pins", [INTROSPECTION, {**INTROSPECTION, **ENCRYPTED}])
async def test_introspection_answers_are_as_pinned(pins):
    """Signed, or encrypted as well."""
    connection = TokenConnection(provider_with(**pins), decryption_key=KEY.pem, **pins)

    accepted = await connection.introspect(connection.token(opaque=True))

    assert accepted.claims["sub"] == "alice"


@pytest.mark.parametrize(("fault", "code"), [("introspection_jwt_left_out", "introspection_unsigned")])
async def test_a_plain_introspection_answer_is_refused_if_it_is_pinned(fault, code):
    """No downgrade; it says nothing about the token."""
    connection = TokenConnection(provider_with(**INTROSPECTION), **INTROSPECTION)

    with connection.provider.fault(fault):
        error = await connection.introspection_error(connection.token(opaque=True))

    assert error == f"AnswerRejected {code}"


@pytest.mark.parametrize("fault", ["jwe_left_out", "jwe_unsigned", "jwe_zip", "jwe_foreign_key"])
async def test_an_encrypted_introspection_answer_is_checked(fault):
    """Like any other encrypted token."""
    pins: dict[str, Any] = {**INTROSPECTION, **ENCRYPTED}
    connection = TokenConnection(provider_with(**pins), decryption_key=KEY.pem, **pins)

    with connection.provider.fault(fault):
        error = await connection.introspection_error(connection.token(opaque=True))

    assert error == "AnswerRejected introspection_jwt"
