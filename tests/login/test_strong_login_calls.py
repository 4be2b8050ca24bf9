"""What a login with private_key_jwt, PAR and DPoP costs in calls to the provider."""

from typing import Any

import pytest

from asgi_oidc.testing import Client, ClientKey, FakeProvider
from tests.protected_site import Site

KEY = ClientKey()


def strong_site(*, nonces: Any = "never", **settings: Any) -> Site:
    provider = FakeProvider(clients=[Client("web", None, jwks=[KEY.public_jwk])], alg="ES256")
    provider.requires_par = provider.requires_dpop = True
    provider.dpop_nonces = nonces
    return Site(provider=provider, client_key=KEY.pem, client_secret=..., par="always", dpop="always", **settings)


def calls_of(site: Site) -> dict[str, int]:
    return {path: count for path in ("/par", "/token", "/userinfo") if (count := site.provider.count(path))}


@pytest.mark.parametrize(
    ("userinfo", "expected"),
    [("never", {"/par": 1, "/token": 1}), ("always", {"/par": 1, "/token": 1, "/userinfo": 1})],
    ids=["without userinfo", "with userinfo"],
)
async def test_a_strong_login_makes_at_most_three_calls(userinfo, expected):
    """To push the request, for the tokens, and for userinfo if that is on."""
    site = strong_site(userinfo=userinfo)
    await site.signed_in()
    before = calls_of(site)

    await site.signed_in("bob")

    assert before == expected
    assert calls_of(site) == {path: 2 * count for path, count in expected.items()}


async def test_nonces_cost_one_repeat_each_until_they_are_known():
    """Those of the provider and of userinfo are kept, so that later logins need no repeat."""
    site = strong_site(nonces="always", userinfo="always")
    await site.signed_in()
    cold = calls_of(site)

    await site.signed_in("bob")

    warm = {path: count - cold[path] for path, count in calls_of(site).items()}
    assert all(count <= 2 for count in cold.values()), cold
    assert warm == {"/par": 1, "/token": 1, "/userinfo": 1}


async def test_a_request_that_needs_no_token_makes_no_call():
    """However strong the client is."""
    site = strong_site()
    browser = await site.signed_in()
    before = len(site.provider.calls)

    await browser.get("/page")

    assert len(site.provider.calls) == before
