"""The audit trail tells what was refused, to whom, and why; nothing unverified appears as a fact."""

from typing import Any

from fastapi import FastAPI

from asgi_oidc import Bearer, InsufficientScope, Rule, StepUpRequired, audit
from asgi_oidc.integrations.fastapi import require
from tests.asgi.test_websockets import DENIAL, connect
from tests.audit_site import AuditSite
from tests.internals import deliver_events
from tests.protected_site import Exchange, cookie_header
from tests.providers.three_providers import ThreeProviders

ADMIN = Rule("/admin/*", claims={"roles": "nobody has this"})
VAULT = Rule("/vault/*", acr_values=["urn:example:mfa"])
AUDIENCE = "https://api.example.com"


class ApiSite(AuditSite):
    """A site that takes access tokens."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(bearer=Bearer(audience=AUDIENCE), rules=[ADMIN, VAULT], **settings)

    async def with_token(self, token: str, path: str) -> Exchange:
        """Make a request with an access token."""
        return await self.call(path, headers={"authorization": f"Bearer {token}"})


async def test_a_rule_that_is_not_met_names_the_rule_and_the_user():
    """With the reference of the page."""
    site = AuditSite(rules=[ADMIN], plain_prefixes=[])
    browser = await site.signed_in()
    refused = await browser.fetch("/admin/users?secret=1")
    event = await site.last(audit.AccessDenied)

    assert (event.sub, event.why, event.path) == ("alice", "/admin/* needs claims roles", "/admin/users")
    assert (event.reference, event.credential) == (refused.json()["reference"], "session")
    assert event.session_id == site.app.scope["oidc"].session_id


async def test_a_forged_request_names_its_target_and_the_origin():
    """The user did not do it."""
    site = AuditSite()
    browser = await site.signed_in()
    headers = {"cookie": cookie_header(browser), "origin": "https://evil.example"}
    await site.call("/page", method="POST", headers=headers)
    event = await site.last(audit.CSRFRefused)

    assert (event.sub, event.origin, event.code) == ("alice", "https://evil.example", "foreign_origin")
    assert (event.method, event.path) == ("POST", "/page")


async def test_a_forged_websocket_is_told_as_one():
    """Any site can open one."""
    site = AuditSite(rules=[VAULT])
    browser = await site.signed_in()
    await connect(site, "/page", browser=browser, origin="https://evil.example", **DENIAL)
    forged = await site.last(audit.CSRFRefused)
    await connect(site, "/vault/x", browser=browser, **DENIAL)
    step_up = await site.last(audit.StepUpRequired)

    assert (forged.sub, forged.method) == ("alice", "WEBSOCKET")
    assert (step_up.sub, step_up.acr_values) == ("alice", ("urn:example:mfa",))


async def test_what_the_app_requires_is_told_like_a_rule():
    """By an exception of ours."""
    site = AuditSite()
    browser = await site.signed_in()

    async def needs(scope):
        raise StepUpRequired(max_age=60) if scope["path"] == "/fresh" else InsufficientScope("write")

    site.app.at_work = needs
    await browser.fetch("/fresh")
    step_up = await site.last(audit.StepUpRequired)
    await browser.fetch("/write")
    denied = await site.last(audit.AccessDenied)

    assert (step_up.sub, step_up.max_age) == ("alice", 60)
    assert (denied.sub, denied.why) == ("alice", "the app needs scopes write")


async def test_a_token_that_is_not_valid_says_nothing_about_a_user():
    """Its claims are not verified."""
    site = ApiSite()
    token = site.provider.access_token("alice", audience=AUDIENCE)
    await site.with_token(token[:-4] + "AAAA", "/admin")
    event = await site.last(audit.TokenRefused)

    assert (event.sub, event.issuer, event.session_id, event.path) == (None, None, None, "/admin")
    assert event.code


async def test_a_valid_token_without_the_right_names_user_and_client():
    """Both are verified."""
    site = ApiSite()
    token = site.provider.access_token("alice", audience=AUDIENCE)
    await site.with_token(token, "/admin")
    denied = await site.last(audit.AccessDenied)
    await site.with_token(token, "/vault")
    step_up = await site.last(audit.StepUpRequired)

    assert (denied.sub, denied.credential, denied.issuer) == ("alice", "bearer", site.provider.issuer)
    assert denied.client_id == "web"
    assert step_up.sub == "alice"


async def test_routes_report_what_they_refuse():
    """As rules do."""

    app = FastAPI()

    @app.get("/roles", dependencies=[require(claims={"roles": "nobody has this"})])
    async def roles() -> None:
        raise AssertionError

    @app.get("/fresh", dependencies=[require(max_age=60)])
    async def fresh() -> None:
        raise AssertionError

    site = AuditSite(inner=app, bearer=Bearer(audience=AUDIENCE))
    browser = site.browser()
    await browser.sign_in("alice", "/none")
    refused = await browser.fetch("/roles")
    denied = await site.last(audit.AccessDenied)
    site.clock.advance(120)
    await browser.fetch("/fresh")
    step_up = await site.last(audit.StepUpRequired)
    token = site.provider.access_token("alice", audience=AUDIENCE)
    await site.call("/roles", headers={"authorization": f"Bearer {token}"})
    by_token = await site.last(audit.AccessDenied)

    assert (denied.sub, denied.credential, refused.status_code) == ("alice", "session", 403)
    assert denied.session_id
    assert denied.reference
    assert (step_up.sub, step_up.max_age) == ("alice", 60)
    assert (by_token.sub, by_token.credential, by_token.client_id) == ("alice", "bearer", "web")


async def test_a_logout_token_that_is_refused_names_no_user():
    """Anyone can post one."""
    site = AuditSite()
    await site.hear("x.y.z")
    event = await site.last(audit.LogoutRefused)

    assert (event.sub, event.issuer, event.code is None) == (None, None, False)


async def test_a_store_that_fails_is_told_with_what_happened_instead():
    """A page of the app is refused, and the trail says why."""
    site = AuditSite("a store")
    browser = await site.signed_in()
    store: Any = site.settings["store"]
    store.broken.add("get")
    await browser.fetch("/page")

    failed = [event for event in await site.delivered() if isinstance(event, audit.StoreFailed)]
    refused = await site.last(audit.RequestFailed)
    assert [(event.code, event.fallback) for event in failed] == [("store_failed", None)]
    assert (refused.code, refused.path) == ("store_failed", "/page")


async def test_a_provider_that_fails_is_named(caplog):
    """With several, an operator has to know which; in the trail and in the log."""
    heard: list[audit.AuditEvent] = []
    site = ThreeProviders(on_event=heard.append, rules=[Rule("/one/*", providers=["one"])])
    site.fakes["two"].access_token_lifetime = 300
    browser = await site.signed_in("two")
    refused = await browser.fetch("/one")
    site.clock.advance(4_000)
    with site.fakes["two"].fault("jwks_down", "discovery_down"):
        await browser.fetch("/auth/logout", method="POST")
        await browser.get("/auth/login?provider=two", follow=False)
    await deliver_events(site.middleware)

    failed = [event for event in heard if isinstance(event, audit.ProviderFailed)]
    assert {(event.provider, event.issuer) for event in failed} == {("two", site.fakes["two"].issuer)}
    denied = next(record for record in caplog.records if record.event == "access_denied")
    assert denied.oidc["provider"] == "two"
    assert denied.oidc["reference"] == refused.json()["reference"]
    assert all(record.oidc["provider"] == "two" for record in caplog.records if record.event == "provider_failed")
