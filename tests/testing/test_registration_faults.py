"""Each named fault of a registration does what its sentence says."""

import gzip
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.faults import FAULTS, REGISTRATION_MEMBERS
from tests.testing.relying_party import NOW
from tests.testing.test_jarm import metadata_of
from tests.testing.test_registration import manage, register

ASKED = {"redirect_uris": ["https://app.example.com/callback"], "jwks": {"keys": []}}
ELSEWHERE = "https://collector.example.org/register"


def new_provider() -> FakeProvider:
    provider = FakeProvider(clock=lambda: NOW)
    provider.registers_clients = True
    return provider


# What differs from a good answer; `...` for a member that is missing.
MEMBERS: dict[str, dict[str, Any]] = {
    "registration_no_client_id": {"client_id": ...},
    "registration_client_id_number": {"client_id": 7},
    "registration_client_id_empty": {"client_id": ""},
    "registration_no_secret": {"client_secret": ...},
    "registration_secret_number": {"client_secret": 7},
    "registration_no_secret_expiry": {"client_secret_expires_at": ...},
    "registration_secret_expiry_text": {"client_secret_expires_at": "never"},
    "registration_secret_expired": {"client_secret_expires_at": NOW - 3600},
    "registration_secret_expires": {"client_secret_expires_at": NOW + 86_400},
    "registration_other_redirect_uris": {"redirect_uris": ["https://collector.example.org/callback"]},
    "registration_no_redirect_uris": {"redirect_uris": ...},
    "registration_other_auth_method": {"token_endpoint_auth_method": "client_secret_post", "client_secret": "given"},
    "registration_other_alg": {"id_token_signed_response_alg": "HS256"},
    "registration_no_jwks": {"jwks": ...},
    "registration_no_access_token": {"registration_access_token": ...},
    "registration_no_client_uri": {"registration_client_uri": ...},
    "registration_client_uri_elsewhere": {"registration_client_uri": ELSEWHERE},
    "registration_client_uri_plain_http": {"registration_client_uri": "http://id.example.com/register?client_id=x"},
}
RANDOM = ("client_id", "client_secret", "registration_access_token", "registration_client_uri")


@pytest.mark.parametrize("fault", MEMBERS)
async def test_faults_of_the_members_spoil_nothing_else(fault):
    """An answer that is wrong in two ways would not show which one was noticed."""
    provider = new_provider()
    good = (await register(provider, ASKED)).json()
    with provider.fault(fault):
        spoilt = (await register(provider, ASKED)).json()

    kept = {name: spoilt[name] for name in RANDOM if name not in MEMBERS[fault]}
    expected = {**good, **kept, **MEMBERS[fault]}
    assert spoilt == {name: value for name, value in expected.items() if value is not ...}


ANSWERS: dict[str, Callable[[httpx.Response], bool]] = {
    "registration_status_200": lambda it: it.status_code == 200 and "client_id" in it.json(),
    "registration_500": lambda it: it.status_code == 500,
    "registration_html": lambda it: it.status_code == 201 and it.text.startswith("<!doctype"),
    "registration_not_json": lambda it: it.text.startswith("{") and not it.text.endswith("}"),
    "registration_json_array": lambda it: isinstance(it.json(), list),
    "registration_huge": lambda it: len(it.content) > 10_000_000 and "client_id" in it.json(),
    "registration_redirect": lambda it: (it.status_code, it.headers["location"]) == (307, ELSEWHERE),
}
ERRORS = {
    "registration_invalid_redirect_uri": (400, "invalid_redirect_uri"),
    "registration_invalid_client_metadata": (400, "invalid_client_metadata"),
    "registration_invalid_software_statement": (400, "invalid_software_statement"),
    "registration_unapproved_software_statement": (400, "unapproved_software_statement"),
    "registration_invalid_token": (401, "invalid_token"),
    "registration_forbidden": (403, "access_denied"),
    "registration_too_many": (429, "temporarily_unavailable"),
}
METADATA: dict[str, tuple[str, Any]] = {
    "registration_no_endpoint": ("registration_endpoint", ...),
    "registration_endpoint_plain_http": ("registration_endpoint", "http://id.example.com/register"),
    "registration_endpoint_number": ("registration_endpoint", 7),
    "client_documents_text": ("client_id_metadata_document_supported", "true"),
}


async def posted(provider: FakeProvider) -> httpx.Response:
    async with provider.http_client() as client:
        return await client.post(f"{provider.issuer}/register", json=ASKED)


@pytest.mark.parametrize("fault", ANSWERS)
async def test_faults_of_the_whole_answer(fault):
    """The client was registered nevertheless."""
    provider = new_provider()
    with provider.fault(fault):
        answer = await posted(provider)

    assert ANSWERS[fault](answer)
    assert len(provider.memory.registrations) == 1


@pytest.mark.parametrize("fault", ERRORS)
async def test_errors_register_nobody(fault):
    """The text looks like markup."""
    provider = new_provider()
    with provider.fault(fault):
        answer = await posted(provider)

    assert (answer.status_code, answer.json()["error"]) == ERRORS[fault]
    assert (answer.json()["error_description"][:3], provider.memory.registrations) == ("<b>", {})


@pytest.mark.parametrize("fault", METADATA)
async def test_faults_of_the_metadata(fault):
    """What a client looks at before it registers."""
    provider = new_provider()
    with provider.fault(fault):
        metadata = await metadata_of(provider)

    name, value = METADATA[fault]
    assert metadata.get(name, ...) == value


async def test_the_answer_can_hang():
    """A client must not wait for ever."""
    provider = new_provider()
    with provider.fault("registration_hangs"), anyio.move_on_after(0.05) as patience:
        await posted(provider)

    assert patience.cancelled_caught


async def test_the_gzip_bomb_is_small_on_the_wire():
    """Two layers of gzip hold 512 MB."""
    provider = new_provider()
    async with provider.http_client() as client:
        with provider.fault("registration_gzip_bomb"):
            async with client.stream("POST", f"{provider.issuer}/register", json=ASKED) as answer:
                raw = b"".join([chunk async for chunk in answer.aiter_raw()])

    assert (answer.headers["content-encoding"], len(raw) < 1500) == ("gzip, gzip", True)
    assert gzip.decompress(raw)[:2] == b"\x1f\x8b"


async def test_a_registration_can_be_gone():
    """Somebody removed the client at the provider."""
    provider = new_provider()
    given = (await register(provider, ASKED)).json()
    with provider.fault("registration_removed"):
        answer = await manage(provider, "GET", given)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


def test_every_fault_is_in_a_table_above():
    """A new fault comes with a test."""
    single = {"registration_hangs", "registration_gzip_bomb", "registration_removed"}

    named = {name for name in FAULTS if name.startswith(("registration_", "client_documents_"))}
    assert named == {*MEMBERS, *ANSWERS, *ERRORS, *METADATA, *single}
    assert set(MEMBERS) == set(REGISTRATION_MEMBERS)
