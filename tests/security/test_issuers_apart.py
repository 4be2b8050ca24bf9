"""A browser with a session of another issuer: the same `sub` and `sid` there are another user and another session."""

import secrets
from collections.abc import Iterator

import msgspec
import pytest

from asgi_oidc.logout.used_logout_tokens import UsedLogoutTokens
from asgi_oidc.protocol.logout_token import Logout
from asgi_oidc.sessions.record_names import RecordNames
from asgi_oidc.sessions.session import Session
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.memory import MemoryStore
from asgi_oidc.stores.replay_cache import ReplayCache
from asgi_oidc.testing import Browser, FakeProvider
from tests.attacked_provider import OTHER_ISSUER, other_name, own_name, three_providers
from tests.endpoints.test_frontchannel_logout import frame, named
from tests.internals import sessions_of
from tests.login.test_interrupted_forms import Bodies, send
from tests.logout_site import FORMS, LogoutSite, are_in
from tests.protected_site import NOW, ORIGIN, Site
from tests.sessions.test_session import SESSION
from tests.token_site import STORES
from tests.tokens.test_token_revocation_spares_sessions import site_of


@pytest.fixture(scope="module", autouse=True)
def _other_provider() -> Iterator[None]:
    """A site has sessions of another issuer only where it has several providers."""
    with three_providers():
        yield


SAME_SITE, OTHER_SITE = "https://id.example.com", "https://id.example.net"


@pytest.fixture(params=FORMS)
def site(request: pytest.FixtureRequest) -> LogoutSite:
    """With sessions in each place where they can be."""
    return LogoutSite(request.param, frontchannel_logout=True)


async def browser_with_session(site: Site, *, issuer: str = OTHER_ISSUER, sid: str | None = "s1") -> Browser:
    """Return a browser that has signed in as alice at some issuer."""
    identity = {"id": secrets.token_urlsafe(32), "issuer": issuer, "sid": sid}
    provider = own_name() if issuer == site.provider.issuer else other_name()
    times = {"provider": provider, "first": {"aud": "web"}, "created_at": NOW, "began": NOW * 1000}
    login = msgspec.structs.replace(SESSION.login, **identity, **times)
    session = Session(login=login, tokens=SESSION.tokens, seen_at=NOW)
    browser = site.browser()
    for line in await sessions_of(site.middleware).begin(session, {}):
        browser.jar.receive(line.decode(), ORIGIN)
    return browser


@pytest.mark.parametrize("by_form", [False, True], ids=["query", "form_post"])
@pytest.mark.parametrize(("issuer", "lives"), [(OTHER_SITE, True), (OTHER_ISSUER, False)], ids=["own", "another"])
@pytest.mark.parametrize("form", FORMS)
async def test_a_login_ends_the_session_of_the_same_sub_at_another_issuer_at_once(form, issuer, lives, by_form):
    """It is another user's; only a session of the same user has a grace, for requests under way."""
    parameters = {"authorization_params": {"response_mode": "form_post"}} if by_form else {}
    site = LogoutSite(form, provider=FakeProvider(OTHER_SITE, alg="ES256"), **parameters)
    browser = await browser_with_session(site, issuer=issuer)
    copy = site.browser(jar=browser.jar.copy())

    site.provider.sign_in_as("alice")
    await browser.get("/auth/login")

    assert await are_in(browser, copy) == [True, lives]


@pytest.mark.parametrize(("issuer", "is_offered"), [(SAME_SITE, True), (OTHER_ISSUER, False)], ids=["own", "another"])
async def test_a_form_is_not_offered_to_the_same_sub_at_another_issuer(issuer, is_offered):
    """It may hold anything."""
    site = Site(inner=Bodies(), keep_forms=True, provider=FakeProvider(SAME_SITE, alg="ES256"))
    browser = await browser_with_session(site, issuer=issuer)
    site.clock.advance(3600)
    await send(browser)

    page = await browser.submit(await browser.submit(button="Sign in"), "alice")

    assert ("Send your form now?" in page.text) is is_offered


@pytest.mark.parametrize(("sub", "sid"), [("alice", None), (None, "s1"), ("alice", "s1")])
@pytest.mark.parametrize("sid_of_session", ["s1", None])
async def test_a_logout_token_ends_no_session_of_another_issuer(site, sub, sid, sid_of_session):
    """The provider of one knows nothing of the other's users."""
    ours = await site.signed_in()
    theirs = await browser_with_session(site, sid=sid_of_session)

    answer = await site.hear(site.provider.logout_token(sub, sid=sid))

    assert (answer.status, await are_in(theirs)) == (200, [True])
    assert await are_in(ours) == [sub is None or sid is not None]


async def test_the_frame_of_one_issuer_ends_no_session_of_another(site):
    """The `sid` alone does not identify a session."""
    theirs, ours = await browser_with_session(site), await browser_with_session(site, issuer=site.provider.issuer)

    for browser in (theirs, ours):
        await frame(browser, *named(site, "s1"))

    assert await are_in(theirs, ours) == [True, False]


@pytest.mark.parametrize("default_issuer", [None, OTHER_ISSUER])
@pytest.mark.parametrize("is_shared", [False, True])
async def test_a_jti_of_one_issuer_does_not_use_up_that_of_another(is_shared, default_issuer):
    """Two providers may count their tokens from one."""
    store = GuardedStore(MemoryStore(clock=lambda: NOW)) if is_shared else None
    names = RecordNames([b"s" * 32], context=("a", "b", "c"), default_issuer=default_issuer)
    used = UsedLogoutTokens(store, names, ReplayCache(), now=lambda: NOW)
    logouts = [Logout(issuer, None, "alice", "1", NOW + 60) for issuer in (OTHER_ISSUER, SAME_SITE)]

    await used.add(logouts[0])

    assert [await used.has(logout) for logout in logouts] == [True, False]


@pytest.mark.parametrize(("issuer", "revoked"), [(OTHER_SITE, 0), (OTHER_ISSUER, 1)], ids=["own", "another"])
@pytest.mark.parametrize("store", STORES)
async def test_the_token_of_a_failed_login_is_not_spared_for_a_session_of_another_issuer(store, issuer, revoked):
    """The session of another provider cannot share it."""
    site = site_of(store, userinfo="always")
    browser = await browser_with_session(site, issuer=issuer)

    with site.provider.fault("userinfo_down"):
        failed = await browser.sign_in("alice", "/auth/login")

    assert (failed.status_code, len(site.provider.revoked)) == (503, revoked)
