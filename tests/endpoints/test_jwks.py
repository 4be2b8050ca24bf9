"""/auth/jwks: the public keys of the app, for every provider that verifies what it signs."""

import json
from typing import Any

import pytest

from asgi_oidc import Provider
from asgi_oidc.testing import ClientKey, FakeProvider
from tests.protected_site import Exchange, Site
from tests.reloading_site import ReloadingSite

FIRST, SECOND = ClientKey(), ClientKey("PS256")


def keyed(**settings: Any) -> Site:
    return Site(**{"client_key": FIRST.pem, "client_secret": ..., **settings})


def document_in(exchange: Exchange) -> dict[str, Any]:
    return dict(json.loads(exchange.sent[1]["body"]))


def kids_in(exchange: Exchange) -> list[str]:
    return [key["kid"] for key in document_in(exchange)["keys"]]


async def test_the_public_halves_are_published():
    """A provider fetches them with the `jwks_uri` of the client; nothing in them is secret."""
    answer = await keyed(client_key=[FIRST.pem, SECOND.pem]).call("/auth/jwks")

    assert (answer.status, answer.header(b"content-type")) == (200, b"application/jwk-set+json")
    first, second = document_in(answer)["keys"]
    assert first == {**FIRST.public_jwk, "kid": FIRST.kid, "use": "sig", "alg": "ES256"}
    assert second == {name: value for name, value in SECOND.public_jwk.items() if name != "alg"}


async def test_the_document_is_the_same_for_everybody():
    """Shared caches may keep it: no cookie is read or set, even if the browser has old ones."""
    site = keyed()
    browser = await Site().signed_in()

    plain = await site.call("/auth/jwks")
    visited = await site.browser_of(browser).get("/auth/jwks", follow=False)

    assert plain.header(b"cache-control") == b"public, max-age=300"
    assert plain.header(b"access-control-allow-origin") == b"*"
    assert plain.header(b"set-cookie") is None
    assert (visited.status_code, visited.headers.get_list("set-cookie")) == (200, [])
    assert visited.content == plain.sent[1]["body"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 405), ("OPTIONS", 405), ("DELETE", 405)])
async def test_it_can_only_be_read(method, status):
    """As any other document."""
    answer = await keyed().call("/auth/jwks", method=method)

    assert answer.status == status
    assert b"".join(part.get("body", b"") for part in answer.sent[1:]) == b"" or status == 405


@pytest.mark.parametrize("settings", [{}, {"public": "everything-but-rules"}])
async def test_without_a_key_there_is_no_document(settings):
    """And the app never gets the request: the path is ours."""
    site = Site(**settings)

    answer = await site.call("/auth/jwks")

    assert (answer.status, document_in(answer)["error"]) == (404, "jwks_empty")
    assert site.app.scopes == []


async def test_one_document_has_the_keys_of_all_providers():
    """A key that two of them know is in it once."""
    fake = FakeProvider()
    shared: dict[str, Any] = {"issuer": fake.issuer, "client_id": "web", "http_client": fake.http_client()}
    providers = {
        "one": Provider(**shared, client_key=FIRST.pem),
        "two": Provider(**{**shared, "issuer": "https://two.example.com"}, client_key=[SECOND.pem, FIRST.pem]),
    }
    flat: dict[str, Any] = dict.fromkeys(("issuer", "client_id", "client_secret", "http_client"), ...)

    answer = await Site(providers=providers, **flat).call("/auth/jwks")

    assert kids_in(answer) == [FIRST.kid, SECOND.kid]


async def test_a_rotation_shows_at_once(tmp_path):
    """The new key is published before it signs: first append it, then move it to the front, then remove the old one."""
    site = ReloadingSite(tmp_path, {"client_key": FIRST.pem}, client_secret=None)

    before = kids_in(await site.call("/auth/jwks"))
    await site.change("client_key", json.dumps([FIRST.pem, SECOND.pem]))
    appended = kids_in(await site.call("/auth/jwks"))
    await site.change("client_key", SECOND.pem)
    after = kids_in(await site.call("/auth/jwks"))

    assert (before, appended, after) == ([FIRST.kid], [FIRST.kid, SECOND.kid], [SECOND.kid])


async def test_a_half_written_file_keeps_the_old_key(tmp_path, caplog):
    """It is logged with the variable, and never with what the file has."""
    site = ReloadingSite(tmp_path, {"client_key": FIRST.pem}, client_secret=None)

    await site.change("client_key", SECOND.pem[:80])

    assert kids_in(await site.call("/auth/jwks")) == [FIRST.kid]
    (line,) = [record.getMessage() for record in caplog.records if "OIDC_CLIENT_KEY_FILE" in record.getMessage()]
    assert "damaged" in line
    assert SECOND.pem.splitlines()[1][:20] not in line
