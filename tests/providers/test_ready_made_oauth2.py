"""Each ready-made provider without OpenID Connect, from end to end against a stand-in for its documentation."""

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc import OAuth2Provider, Rule
from asgi_oidc.testing import (
    Account,
    DiscordStandIn,
    EmailAddress,
    FacebookStandIn,
    GitHubStandIn,
    OAuth2StandIn,
    XStandIn,
)
from tests.providers.oauth2_site import OAuth2Site

X_SCOPES = "tweet.read users.read users.email offline.access"


class Ready(NamedTuple):
    """A ready-made provider.

    Attributes:
        email: what the app learns of alice's address, and whether it is verified.
        host: of the picture.
    """

    make_stand_in: Callable[..., OAuth2StandIn]
    make: Callable[..., OAuth2Provider]
    scopes: list[str]
    email: tuple[str | None, bool]
    host: str


def x_with_email(**client: Any) -> OAuth2Provider:
    return OAuth2Provider.x(scope=X_SCOPES, **client)


ALICE = "alice@example.com"
READY = {
    "github": Ready(
        GitHubStandIn,
        OAuth2Provider.github,
        ["read:user", "user:email"],
        (ALICE, True),
        "avatars.githubusercontent.com",
    ),
    "github app": Ready(
        lambda **options: GitHubStandIn(app="github", **options),
        OAuth2Provider.github,
        [],
        (ALICE, True),
        "avatars.githubusercontent.com",
    ),
    "discord": Ready(
        DiscordStandIn, OAuth2Provider.discord, ["identify", "email"], (ALICE, True), "cdn.discordapp.com"
    ),
    "facebook": Ready(
        lambda **options: FacebookStandIn(requires_app_secret_proof=True, **options),
        OAuth2Provider.facebook,
        ["public_profile", "email"],
        (ALICE, False),
        "platform-lookaside.fbsbx.com",
    ),
    "x": Ready(XStandIn, OAuth2Provider.x, ["tweet.read", "users.read"], (None, False), "pbs.twimg.com"),
    "x with e-mail": Ready(XStandIn, x_with_email, X_SCOPES.split(), (ALICE, True), "pbs.twimg.com"),
}


def ready_site(name: str, **options: Any) -> OAuth2Site:
    return OAuth2Site(READY[name].make_stand_in(**options), READY[name].make)


@pytest.mark.parametrize("name", READY)
async def test_a_user_signs_in(name):
    """The app gets the standard claims under their standard names, whatever the provider calls them."""
    site, ready = ready_site(name), READY[name]

    await site.signed_in()

    user, claims = site.user, site.user.claims
    assert (user.provider, user.issuer, user.sub, user.name) == ("hub", "oauth2:hub", "1000001", "Alice Adams")
    assert (user.email, user.email_verified) == ready.email
    assert urlsplit(claims["picture"]).hostname == ready.host
    assert claims.get("preferred_username", "alice") == "alice"
    assert site.app.scope["auth"].scopes == ["authenticated", *ready.scopes]


@pytest.mark.parametrize("name", READY)
async def test_an_unverified_address_opens_no_page(name):
    """Mallory has entered alice's address at each of them."""
    site = ready_site(name)

    await site.signed_in("1000003")

    assert (site.user.sub, site.user.email_verified) == ("1000003", False)


@pytest.mark.parametrize("name", READY)
async def test_a_user_without_an_address_and_a_name_signs_in(name):
    """Neither identifies the user."""
    site = ready_site(name, accounts=[Account("7", "", "", login="seven")])

    await site.signed_in("7")

    assert (site.user.sub, site.user.email, bool(site.user.display_name)) == ("7", None, True)


@pytest.mark.parametrize("name", READY)
async def test_a_login_that_is_cancelled_has_its_page(name):
    """The user may try again, or take another account."""
    site = ready_site(name)
    browser = site.browser()

    await browser.get((await browser.get("/auth/login?provider=hub", follow=False)).location)
    response = await browser.submit(button="cancel")

    assert response.status_code == 403
    assert not site.app.scopes


ANOTHER_ACCOUNT = {
    "github": ("prompt", "select_account"),
    "discord": ("prompt", "consent"),
    "facebook": ("auth_type", "reauthenticate"),
}


@pytest.mark.parametrize("name", ANOTHER_ACCOUNT)
async def test_another_account_can_be_chosen(name):
    """Each has a parameter of its own for that; an ordinary login does not have it."""
    site = OAuth2Site(READY[name].make_stand_in(), READY[name].make, rules=[Rule("/vip", claims={"vip": True})])
    browser = await site.signed_in()
    parameter, value = ANOTHER_ACCOUNT[name]

    ordinary = await browser.get("/auth/login?provider=hub", follow=False)
    refused = await browser.get("/vip")
    choice = await browser.click("Use another account")
    (link,) = (href for href, _ in choice.page.links if "provider=hub" in href)
    other = await browser.get(link, follow=False)

    assert refused.status_code == 403
    assert parameter not in parse_qs(urlsplit(ordinary.location).query)
    assert parse_qs(urlsplit(other.location).query)[parameter] == [value]


# --- GitHub


async def test_the_primary_address_is_taken_not_that_of_the_profile():
    """The profile shows what its owner wants; only the list says what is verified."""
    account = Account("7", "Zoe", "zoe@example.com", {"email": "ceo@example.com"}, login="zoe")
    site = OAuth2Site(GitHubStandIn(accounts=[account]))

    await site.signed_in("7")

    assert (site.user.email, site.user.email_verified) == ("zoe@example.com", True)


@pytest.mark.parametrize("scope", ["read:user", ""])
async def test_without_the_scope_for_addresses_there_is_none(scope):
    """GitHub answers 404; the login continues."""
    account = Account("7", "Zoe", "zoe@example.com", {"email": "ceo@example.com"}, login="zoe")
    stand_in = GitHubStandIn(accounts=[account])
    site = OAuth2Site(stand_in, lambda **client: OAuth2Provider.github(scope=scope, **client))

    await site.signed_in("7")

    assert (site.user.email, "email" in site.user.claims) == (None, False)


async def test_a_verified_address_that_is_not_primary_is_not_taken():
    """The primary one is that of the account."""
    others = [EmailAddress("other@example.com")]
    account = Account("7", "Zoe", "zoe@example.com", login="zoe", email_verified=False, other_emails=others)
    site = OAuth2Site(GitHubStandIn(accounts=[account]))

    await site.signed_in("7")

    assert (site.user.email, site.user.email_verified) == (None, False)


async def test_the_primary_address_is_found_among_many():
    """The list has pages of 30 unless it is asked for more."""
    others = [EmailAddress(f"zoe+{number}@example.com") for number in range(80)]
    site = OAuth2Site(GitHubStandIn(accounts=[Account("7", "Zoe", "zoe@example.com", other_emails=others)]))

    await site.signed_in("7")

    assert site.user.email == "zoe@example.com"


# --- Discord, Facebook, X


async def test_a_user_of_discord_may_have_no_picture():
    """Then there is nothing to make a URL of."""
    site = OAuth2Site(
        DiscordStandIn(accounts=[Account("7", "Zoe", "", {"avatar": None}, login="zoe")]), OAuth2Provider.discord
    )

    await site.signed_in("7")

    assert "picture" not in site.user.claims


async def test_facebook_gets_the_proof_of_the_secret():
    """A leaked access token is useless without it."""
    site = ready_site("facebook")

    await site.signed_in()

    (call,) = [call for call in site.hub.calls if call.path.endswith("/me")]
    assert (call.path, len(call.params["appsecret_proof"])) == ("/v25.0/me", 64)


async def test_x_authenticates_the_client_in_the_header():
    """X documents nothing else for confidential clients."""
    site = ready_site("x")

    await site.signed_in()

    (call,) = [call for call in site.hub.calls if call.path.endswith("/token")]
    assert (call.headers["authorization"].partition(" ")[0], "client_secret" in call.form) == ("Basic", False)
