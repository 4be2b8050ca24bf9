"""An app calls an API with the tokens of its session: the API accepts no other proof than that of the session's key."""

from typing import Any

import httpx
import msgspec
import pytest

from asgi_oidc import Bearer, NotSignedIn, OIDCError, RefreshFailed, TokenNotGranted
from asgi_oidc.testing import DPoPKey
from tests.dpop_site import DPoPSite, sent_proof
from tests.protected_site import Site
from tests.token_site import LIFETIME, STORES

API = "https://api.example.com"


class ApiSite(Site):
    """Another app, which accepts only tokens that are bound to a key, with proofs that repeat its nonces."""

    def __init__(self, web: DPoPSite, **bearer: Any) -> None:
        settings = {"audience": API, "dpop": "require", "dpop_nonce": True, **bearer}
        super().__init__(provider=web.provider, clock=web.clock, base_url=API, bearer=Bearer(**settings))

    def client(self, auth: Any = None) -> httpx.AsyncClient:
        """Open a client that reaches it."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self.middleware), auth=auth, base_url=API)


@pytest.fixture(params=STORES)
def web(request: pytest.FixtureRequest) -> DPoPSite:
    """Once with sealed cookies, once with a store."""
    site = DPoPSite(request.param, authorization_params={"resource": API})
    site.provider.jwt_access_tokens = True
    return site


async def oidc_of(site: Site) -> Any:
    """Sign in, and give the `scope["oidc"]` of a page."""
    await site.signed_in()
    return site.app.scope["oidc"]


async def test_an_api_that_requires_proofs_and_nonces_accepts_the_session_s_token(web):
    """Also after the token was refreshed: the key stays the same."""
    oidc, api = await oidc_of(web), ApiSite(web)

    async with api.client(oidc.httpx_auth(API)) as client:
        first = await client.get("/page?a=b")
        web.clock.advance(LIFETIME + 1)
        second = await client.post("/page", json={"a": 1})

    assert (first.status_code, second.status_code, web.refreshes) == (200, 200, 1)
    assert (first.json()["sub"], second.json()["sub"]) == ("alice", "alice")
    assert oidc.token_type == "DPoP"


async def test_without_the_key_the_token_is_useless(web):
    """Neither as a bearer token nor with the proof of another key."""
    oidc, api, thief = await oidc_of(web), ApiSite(web), DPoPKey(clock=web.clock)
    token = await oidc.access_token()

    async with api.client() as client:
        plain = await client.get("/page", headers={"authorization": f"Bearer {token}"})
        proof = thief.proof("GET", f"{API}/page", access_token=token)
        other = await client.get("/page", headers={"authorization": f"DPoP {token}", "dpop": proof})

    assert (plain.status_code, plain.json()["error"]) == (401, "dpop_scheme")
    assert (other.status_code, other.json()["error"]) == (401, "dpop_key_mismatch")


@pytest.mark.parametrize("ask", [{"resource": API}, {"audience": API}, {"audience": API, "scope": "openid"}])
async def test_tokens_for_other_apis_are_bound_to_the_same_key(web, ask):
    """Those of `resource` (RFC 8707) as well as exchanged ones (RFC 8693)."""
    oidc, api = await oidc_of(web), ApiSite(web)

    async with api.client(oidc.httpx_auth(API, **ask)) as client:
        answers = [await client.get("/page"), await client.get("/page")]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({proof.jkt for proof in web.proofs_at("/token")}) == 1
    assert len(web.calls_of("/token")) == 2


async def test_an_exchanged_token_that_is_not_bound_is_refused(web):
    """A bearer token could be used by a thief."""
    oidc = await oidc_of(web)
    with web.provider.fault("token_type_bearer_for_dpop"), pytest.raises(RefreshFailed) as error:
        await oidc.exchange_token(audience="orders")

    assert error.value.code == "exchange_token_type"


async def test_the_headers_for_another_http_client(web):
    """One pair for one request; the nonce is that of the last response of the API."""
    oidc, api = await oidc_of(web), ApiSite(web)
    url = f"{API}/page?a=b#c"

    async with api.client() as client:
        refused = await client.get(url, headers=await oidc.authorization_headers("get", url))
        nonce = refused.headers["dpop-nonce"]
        headers = await oidc.authorization_headers("GET", url, nonce=nonce)
        accepted = await client.get(url, headers=headers)
        again = await client.get(url, headers=headers)
        learned = await client.get(url, headers=await oidc.authorization_headers("GET", url))

    assert headers.keys() == {"Authorization", "DPoP"}
    assert [it.status_code for it in (refused, accepted, again, learned)] == [401, 200, 401, 200]
    assert again.json()["error"] == "dpop_replayed"


async def test_the_headers_of_a_bearer_token():
    """The same call is right for both kinds of sessions."""
    site = DPoPSite(dpop="never")
    site.provider.requires_dpop = False
    oidc = await oidc_of(site)
    headers = await oidc.authorization_headers("GET", f"{API}/page", nonce="of no use")

    assert headers == {"Authorization": f"Bearer {await oidc.access_token()}"}
    assert oidc.token_type == "Bearer"


@pytest.mark.parametrize("url", ["http://api.example.com/", "//api.example.com/", "https://u:p@api.example.com/", ""])
async def test_no_headers_for_a_url_that_must_not_get_a_token(url):
    """Neither by plain http nor for something that is no URL."""
    oidc = await oidc_of(DPoPSite())

    with pytest.raises(ValueError, match="must"):
        await oidc.authorization_headers("GET", url)
    with pytest.raises(ValueError, match="audience"):
        await oidc.authorization_headers("GET", API, scope="openid")


async def test_an_anonymous_user_has_no_headers():
    """As there is no token."""
    site = Site()
    await site.browser().fetch("/public/page")
    oidc = site.app.scope["oidc"]

    assert oidc.token_type is None
    with pytest.raises(NotSignedIn):
        await oidc.authorization_headers("GET", API)
    with pytest.raises(NotSignedIn):
        oidc.httpx_auth(API)


async def test_a_key_is_read_only_where_it_is_used():
    """A request that sends no token pays nothing for it; one that does never goes on without the proof."""
    oidc = await oidc_of(DPoPSite())
    session = oidc._active.session
    broken = msgspec.structs.replace(session.login, dpop_key="not a key")
    oidc._active.session = msgspec.structs.replace(session, login=broken)

    assert await oidc.access_token() == session.tokens.access_token
    with pytest.raises(OIDCError) as error:
        await oidc.authorization_headers("GET", API)
    assert error.value.code == "dpop_key_unreadable"


@pytest.mark.parametrize("nonces", ["never", "always", "every_answer", "errors_only"])
async def test_the_provider_s_nonces_matter_to_each_kind_of_call(nonces):
    """Login, refresh, resource and exchange."""
    site = DPoPSite()
    site.provider.dpop_nonces = nonces
    site.provider.dpop_nonce_lifetime = 1
    browser = await site.with_due_refresh()
    await browser.fetch("/page")
    oidc = site.app.scope["oidc"]
    site.clock.advance(10)
    got = [await oidc.access_token(resource=API)]
    site.clock.advance(10)
    got.append(await oidc.exchange_token(audience="orders"))

    assert len({*got, *site.tokens}) == 4
    assert len({proof.jkt for proof in site.proofs_at("/token")}) == 1


async def test_a_recheck_asks_with_a_proof():
    """The userinfo endpoint accepts the token no other way."""
    site = DPoPSite(scope="openid profile", recheck=60)
    site.provider.metadata = {k: v for k, v in site.provider.metadata.items() if k != "introspection_endpoint"}
    browser = await site.signed_in()
    site.clock.advance(61)
    page = await browser.fetch("/page")

    (call,) = site.calls_of("/userinfo")
    assert page.status_code == 200
    assert (call.headers["authorization"].split()[0], sent_proof(call).jkt) == ("DPoP", site.proofs_at("/token")[0].jkt)


async def test_a_sign_out_revokes_the_refresh_token_with_a_proof():
    """Some providers revoke a bound token only for the holder of its key; others ignore the proof."""
    site = DPoPSite()
    browser = await site.signed_in()
    await browser.post("/auth/logout", headers={"origin": "https://app.example.com"}, follow=False)

    (call,) = site.calls_of("/revoke")
    assert (len(site.provider.revoked), sent_proof(call).jkt) == (1, site.proofs_at("/token")[0].jkt)


class ExchangingApi(ApiSite):
    """An API that calls a further one on behalf of its callers."""

    def __init__(self, web: DPoPSite, further: Site, **settings: Any) -> None:
        self.answers: list[int] = []
        self.headers: list[dict[str, str]] = []
        super().__init__(web, dpop_nonce=False)
        self.middleware = type(self.middleware)(self.app, clock=self.clock, **{**self.settings, **settings})

        async def call_further(scope: Any) -> None:
            auth = scope["oidc"].httpx_auth(FURTHER, audience=FURTHER)
            transport = httpx.ASGITransport(app=further.middleware)
            async with httpx.AsyncClient(transport=transport, auth=auth, base_url=FURTHER) as client:
                self.answers.append((await client.get("/page")).status_code)
                self.answers.append((await client.get("/page")).status_code)

        self.app.at_work = call_further


FURTHER = "https://further.example.com"


@pytest.mark.parametrize("setting", ["always", "auto", "never"])
async def test_a_bearer_user_s_exchanged_token_is_bound_to_a_key_of_ours(setting):
    """The caller's own token is bound to a key that only the caller has; the exchange proves a new one, if at all."""
    web = DPoPSite()
    web.provider.requires_dpop = False
    web.provider.jwt_access_tokens = True
    further = Site(
        provider=web.provider,
        clock=web.clock,
        base_url=FURTHER,
        bearer=Bearer(audience=FURTHER, dpop="accept" if setting == "never" else "require"),
    )
    api, key = ExchangingApi(web, further, dpop=setting), DPoPKey(clock=web.clock)
    token = web.provider.access_token("alice", audience=API, dpop_key=key)
    proof = key.proof("GET", f"{API}/page", access_token=token)
    async with api.client() as client:
        answer = await client.get("/page", headers={"authorization": f"DPoP {token}", "dpop": proof})

    assert (answer.status_code, api.answers) == (200, [200, 200])
    (exchange,) = [call for call in web.calls_of("/token") if call.form.get("subject_token") == token]
    assert ("dpop" in exchange.headers) == (setting != "never")
    assert setting == "never" or sent_proof(exchange).jkt != key.thumbprint
    assert api.app.scope["oidc"].token_type is None


async def test_a_bearer_user_s_own_token_is_still_not_passed_on():
    """It is for this app, with or without a key."""
    web = DPoPSite()
    web.provider.jwt_access_tokens = True
    api, key = ApiSite(web, dpop_nonce=False), DPoPKey(clock=web.clock)
    token = web.provider.access_token("alice", audience=API, dpop_key=key)
    proof = key.proof("GET", f"{API}/page", access_token=token)
    async with api.client() as client:
        await client.get("/page", headers={"authorization": f"DPoP {token}", "dpop": proof})

    with pytest.raises(TokenNotGranted):
        await api.app.scope["oidc"].authorization_headers("GET", API)
