"""A network sends each call to the provider that owns the host."""

import httpx
import pytest

from asgi_oidc.testing import Browser, FakeProvider, GitHubStandIn, Network
from tests.testing.relying_party import RelyingParty


async def test_each_provider_is_reached_at_its_own_hosts():
    """One client for all, as an app has one."""
    github, id_provider = GitHubStandIn(), FakeProvider("https://id.example.com/realms/one")
    async with Network(github, id_provider).http_client() as client:
        metadata = await client.get("https://id.example.com/realms/one/.well-known/openid-configuration")
        user = await client.get("https://api.github.com/user")

    assert (metadata.json()["issuer"], user.status_code) == ("https://id.example.com/realms/one", 401)
    assert (len(github.calls), len(id_provider.calls)) == (1, 1)


async def test_an_unknown_host_cannot_be_reached():
    """A wrong URL must fail as it does on the internet, without going there."""
    async with Network(GitHubStandIn()).http_client() as client:
        with pytest.raises(httpx.ConnectError, match=r"https://gitlab\.com"):
            await client.get("https://gitlab.com/oauth/token")


async def test_the_scheme_and_the_port_belong_to_the_host():
    """A call without TLS does not reach a provider that has it."""
    async with Network(GitHubStandIn()).http_client() as client:
        assert (await client.get("https://api.github.com:443/user")).status_code == 401
        with pytest.raises(httpx.ConnectError):
            await client.get("http://api.github.com/user")


def test_two_providers_at_one_host_are_an_error():
    """Which one answers would be a matter of order."""
    with pytest.raises(ValueError, match=r"https://id\.example\.com"):
        Network(FakeProvider(), FakeProvider("https://id.example.com/other"))


async def test_a_browser_finds_all_the_providers():
    """The origins are those that the browser is told."""
    provider = FakeProvider()
    browser = Browser(RelyingParty(provider), others=Network(GitHubStandIn(), provider).apps)

    assert (await browser.sign_in("alice", "/private")).json()["status"] == 200
    assert (await browser.get("https://github.com/nothing")).status_code == 404
