"""The audit trail tells who signed in, from where, and how each session ended."""

import msgspec
import pytest

from asgi_oidc import LoginRefused, Rule, audit
from tests.audit_site import AuditSite, facts
from tests.logout_site import FORMS
from tests.protected_site import NOW, ORIGIN, PROGRAM

BILLING = Rule("/billing/*", max_age=300)


@pytest.fixture(params=["cookies", "a store"])
def site(request: pytest.FixtureRequest) -> AuditSite:
    """Once with sealed cookies, once with a store."""
    return AuditSite(request.param, rules=[BILLING])


async def test_a_sign_in_tells_who_and_from_where(site):
    """With the session id that `middleware.sessions` and the app use."""
    browser = await site.signed_in()
    event = await site.last(audit.SignedIn)

    assert facts(event) == {
        "name": "signed_in",
        "kind": "login",
        "at": NOW,
        "issuer": site.provider.issuer,
        "sub": "alice",
        "session_id": site.app.scope["oidc"].session_id,
        "client_address": "192.0.2.1",
        "base_url": ORIGIN,
        "method": "GET",
        "path": "/auth/callback",
        **({"acr": event.acr} if event.acr else {}),
        "authenticated_at": NOW,
    }
    assert browser.cookies


async def test_an_event_is_json_and_comes_back(site):
    """For whoever keeps the trail in files or a queue."""
    await site.signed_in()
    event = await site.last(audit.SignedIn)

    assert msgspec.json.decode(msgspec.json.encode(event), type=audit.SignedIn | audit.SignedOut) == event
    assert "alice" in repr(event)


async def test_a_second_sign_in_is_a_renewal_and_names_the_session_that_it_replaced(site):
    """An auditor follows one session into the next."""
    browser = await site.signed_in()
    first = (await site.last(audit.SignedIn)).session_id

    await browser.get("/auth/login", follow=False)
    await browser.sign_in("alice", "/auth/login?return_to=/page")
    event = await site.last(audit.SignedIn)

    assert (event.kind, event.replaced, event.session_id == first) == ("renewal", first, False)


async def test_a_step_up_is_required_and_done(site):
    """Both by name, with what was required."""
    browser = await site.signed_in()
    site.clock.advance(331)
    await browser.sign_in("alice", "/billing")

    required, done = (await site.delivered())[-2:]
    assert isinstance(required, audit.StepUpRequired)
    assert (required.sub, required.max_age, required.path) == ("alice", 300, "/billing")
    assert isinstance(done, audit.SignedIn)
    assert (done.sub, done.kind) == ("alice", "step_up")


async def test_another_user_in_the_same_browser_ends_the_session_before(site):
    """Nobody signed out, and yet it is over."""
    browser = await site.signed_in("alice")
    alice = site.app.scope["oidc"].session_id
    site.provider.sign_in_as("bob")
    await browser.get("/auth/login?return_to=/page")

    ended = [event for event in await site.delivered() if isinstance(event, audit.SessionEnded)]
    assert [(event.sub, event.session_id, event.reason) for event in ended] == [("alice", alice, "replaced")]


async def test_a_sign_out_tells_whose(site):
    """By the user, in this browser."""
    browser = await site.signed_in()
    session_id = site.app.scope["oidc"].session_id
    await browser.fetch("/auth/logout", method="POST")
    event = await site.last(audit.SignedOut)

    assert (event.by, event.sub, event.session_id, event.everywhere) == ("user", "alice", session_id, False)


@pytest.mark.parametrize("form", FORMS)
async def test_a_sign_out_by_the_provider_tells_whose(form):
    """The logout token is verified before anything is said."""
    site = AuditSite(form)
    await site.signed_in()
    await site.hear(site.provider.logout_token("alice"))
    event = await site.last(audit.SignedOut)

    assert (event.by, event.sub, event.issuer) == ("provider", "alice", site.provider.issuer)
    assert (event.everywhere, event.sessions) == (True, 1 if "store" in form.lower() else None)
    assert (event.method, event.path) == ("POST", "/auth/backchannel-logout")


async def test_a_sign_out_in_a_frame_of_the_provider_tells_whose():
    """Front-channel logout."""
    site = AuditSite(frontchannel_logout=True)
    browser = await site.signed_in()
    sid = site.app.scope["user"].claims["sid"]
    await browser.get(f"/auth/frontchannel-logout?iss={site.provider.issuer}&sid={sid}")
    event = await site.last(audit.SignedOut)

    assert (event.by, event.sub) == ("provider_in_browser", "alice")


async def test_a_sign_out_by_the_app_needs_no_request():
    """A job of the app that ends sessions is in the trail too."""
    site = AuditSite("a store")
    await site.signed_in()
    session_id = site.app.scope["oidc"].session_id

    assert await site.middleware.sessions.end("alice", session_id)
    one = await site.last(audit.SignedOut)
    await site.signed_in()
    assert await site.middleware.sessions.end_all("alice") == 1
    every = await site.last(audit.SignedOut)

    assert (one.by, one.sub, one.session_id, one.sessions) == ("app", "alice", session_id, 1)
    assert (every.by, every.sub, every.everywhere, every.sessions) == ("app", "alice", True, 1)
    assert (every.path, every.method, every.client_address) == (None, None, None)


async def test_a_cookie_of_a_session_that_was_ended_is_told_by_its_session():
    """Somebody else still has it."""
    site = AuditSite("a store")
    browser = await site.signed_in()
    session_id = site.app.scope["oidc"].session_id
    await site.middleware.sessions.end("alice", session_id)
    await browser.fetch("/page")
    event = await site.last(audit.SessionRefused)

    assert (event.reason, event.session_id, event.sub) == ("gone", session_id, None)


async def test_a_sealed_cookie_of_a_revoked_session_tells_whose_it_is():
    """The seal is verified, so the user is a fact."""
    site = AuditSite()
    browser = await site.signed_in()
    await site.hear(site.provider.logout_token("alice"))
    await browser.fetch("/page")
    event = await site.last(audit.SessionRefused)

    assert (event.name, event.reason, event.sub) == ("session_refused", "ended", "alice")


async def test_a_login_that_fails_tells_the_code_and_the_reference(site):
    """The user has the reference, and the log too."""
    response = await site.failed_login("id_token_foreign_key")
    event = await site.last(audit.LoginFailed)

    assert (event.code, event.reference) == (response.json()["error"], response.json()["reference"])
    assert (event.sub, event.issuer, event.path) == (None, None, "/auth/callback")


async def test_a_refused_user_is_named_if_the_provider_has_identified_the_user():
    """Whoever `on_login` turns away is verified by then."""

    async def nobody(user, claims):
        raise LoginRefused("not today")

    site = AuditSite(on_login=nobody)
    browser, url = await site.at_callback()
    await browser.get(url, headers=PROGRAM, follow=False)
    event = await site.last(audit.LoginFailed)

    assert (event.code, event.sub, event.issuer) == ("login_refused", "alice", site.provider.issuer)


async def test_a_session_that_the_provider_withdraws_ends():
    """Not by the user, and not by the app."""
    site = AuditSite(scope="openid offline_access")
    site.provider.access_token_lifetime = 300
    browser = await site.signed_in()
    site.app.at_work = lambda scope: scope["oidc"].access_token()
    site.clock.advance(301)
    with site.provider.fault("refresh_invalid_grant"):
        await browser.fetch("/page")
    withdrawn = [event for event in await site.delivered() if isinstance(event, audit.SessionEnded)]

    assert [(event.sub, event.reason) for event in withdrawn] == [("alice", "withdrawn")]


async def test_a_refresh_that_fails_is_told():
    """The session goes on."""
    site = AuditSite(scope="openid offline_access")
    site.provider.access_token_lifetime = 300
    browser = await site.signed_in()
    site.app.at_work = lambda scope: scope["oidc"].access_token()
    site.clock.advance(301)
    with site.provider.fault("refresh_down"):
        await browser.fetch("/page")
    failed = [event for event in await site.delivered() if isinstance(event, audit.RefreshFailed)]

    assert [(event.sub, event.path, event.code is None) for event in failed] == [("alice", "/page", False)]
