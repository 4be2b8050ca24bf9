"""What one user can fill costs that user, and nobody else: sign-outs at the provider, again and again."""

from urllib.parse import urlencode

import pytest

from asgi_oidc.sessions.revocations import MAX_PER_USER
from asgi_oidc.testing import Browser
from tests.attacked_provider import own_path
from tests.internals import revocations_of
from tests.logout_site import FORMS, LogoutSite, are_in

pytestmark = pytest.mark.usefixtures("one_or_three_providers")


@pytest.fixture(params=FORMS)
def site(request: pytest.FixtureRequest) -> LogoutSite:
    """With sessions in each place where they can be."""
    return LogoutSite(request.param, frontchannel_logout=True)


def revocation_count(site: LogoutSite) -> int:
    """How many are remembered: a bound of memory, which nothing else shows."""
    return len(revocations_of(site.middleware)._entries)


def fill_up(site: LogoutSite, sub: str) -> None:
    """Be where a thousand logout tokens lead to."""
    revocations = revocations_of(site.middleware)
    for number in range(MAX_PER_USER):
        revocations.sign_out(issuer=site.provider.issuer, sub=sub, sid=f"earlier-{number}", now=site.clock())


async def test_sign_outs_at_the_provider_count_against_their_user() -> None:
    """One by one they end one session each; beyond the most, all that this user has, and nothing of another."""
    site = LogoutSite()
    alice, bob = await site.signed_in("alice"), await site.signed_in("bob")
    tokens = (site.provider.logout_token("alice", sid=f"sid-{number}") for number in range(MAX_PER_USER + 20))

    for _ in range(MAX_PER_USER):
        await site.hear(next(tokens))
    before = await are_in(alice, bob)
    for token in tokens:
        await site.hear(token)

    assert (before, await are_in(alice, bob)) == ([True, True], [False, True])
    assert revocation_count(site) <= MAX_PER_USER + 2


async def test_a_user_at_the_revocation_limit_can_sign_in_and_out(site: LogoutSite) -> None:
    """Each sign-out ends all older sessions of that user from then on."""
    fill_up(site, "alice")
    first, second, bob = [await site.signed_in(sub) for sub in ("alice", "alice", "bob")]
    third = site.browser()
    await sign_in_late(site, third)

    await second.post("/auth/logout", follow=False)

    signed_in = await are_in(first, second, third, bob)
    assert signed_in == [False, False, site.settings.get("store") is None, True]
    assert revocation_count(site) <= MAX_PER_USER + 3


async def sign_in_late(site: LogoutSite, browser: Browser) -> None:
    site.clock.advance(1)
    assert (await browser.sign_in("alice", "/page")).status_code == 200


async def test_repeating_a_sign_out_does_not_count_towards_the_limit(site: LogoutSite) -> None:
    """A second click, a provider that repeats itself, the frame and the button."""
    browser = await site.signed_in()
    copies = [site.browser(jar=browser.jar.copy()) for _ in range(20)]
    await browser.post("/auth/logout", follow=False)
    for _ in range(2):
        await site.hear(site.provider.logout_token("alice", sid="s"))
    known = revocation_count(site)

    for copy in copies:
        await copy.post("/auth/logout", follow=False)
        await copy.fetch(f"{own_path('frontchannel-logout')}?{urlencode({'iss': site.provider.issuer, 'sid': 's'})}")
        await site.hear(site.provider.logout_token("alice", sid="s"))

    assert revocation_count(site) == known


async def test_a_user_at_the_revocation_limit_can_replace_another_users_session(site: LogoutSite) -> None:
    """A shared computer: the session of the other ends, and that counts against the other."""
    browser = await site.signed_in("alice")
    copy = site.browser(jar=browser.jar.copy())
    fill_up(site, "bob")
    site.provider.sign_in_as("bob")

    page = await browser.get("/auth/login")

    assert (page.status_code, await are_in(browser, copy)) == (200, [True, False])


async def test_sessions_that_the_app_ends_count_against_their_user() -> None:
    """A page of the app may end them on the wish of the user, as often as they sign in."""
    site = LogoutSite("a store")
    alice, session_ids = await site.signed_in("alice"), []
    for _ in range(3):
        session_ids.append(await new_session_id(site))
    fill_up(site, "alice")
    known = revocation_count(site)

    sessions, issuer = site.middleware.sessions, site.provider.issuer
    ended = [await sessions.end("alice", session_id, issuer=issuer) for session_id in session_ids]

    assert (ended, await are_in(alice), revocation_count(site)) == ([True] * 3, [True], known)


async def new_session_id(site: LogoutSite) -> str:
    await site.signed_in("alice")
    return str(site.app.scope["oidc"].session_id)
