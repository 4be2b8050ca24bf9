"""Clients that authenticate by a TLS certificate at the fake provider (RFC 8705)."""

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from asgi_oidc.testing import Client, ClientCertificate, ClientKey, FakeProvider, Network, serve
from tests.testing.relying_party import NOW, VERIFIER, RelyingParty
from tests.testing.test_jarm import metadata_of
from tests.testing.test_server import pem_files

CERTIFICATE, OTHER = ClientCertificate("web"), ClientCertificate("another")
BY_SUBJECT = Client("web", client_secret=None, tls_client_auth_subject_dn=CERTIFICATE.subject_dn)
SELF_SIGNED = Client(
    "web", client_secret=None, auth_methods=["self_signed_tls_client_auth"], jwks=[CERTIFICATE.public_jwk]
)
BY_THUMBPRINT = replace(SELF_SIGNED, jwks=[ClientKey().public_jwk, {"x5t#S256": CERTIFICATE.thumbprint}])
FORM = {"grant_type": "client_credentials", "client_id": "web"}
MTLS_URLS = ["https://mtls.id.example.com", "https://id.example.com/mtls"]


def provider_for(client: Client, mtls_url: str | None = None) -> FakeProvider:
    provider = FakeProvider(clients=[client], clock=lambda: NOW)
    provider.mtls_url = mtls_url
    return provider


async def token_answer(
    provider: FakeProvider, certificate: ClientCertificate | None, url: str = "", **form: str
) -> httpx.Response:
    async with provider.http_client(certificate) as client:
        return await client.post(url or provider.metadata["token_endpoint"], data=FORM | form)


@pytest.mark.parametrize("client", [BY_SUBJECT, SELF_SIGNED, BY_THUMBPRINT])
async def test_a_certificate_authenticates_a_client(client):
    """By its subject, or by itself."""
    answer = await token_answer(provider_for(client), CERTIFICATE)

    assert (answer.status_code, "access_token" in answer.json()) == (200, True)


@pytest.mark.parametrize("client", [BY_SUBJECT, SELF_SIGNED, BY_THUMBPRINT])
@pytest.mark.parametrize(("certificate", "reason"), [(OTHER, "the"), (None, "no client certificate was presented")])
async def test_another_certificate_or_none_does_not(client, certificate, reason):
    """The reason is in the answer, and in `client_refusals`."""
    provider = provider_for(client)
    answer = await token_answer(provider, certificate)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert f"failed: {reason}" in answer.json()["error_description"]
    assert provider.client_refusals[-1] in answer.json()["error_description"]


async def test_a_client_with_a_certificate_has_no_secret():
    """A secret beside it would be a second way in."""
    provider = provider_for(replace(BY_SUBJECT, client_secret="web-secret-for-tests"))

    assert (await token_answer(provider, CERTIFICATE, client_secret="web-secret-for-tests")).status_code == 401


async def test_a_certificate_is_nothing_to_other_clients(provider):
    """A proxy may present one for all."""
    answer = await token_answer(provider, CERTIFICATE, client_secret="web-secret-for-tests")

    assert answer.status_code == 200


@pytest.mark.parametrize("mtls_url", MTLS_URLS)
async def test_the_aliases_alone_see_the_certificate(mtls_url):
    """The other endpoints ask for none in the handshake (§5)."""
    provider = provider_for(BY_SUBJECT, mtls_url)
    metadata = await metadata_of(provider)
    alias = metadata["mtls_endpoint_aliases"]["token_endpoint"]

    assert (await token_answer(provider, CERTIFICATE)).status_code == 401
    assert (await token_answer(provider, CERTIFICATE, alias)).status_code == 200
    assert (await token_answer(provider, None, alias)).status_code == 401
    assert provider.count("/token") == 3


async def test_the_metadata_has_the_aliases():
    """Below `mtls_url`, for each endpoint that a client calls itself."""
    provider = provider_for(BY_SUBJECT, "https://mtls.id.example.com/")
    metadata = await metadata_of(provider)

    base = "https://mtls.id.example.com"
    assert metadata["mtls_endpoint_aliases"] == {
        "token_endpoint": f"{base}/token",
        "revocation_endpoint": f"{base}/revoke",
        "introspection_endpoint": f"{base}/introspect",
        "pushed_authorization_request_endpoint": f"{base}/par",
        "userinfo_endpoint": f"{base}/userinfo",
    }
    assert "tls_client_auth" in metadata["token_endpoint_auth_methods_supported"]
    assert metadata["tls_client_certificate_bound_access_tokens"] is True


async def test_nothing_is_announced_without_it(provider):
    """A provider that knows no certificates."""
    names = await metadata_of(provider)

    assert not {"mtls_endpoint_aliases", "tls_client_certificate_bound_access_tokens"} & set(names)


async def test_a_network_presents_the_certificate_to_both_hosts():
    """As a client does that uses one TLS context for all."""
    provider = provider_for(BY_SUBJECT, MTLS_URLS[0])
    async with Network(provider).http_client(CERTIFICATE) as client:
        answers = [await client.post(url + "/token", data=FORM) for url in (provider.issuer, MTLS_URLS[0])]

    assert [answer.status_code for answer in answers] == [401, 200]


BOUND = replace(BY_SUBJECT, tls_client_certificate_bound_access_tokens=True)


async def login(provider: FakeProvider) -> Any:
    """Give the token answer of a login with the certificate."""
    provider.sign_in_as("alice")
    rp = RelyingParty(provider)
    async with provider.http_client() as client:
        back = await client.get(rp.authorization_url())
    form = {"grant_type": "authorization_code", "redirect_uri": rp.redirect_uri, "code_verifier": VERIFIER}
    code = httpx.URL(back.headers["location"]).params["code"]
    return (await token_answer(provider, CERTIFICATE, code=code, **form)).json()


async def userinfo_status(provider: FakeProvider, token: str, certificate: ClientCertificate | None) -> int:
    async with provider.http_client(certificate) as client:
        headers = {"authorization": f"Bearer {token}"}
        return (await client.get(provider.metadata["userinfo_endpoint"], headers=headers)).status_code


async def test_a_token_is_bound_to_the_certificate():
    """It is nothing without it (§3)."""
    provider = provider_for(BOUND)
    provider.always_refresh_tokens = True
    tokens = await login(provider)
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    refreshed = (await token_answer(provider, CERTIFICATE, **refresh)).json()

    for token in (tokens["access_token"], refreshed["access_token"]):
        claims = provider.memory.access_tokens[token].claims
        assert claims["cnf"] == {"x5t#S256": CERTIFICATE.thumbprint}
        assert await userinfo_status(provider, token, CERTIFICATE) == 200
        assert await userinfo_status(provider, token, OTHER) == 401
        assert await userinfo_status(provider, token, None) == 401
    assert tokens["token_type"] == "Bearer"


async def test_a_bound_token_needs_the_certificate_at_the_alias_too():
    """The userinfo endpoint without one sees no certificate."""
    provider = provider_for(BOUND, MTLS_URLS[0])
    token = provider.access_token(audience=None, client_certificate=CERTIFICATE)
    alias = (await metadata_of(provider))["mtls_endpoint_aliases"]["userinfo_endpoint"]
    headers = {"authorization": f"Bearer {token}"}
    async with provider.http_client(CERTIFICATE) as client:
        statuses = [
            (await client.get(url, headers=headers)).status_code for url in (f"{provider.issuer}/userinfo", alias)
        ]

    assert statuses == [401, 200]


async def test_a_client_with_a_secret_can_have_bound_tokens():
    """The certificate then authenticates nobody (§3); without it, the call uses nothing up."""
    provider = provider_for(Client(tls_client_certificate_bound_access_tokens=True))
    secret = {"client_secret": "web-secret-for-tests"}
    refused = await token_answer(provider, None, **secret)
    given = (await token_answer(provider, OTHER, **secret)).json()

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    assert provider.memory.access_tokens[given["access_token"]].cnf == {"x5t#S256": OTHER.thumbprint}


async def test_tokens_of_other_clients_are_not_bound():
    """A certificate that authenticates does not bind by itself."""
    provider = provider_for(BY_SUBJECT)
    tokens = await login(provider)

    assert await userinfo_status(provider, tokens["access_token"], None) == 200


def context(folder: Path, server: str, certificate: ClientCertificate | None) -> ssl.SSLContext:
    """Make the context of a client that trusts the server, and presents a certificate."""
    made = ssl.create_default_context(cafile=server)
    if certificate is not None:
        (folder / "client.pem").write_text(certificate.pem_with_key, "ascii")
        made.load_cert_chain(folder / "client.pem")
    return made


def test_a_real_handshake_presents_it_too(tmp_path):
    """The server asks for a certificate, and passes it on; a connection without one is served as well."""
    certfile, keyfile = pem_files(tmp_path)
    (tmp_path / "clients.pem").write_text(CERTIFICATE.pem, "ascii")
    provider = provider_for(SELF_SIGNED)
    with serve(provider, certfile=certfile, keyfile=keyfile, client_ca=str(tmp_path / "clients.pem")) as server:
        seen = [
            httpx.post(server.url + "/token", data=FORM, verify=context(tmp_path, certfile, certificate)).status_code
            for certificate in (CERTIFICATE, None)
        ]
        with pytest.raises(httpx.TransportError):
            httpx.post(server.url + "/token", data=FORM, verify=context(tmp_path, certfile, OTHER))

    assert seen == [200, 401]
