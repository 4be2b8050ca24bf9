"""The setting `claims` at work: at the login, after a refresh, for access tokens, and in what a cookie holds."""

from secrets import token_hex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc import Rule
from asgi_oidc.protocol.claim_mapping import ClaimMapping
from asgi_oidc.protocol.claims import PROTOCOL_CLAIMS
from asgi_oidc.testing import FakeProvider, Persona
from tests.bearer.token_calls import TokenSite
from tests.protected_site import ORIGIN, Site

ROLES = "https://example.com/roles"
NAMES = st.sampled_from(["email", "email_verified", "phone_number", "name", "a", "b", "c", "mail", "sub", "iss", "sid"])
CLAIMS = st.dictionaries(NAMES, st.integers())


def persona(**claims: Any) -> Persona:
    return Persona("alice", "Alice Adams", "alice@example.com", claims)


def site_with(claims: Any, **settings: Any) -> Site:
    site = Site(claims=claims, **settings)
    site.provider.personas["alice"] = persona(**{ROLES: ["admin"], "picture": "https://example.com/a.png"})
    return site


async def stored_claims(site: Site) -> dict[str, Any]:
    browser = await site.signed_in()
    found: dict[str, Any] = (await browser.fetch("/auth/session")).json()["claims"]
    return found


async def test_claims_are_dropped_and_renamed_before_they_are_stored():
    """The app, its rules and `/auth/session` see the result."""
    site = site_with(
        {"drop": ["picture"], "rename": {ROLES: "roles"}}, rules=[Rule("/page", claims={"roles": "admin"})]
    )

    claims = await stored_claims(site)

    assert (claims["roles"], claims["email"], claims["sub"]) == (["admin"], "alice@example.com", "alice")
    assert {"picture", ROLES}.isdisjoint(claims)


async def test_what_keep_does_not_name_is_dropped():
    """Except what the session needs, and what is renamed."""
    claims = await stored_claims(site_with({"keep": ["email"], "rename": {ROLES: "roles"}}))

    assert claims.keys() - PROTOCOL_CLAIMS == {"email", "email_verified", "roles"}


async def test_on_login_sees_the_result():
    """So that it finds the names that rules use, and what it adds is not dropped."""
    seen: list[Any] = []

    async def on_login(user: Any, claims: dict[str, Any]) -> None:
        seen.append((user.claims.get("roles"), "picture" in claims))
        claims["picture"] = "mine"

    claims = await stored_claims(site_with({"drop": ["picture"], "rename": {ROLES: "roles"}}, on_login=on_login))

    assert (seen, claims["picture"]) == ([(["admin"], False)], "mine")


async def test_a_dropped_email_takes_its_verification_along():
    """And the other way round: one never vouches for another's value."""
    for dropped in ("email", "email_verified"):
        claims = await stored_claims(site_with({"drop": [dropped]}))
        assert {"email", "email_verified"}.isdisjoint(claims)


@pytest.mark.parametrize("left", [["auditor"], None])
async def test_a_refresh_brings_and_removes_roles_under_their_new_name(left):
    """A user who lost the last role must not keep it because it has another name here."""
    offline = {"scope": "openid profile email offline_access"}
    site = site_with({"drop": ["picture"], "rename": {ROLES: "roles"}}, **offline)
    browser = await site.signed_in()
    site.provider.personas["alice"] = persona(picture="new", **({} if left is None else {ROLES: left}))

    async def at_work(scope: Any) -> None:
        await scope["oidc"].access_token()

    site.app.at_work = at_work
    site.clock.advance(3600 - 30)
    await browser.get("/page")

    claims = (await browser.fetch("/auth/session")).json()["claims"]
    assert (claims.get("roles"), "picture" in claims, ROLES in claims) == (left, False, False)


async def test_a_token_for_another_api_brings_claims_under_their_new_names():
    """An ID Token may come with it."""
    site = site_with({"drop": ["picture"], "rename": {ROLES: "roles"}}, scope="openid profile email offline_access")
    browser = await site.signed_in()
    site.provider.personas["alice"] = persona(picture="new", **{ROLES: ["auditor"], "roles": ["admin"]})

    async def at_work(scope: Any) -> None:
        await scope["oidc"].access_token(resource="https://api.example.com")

    site.app.at_work = at_work
    await browser.get("/page")

    claims = (await browser.fetch("/auth/session")).json()["claims"]
    assert (claims["roles"], "picture" in claims, ROLES in claims) == (["auditor"], False, False)


async def test_a_recheck_keeps_what_only_the_id_token_states_under_its_new_name():
    """Userinfo does not take it away, as it never stated it."""
    site = site_with({"rename": {ROLES: "roles"}}, recheck=300, userinfo="always")
    with site.provider.fault("introspection_invalid_client"):
        browser = await site.signed_in()
        site.provider.userinfo_overrides = {ROLES: ..., "nickname": "ali"}
        site.clock.advance(301)
        claims = (await browser.fetch("/auth/session")).json()["claims"]

    assert (claims["roles"], site.provider.count("userinfo")) == (["admin"], 2)


async def test_access_tokens_of_programs_are_mapped_too():
    """One policy holds for both."""
    site = TokenSite(
        claims={"rename": {ROLES: "roles"}, "drop": ["x"]}, rules=[Rule("/page", claims={"roles": "admin"})]
    )

    further: dict[str, Any] = {ROLES: ["admin"], "x": 1}
    exchange = await site.call_with(site.token(**further))

    claims = site.app.scope["user"].claims
    assert (exchange.status, claims["roles"], "x" in claims, ROLES in claims) == (200, ["admin"], False, False)


async def test_userinfo_is_asked_for_a_claim_that_is_renamed():
    """By the name that the provider uses."""
    site = site_with({"rename": {"nickname": "alias"}}, rules=[Rule("/page", claims={"alias": "ali"})])
    site.provider.personas["alice"] = persona(nickname="ali")

    assert (await stored_claims(site))["alias"] == "ali"


@given(CLAIMS, st.frozensets(NAMES), st.booleans())
def test_the_session_always_has_what_it_needs_and_pairs_stay_together(claims, listed, is_keep):
    """Whatever is listed."""
    mapping = ClaimMapping(listed if is_keep else None, frozenset() if is_keep else listed - PROTOCOL_CLAIMS)

    stored = mapping.apply(claims)

    assert {name: claims[name] for name in claims.keys() & PROTOCOL_CLAIMS}.items() <= stored.items()
    assert stored.items() <= claims.items()
    assert ("email" in stored, "email_verified" in stored) in (
        ("email" in claims, "email_verified" in claims),
        (False, False),
    )
    assert mapping.names(claims) == stored.keys()


@given(CLAIMS)
def test_a_renamed_value_comes_from_its_source_alone(claims):
    """Else a userinfo answer could fill in for a claim that the ID Token lacks."""
    mapping = ClaimMapping(rename={"a": "b", "b": "c", "email": "mail"})

    stored = mapping.apply(claims)

    assert (stored.get("b"), stored.get("c"), stored.get("mail")) == (
        claims.get("a"),
        claims.get("b"),
        claims.get("email"),
    )
    assert {"a", "email", "email_verified"}.isdisjoint(stored)


async def test_claims_from_userinfo_that_are_dropped_take_no_room_in_cookies():
    """An account with more data than a browser keeps can sign in; what an ID Token contains stays in the ID Token."""

    async def cookie_length(claims: Any) -> int:
        provider = FakeProvider(alg="ES256", claims_in_id_token=False)
        provider.personas["alice"] = persona(photo=token_hex(1000), roles=["admin"])
        browser = await Site(provider=provider, claims=claims).signed_in()
        return len(browser.jar.header(f"{ORIGIN}/", is_same_site=True, is_safe_navigation=True))

    assert await cookie_length({"drop": ["photo"]}) < await cookie_length(None) - 1300
