"""The client proves who it is as the provider wants it, or as the setting says."""

from base64 import b64decode
from typing import Any

import pytest

from asgi_oidc.testing import Client, FakeProvider
from asgi_oidc.testing.wire import Call
from tests.protected_site import Site


def site_of(client: Client, supported: list[str] | None = None, **settings: Any) -> Site:
    provider = FakeProvider(alg="ES256", clients=[client])
    if supported is not None:
        provider.metadata["token_endpoint_auth_methods_supported"] = supported
    secret = ... if client.client_secret is None else client.client_secret
    return Site(provider=provider, **{"client_id": client.client_id, "client_secret": secret, **settings})


def token_call(site: Site) -> Call:
    (call,) = [call for call in site.provider.calls if call.path == "/token"]
    return call


ODD = Client("a client:1", "s%+ &:\u00e9~")


@pytest.mark.parametrize("client", [Client("web", "secret"), ODD])
async def test_basic_is_the_default(client):
    """Form-encoded first, so that any secret works."""
    site = site_of(client)

    await site.signed_in()

    call = token_call(site)
    assert call.headers["authorization"].startswith("Basic ")
    assert b64decode(call.headers["authorization"][6:]).isascii()
    assert "client_secret" not in call.form


@pytest.mark.parametrize(("supported", "setting"), [(["client_secret_post"], None), (None, "client_secret_post")])
async def test_post_is_used_where_the_provider_wants_it_or_the_setting_says_so(supported, setting):
    """In the form, not in a header."""
    site = site_of(ODD, supported, client_auth=setting)

    await site.signed_in()

    call = token_call(site)
    assert (call.form["client_id"], call.form["client_secret"]) == (ODD.client_id, ODD.client_secret)
    assert "authorization" not in call.headers


@pytest.mark.parametrize("setting", [None, "none"])
async def test_a_public_client_has_no_secret(setting):
    """PKCE protects its code."""
    site = site_of(Client("spa", client_secret=None), client_auth=setting)

    await site.signed_in()

    call = token_call(site)
    assert (call.form["client_id"], "client_secret" in call.form, "authorization" in call.headers) == (
        "spa",
        False,
        False,
    )


async def test_a_wrong_secret_ends_the_login():
    """And the developer reads it in the log."""
    site = site_of(Client("web", "right"), client_secret="wrong")

    response = await site.failed_login()

    assert (response.status_code, response.json()["error"]) == (502, "provider_refused")


async def test_without_a_common_auth_method_no_login_starts(caplog):
    """Never a silent step down, and nobody types a password in vain."""
    site = site_of(Client("web", "secret"), ["private_key_jwt"])

    page = await site.browser().get("/page")

    assert (page.status_code, "code=client_auth_unsupported" in caplog.text) == (502, True)
    assert (site.provider.count("/authorize"), site.provider.count("/token")) == (0, 0)
