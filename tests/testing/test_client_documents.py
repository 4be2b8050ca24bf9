"""Clients whose id is the URL of what they say about themselves (client id metadata documents)."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from asgi_oidc.testing import ClientKey, FakeProvider
from asgi_oidc.testing.wire import Answer, Receive, Scope, Send, json_answer, redirect_answer, send_answer
from tests.testing.relying_party import NOW, RelyingParty, read
from tests.testing.test_jarm import metadata_of

CLIENT_ID = "https://app.example.com/auth/client-metadata.json"
CALLBACK = "https://app.example.com/callback"
DOCUMENT = {"client_id": CLIENT_ID, "redirect_uris": [CALLBACK], "client_name": "An app"}


class Publisher:
    """An app that publishes its metadata document."""

    def __init__(self) -> None:
        self.answer: Answer | None = json_answer(DOCUMENT)
        self.count = 0

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        self.count += 1
        if self.answer is None:
            raise RuntimeError("this app does not work")
        await send_answer(self.answer, send)


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
async def provider(publisher: Publisher) -> AsyncIterator[FakeProvider]:
    """Make a provider that fetches documents."""
    provider = FakeProvider(clock=lambda: NOW)
    provider.sign_in_as("alice")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(publisher)) as client:
        provider.client_document_client = client
        yield provider


async def login(provider: FakeProvider, client_id: str = CLIENT_ID, **form: str) -> httpx.Response:
    """Give the token answer of a login, or the page of the refusal."""
    rp = RelyingParty(provider)
    async with provider.http_client() as client:
        back = await client.get(rp.authorization_url(client_id=client_id))
        if "location" not in back.headers:
            return back
        code = httpx.URL(back.headers["location"]).params["code"]
        grant = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": "v" * 43}
        sent = {"client_id": client_id, "code": code, **grant, **form}
        return await client.post(provider.metadata["token_endpoint"], data=sent)


async def test_a_document_is_a_registration(provider, publisher):
    """It is fetched when the login begins, and not again for each call."""
    answer = await login(provider)

    assert (answer.status_code, "id_token" in read(answer)) == (200, True)
    assert (publisher.count, provider.clients[CLIENT_ID].redirect_uris) == (1, [CALLBACK])
    assert (await metadata_of(provider))["client_id_metadata_document_supported"] is True


async def test_a_changed_document_counts_at_the_next_login(provider, publisher):
    """Such as another redirect URI."""
    await login(provider)
    publisher.answer = json_answer(DOCUMENT | {"redirect_uris": [CALLBACK + "/new"]})

    assert (await login(provider)).status_code == 400


async def test_its_keys_authenticate_it(provider, publisher):
    """A document has no secret, but public keys."""
    key = ClientKey(clock=lambda: NOW)
    keys = {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key.public_jwk]}}
    publisher.answer = json_answer(DOCUMENT | keys)
    proof = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}

    assert (await login(provider)).status_code == 401
    proven = await login(provider, client_assertion=key.assertion(CLIENT_ID, provider.issuer), **proof)
    assert proven.status_code == 200


REFUSED: dict[str, Answer | None] = {
    "client_id in the document is not its URL": json_answer(DOCUMENT | {"client_id": CLIENT_ID + "?"}),
    "the answer has the status 303": redirect_answer(CLIENT_ID),
    "the answer has the status 404": json_answer(DOCUMENT, 404),
    "the answer is not JSON": Answer(200, b"{}", {"content-type": "text/plain"}),
    "the document is larger than": json_answer(DOCUMENT | {"client_name": "x" * 6_000}),
    "must not rest on a secret": json_answer(DOCUMENT | {"token_endpoint_auth_method": "client_secret_post"}),
    "redirect_uris must name": json_answer({"client_id": CLIENT_ID}),
    "Expecting": Answer(200, b"{", {"content-type": "application/json"}),
    "does not work": None,
}


@pytest.mark.parametrize("reason", REFUSED)
async def test_a_document_that_is_wrong_makes_no_client(provider, publisher, reason):
    """The reason is in `client_refusals`."""
    publisher.answer = REFUSED[reason]

    assert (await login(provider)).status_code == 400
    assert reason in provider.client_refusals[-1]
    assert CLIENT_ID not in provider.clients


@pytest.mark.parametrize(
    "client_id",
    [
        "http://app.example.com/client.json",
        "https://app.example.com",
        "https://app.example.com/#fragment",
        "https://user@app.example.com/client.json",
        "https://app.example.com/a/../client.json",
        "https://[broken",
        "web",
    ],
)
async def test_other_ids_are_not_fetched(provider, publisher, client_id):
    """A provider must not be made to call whatever a request names."""
    await login(provider, client_id)

    assert publisher.count == 0


async def test_loopback_needs_no_https(provider, publisher):
    """For development."""
    client_id = "http://127.0.0.1:8000/client.json"
    publisher.answer = json_answer(DOCUMENT | {"client_id": client_id})

    assert (await login(provider, client_id)).status_code == 200


async def test_documents_can_be_switched_off():
    """As they are at first."""
    provider: Any = FakeProvider()
    provider.sign_in_as("alice")

    assert (await login(provider)).status_code == 400
    assert "client_id_metadata_document_supported" not in await metadata_of(provider)
