"""A login, a refresh, userinfo and a sign-out of a client that authenticates by its certificate."""

from typing import Any

import pytest

from asgi_oidc.testing import Client, FakeProvider
from tests.mutual_tls.certificate_site import (
    MINE,
    REGISTERED,
    RENEWED,
    UNKNOWN,
    certificates_at,
    normalized,
    provider_over_tls,
    registered,
)
from tests.protected_site import PROGRAM, Site
from tests.token_site import LIFETIME, TokenSite

MTLS_URLS = ["https://mtls.id.example.com", "https://id.example.com/mtls"]
CALLED = ("/token", "/userinfo", "/revoke")
BY_SUBJECT = registered(auth_methods=None, jwks=None, tls_client_auth_subject_dn=MINE.subject_dn)


def certificate_site(provider: FakeProvider, **settings: Any) -> TokenSite:
    return TokenSite(
        provider=provider,
        **{"client_secret": ..., "http_client": ..., "client_certificate": MINE.pem_with_key, **settings},
    )


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize("mtls", [True, False], ids=["aliases", "no aliases"])
@pytest.mark.parametrize("client", [REGISTERED, BY_SUBJECT], ids=["self-signed", "by subject"])
async def test_each_call_presents_the_certificate(server_certificate, tmp_path, client, mtls):
    """At the alias, where there is one; the client is known by nothing else, and its tokens are bound to it."""
    with provider_over_tls(server_certificate, tmp_path, client=client, mtls=mtls) as provider:
        site = certificate_site(provider, userinfo="always")
        browser = await site.signed_in()
        site.clock.advance(LIFETIME)
        await browser.get("/page")
        await browser.post("/auth/logout")

    assert site.refreshes == 1
    for path in CALLED:
        seen = certificates_at(provider, ("/mtls" if mtls else "") + path)
        assert seen, path
        assert set(seen) == {normalized(MINE.pem)}
        assert len(seen) == provider.count(path)


@pytest.mark.usefixtures("_trusted")
async def test_a_bound_token_is_introspected_with_the_certificate(server_certificate, tmp_path):
    """As at the token endpoint (RFC 8705 §2)."""
    with provider_over_tls(server_certificate, tmp_path) as provider:
        site = certificate_site(provider, recheck=60, scope="openid")
        browser = await site.signed_in()
        site.clock.advance(120)
        assert (await browser.get("/page")).status_code == 200

    assert set(certificates_at(provider, "/mtls/introspect")) == {normalized(MINE.pem)}


@pytest.mark.usefixtures("_trusted")
async def test_a_certificate_that_is_not_registered_signs_nobody_in(server_certificate, tmp_path):
    """The provider takes the connection, and refuses the client."""
    client = registered(jwks=[RENEWED.public_jwk])
    with provider_over_tls(server_certificate, tmp_path, client=client) as provider:
        site = certificate_site(provider)
        browser, url = await site.at_callback()
        answer = await browser.get(url, headers=PROGRAM, follow=False)

    assert (answer.status_code, provider.client_refusals != []) == (502, True)
    assert "client_certificate" not in answer.text


@pytest.mark.usefixtures("_trusted")
async def test_a_certificate_that_the_server_refuses_leads_to_the_setting(server_certificate, tmp_path, caplog):
    """In the handshake; users see a page that says nothing of it."""
    with provider_over_tls(server_certificate, tmp_path) as provider:
        site = certificate_site(provider, client_certificate=UNKNOWN.pem_with_key)
        answer = await site.browser().get("/page")

    assert (answer.status_code, "client_certificate" in caplog.text) == (503, True)
    assert "BEGIN" not in caplog.text + answer.text


# --- the certificate of the app's own HTTP client


def site_in_process(mtls_url: str | None, client: Client = REGISTERED) -> Site:
    provider = FakeProvider(clients=[client], alg="ES256")
    provider.mtls_url = mtls_url
    return Site(
        provider=provider,
        client_secret=...,
        http_client=provider.http_client(MINE),
        client_auth="self_signed_tls_client_auth",
        userinfo="always",
    )


@pytest.mark.parametrize("mtls_url", [*MTLS_URLS, None])
async def test_an_http_client_may_present_its_own_certificate(mtls_url):
    """Then `client_auth` says so, and the aliases are called as well."""
    site = site_in_process(mtls_url)

    await site.signed_in()

    called = [site.provider.is_mtls(call) for call in site.provider.calls if call.path.endswith(CALLED)]
    assert called == [mtls_url is not None] * 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("mtls_alias_plain_http", "metadata_endpoint"),
        ("mtls_alias_number", "metadata_invalid"),
        ("mtls_alias_null", "metadata_invalid"),
        ("mtls_aliases_list", "metadata_invalid"),
    ],
)
async def test_a_wrong_alias_stops_the_login_before_it_begins(fault, code, caplog):
    """The endpoint itself would see no certificate."""
    site = site_in_process(MTLS_URLS[0])
    with site.provider.fault(fault):
        answer = await site.browser().get("/page")

    assert (answer.status_code, f"code={code}" in caplog.text) == (502, True)
    assert "mtls_endpoint_aliases" in caplog.text
    assert site.provider.count("/token") == 0


@pytest.mark.parametrize("fault", ["mtls_no_token_alias", "mtls_no_aliases"])
async def test_an_endpoint_without_an_alias_is_called_itself(fault):
    """RFC 8705 §5: it may ask for certificates too; this one does not, and refuses."""
    site = site_in_process(MTLS_URLS[0])

    answer = await site.failed_login(fault)

    assert (answer.status_code, site.provider.count("/token")) == (502, 1)
    assert site.provider.client_refusals == ["no client certificate was presented"]
