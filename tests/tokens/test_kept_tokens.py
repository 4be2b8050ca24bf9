"""`tokens`: what a session does not keep is in no cookie and no record, and everything else goes on working."""

from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc.errors import OIDCError, SessionEnded, TokenNotGranted
from asgi_oidc.testing import Browser, FakeProvider
from asgi_oidc.web.cookies import Cookies
from tests.dpop_site import DPoPSite
from tests.internals import session_tokens_of, sessions_of
from tests.protected_site import PROGRAM, Site, cookie_header, who_am_i
from tests.providers.oauth2_site import OAuth2Site
from tests.token_site import LIFETIME, STORES, TokenSite
from tests.tokens.test_refresh import OtherAnswers

NAMES = ("id_token", "access_token", "refresh_token")
CHOICES: dict[str, tuple[str | list[str], set[str]]] = {
    "all": ("all", set(NAMES)),
    "access": ("access", {"access_token", "refresh_token"}),
    "refresh": ("refresh", {"refresh_token"}),
    "none": ("none", set()),
    "id": (["id_token"], {"id_token"}),
    "id and refresh": (["id_token", "refresh_token"], {"id_token", "refresh_token"}),
}
WITHOUT_ACCESS = [name for name, (_, kept) in CHOICES.items() if not kept & {"access_token", "refresh_token"}]
every_choice = pytest.mark.parametrize("choice", CHOICES)


def site_keeping(choice: str, store: Any = "cookies", **settings: Any) -> TokenSite:
    """A site whose provider always issues a refresh token, as Keycloak does, and whose app copes without a token."""
    site = TokenSite(store, **{"scope": "openid profile email", "tokens": CHOICES[choice][0], **settings})
    site.provider.always_refresh_tokens = True
    site.app.at_work = lambda scope: ask(site, scope)
    return site


def in_a_new_process(site: Site, **changes: Any) -> Site:
    """The same site, whose process remembers nothing, with an app that notes its tokens in the same list."""
    other = site.restarted(**changes)
    other.app.at_work = site.app.at_work
    return other


async def ask(site: TokenSite, scope: Any) -> None:
    """Be a page that calls an API if it can."""
    try:
        site.tokens.append(await scope["oidc"].access_token())
    except OIDCError as error:
        site.tokens.append(error.code)


async def kept_in(site: Site, browser: Browser) -> set[str]:
    """Open the cookies, or the record, as a process does that knows nothing else; name the tokens in it."""
    fresh = site.restarted()
    active = await sessions_of(fresh.middleware).open(Cookies(cookie_header(browser).encode(), "__Host-oidc"))
    assert active is not None
    return {name for name in NAMES if getattr(active.session.tokens, name)}


def owner_of(site: Site, token: str) -> str:
    """Name the user whom the provider issued an access token for."""
    return site.provider.memory.access_tokens[token].grant.sign_in.persona.sub


@every_choice
@pytest.mark.parametrize("store", STORES)
async def test_only_what_is_kept_is_written(store, choice):
    """At the login, and after each refresh: who gets hold of a cookie or a record gets no more than that."""
    site, kept = site_keeping(choice, store), CHOICES[choice][1]
    browser = await site.signed_in()
    at_login = await kept_in(site, browser)

    site.clock.advance(LIFETIME + 1)
    await browser.fetch("/page")

    assert (at_login, await kept_in(site, browser)) == (kept, kept)
    assert site.refreshes == ("refresh_token" in kept)


@pytest.mark.parametrize("store", STORES)
async def test_an_access_token_that_is_not_kept_is_refreshed_once_per_lifetime(store):
    """Not once per request, and the process that finished the login has the first one already."""
    site = site_keeping("refresh", store)
    browser = await site.signed_in()
    await browser.fetch("/page")
    at_first = site.refreshes

    for _ in range(3):
        site.clock.advance(LIFETIME + 1)
        await browser.fetch("/page")
        await browser.fetch("/page")

    assert (at_first, site.refreshes) == (0, 3)
    assert [owner_of(site, token) for token in site.tokens] == ["alice"] * len(site.tokens)
    assert len(set(site.tokens)) == 4


@pytest.mark.parametrize("store", STORES)
async def test_after_a_restart_concurrent_requests_share_one_refresh(store):
    """A refresh token may be used once only, and the page has many requests."""
    site = site_keeping("refresh", store)
    browser = await site.signed_in()
    again = site.restarted()
    tokens: list[str] = []

    async def at_work(scope: Any) -> None:
        tokens.append(await scope["oidc"].access_token())

    again.app.at_work = at_work
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(again.browser_of(browser).fetch, "/page")

    assert (site.refreshes, len(tokens), len(set(tokens))) == (1, 5, 1)


async def test_users_never_get_the_access_token_of_another():
    """One process remembers those of all of them."""
    site = site_keeping("refresh")
    browsers = {sub: await site.signed_in(sub) for sub in ("alice", "bob")}
    site.clock.advance(LIFETIME + 1)
    site.tokens.clear()

    for _ in range(2):
        for browser in browsers.values():
            await browser.fetch("/page")

    assert [owner_of(site, token) for token in site.tokens] == ["alice", "bob"] * 2


async def test_processes_do_not_take_tokens_from_each_other():
    """Each has one of its own, or two processes would refresh in turn, at every request."""
    site = site_keeping("refresh", "store")
    browser = await site.signed_in()
    other = in_a_new_process(site)

    for _ in range(3):
        await browser.fetch("/page")
        await other.browser_of(browser).fetch("/page")

    assert (site.refreshes, len(set(site.tokens))) == (1, 2)


async def test_a_token_from_before_rights_were_withdrawn_in_another_process_is_not_used():
    """The session has lost the role; the token that still grants it must not call an API in its name."""
    site = site_keeping("refresh", "store")
    site.provider.id_token_overrides = {"rights": ["admin"]}
    browser = await site.signed_in()
    before = site.tokens[-1]
    site.provider.id_token_overrides = {}
    other = in_a_new_process(site)
    await other.browser_of(browser).fetch("/page")

    await browser.fetch("/page")

    assert before not in site.tokens[1:]
    assert site.refreshes == 2


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("how", ["here", "by a logout token"])
async def test_after_a_sign_out_nothing_is_remembered(store, how):
    """A request that is still under way gets no token, and none stays in memory."""
    site = site_keeping("refresh", store)
    browser = await site.signed_in()
    under_way = site.app.scope["oidc"]
    remembered = session_tokens_of(site.middleware)
    session_id = under_way._active.session.id
    before = remembered.is_remembered(session_id)

    if how == "here":
        await browser.post("/auth/logout")
        assert not remembered.is_remembered(session_id)
    else:
        body = {"logout_token": site.provider.logout_token("alice")}
        await site.browser().post("/auth/backchannel-logout", data=body, headers=PROGRAM)

    with pytest.raises(SessionEnded):
        await under_way.access_token()
    assert (before, remembered.is_remembered(session_id)) == (True, False)


async def test_a_token_in_the_session_goes_before_one_in_memory():
    """A process that runs with the former setting, in the middle of a deployment, has refreshed it since."""
    site = site_keeping("refresh")
    browser = await site.signed_in()
    former = in_a_new_process(site, tokens="all", clock=site.clock)
    site.clock.advance(LIFETIME + 1)
    await former.browser_of(browser).fetch("/page")

    await browser.fetch("/page")

    assert (site.tokens[-1], site.refreshes) == (site.tokens[-2], 1)


async def test_expired_tokens_of_sessions_that_nobody_uses_do_not_stay_in_memory():
    """A session that was ended elsewhere never asks for its own again."""
    site = site_keeping("refresh")
    await site.signed_in("alice")
    session_id, remembered = site.app.scope["oidc"]._active.session.id, session_tokens_of(site.middleware)
    body = {"logout_token": site.provider.logout_token("alice")}
    await site.browser().post("/auth/backchannel-logout", data=body, headers=PROGRAM)

    site.clock.advance(LIFETIME - 1)
    await site.signed_in("bob")
    before = remembered.is_remembered(session_id)
    site.clock.advance(1)
    await site.signed_in("bob")

    assert (before, remembered.is_remembered(session_id)) == (True, False)


@pytest.mark.parametrize("store", STORES)
async def test_a_valid_token_is_used_while_a_refresh_fails(store):
    """It was to be refreshed ahead of time, and an outage of a minute need not reach the user."""
    site = site_keeping("refresh", store)
    browser = await site.signed_in()
    site.clock.advance(LIFETIME - 30)

    with site.provider.fault("refresh_down"):
        await browser.fetch("/page")
    site.clock.advance(31)
    with site.provider.fault("refresh_down"):
        await browser.fetch("/page")

    assert (site.tokens[1] == site.tokens[0], site.tokens[2]) == (True, "refresh_token_unavailable")


async def test_a_valid_token_is_used_while_another_process_refreshes():
    """Nobody has to wait for what is not needed yet."""
    site = site_keeping("refresh", "store")
    browser = await site.signed_in()
    session, sessions = site.app.scope["oidc"]._active.session, sessions_of(site.middleware)
    site.clock.advance(LIFETIME - 30)
    await sessions.lock(session, "another process")

    with anyio.fail_after(10):  # a request that waits does so for longer
        await browser.fetch("/page")

    assert (site.tokens[1] == site.tokens[0], site.refreshes) == (True, 0)


async def test_a_session_that_the_provider_withdraws_gives_no_token():
    """Dead stays dead: what was remembered goes with it."""
    site = site_keeping("refresh")
    browser = await site.signed_in()
    for token in (*site.provider.memory.refresh_tokens.values(),):
        site.provider.memory.revoke(token.grant)
    site.clock.advance(LIFETIME - 30)

    await browser.fetch("/page")

    assert site.tokens[-1] == "session_ended"
    assert not session_tokens_of(site.middleware).is_remembered(site.app.scope["oidc"]._active.session.id)
    assert await who_am_i(browser) is None


async def test_a_token_that_an_api_refuses_is_refreshed_once():
    """As with a token that the session keeps."""
    site = site_keeping("refresh")
    refused: list[str] = []
    sent: list[str] = []

    def api(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["authorization"])
        return httpx.Response(401 if sent[-1] in refused else 200)

    async def at_work(scope: Any) -> None:
        auth = scope["oidc"].httpx_auth("https://api.example.com")
        async with httpx.AsyncClient(transport=httpx.MockTransport(api), auth=auth) as client:
            await client.get("https://api.example.com/")

    site.app.at_work = at_work
    browser = await site.signed_in()
    refused.append(sent[0])
    site.clock.advance(61)

    await browser.fetch("/page")

    assert (len(sent), len(set(sent)), sent[1] == sent[0], site.refreshes) == (3, 2, True, 1)


@pytest.mark.parametrize("choice", WITHOUT_ACCESS)
async def test_without_access_and_refresh_token_the_error_names_the_setting(choice):
    """Whoever sees it should know at once what to change."""
    site = site_keeping(choice)
    errors: list[OIDCError] = []

    async def at_work(scope: Any) -> None:
        oidc = scope["oidc"]
        calls: list[Any] = [
            oidc.access_token,
            lambda: oidc.access_token(resource="https://orders.example.com"),
            lambda: oidc.exchange_token(audience="orders"),
            lambda: oidc.authorization_headers("GET", "https://api.example.com/"),
        ]
        for call in calls:
            with pytest.raises(OIDCError) as raised:
                await call()
            errors.append(raised.value)

    site.app.at_work = at_work
    await site.signed_in()

    assert {error.code for error in errors} == {"access_token_not_kept"}
    assert ["tokens=" in error.detail for error in errors] == [True] * 4
    assert "for the scope offline_access" in errors[0].detail  # with tokens="refresh" alone, nothing would change


async def test_without_a_refresh_token_from_the_provider_it_fails_at_once():
    """And not only in another process, or when the first token expires: the developer should see it."""
    site = site_keeping("refresh")
    site.provider.always_refresh_tokens = False

    await site.signed_in()

    assert site.tokens == ["access_token_not_kept"]


@pytest.mark.parametrize("choice", ["access", "refresh", "none"])
async def test_a_provider_without_openid_connect_issues_no_id_token_anyway(choice):
    """Users sign in and out as before; GitHub issues no refresh token either."""
    site = OAuth2Site(tokens=CHOICES[choice][0])
    browser = site.browser()
    page = await site.sign_in(browser=browser)
    oidc = site.app.scope["oidc"]

    if choice == "access":
        assert await oidc.access_token() in site.hub.memory.access_tokens
    else:
        with pytest.raises(TokenNotGranted, match="tokens="):
            await oidc.access_token()

    await browser.post("/auth/logout")
    assert (page.status_code, oidc.id_token, await who_am_i(browser)) == (200, None, None)


@every_choice
async def test_a_sign_out_without_an_id_token_works_here_and_at_the_provider(choice):
    """With what else names the session (RP-Initiated Logout 1.0 §2); the session here is over in any case."""
    site, kept = site_keeping(choice), CHOICES[choice][1]
    browser = await site.signed_in()
    id_token, sid = site.app.scope["oidc"].id_token, site.app.scope["user"].claims["sid"]

    response = await browser.post("/auth/logout", follow=False)

    hint = {"id_token_hint": id_token} if "id_token" in kept else {"logout_hint": sid}
    sent = httpx.URL(response.location).params
    assert {name: sent[name] for name in sent if name.endswith("_hint")} == hint
    assert (sent["client_id"], (id_token is None)) == ("web", "id_token" not in kept)
    assert await who_am_i(browser) is None
    assert (await browser.get(response.location)).json()["sub"] is None


async def test_the_hint_for_a_sign_out_is_what_entra_takes():
    """Without it, Entra shows all accounts of the browser."""
    site = site_keeping("none")
    site.provider.id_token_overrides = {"login_hint": "O.opaque"}
    browser = await site.signed_in()

    response = await browser.post("/auth/logout", follow=False)

    assert httpx.URL(response.location).params["logout_hint"] == "O.opaque"


@pytest.mark.parametrize("name", ["sub", "iss", "aud", "nonce"])
async def test_refreshed_id_tokens_are_checked_without_the_first(name):
    """They must be about the same user and login (OIDC Core §12.2); what they are compared with is always kept."""
    site = site_keeping("refresh")
    browser = await site.signed_in()
    site.clock.advance(LIFETIME + 1)

    with site.provider.fault(f"refresh_other_{name}"):
        await browser.fetch("/page")

    assert site.tokens[-1] == f"refresh_claim_{name}"


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("choice", ["all", "access", "refresh", "id and refresh"])
async def test_a_claim_that_the_id_token_no_longer_has_is_removed(choice, store):
    """Also one that came with a refresh, and after a restart: the names are known without the tokens."""
    site: Site = site_keeping(choice, store)
    seen: list[list[str]] = []
    browser = None
    for claims_now in ({"rights": ["admin"]}, {"team": "blue"}, {}):
        site.provider.id_token_overrides = claims_now
        site.clock.advance(LIFETIME + 1)
        browser = await site.signed_in() if browser is None else browser
        site = in_a_new_process(site)
        browser = site.browser_of(browser)
        await browser.fetch("/page")
        claims = (await browser.fetch("/auth/session")).json()["claims"]
        seen.append([name for name in ("rights", "team") if name in claims])

    assert seen == [["rights"], ["team"], []]


@pytest.mark.parametrize("is_in_id_token", [True, False])
@pytest.mark.parametrize("choice", ["all", "access", "refresh", "id and refresh"])
async def test_a_claim_that_the_access_token_no_longer_has_is_removed(choice, is_in_id_token):
    """Even if the first ID Token contained it as well, and later answers bring no ID Token at all."""
    provider = FakeProvider(alg="ES256")
    client = OtherAnswers(provider, {"id_token": ...}).client()
    site = site_keeping(choice, claims_from_access_token=True, provider=provider, http_client=client)
    site.provider.jwt_access_tokens = True
    site.provider.access_token_overrides = {"rights": ["admin"]}
    site.provider.id_token_overrides = {"rights": ["admin"]} if is_in_id_token else {}
    browser = await site.signed_in()
    before = site.app.scope["user"].claims.get("rights")
    site.provider.access_token_overrides = {}
    site.clock.advance(LIFETIME + 1)

    again = in_a_new_process(site)
    await again.browser_of(browser).fetch("/page")

    claims = (await again.browser_of(browser).fetch("/auth/session")).json()["claims"]
    assert (before, "rights" in claims) == (["admin"], False)


async def test_bound_tokens_are_refreshed_with_their_key():
    """The key stays in the session, whatever else does not."""
    site = DPoPSite(tokens="refresh")
    browser = await site.signed_in()
    again = site.restarted()
    kinds: list[tuple[str, str]] = []

    async def at_work(scope: Any) -> None:
        headers = await scope["oidc"].authorization_headers("GET", "https://api.example.com/")
        kinds.append((scope["oidc"].token_type, headers["Authorization"].split()[0]))
        assert "DPoP" in headers

    again.app.at_work = at_work
    await again.browser_of(browser).fetch("/page")

    assert (kinds, site.refreshes) == ([("DPoP", "DPoP")], 1)


async def test_a_recheck_needs_no_access_token():
    """A refresh confirms the session as well."""
    site = site_keeping("refresh", recheck=100)
    browser = await site.signed_in()
    site.clock.advance(101)
    alive = await who_am_i(browser)

    for token in (*site.provider.memory.refresh_tokens.values(),):
        site.provider.memory.revoke(token.grant)
    site.clock.advance(101)

    assert (alive, await who_am_i(browser)) == ("alice", None)


@pytest.mark.parametrize(("before", "after"), [("all", "refresh"), ("refresh", "all"), ("all", "none")])
async def test_the_setting_can_change_while_users_are_signed_in(before, after):
    """Nobody has to sign in again; what is not kept any more goes with the next refresh."""
    site = site_keeping(before)
    browser = await site.signed_in()
    other = in_a_new_process(site, tokens=CHOICES[after][0])
    other.clock.advance(LIFETIME + 1)
    browser = other.browser_of(browser)

    page = await browser.fetch("/page")

    assert (page.status_code, site.refreshes) == (200, 1)
    assert await kept_in(other, browser) == CHOICES[after][1]
