"""A site with GitLab as a ready-made provider."""

from asgi_oidc import Provider, Rule
from asgi_oidc.testing import Account, GitLabStandIn, Network
from tests.protected_site import ORIGIN
from tests.providers.ready_made_site import ReadyMadeSite, gitlab_site


async def test_a_user_signs_in():
    """The name is at userinfo."""
    claims = await gitlab_site().claims_of()

    assert (claims["name"], claims["preferred_username"], claims["email_verified"]) == ("Alice Adams", "alice", True)


async def test_groups_open_pages():
    """Userinfo has them under their full paths."""
    site = ReadyMadeSite(
        GitLabStandIn, Provider.gitlab, rules=[Rule("/page", claims={"groups": "acme/web"})], public=["/"]
    )
    site.standin.personas["7"] = Account("7", "Dana Doe", "dana@example.com", {"groups": ["acme", "acme/web"]})

    _, of_dana = await site.sign_in("7")
    _, of_alice = await site.sign_in()

    assert (of_dana.status_code, of_alice.status_code) == (200, 403)


async def test_a_user_of_ones_own_gitlab_signs_in():
    """All its endpoints are found below its URL."""
    standin = GitLabStandIn(url="https://gitlab.example.org")
    site = gitlab_site(url="https://gitlab.example.org", http_client=Network(standin).http_client())
    standin.clock = site.clock
    site.standin, site.network = standin, Network(standin)

    assert (await site.claims_of())["name"] == "Alice Adams"


async def test_the_tokens_are_refreshed_and_revoked():
    """GitLab gives a refresh token to everybody, and rotates it."""
    site = gitlab_site()
    browser, _ = await site.sign_in()
    site.app.at_work = lambda scope: scope["oidc"].access_token()
    for _ in range(3):
        site.clock.advance(2390)
        await browser.fetch("/page")
    page = await browser.post("/auth/logout", headers={"origin": ORIGIN})

    assert site.standin.count_grants("refresh_token") == 1
    assert (page.path, len(site.standin.revoked)) == ("/", 1)
