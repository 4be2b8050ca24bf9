"""No tenant of Microsoft Entra reaches another one: not by its tokens, its keys, or the ids that it gives its users."""

import secrets
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc import MemoryStore
from asgi_oidc.testing import Browser
from asgi_oidc.testing.faults.logout_token import EVENT
from asgi_oidc.testing.standins.entra_accounts import CONTOSO, FABRIKAM, PERSONAL_ACCOUNTS, STRANGERS
from tests.protected_site import ORIGIN, PROGRAM
from tests.providers.entra_site import EntraSite

HOST = "https://login.microsoftonline.com"
TEMPLATE = f"{HOST}/{{tenantid}}/v2.0"
SEVERAL = [(CONTOSO, FABRIKAM), "organizations"]


def issuer_of(tid: object) -> str:
    return TEMPLATE.replace("{tenantid}", str(tid))


async def refused(site: EntraSite, caplog: pytest.LogCaptureFixture, *codes: str) -> None:
    """Check that alice cannot sign in, and that the log has one of the codes."""
    _, response = await site.login("alice")

    assert (response.status_code, site.app.scopes) == (502, [])
    assert any(f"code={code}" in caplog.text for code in codes), caplog.text


# --- ID Tokens


@pytest.mark.parametrize("tenants", SEVERAL)
@pytest.mark.parametrize(
    "tid",
    [
        ...,
        None,
        "",
        7,
        [CONTOSO],
        CONTOSO.upper(),
        "../",
        f"{CONTOSO}/..",
        "%2e%2e",
        "{tenantid}",
        "organizations",
        "x" * 9000,
    ],
)
async def test_a_tid_that_is_none_fills_no_template(tenants, tid, caplog):
    """Whatever the issuer would become with it."""
    site = EntraSite(tenants)
    site.entra.id_token_overrides = {"tid": tid, "iss": issuer_of(tid)}

    await refused(site, caplog, "claim_tid", "key_issuer")


@pytest.mark.parametrize("tenants", SEVERAL)
@pytest.mark.parametrize(
    "iss",
    [
        TEMPLATE,
        issuer_of(FABRIKAM),
        issuer_of(CONTOSO.upper()),
        f"{issuer_of(CONTOSO)}/",
        f"{HOST}/{CONTOSO}",
        f"http://login.microsoftonline.com/{CONTOSO}/v2.0",
        f"{HOST}/{FABRIKAM}/../{CONTOSO}/v2.0",
        f"https://login.microsoftonline.us/{CONTOSO}/v2.0",
        ...,
    ],
)
async def test_the_issuer_is_exactly_that_of_the_tid(tenants, iss, caplog):
    """No pattern, no case, no slash."""
    site = EntraSite(tenants)
    site.entra.id_token_overrides = {"iss": iss}

    await refused(site, caplog, "claim_iss", "key_issuer")


@pytest.mark.parametrize("tid", [FABRIKAM, CONTOSO.upper(), "../", None])
async def test_with_one_tenant_the_tid_is_that_of_the_issuer_too(tid, caplog):
    """Apps compare `tid`."""
    site = EntraSite((CONTOSO,))
    site.entra.id_token_overrides = {"tid": tid}

    await refused(site, caplog, "claim_tid", "key_issuer")


@pytest.mark.parametrize("tenants", [(CONTOSO,), *SEVERAL])
@pytest.mark.parametrize("owner", [PERSONAL_ACCOUNTS, FABRIKAM, STRANGERS])
async def test_a_key_of_another_tenant_signs_nothing(tenants, owner, caplog):
    """The JWKS of all tenants has keys that are for one of them."""
    site = EntraSite(tenants)
    site.entra.reserve_key(owner)
    site.entra.signs_with = owner

    await refused(site, caplog, "key_issuer", "kid_unknown")


async def test_a_tenant_with_a_key_of_its_own_signs_its_users_in():
    """It signs for no other tenant."""
    site = EntraSite()
    site.entra.reserve_key(FABRIKAM)
    await site.signed_in("bob")
    await site.signed_in("alice")


@pytest.mark.parametrize("tenants", [(CONTOSO,), *SEVERAL])
async def test_a_token_of_version_1_is_refused_with_the_fix(tenants, caplog):
    """Its issuer is another one."""
    site = EntraSite(tenants)
    site.entra.token_version = "1.0"

    await refused(site, caplog, "claim_iss", "key_issuer")
    assert "requestedAccessTokenVersion" in caplog.text


# --- the callback


@pytest.mark.parametrize(
    ("iss", "status"),
    [
        (issuer_of(CONTOSO), 303),
        (issuer_of(STRANGERS), 400),
        (TEMPLATE, 400),
        (issuer_of("../"), 400),
        ("https://id.example.com", 400),
    ],
)
async def test_a_response_of_another_issuer_is_refused(iss, status):
    """Entra sends no `iss`; one that is there is compared with the issuers of the tenants (RFC 9207)."""
    site = EntraSite()
    browser = site.browser()
    there = await browser.get("/auth/login?provider=work", follow=False)
    site.entra.sign_in_as("alice")
    back = await browser.get(there.location, follow=False)
    response = await browser.get(f"{back.location}&iss={iss}", follow=False, headers=PROGRAM if status == 400 else None)

    assert response.status_code == status


# --- refreshes


@pytest.mark.parametrize(
    "changes",
    [
        {"tid": FABRIKAM, "iss": issuer_of(FABRIKAM)},
        {"tid": FABRIKAM},
        {"iss": issuer_of(FABRIKAM)},
        {"iss": TEMPLATE},
        {"tid": ...},
        {"tid": CONTOSO.upper()},
        {"iss": f"https://sts.windows.net/{CONTOSO}/"},
    ],
)
async def test_a_refresh_never_moves_a_session_to_another_tenant(changes):
    """The session continues unchanged, without the tokens."""
    site = EntraSite()
    browser = await site.signed_in("twin-a")
    site.entra.id_token_overrides = changes

    async def tries(scope: Any) -> None:
        with pytest.raises(Exception, match="refresh_"):
            await scope["oidc"].access_token()

    site.clock.advance(301)
    site.app.at_work = tries
    await browser.fetch("/private")

    assert site.entra.count_grants("refresh_token") == 1
    assert (site.user.issuer, site.user.claims["tid"]) == (issuer_of(CONTOSO), CONTOSO)


async def test_a_refreshed_token_by_a_key_of_another_tenant_is_refused():
    """The same check as at the login."""
    site = EntraSite()
    browser = await site.signed_in("alice")
    site.entra.signs_with = PERSONAL_ACCOUNTS

    async def tries(scope: Any) -> None:
        with pytest.raises(Exception, match="refresh_key_issuer"):
            await scope["oidc"].access_token()

    site.clock.advance(301)
    site.app.at_work = tries
    assert (await browser.fetch("/private")).status_code == 200


# --- access tokens and userinfo


def with_jwt(site: EntraSite, **changes: Any) -> None:
    """Let access tokens be those of an API of the app."""
    site.entra.jwt_access_tokens = True
    site.entra.access_token_typ = None
    site.entra.access_token_overrides = {
        "iss": issuer_of(CONTOSO),
        "tid": CONTOSO,
        "sub": "twin",
        "client_id": ...,
        "azp": "web",
        "roles": ["Admin"],
        **changes,
    }


async def test_the_claims_of_an_access_token_count():
    """It is of the same tenant, about the same user, for this client."""
    site = EntraSite(provider={"claims_from_access_token": True})
    with_jwt(site, email="alias@contoso.com", email_verified=True)
    site.entra.id_token_overrides = {"email": ...}
    await site.signed_in("twin-a")

    assert site.user.claims["roles"] == ["Admin"]
    assert (site.user.email, site.user.email_verified) == ("alias@contoso.com", False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"iss": issuer_of(FABRIKAM), "tid": FABRIKAM}, "claim_iss"),
        ({"tid": FABRIKAM}, "key_issuer"),
        ({"iss": f"https://sts.windows.net/{CONTOSO}/"}, "requestedAccessTokenVersion"),
        ({"sub": "alice"}, "claim_sub"),
    ],
)
async def test_an_access_token_of_another_tenant_is_refused(changes, words, caplog):
    """The `sub` alone says nothing: the twin in the other tenant has the same."""
    site = EntraSite(provider={"claims_from_access_token": True})
    with_jwt(site, **changes)
    _, response = await site.login("twin-a")

    assert (response.status_code, words in caplog.text) == (502, True)


async def test_a_refreshed_access_token_of_another_tenant_adds_nothing():
    """Its claims are left out, and those of the previous one are removed."""
    site = EntraSite(provider={"claims_from_access_token": True})
    with_jwt(site)
    browser = await site.signed_in("twin-a")
    with_jwt(site, iss=issuer_of(FABRIKAM), tid=FABRIKAM, roles=["Owner"])
    await site.refreshed(browser)
    await browser.fetch("/private")

    assert "roles" not in site.user.claims


@pytest.mark.parametrize(("tid", "status"), [(CONTOSO, 200), (FABRIKAM, 502)])
async def test_signed_userinfo_has_the_issuer_of_the_tenant(tid, status, caplog):
    """Not the template, and not that of another one."""
    site = EntraSite(provider={"userinfo": "always"})
    site.entra.signed_userinfo = True
    site.entra.userinfo_overrides = {"tid": tid, "iss": issuer_of(tid)}
    _, response = await site.login("alice")

    assert (response.status_code, "userinfo_iss" in caplog.text) == (status, status == 502)


# --- logout


def logout_token(site: EntraSite, tid: str = CONTOSO, **changes: Any) -> str:
    """Make a logout token for the twin of a tenant."""
    claims = {"iss": issuer_of(tid), "tid": tid, "sub": "twin", "aud": "web", "jti": secrets.token_urlsafe()}
    times = {"iat": site.entra.now(), "exp": site.entra.now() + 120}
    made = {**claims, **times, "events": {EVENT: {}}, **changes}
    return site.entra.sign({name: value for name, value in made.items() if value is not ...}, typ="logout+jwt")


async def both(site: EntraSite) -> tuple[Browser, Browser]:
    """Sign in the two users who have the same ids in their tenants."""
    site.entra.optional_claims.add("sid")
    return await site.signed_in("twin-a"), await site.signed_in("twin-b")


async def statuses(*browsers: Browser) -> list[int]:
    """Return what each of them gets."""
    return [(await browser.get("/private", headers=PROGRAM)).status_code for browser in browsers]


async def post(site: EntraSite, token: str) -> int:
    """Send a logout token."""
    response = await site.browser().post("/auth/backchannel-logout/work", {"logout_token": token}, headers=PROGRAM)
    return response.status_code


@pytest.mark.parametrize("store", [None, MemoryStore], ids=["cookies", "store"])
@pytest.mark.parametrize("named", [{}, {"sid": "s1"}, {"sid": "s1", "sub": ...}], ids=["sub", "both", "sid"])
async def test_a_logout_token_ends_sessions_of_its_tenant_only(store, named):
    """The same `sub` and `sid` in the other tenant are somebody else's."""
    site = EntraSite(store=store()) if store else EntraSite(logout_store=MemoryStore())
    browsers = await both(site)
    first, before = await post(site, logout_token(site, FABRIKAM, **named)), await statuses(*browsers)
    second, after = await post(site, logout_token(site, CONTOSO, **named)), await statuses(*browsers)

    assert (first, before) == (200, [200, 401])
    assert (second, after) == (200, [401, 401])


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": TEMPLATE},
        {"iss": issuer_of(FABRIKAM)},
        {"tid": ...},
        {"tid": CONTOSO.upper(), "iss": issuer_of(CONTOSO.upper())},
        {"tid": STRANGERS, "iss": issuer_of(STRANGERS)},
        {"tid": "../", "iss": issuer_of("../")},
        {"iss": f"https://sts.windows.net/{CONTOSO}/"},
    ],
)
async def test_a_logout_token_of_nobody_is_refused(changes):
    """And ends nothing."""
    site = EntraSite(store=MemoryStore())
    browsers = await both(site)

    assert await post(site, logout_token(site, **changes)) == 400
    assert await statuses(*browsers) == [200, 200]


async def test_a_used_logout_token_says_nothing_of_another_tenant():
    """Each tenant numbers its tokens itself."""
    site = EntraSite(store=MemoryStore())
    browsers = await both(site)
    answers = [await post(site, logout_token(site, tid, jti="1")) for tid in (CONTOSO, FABRIKAM)]

    assert (answers, await statuses(*browsers)) == ([200, 200], [401, 401])


@pytest.mark.parametrize(
    ("iss", "ends"), [(issuer_of(CONTOSO), True), (issuer_of(FABRIKAM), False), (TEMPLATE, False), ("", False)]
)
async def test_a_frame_ends_the_session_of_its_tenant_only(iss, ends):
    """Front-Channel Logout 1.0: `iss` is that of the session."""
    site = EntraSite(provider={"frontchannel_logout": True})
    browser, _ = await both(site)
    response = await browser.get(f"/auth/frontchannel-logout/work?iss={iss}&sid=s1")

    assert "frame-ancestors https://login.microsoftonline.com" in response.headers["content-security-policy"]
    assert await statuses(browser) == [401 if ends else 200]


async def test_signing_out_names_the_session_of_the_tenant():
    """The ID Token is the hint, the client is named."""
    site = EntraSite()
    browser, other = await both(site)
    response = await browser.post("/auth/logout", headers={"origin": ORIGIN}, follow=False)

    assert parse_qs(urlsplit(response.location).query)["client_id"] == ["web"]
    assert await statuses(browser, other) == [401, 200]
