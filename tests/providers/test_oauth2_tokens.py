"""Access tokens of a provider without OpenID Connect: a refresh gets new ones, and the user stays the same."""

from typing import Any

import pytest

from asgi_oidc import OAuth2Provider
from asgi_oidc.testing import DiscordStandIn, GitHubStandIn, XStandIn
from tests.protected_site import PROGRAM
from tests.providers.oauth2_site import Hub, OAuth2Site, hub_site

X_SCOPE = "tweet.read users.read offline.access"
EXPIRING: dict[str, tuple[Any, Any]] = {
    "discord": (DiscordStandIn, OAuth2Provider.discord),
    "github app": (lambda: GitHubStandIn(app="github"), OAuth2Provider.github),
    "x": (XStandIn, lambda **client: OAuth2Provider.x(scope=X_SCOPE, **client)),
}


class TokenPages:
    """Pages that ask for the access token."""

    def __init__(self, site: OAuth2Site) -> None:
        self.tokens: list[str] = []
        site.app.at_work = self.ask

    async def ask(self, scope: Any) -> None:
        self.tokens.append(await scope["oidc"].access_token())


@pytest.mark.parametrize("name", EXPIRING)
async def test_an_expiring_token_is_refreshed_and_the_user_stays(name):
    """The user API is not asked again: a refresh says nothing new about who has signed in."""
    make_stand_in, make = EXPIRING[name]
    site = OAuth2Site(make_stand_in(), make, session_idle=86_400 * 30, session_lifetime=86_400 * 30)
    pages = TokenPages(site)
    browser = await site.signed_in()
    before, user_calls = dict(site.user.claims), site.hub.count("/user") + site.hub.count("/me")
    site.clock.advance(site.hub.access_token_lifetime)

    response = await browser.get("/private")

    assert response.status_code == 200, response.text
    assert (len(set(pages.tokens)), site.user.claims) == (2, before)
    assert site.hub.count("/user") + site.hub.count("/me") == user_calls


async def test_a_refresh_never_takes_the_identity_from_a_token():
    """Not even if the answer has an ID Token."""
    site = hub_site()
    pages = TokenPages(site)
    browser = await site.signed_in()
    assert isinstance(site.hub, Hub)
    site.hub.added = {"id_token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0."}
    site.clock.advance(site.hub.access_token_lifetime)

    await browser.get("/private")

    assert (site.user.sub, site.oidc.id_token, len(set(pages.tokens))) == ("1000001", None, 2)


async def test_a_refresh_token_that_github_refuses_with_status_200_ends_the_session():
    """`bad_refresh_token` is GitHub's name for `invalid_grant`."""
    site = OAuth2Site(GitHubStandIn(app="github"))
    TokenPages(site)
    browser = await site.signed_in()
    site.hub.refresh_token_lifetime = 0
    site.hub.memory.refresh_tokens.clear()
    site.clock.advance(site.hub.access_token_lifetime)

    response = await browser.get("/private", headers=PROGRAM)

    assert (response.status_code, response.json()["error"]) == (401, "login_required")
    assert (await browser.get("/public/x")).status_code == 200
    assert site.user.is_authenticated is False


@pytest.mark.parametrize(
    ("fault", "status"), [("refresh_down", 200), ("refresh_not_json", 401), ("refresh_without_access_token", 200)]
)
async def test_a_failed_refresh_loses_nothing(fault, status):
    """The user stays signed in, and the next attempt works unless the refresh token was used up and lost."""
    site = hub_site()
    pages = TokenPages(site)
    browser = await site.signed_in()
    site.clock.advance(site.hub.access_token_lifetime)
    with site.hub.fault(fault):
        failed = await browser.get("/private", headers=PROGRAM)
    site.clock.advance(11)

    again = await browser.get("/private", headers=PROGRAM)

    assert (failed.status_code, again.status_code) == (503, status)
    assert len(set(pages.tokens)) == (2 if status == 200 else 1)
    assert site.user.sub == "1000001"


async def test_a_token_that_does_not_expire_is_not_refreshed():
    """Those of OAuth apps at GitHub."""
    site = OAuth2Site(GitHubStandIn())
    pages = TokenPages(site)
    browser = await site.signed_in()

    site.clock.advance(3000)
    await browser.get("/private")

    assert len(set(pages.tokens)) == 1
