"""An address counts as verified where the very answer that names it says so: at login, after it, and by `on_login`."""

from typing import Any

import pytest

from asgi_oidc import Rule
from asgi_oidc.testing import Browser, FakeProvider
from tests.protected_site import Site
from tests.token_site import LIFETIME, STORES, TokenSite

STAFF = Rule("/staff/*", email_domains=["example.com"])
OURS, THEIRS = "mallory@example.com", "mallory@attacker.net"


def site_saying(id_token: dict[str, Any], userinfo: dict[str, Any], **settings: Any) -> Site:
    """A site whose provider says these things in its two answers, and nothing else about addresses."""
    silent = {"email": ..., "email_verified": ...}
    site = Site(provider=FakeProvider(alg="ES256"), rules=[STAFF], userinfo="always", **settings)
    site.provider.id_token_overrides, site.provider.userinfo_overrides = silent | id_token, silent | userinfo
    return site


async def is_staff(browser: Browser) -> bool:
    """Open a page for verified addresses of the domain."""
    status = (await browser.fetch("/staff/page")).status_code
    assert status in (200, 403)
    return status == 200


@pytest.mark.parametrize(
    ("id_token", "userinfo"),
    [
        ({"email": OURS}, {"email": THEIRS, "email_verified": True}),
        ({"email_verified": True}, {"email": OURS}),
        ({"email_verified": "true"}, {"email": OURS}),
        ({"email_verified": True}, {"email": OURS, "email_verified": False}),
        ({"email": OURS}, {"email_verified": True}),
        ({"email": OURS}, {"email": "Mallory@example.com", "email_verified": True}),
        ({"email": OURS, "email_verified": False}, {"email": OURS, "email_verified": True}),
        ({"email_verified": False}, {"email": OURS, "email_verified": True}),
    ],
)
async def test_no_answer_verifies_the_email_of_another(id_token, userinfo):
    """Otherwise users could enter an address that their provider has never verified."""
    browser = await site_saying(id_token, userinfo).signed_in()

    assert not await is_staff(browser)


@pytest.mark.parametrize(
    ("id_token", "userinfo"),
    [
        ({"email": OURS, "email_verified": True}, {}),
        ({}, {"email": OURS, "email_verified": True}),
        ({"email": OURS, "email_verified": True}, {"email": THEIRS, "email_verified": False}),
        ({"email": OURS}, {"email": OURS, "email_verified": True}),
        ({"email": OURS, "email_verified": None}, {"email": OURS, "email_verified": True}),
        ({"email_verified": True}, {"email": OURS, "email_verified": True}),
        ({"email": OURS, "email_verified": "true"}, {}),
        ({"email_verified": "true"}, {"email": OURS, "email_verified": "true"}),
    ],
)
async def test_an_answer_verifies_the_email_that_it_contains(id_token, userinfo):
    """Also where both answers name it and only one says that it is verified."""
    browser = await site_saying(id_token, userinfo).signed_in()

    assert await is_staff(browser)


@pytest.mark.parametrize(
    ("id_token", "userinfo"),
    [
        ({"email": OURS}, {"email": OURS, "email_verified": False}),
        ({"email": OURS, "email_verified": None}, {"email": OURS, "email_verified": False}),
        ({"email": OURS, "email_verified": None}, {"email": OURS, "email_verified": "false"}),
        ({"email": "Mallory@example.com"}, {"email": OURS, "email_verified": False}),
        ({"email": OURS, "email_verified": False}, {"email": OURS, "email_verified": None}),
    ],
)
async def test_an_address_that_either_answer_denies_is_not_trusted_for_its_domain(id_token, userinfo):
    """A null or silence in the other answer takes nothing back."""
    browser = await site_saying(id_token, userinfo, trusted_email_domains=["example.com"]).signed_in()

    assert not await is_staff(browser)


async def test_a_verified_phone_number_is_that_of_the_same_answer():
    """The app looks at it as it looks at the address."""
    said = {"phone_number": "+1 555 0100"}, {"phone_number": "+1 555 0199", "phone_number_verified": True}
    site = site_saying(*said)

    await site.signed_in()

    claims = site.app.scope["user"].claims
    assert (claims["phone_number"], "phone_number_verified" in claims) == ("+1 555 0100", False)


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest) -> TokenSite:
    """A site whose pages ask for the access token."""
    return TokenSite(request.param, rules=[STAFF])


async def refresh(site: TokenSite, browser: Browser) -> None:
    """Let a page renew the tokens."""
    site.clock.advance(LIFETIME + 1)
    assert (await browser.fetch("/page")).status_code == 200


@pytest.mark.parametrize(
    ("then", "is_verified"),
    [
        ({"email": "alice@example.com", "email_verified": ...}, False),
        ({"email": "alice@example.com", "email_verified": None}, False),
        ({"email": "new@example.com", "email_verified": ...}, False),
        ({"email": "new@example.com", "email_verified": True}, True),
        ({"email": ..., "email_verified": True}, False),
        ({"email": ..., "email_verified": ...}, False),
        ({"email": "alice@example.com", "email_verified": False}, False),
    ],
)
async def test_a_refresh_does_not_lend_a_verification_to_a_new_address(site, then, is_verified):
    """The address was changed at the provider, and is not verified yet."""
    browser = await site.signed_in()
    assert await is_staff(browser)
    site.provider.id_token_overrides = then

    await refresh(site, browser)

    assert await is_staff(browser) is is_verified


@pytest.mark.parametrize(
    ("then", "is_verified"),
    [
        ({"email": "new@example.com"}, False),
        ({"email": "alice@example.com"}, True),
        ({"email_verified": True}, True),
        ({"email_verified": False}, False),
        ({}, True),
    ],
)
@pytest.mark.parametrize("store", STORES)
async def test_a_refreshed_id_token_and_userinfo_of_the_login_are_two_answers(store, then, is_verified):
    """What userinfo said at the login is not said again: it stays where the new ID Token does not say otherwise."""
    provider = FakeProvider(alg="ES256", claims_in_id_token=False)
    site = TokenSite(store, provider=provider, rules=[STAFF])
    browser = await site.signed_in()
    assert await is_staff(browser)
    site.provider.id_token_overrides = then

    await refresh(site, browser)

    assert await is_staff(browser) is is_verified


async def replaces(user: Any, claims: dict[str, Any]) -> None:
    claims["email"] = "alice@corp.example.com"


async def returns_another(user: Any, claims: dict[str, Any]) -> dict[str, Any]:
    return {**claims, "email": "alice@corp.example.com"}


async def replaces_and_vouches(user: Any, claims: dict[str, Any]) -> None:
    claims["email"], claims["email_verified"] = "alice@corp.example.com", True


async def updates(user: Any, claims: dict[str, Any]) -> None:
    claims |= {"email": "alice@corp.example.com", "email_verified": True}


async def writes_in_lower_case(user: Any, claims: dict[str, Any]) -> None:
    claims["email"] = claims["email"].lower()


async def takes_away(user: Any, claims: dict[str, Any]) -> None:
    del claims["email"]


async def trusts(user: Any, claims: dict[str, Any]) -> None:
    claims["email_verified"] = True


@pytest.mark.parametrize(
    ("hook", "email", "is_verified"),
    [
        (replaces, "alice@corp.example.com", False),
        (returns_another, "alice@corp.example.com", False),
        (takes_away, None, None),
        (replaces_and_vouches, "alice@corp.example.com", True),
        (updates, "alice@corp.example.com", True),
        (writes_in_lower_case, "alice@example.com", True),
    ],
)
async def test_an_address_of_the_app_is_verified_by_the_app(hook, email, is_verified, caplog):
    """The provider has verified the one that it named; an app that replaces it has to say so of its own."""
    site = Site(on_login=hook, trusted_email_domains=["corp.example.com"])
    site.provider.id_token_overrides = {"email": "Alice@Example.com"}

    await site.signed_in()

    claims = site.app.scope["user"].claims
    assert (claims.get("email"), claims.get("email_verified")) == (email, is_verified)
    assert ("claim_dropped claim=email_verified" in caplog.text) is not bool(is_verified)
    assert site.app.scope["user"].email_verified is bool(is_verified)


async def returns_what_it_needs(user: Any, claims: dict[str, Any]) -> dict[str, Any]:
    return {"iss": user.issuer, "sub": user.sub, "email": claims["email"]}


async def returns_another_name(user: Any, claims: dict[str, Any]) -> dict[str, Any]:
    return {"iss": user.issuer, "sub": user.sub, "email": claims["upn"]}


async def takes_the_other_name(user: Any, claims: dict[str, Any]) -> None:
    claims["email"], claims["email_verified"] = claims["upn"], None


async def drops_the_denial(user: Any, claims: dict[str, Any]) -> None:
    claims["email"] = claims["upn"]
    del claims["email_verified"]


@pytest.mark.parametrize("hook", [returns_what_it_needs, returns_another_name, takes_the_other_name, drops_the_denial])
async def test_an_app_that_leaves_a_denial_out_verifies_nothing(hook):
    """Only `True` from the app does: users may choose their address or user name at the provider."""
    site = Site(on_login=hook, trusted_email_domains=["corp.example.com"])
    email = "ceo@corp.example.com" if hook is returns_what_it_needs else "mallory@example.com"
    site.provider.id_token_overrides = {"email": email, "email_verified": False, "upn": "ceo@corp.example.com"}

    await site.signed_in()

    claims = site.app.scope["user"].claims
    assert (claims["email"], claims["email_verified"]) == ("ceo@corp.example.com", False)
    assert site.app.scope["user"].email_verified is False


@pytest.mark.parametrize(
    ("hook", "then", "claims"),
    [
        (replaces, {"email_verified": True}, ("alice@corp.example.com", False)),
        (replaces_and_vouches, {"email": "b@example.com", "email_verified": False}, ("alice@corp.example.com", True)),
        (trusts, {"email": "new@example.com", "email_verified": ...}, ("alice@example.com", True)),
    ],
)
@pytest.mark.parametrize("store", STORES)
async def test_what_the_app_said_of_an_address_stays_with_that_address(store, hook, then, claims):
    """A refresh leaves what `on_login` changed as it is, and the other half of it too."""
    site = TokenSite(store, on_login=hook)
    site.provider.id_token_overrides = {"email_verified": False} if hook is trusts else {}
    browser = await site.signed_in()
    site.provider.id_token_overrides = then

    await refresh(site, browser)
    await browser.fetch("/page")

    said = site.app.scope["user"].claims
    assert (said.get("email"), said.get("email_verified")) == claims


@pytest.mark.parametrize(
    ("said", "is_verified"),
    [
        ({}, True),
        ({"email_verified": None}, True),
        ({"email_verified": True}, True),
        ({"email_verified": False}, False),
        ({"email_verified": "false"}, False),
        ({"email_verified": 0}, False),
        ({"email": "alice@EXAMPLE.com"}, True),
        ({"email": "alice@sub.example.com"}, False),
        ({"email": "alice@example.com@attacker.net"}, False),
        ({"email": ...}, False),
        ({"email": None}, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_trusted", [True, False])
async def test_addresses_of_a_trusted_domain_count_where_the_provider_does_not_deny_it(is_trusted, said, is_verified):
    """Some providers never say whether an address is verified; nobody is trusted who was not named."""
    rules = [Rule("/staff/*", email_domains=["example.com", "sub.example.com"])]
    site = Site(rules=rules, trusted_email_domains=["Example.com"] if is_trusted else [], userinfo="never")
    site.provider.id_token_overrides = {"email_verified": ..., **said}

    browser = await site.signed_in()

    expected = is_verified if is_trusted else said.get("email_verified") is True
    assert await is_staff(browser) is expected
    assert (await browser.fetch("/page"), site.app.scope["user"].email_verified)[1] is expected


async def test_a_trusted_domain_admits_no_other_one():
    """The rule still says which."""
    site = Site(rules=[STAFF], trusted_email_domains=["example.net"])
    site.provider.id_token_overrides = {"email": "alice@example.net", "email_verified": ...}

    browser = await site.signed_in()

    assert (await is_staff(browser), site.app.scope["user"].email_verified) == (False, True)


async def test_on_login_sees_whether_the_address_is_verified():
    """As all others do."""
    seen: list[bool] = []

    async def look(user: Any, claims: dict[str, Any]) -> None:
        seen.append(user.email_verified)

    for trusted in (["example.com"], []):
        site = Site(on_login=look, trusted_email_domains=trusted)
        site.provider.id_token_overrides = {"email_verified": ...}
        await site.signed_in()

    assert seen == [True, False]


async def test_an_anonymous_user_has_no_verified_email():
    """On a public page the app may ask before it looks who is there."""
    site = Site()

    await site.browser().fetch("/public/page")

    assert site.app.scope["user"].email_verified is False
