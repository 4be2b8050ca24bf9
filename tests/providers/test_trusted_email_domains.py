"""Each provider has trusted e-mail domains of its own: at the login, and when a refresh brings another address."""

from typing import Any

import pytest

from asgi_oidc import Rule
from asgi_oidc.testing import Browser, Persona
from tests.protected_site import Site
from tests.providers.three_providers import ThreeProviders

LIFETIME = 300  # seconds, of an access token
RULE = Rule("/staff/*", email_domains=["example.com", "example.org"])


class Dana(ThreeProviders):
    """Dana has the same address at all of them, and none says whether it is verified."""

    def __init__(self, **settings: Any) -> None:
        trusted = {"trusted_email_domains": ["example.com", "example.org"], "scope": "openid email offline_access"}
        super().__init__({"one": trusted, "two": {"scope": trusted["scope"]}}, rules=[RULE], **settings)
        self.has_email("dana@example.com")
        for fake in self.fakes.values():
            fake.access_token_lifetime = LIFETIME

    def has_email(self, email: str, **claims: Any) -> None:
        """Change the address."""
        for fake in self.fakes.values():
            fake.personas["dana"] = Persona("dana", "Dana Doe", email, {"email_verified": None, **claims})

    async def signed_in(self, name: str, *, sub: str = "dana", browser: Browser | None = None) -> Browser:
        """Sign Dana in."""
        return await super().signed_in(name, sub=sub, browser=browser)

    async def refreshed(self, browser: Browser) -> int:
        """Let the access token expire and be refreshed; return the status of a page for a domain."""
        self.clock.advance(LIFETIME + 1)

        async def refresh(scope: Any) -> None:
            await scope["oidc"].access_token()

        self.app.at_work = refresh
        await browser.fetch("/private")
        return (await browser.fetch("/staff/")).status_code


@pytest.mark.parametrize(("name", "status"), [("one", 200), ("two", 403)])
async def test_the_domains_of_one_provider_are_not_those_of_another(name, status):
    """Another provider may give anyone an address there."""
    site = Dana()
    browser = await site.signed_in(name)

    assert (await browser.fetch("/staff/")).status_code == status
    assert site.app.scope["user"].email_verified is (status == 200)


async def test_a_denial_of_the_provider_counts_more():
    """A domain is only trusted if the provider says nothing about the address."""
    site = Dana()
    site.has_email("dana@example.com", email_verified=False)

    assert (await (await site.signed_in("one")).fetch("/staff/")).status_code == 403


async def test_a_denial_in_userinfo_counts_more():
    """Although the address itself is from the ID Token."""
    site = Dana()
    site.fakes["one"].userinfo_overrides = {"email_verified": False}
    site.fakes["one"].id_token_overrides = {"email_verified": ...}  # so the rule asks userinfo
    browser = await site.signed_in("one")

    assert (await browser.fetch("/staff/")).status_code == 403


@pytest.mark.parametrize(
    ("email", "claims", "status"),
    [
        ("dana@example.com", {}, 200),
        ("dana@example.org", {}, 200),
        ("dana@other.example", {}, 403),
        ("dana@example.org", {"email_verified": False}, 403),
        ("dana@example.com", {"email_verified": False}, 403),
    ],
)
async def test_a_refresh_looks_at_the_address_again(email, claims, status):
    """A new address is trusted, or not, as one at the login is."""
    site = Dana()
    browser = await site.signed_in("one")
    site.has_email(email, **claims)

    assert await site.refreshed(browser) == status


async def test_an_address_of_on_login_is_not_trusted():
    """Neither at the login nor at a refresh: `on_login` has to say that it is verified."""

    async def replace(user: Any, claims: dict[str, Any]) -> None:
        claims["email"] = "other@example.com"

    site = Dana(on_login=replace)
    browser = await site.signed_in("one")

    assert (await browser.fetch("/staff/")).status_code == 403
    assert await site.refreshed(browser) == 403


@pytest.mark.parametrize("is_denied", [True, False])
async def test_a_verification_that_on_login_took_away_stays_away(is_denied):
    """A refresh does not bring it back."""

    async def distrust(user: Any, claims: dict[str, Any]) -> None:
        if is_denied:
            claims["email_verified"] = False
        else:
            del claims["email_verified"]

    site = Dana(on_login=distrust)
    browser = await site.signed_in("one")

    assert await site.refreshed(browser) == 403


async def test_a_token_for_another_api_looks_at_the_address_again_too():
    """Its refresh states the claims anew."""
    site = Dana()
    browser = await site.signed_in("one")
    site.has_email("dana@example.org")

    async def needs_a_token(scope: Any) -> None:
        await scope["oidc"].access_token(resource="https://api.example.com")

    site.app.at_work = needs_a_token
    await browser.fetch("/private")

    assert (await browser.fetch("/staff/")).status_code == 200
    assert site.app.scope["user"].claims["email"] == "dana@example.org"


async def test_the_flat_setting_leaves_the_claims_as_they_are():
    """It is applied to each request: a changed setting counts at once."""
    site = Site(trusted_email_domains=["example.com"])
    site.provider.personas["dana"] = Persona("dana", "Dana Doe", "dana@example.com", {"email_verified": None})
    await site.signed_in("dana")

    user = site.app.scope["user"]
    assert (user.email_verified, user.claims.get("email_verified")) == (True, None)
