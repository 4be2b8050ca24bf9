"""Sessions with the tokens of real providers fit into cookies that a proxy accepts, and come back byte by byte."""

import base64

import msgspec
import pytest
from benchmarks.token_provider import TokenSetProvider
from benchmarks.token_sets import LARGE_SETS, REAL_SETS

from asgi_oidc.testing import Browser
from tests.protected_site import Scope, Site, cookie_header

NGINX_LIMIT = 8_000  # bytes of cookies that surely fit into a header line of 8 kB
TOO_LARGE = "Entra ID, 200 groups"  # 16 bytes of each group, and two large tokens besides
FITTING_SETS = [token_set for token_set in (*REAL_SETS, *LARGE_SETS) if token_set.name != TOO_LARGE]


@pytest.fixture(params=FITTING_SETS, ids=lambda token_set: token_set.name)
def provider(request: pytest.FixtureRequest) -> TokenSetProvider:
    return TokenSetProvider(request.param)


@pytest.fixture
def site(provider: TokenSetProvider) -> Site:
    return Site(provider=provider, client_id=provider.client.client_id)


async def signed_in(site: Site, provider: TokenSetProvider) -> Browser:
    return await site.signed_in(provider.user.sub)


def in_another_process(site: Site) -> tuple[Site, list[str]]:
    """Restart a site; its app collects the access tokens that it gets."""
    other, access_tokens = site.restarted(), list[str]()

    async def ask(scope: Scope) -> None:
        access_tokens.append(await scope["oidc"].access_token())

    other.app.at_work = ask
    return other, access_tokens


def claims_of(id_token: str) -> object:
    payload = id_token.split(".")[1]
    return msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


async def test_the_cookies_of_a_session_are_smaller_than_what_a_proxy_accepts(site, provider):
    """Beyond that, nginx answers 400 to every request, and the user cannot even sign out."""
    browser = await signed_in(site, provider)

    assert len(cookie_header(browser)) < NGINX_LIMIT


async def test_another_process_reads_the_tokens_and_claims_that_were_issued(site, provider):
    """An API refuses a token in which a single character differs."""
    browser, issued = await signed_in(site, provider), provider.issued
    other, access_tokens = in_another_process(site)
    await other.browser_of(browser).get("/page")

    assert access_tokens == [issued["access_token"]]
    assert other.app.scope["oidc"].id_token == issued["id_token"]
    assert other.app.scope["user"].claims == claims_of(issued["id_token"])


async def test_another_process_refreshes_with_the_refresh_token_that_was_issued(site, provider):
    """No app ever sees this token, so only the provider can tell."""
    browser, issued = await signed_in(site, provider), provider.issued["refresh_token"]
    other, access_tokens = in_another_process(site)
    other.clock.advance(provider.access_token_lifetime - 1)
    await other.browser_of(browser).get("/page")

    sent = [call.form["refresh_token"] for call in provider.calls if "refresh_token" in call.form]
    assert sent == [issued]
    assert access_tokens == [provider.issued["access_token"]]
