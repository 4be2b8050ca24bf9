"""Clients register themselves at the fake provider (RFC 7591, RFC 7592)."""

from typing import Any

import httpx
import pytest

from asgi_oidc.testing import Client, ClientCertificate, ClientKey, DecryptionKey, FakeProvider
from tests.testing.relying_party import NOW, RelyingParty, read
from tests.testing.test_jarm import metadata_of

CALLBACK = "https://app.example.com/callback"
ASKED: dict[str, Any] = {"redirect_uris": [CALLBACK], "client_name": "An app", "unknown": 1, "logo_uri": None}


@pytest.fixture
def provider() -> FakeProvider:
    """Make a provider at which anybody can register."""
    provider = FakeProvider(clock=lambda: NOW)
    provider.registers_clients = True
    return provider


async def register(provider: FakeProvider, asked: Any, *, token: str | None = None) -> httpx.Response:
    async with provider.http_client() as client:
        endpoint = (await metadata_of(provider))["registration_endpoint"]
        return await client.post(endpoint, json=asked, headers=bearer(token))


async def manage(provider: FakeProvider, method: str, answer: Any, **sent: Any) -> httpx.Response:
    async with provider.http_client() as client:
        headers = bearer(answer["registration_access_token"])
        return await client.request(method, answer["registration_client_uri"], headers=headers, **sent)


def bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"authorization": f"Bearer {token}"}


async def test_a_client_registers(provider):
    """It gets an id, a secret, and the token of its registration (RFC 7591 §3.2.1)."""
    answer = await register(provider, ASKED)
    members = answer.json()

    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    given = {name: members.pop(name) for name in ("client_id", "client_secret", "registration_access_token")}
    assert all(given.values())
    assert members == {
        "redirect_uris": [CALLBACK],
        "client_name": "An app",
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "client_id_issued_at": NOW,
        "client_secret_expires_at": 0,
        "registration_client_uri": f"{provider.issuer}/register?client_id={given['client_id']}",
    }


async def test_a_registered_client_signs_users_in(provider):
    """With its id and its secret, at the URI that it registered."""
    given = (await register(provider, ASKED)).json()
    provider.sign_in_as("alice")
    rp = RelyingParty(provider)
    async with provider.http_client() as client:
        back = await client.get(rp.authorization_url(client_id=given["client_id"]))
        refused = await client.get(rp.authorization_url(client_id=given["client_id"], redirect_uri=CALLBACK + "/x"))
        code = httpx.URL(back.headers["location"]).params["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": "v" * 43}
        credentials = (given["client_id"], given["client_secret"])
        answer = await client.post(provider.metadata["token_endpoint"], data=form, auth=credentials)

    assert (answer.status_code, "id_token" in read(answer)) == (200, True)
    assert refused.status_code == 400


async def test_what_a_client_registers_is_what_it_gets(provider):
    """The members are those of `Client`, by their names in the specifications."""
    key, decryption_key, certificate = ClientKey(), DecryptionKey(), ClientCertificate()
    asked = {
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [key.public_jwk, decryption_key.public_jwk]},
        "id_token_signed_response_alg": "ES256",
        "id_token_encrypted_response_alg": "RSA-OAEP-256",
        "backchannel_logout_uri": "https://app.example.com/backchannel",
        "tls_client_auth_subject_dn": certificate.subject_dn,
        "tls_client_certificate_bound_access_tokens": True,
    }
    given = (await register(provider, asked)).json()
    client = provider.clients[given["client_id"]]
    header, _ = decryption_key.decrypt(provider.id_token(client_id=client.client_id))

    assert "client_secret" not in given
    assert (client.allowed_auth_methods, client.client_secret) == (("private_key_jwt",), None)
    assert (client.redirect_uris, client.post_logout_redirect_uris) == ([CALLBACK], ())
    assert (header["kid"], client.tls_client_certificate_bound_access_tokens) == (decryption_key.kid, True)
    assert client.backchannel_logout_uri == asked["backchannel_logout_uri"]


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("invalid_redirect_uri", {"redirect_uris": []}),
    ("invalid_redirect_uri", {"redirect_uris": ["http://app.example.com/callback"]}),
    ("invalid_redirect_uri", {"redirect_uris": [CALLBACK + "#fragment"]}),
    ("invalid_redirect_uri", {"redirect_uris": ["https://[broken"]}),
    ("invalid_client_metadata", {"redirect_uris": CALLBACK}),
    ("invalid_client_metadata", {"redirect_uris": [7]}),
    ("invalid_client_metadata", {"token_endpoint_auth_method": "password"}),
    ("invalid_client_metadata", {"token_endpoint_auth_method": "private_key_jwt"}),
    ("invalid_client_metadata", {"token_endpoint_auth_method": "tls_client_auth"}),
    ("invalid_client_metadata", {"response_types": ["token"]}),
    ("invalid_client_metadata", {"grant_types": ["password"]}),
    ("invalid_client_metadata", {"id_token_signed_response_alg": "none"}),
    ("invalid_client_metadata", {"id_token_encrypted_response_alg": "RSA-OAEP-256"}),
    ("invalid_client_metadata", {"jwks": {"keys": []}, "jwks_uri": "https://app.example.com/auth/jwks"}),
    ("invalid_client_metadata", {"tls_client_certificate_bound_access_tokens": "yes"}),
]


@pytest.mark.parametrize(("error", "changes"), REFUSED)
async def test_metadata_that_cannot_work_is_refused(provider, error, changes):
    """At once, and not at the first login (RFC 7591 §3.2.2)."""
    answer = await register(provider, ASKED | changes)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert provider.memory.registrations == {}


@pytest.mark.parametrize("body", [[1], "text", None])
async def test_metadata_is_an_object(provider, body):
    """Anything else cannot be a client."""
    assert (await register(provider, body)).json()["error"] == "invalid_client_metadata"


async def test_loopback_needs_no_https(provider):
    """Programs on a desktop, and development."""
    asked = {"redirect_uris": ["http://127.0.0.1:8000/callback", "http://localhost/callback"]}

    assert (await register(provider, asked)).status_code == 201


async def test_an_initial_access_token_may_be_needed(provider):
    """Then nobody registers without an invitation (RFC 7591 §3)."""
    provider.initial_access_token = "an-invitation"
    statuses = [(await register(provider, ASKED, token=token)).status_code for token in (None, "x", "an-invitation")]

    assert statuses == [401, 401, 201]


async def test_most_providers_register_nobody():
    """So does this one, until a test says otherwise."""
    provider = FakeProvider()
    async with provider.http_client() as client:
        answer = await client.post(f"{provider.issuer}/register", json=ASKED)

    assert "registration_endpoint" not in await metadata_of(provider)
    assert answer.status_code == 404


async def test_a_registration_can_be_read_changed_and_removed(provider):
    """With its own access token (RFC 7592 §2)."""
    given = (await register(provider, ASKED)).json()
    read_back = await manage(provider, "GET", given)
    change = {"client_id": given["client_id"], "redirect_uris": ["https://new.example.com/callback"]}
    changed = await manage(provider, "PUT", given, json=change)
    removed = await manage(provider, "DELETE", given)
    gone = await manage(provider, "GET", given)

    assert (read_back.status_code, read_back.json()) == (200, given)
    assert (changed.status_code, changed.json()["redirect_uris"]) == (200, change["redirect_uris"])
    assert ("client_name" in changed.json(), changed.json()["client_secret"]) == (False, given["client_secret"])
    assert (removed.status_code, gone.status_code) == (204, 401)
    assert given["client_id"] not in provider.clients


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "another"},
        {"client_secret": "chosen"},
        {"client_id_issued_at": 1},
        {"registration_access_token": "x"},
        {"redirect_uris": []},
    ],
)
async def test_a_change_that_is_not_allowed_is_refused(provider, change):
    """And nothing is changed (RFC 7592 §2.2)."""
    given = (await register(provider, ASKED)).json()
    answer = await manage(provider, "PUT", given, json={"client_id": given["client_id"], **ASKED, **change})

    assert answer.status_code == 400
    assert (await manage(provider, "GET", given)).json() == given


async def test_a_registration_is_nothing_to_others(provider):
    """Neither its neighbour nor a client of the settings has the token for it."""
    first, second = [(await register(provider, ASKED)).json() for _ in range(2)]
    wrong = first | {"registration_client_uri": second["registration_client_uri"]}
    web = first | {"registration_client_uri": f"{provider.issuer}/register?client_id=web"}

    assert [(await manage(provider, "GET", it)).status_code for it in (wrong, web)] == [401, 401]
    assert (await manage(provider, "DELETE", wrong)).status_code == 401


async def test_the_access_token_of_a_registration_may_rotate(provider):
    """A client must keep what the last answer had (RFC 7592 §3)."""
    provider.rotates_registration_tokens = True
    given = (await register(provider, ASKED)).json()
    second = (await manage(provider, "GET", given)).json()

    assert (await manage(provider, "GET", given)).status_code == 401
    assert (await manage(provider, "GET", second)).status_code == 200


async def test_the_metadata_lists_what_new_clients_may_use(provider):
    """A client that chooses before it registers."""
    provider.clients["web"] = Client()
    metadata = await metadata_of(provider)

    assert "private_key_jwt" in metadata["token_endpoint_auth_methods_supported"]
