"""Calls of the app to APIs, with tokens that are bound to the client's certificate (RFC 8705 §3)."""

import ssl

import httpx
import pytest

from asgi_oidc import Bearer, NotSignedIn
from asgi_oidc.testing import api_client
from tests.mutual_tls.certificate_site import MINE, provider_over_tls
from tests.protected_site import Site

API = "https://api.example.com"


async def context_of(site: Site) -> ssl.SSLContext:
    """Return what a handler gets."""
    contexts: list[ssl.SSLContext] = []

    async def ask(scope):
        contexts.append(await scope["oidc"].client_tls_context())

    site.app.at_work = ask
    await site.signed_in()
    return contexts[-1]


@pytest.mark.usefixtures("_trusted")
async def test_the_app_presents_the_certificate_too(server_certificate, tmp_path):
    """An API that knows what the token is bound to accepts it from nobody else; here it is userinfo."""
    statuses: list[int] = []
    with provider_over_tls(server_certificate, tmp_path) as provider:
        site = Site(provider=provider, client_secret=..., http_client=..., client_certificate=MINE.pem_with_key)

        async def call_api(scope):
            oidc = scope["oidc"]
            for verify in (await oidc.client_tls_context(), True):
                async with httpx.AsyncClient(auth=oidc.httpx_auth(provider.issuer), verify=verify) as client:
                    statuses.append((await client.get(f"{provider.mtls_url}/userinfo")).status_code)

        site.app.at_work = call_api
        await site.signed_in()

    assert statuses == [200, 401]


async def test_the_context_is_made_once_and_checks_servers():
    """Each would take 35 ms; without a certificate, it is that of any client."""
    site = Site()
    first, second = await context_of(site), await context_of(site)

    assert first is second
    assert (first.check_hostname, first.verify_mode) == (True, ssl.CERT_REQUIRED)


async def test_the_user_of_an_access_token_gets_one_too():
    """Tokens that were exchanged for it are bound to the certificate as well."""
    contexts: list[ssl.SSLContext] = []
    site = Site(bearer=Bearer(audience=API))

    async def ask(scope):
        contexts.append(await scope["oidc"].client_tls_context())

    site.app.at_work = ask
    async with api_client(site.middleware, token=site.provider.access_token("alice", audience=API)) as api:
        assert (await api.get("/page")).status_code == 200

    assert contexts[0].verify_mode is ssl.CERT_REQUIRED


async def test_nobody_gets_one_without_a_user():
    """Tokens are of users."""
    raised = []

    async def ask(scope):
        try:
            await scope["oidc"].client_tls_context()
        except NotSignedIn as error:
            raised.append(error.code)

    site = Site()
    site.app.at_work = ask
    await site.call("/public/page")

    assert raised == ["not_signed_in"]
