"""`claims_from_access_token`: roles that the provider keeps in the access token count, verified, and never for long."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest

from asgi_oidc import Rule
from asgi_oidc.testing import Browser, FakeProvider
from tests.protected_site import NOW, PROGRAM, Site, nothing
from tests.token_site import LIFETIME, STORES, TokenSite

ADMIN = Rule("/admin/*", claims={"realm_access.roles": "admin"})
ROLES = {"realm_access": {"roles": ["admin"]}}


class OtherTokens(httpx.AsyncBaseTransport):
    """The way to a provider whose token answers bring another access token, once there is one."""

    def __init__(self, provider: FakeProvider) -> None:
        self._provider = provider
        self.access_token: str | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        async with self._provider.http_client() as client:
            answer = await client.request(request.method, request.url, headers=request.headers, content=body)
        content = answer.content
        if request.url.path == "/token" and self.access_token is not None:
            content = json.dumps({**answer.json(), "access_token": self.access_token}).encode()
        return httpx.Response(answer.status_code, stream=httpx.ByteStream(content))


class RolesSite(TokenSite):
    """A site whose provider gives roles in JWT access tokens only, as Keycloak does."""

    def __init__(self, store: str = "cookies", **settings: Any) -> None:
        provider = FakeProvider(alg="ES256")
        self.line = OtherTokens(provider)
        client = httpx.AsyncClient(transport=self.line)
        wanted = {"claims_from_access_token": True, "rules": [ADMIN], "provider": provider, "http_client": client}
        super().__init__(store, **{**wanted, **settings})
        self.provider.jwt_access_tokens = True
        self.provider.access_token_overrides = ROLES
        self.provider.id_token_overrides = {"at_hash": ...}
        self.app.at_work = nothing

    async def refresh(self, browser: Browser) -> int:
        """Open a page that asks for the token after it has run out."""
        self.clock.advance(LIFETIME + 1)
        self.app.at_work = self.ask_for_the_token
        status = (await browser.fetch("/page")).status_code
        self.app.at_work = nothing
        return status

    def token(self, **claims: Any) -> str:
        """Sign an access token of alice by hand; `...` leaves a claim out."""
        made = {"iss": self.provider.issuer, "sub": "alice", "client_id": "web", "exp": NOW * 2, **ROLES, **claims}
        return self.provider.sign({name: value for name, value in made.items() if value is not ...}, typ="at+jwt")


async def is_admin(browser: Browser) -> bool:
    """Open a page that needs the role."""
    status = (await browser.fetch("/admin/users", headers=PROGRAM)).status_code
    assert status in (200, 403)
    return status == 200


@pytest.mark.parametrize("left", [["auditor"], None])
async def test_a_refresh_renames_the_claims_of_access_tokens_too(left):
    """A claim that already has the new name would be another source; one that is gone is gone under both names."""
    site = RolesSite(claims={"rename": {"groups": "roles"}}, rules=[Rule("/admin/*", claims={"roles": "admin"})])
    site.provider.access_token_overrides = {"groups": ["admin"]}
    browser = await site.signed_in()
    was_admin = await is_admin(browser)

    site.provider.access_token_overrides = {"roles": ["admin"], **({} if left is None else {"groups": left})}
    await site.refresh(browser)

    claims = (await browser.fetch("/auth/session")).json()["claims"]
    assert (was_admin, await is_admin(browser)) == (True, False)
    assert (claims.get("roles"), "groups" in claims) == (left, False)


@pytest.mark.parametrize("is_on", [True, False])
async def test_roles_of_the_access_token_count_where_the_setting_says_so(is_on):
    """Off by default: an access token is made for an API, and we are asked to look into it."""
    site = RolesSite(claims_from_access_token=is_on)

    browser = await site.signed_in()

    assert await is_admin(browser) is is_on
    assert ("realm_access" in site.app.scope["user"].claims) is is_on


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", None])
async def test_access_tokens_of_any_age_are_read(typ):
    """Keycloak writes JWT in the header and Bearer in a claim."""
    site = RolesSite()
    site.provider.access_token_typ = typ
    site.provider.access_token_overrides = {**ROLES, "typ": "Bearer", "azp": "web", "client_id": ..., "aud": "account"}

    assert await is_admin(await site.signed_in())


async def test_the_id_token_and_userinfo_win_over_it():
    """They are about the login; the access token adds what both lack."""
    site = RolesSite(userinfo="always")
    site.provider.id_token_overrides = {"at_hash": ..., "level": 1}
    site.provider.userinfo_overrides = {"level": 2, "team": "blue"}
    site.provider.access_token_overrides = {"level": 3, "team": "red", "colour": "green", "acr": "high", "sid": "x"}

    await site.signed_in()

    claims = site.app.scope["user"].claims
    assert [claims[name] for name in ("level", "team", "colour")] == [1, "blue", "green"]
    assert ("acr" in claims, claims["sid"] == "x", "client_id" in claims) == (False, False, False)


@pytest.mark.parametrize(
    ("access_token", "is_verified"),
    [
        ({"email": "alice@example.com", "email_verified": True}, True),
        ({"email": "other@example.com", "email_verified": True}, False),
        ({"email": ..., "email_verified": True}, False),
    ],
)
async def test_an_access_token_does_not_verify_an_email_of_another_answer(access_token, is_verified):
    """A verification belongs to the address beside it."""
    site = RolesSite(rules=[Rule("/admin/*", email_domains=["example.com"])], userinfo="never")
    site.provider.id_token_overrides = {"at_hash": ..., "email_verified": ...}
    site.provider.access_token_overrides = access_token

    assert await is_admin(await site.signed_in()) is is_verified


async def test_claims_from_the_access_token_make_a_userinfo_call_unnecessary():
    """One call less with each login."""
    site = RolesSite()

    await site.signed_in()

    assert site.provider.count("/userinfo") == 0


FORGED: Mapping[str, tuple[Callable[[RolesSite], str], str]] = {
    "opaque": (lambda site: "an-opaque-token", "token_malformed"),
    "unknown key": (lambda site: FakeProvider(alg="EdDSA").sign(dict(ROLES)), "kid_unknown"),
    "bad signature": (lambda site: site.token()[:-4] + "AAAA", "signature"),
    "no algorithm": (lambda site: "eyJhbGciOiJub25lIn0." + site.token().split(".")[1] + ".", "alg_not_allowed"),
    "another issuer": (lambda site: site.token(iss="https://other.example.com"), "claim_iss"),
    "another user": (lambda site: site.token(sub="bob"), "claim_sub"),
    "another client": (lambda site: site.token(client_id="spa"), "claim_client_id"),
    "no client": (lambda site: site.token(client_id=...), "claim_aud"),
    "expired": (lambda site: site.token(exp=NOW - 60), "claim_exp"),
    "no end": (lambda site: site.token(exp=...), "claim_exp"),
    "ID Token": (lambda site: site.provider.id_token("alice", nonce="n"), "token_typ"),
    "logout token": (lambda site: site.provider.logout_token("alice"), "token_typ"),
}


@pytest.mark.parametrize(("forge", "code"), FORGED.values(), ids=FORGED)
async def test_a_login_whose_access_token_cannot_be_used_fails_and_names_the_setting(forge, code, caplog):
    """Half a user is none: an app may look for a claim that takes something away. The first login shows it."""
    site = RolesSite()
    site.line.access_token = forge(site)

    answer = await site.failed_login()

    assert (answer.status_code, answer.json()["error"]) == (502, code)
    assert "claims_from_access_token" in caplog.text
    assert site.line.access_token not in caplog.text


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    ("then", "keeps"),
    [({}, False), ({"realm_access": {"roles": []}}, False), (ROLES, True)],
    ids=["none", "[]", "same"],
)
async def test_a_role_that_is_lost_in_the_access_token_is_lost(store, then, keeps):
    """Its claims replace those of the one before."""
    site = RolesSite(store)
    browser = await site.signed_in()
    site.provider.access_token_overrides = then

    await site.refresh(browser)

    assert await is_admin(browser) is keeps


@pytest.mark.parametrize("store", STORES)
async def test_a_role_that_comes_later_counts(store):
    """Also where the setting was switched on while the session lived."""
    site = RolesSite(store)
    site.provider.access_token_overrides = {}
    browser = await site.signed_in()
    site.provider.access_token_overrides = ROLES

    await site.refresh(browser)

    assert await is_admin(browser)


async def test_a_session_from_before_the_setting_was_switched_off_loses_its_roles_with_the_next_refresh():
    """What was taken from an access token is known to be."""
    site = RolesSite()
    browser = await site.signed_in()
    off = RolesSite(claims_from_access_token=False, provider=site.provider, http_client=site.provider.http_client())
    off.clock.now = site.clock.now

    await off.refresh(off.browser_of(browser))

    assert not await is_admin(off.browser_of(browser))


async def test_a_claim_of_the_access_token_gives_way_to_a_newer_id_token():
    """And when that has lost it, it is gone until an access token gives it again."""
    site = RolesSite()
    browser = await site.signed_in()
    seen = []
    for id_token, access_token in (({"realm_access": {"roles": ["admin"]}}, {}), ({}, {}), ({}, ROLES), ({}, {})):
        site.provider.id_token_overrides = {"at_hash": ..., **id_token}
        site.provider.access_token_overrides = access_token
        await site.refresh(browser)
        seen.append(await is_admin(browser))

    assert seen == [True, False, True, False]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("id_token", ["none", "who signed in alone", "what it said before"])
@pytest.mark.parametrize(
    "then", [{}, {"realm_access": {"roles": []}}, {"realm_access": {"roles": ["reader"]}}], ids=str
)
async def test_a_role_that_both_tokens_gave_is_lost_with_the_access_token(store, id_token, then):
    """A token of today has precedence over one of the login; only a new ID Token has it over a new access token."""
    site = RolesSite(store)
    site.provider.id_token_overrides = {"at_hash": ..., **ROLES}
    browser = await site.signed_in()
    site.provider.access_token_overrides = then
    site.provider.id_token_on_refresh = id_token != "none"
    if id_token == "who signed in alone":
        site.provider.claims_in_id_token, site.provider.id_token_overrides = False, {"at_hash": ...}

    await site.refresh(browser)

    assert await is_admin(browser) is (id_token == "what it said before")


@pytest.mark.parametrize("store", STORES)
async def test_a_role_that_both_tokens_gave_comes_back_with_the_access_token(store):
    """And goes with it again."""
    site = RolesSite(store)
    site.provider.id_token_overrides = {"at_hash": ..., **ROLES}
    browser = await site.signed_in()
    site.provider.id_token_on_refresh = False
    seen = []
    for access_token in ({}, ROLES, ROLES, {}):
        site.provider.access_token_overrides = access_token
        await site.refresh(browser)
        seen.append(await is_admin(browser))

    assert seen == [False, True, True, False]


@pytest.mark.parametrize("store", STORES)
async def test_what_only_the_id_token_or_userinfo_gave_does_not_go_with_the_access_token(store):
    """That never said anything of it."""
    site = RolesSite(store, userinfo="always")
    site.provider.id_token_overrides = {"at_hash": ..., "level": 1, "scope": "of the app's own"}
    site.provider.userinfo_overrides = {"team": "blue"}
    browser = await site.signed_in()
    site.provider.id_token_on_refresh = False
    site.provider.access_token_overrides = {}

    await site.refresh(browser)
    await browser.fetch("/page")

    claims = site.app.scope["user"].claims
    assert [claims[name] for name in ("level", "team", "scope")] == [1, "blue", "of the app's own"]


async def test_access_tokens_that_are_not_read_remove_no_claims():
    """The setting is off by default, and what an API is told is nobody's business."""
    site = RolesSite(claims_from_access_token=False)
    site.provider.id_token_overrides = {"at_hash": ..., **ROLES}
    browser = await site.signed_in()
    site.provider.id_token_on_refresh = False
    site.provider.access_token_overrides = {}

    await site.refresh(browser)

    assert await is_admin(browser)


async def test_a_token_for_another_api_says_nothing_about_the_user():
    """It is nobody's business what that API is told; the claims of the login's own stay."""
    site = RolesSite()
    browser = await site.signed_in()
    site.provider.access_token_overrides = {"realm_access": {"roles": ["owner"]}}

    async def ask(scope: Any) -> None:
        await scope["oidc"].access_token(resource="https://orders.example.com")

    site.app.at_work = ask
    await browser.fetch("/page")
    site.app.at_work = nothing
    kept = await is_admin(browser)
    site.provider.access_token_overrides = {}
    await site.refresh(browser)

    assert (kept, await is_admin(browser)) == (True, False)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("kind", ["opaque", "another issuer", "another client", "no client", "ID Token"])
async def test_an_access_token_that_cannot_be_used_any_more_takes_its_rights_along(store, kind, caplog):
    """The session goes on without them, and with the token; the log says why."""
    site = RolesSite(store)
    browser = await site.signed_in()
    site.line.access_token = FORGED[kind][0](site)

    status = await site.refresh(browser)

    assert (status, await is_admin(browser), site.tokens[-1]) == (200, False, site.line.access_token)
    assert "access_token_unread" in caplog.text
    assert "claims_from_access_token" in caplog.text


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("kind", ["another user", "expired"])
async def test_an_access_token_of_another_user_or_time_changes_no_claims(store, kind):
    """As with the ID Token: nothing of that answer is taken."""
    site = RolesSite(store)
    browser = await site.signed_in()
    site.line.access_token = FORGED[kind][0](site)

    status = await site.refresh(browser)

    assert (status, site.tokens) == (503, [])
    assert await is_admin(browser)


async def test_without_keys_a_refresh_is_tried_again():
    """Nobody can tell what the token says; the refresh token is kept."""
    site = RolesSite(session_idle=4 * 3600)
    browser = await site.signed_in()
    site.provider.id_token_on_refresh = False
    site.clock.advance(2 * 3600)
    with site.provider.fault("jwks_down"):
        down = await site.refresh(browser)
    site.clock.advance(60)

    assert (down, await site.refresh(browser), await is_admin(browser)) == (503, 200, True)


@pytest.mark.parametrize("does", ["changes it", "takes it away"])
async def test_on_login_has_the_last_word(does):
    """What it changed stays, whatever the access token says later."""

    async def demote(user: Any, claims: dict[str, Any]) -> None:
        assert claims.pop("realm_access") == {"roles": ["admin"]}
        if does == "changes it":
            claims["realm_access"] = {"roles": ["reader"]}

    site = RolesSite(on_login=demote)
    browser = await site.signed_in()

    await site.refresh(browser)

    assert not await is_admin(browser)


async def test_opaque_access_tokens_are_fine_while_the_setting_is_off():
    """Most providers have them."""
    site = Site()

    assert await site.signed_in()
