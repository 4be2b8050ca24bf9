"""Nonces that the provider demands in proofs are learned and repeated, and nothing is sent twice without need."""

from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc.provider.learned_nonces import MAX_ORIGINS, LearnedNonces
from asgi_oidc.testing import Client, ClientKey, FakeProvider
from asgi_oidc.testing.wire import Call
from tests.dpop_site import DPoPSite
from tests.protected_site import PROGRAM
from tests.token_site import STORES

MODES = ["always", "every_answer", "errors_only"]
UNUSABLE = {
    "dpop_nonce_error_without_header": "dpop_nonce_missing",
    "dpop_nonce_empty": "dpop_nonce_malformed",
    "dpop_nonce_malformed": "dpop_nonce_malformed",
    "dpop_nonce_too_long": "dpop_nonce_malformed",
    "dpop_nonce_twice": "dpop_nonce_malformed",
}


def site_with_nonces(mode: str, store: str = "cookies", **settings: Any) -> DPoPSite:
    site = DPoPSite(store, **settings)
    site.provider.dpop_nonces = mode  # type: ignore[assignment]  # a text of the table
    return site


def nonces_at(site: DPoPSite, path: str) -> list[str | None]:
    return [proof.claims.get("nonce") for proof in site.proofs_at(path)]


def used(site: DPoPSite) -> int:
    """Count the codes and refresh tokens that were used up: a second use of one would revoke the grant."""
    return len(site.provider.memory.used)


@pytest.mark.parametrize("mode", MODES)
async def test_a_login_succeeds_with_each_way_of_demanding_nonces(mode):
    """The first proof has none, and the answer that refuses it tells one (RFC 9449 §8)."""
    site = site_with_nonces(mode, userinfo="always")
    await site.signed_in()

    first, second = nonces_at(site, "/token")
    assert (first is None, second is None) == (True, False)
    assert [nonce is None for nonce in nonces_at(site, "/userinfo")] == [True, False]


async def test_a_repeated_call_has_a_new_proof():
    """The provider refuses a `jti` that it has seen, and the key is the same."""
    site = site_with_nonces("always")
    await site.signed_in()

    first, second = site.proofs_at("/token")
    assert first.claims["jti"] != second.claims["jti"]
    assert first.jkt == second.jkt
    assert [call.form["code"] for call in site.calls_of("/token")] == [site.calls_of("/token")[0].form["code"]] * 2


async def test_a_repeated_call_has_a_new_client_assertion():
    """The provider refuses one that it has seen, just as it does with proofs."""
    key = ClientKey()
    provider = FakeProvider(alg="ES256", clients=[Client("web", client_secret=None, jwks=[key.public_jwk])])
    site = site_with_nonces("errors_only", provider=provider, client_key=key.pem, client_secret=..., par="always")
    await site.signed_in()

    sent = [call.form["client_assertion"] for path in ("/par", "/token") for call in site.calls_of(path)]
    assert len(sent) == len(set(sent)) == 3


@pytest.mark.parametrize("store", STORES)
async def test_a_public_client_refreshes_a_token_that_is_bound_to_its_key(store):
    """Its refresh tokens are bound as well (RFC 9449 §5), so another key would end the session."""
    site = site_with_nonces("always", store, client_id="spa", client_secret=...)
    browser = await site.with_due_refresh()
    page = await browser.fetch("/page")

    assert (page.status_code, len(set(site.tokens))) == (200, 2)
    assert len({proof.jkt for proof in site.proofs_at("/token")}) == 1


@pytest.mark.parametrize(("mode", "calls"), [("always", 3), ("every_answer", 3), ("errors_only", 3)])
async def test_the_next_login_needs_no_extra_call(mode, calls):
    """The nonce is that of the server, not that of a user (§8.2)."""
    site = site_with_nonces(mode)
    await site.signed_in("alice")
    await site.signed_in("bob")

    assert len(site.calls_of("/token")) == calls


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("mode", MODES)
async def test_a_refresh_after_the_nonce_has_expired_succeeds(mode, store):
    """It is refused, told the new one, and repeated; the refresh token was not used."""
    site = site_with_nonces(mode, store)
    site.provider.dpop_nonce_lifetime = 60
    browser = await site.with_due_refresh()
    site.clock.advance(60)
    page = await browser.fetch("/page")

    assert (page.status_code, used(site)) == (200, 2)
    assert len(set(site.tokens)) == 2


async def test_a_nonce_in_an_ordinary_answer_is_used_for_the_next_proof():
    """Servers tell it before they demand it (§8.2)."""
    site = DPoPSite()
    with site.provider.fault("dpop_nonce_in_200"):
        browser = await site.with_due_refresh()
        await browser.fetch("/page")

    assert nonces_at(site, "/token") == [None, "a-nonce-for-next-time"]


@pytest.mark.parametrize(("fault", "code"), UNUSABLE.items())
async def test_a_demand_without_a_usable_nonce_fails_the_login(fault, code):
    """The call is not repeated, as that could not succeed."""
    site = DPoPSite()
    refused = await site.failed_login(fault)

    assert (refused.status_code, refused.json()["error"]) == (502, code)
    assert len(site.calls_of("/token")) == 1


@pytest.mark.parametrize("fault", ["dpop_nonce_forever", "dpop_nonce_always_new"])
async def test_a_nonce_that_does_not_help_is_tried_once(fault):
    """Two calls, and then an error: a provider that accepts no nonce must not cause endless calls."""
    site = DPoPSite()
    refused = await site.failed_login(fault)

    assert refused.json()["error"] == "dpop_nonce_refused"
    assert len(site.calls_of("/token")) == 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("dpop_nonce_in_500", "token_unavailable"),
        ("dpop_nonce_in_other_error", "provider_refused"),
        ("dpop_proof_refused", "provider_refused"),
    ],
)
async def test_no_other_error_sends_a_code_again(fault, code):
    """Only the demand for a nonce says that the code was not used."""
    site = DPoPSite()
    refused = await site.failed_login(fault)

    assert refused.json()["error"] == code
    assert len(site.calls_of("/token")) == 1


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("fault", ["dpop_nonce_error_without_header", "dpop_nonce_forever", "dpop_nonce_malformed"])
async def test_a_refresh_that_fails_for_its_nonce_keeps_the_refresh_token(store, fault):
    """It was not used, so the next refresh succeeds with it."""
    site = DPoPSite(store)
    browser = await site.with_due_refresh()
    with site.provider.fault(fault):
        during = await browser.fetch("/page")
    site.clock.advance(15)
    after = await browser.fetch("/page")

    assert (during.status_code, after.status_code) == (200, 200)
    assert used(site) == 2
    assert len(set(site.tokens)) == 2


@pytest.mark.parametrize("fault", ["dpop_nonce_in_500", "dpop_nonce_in_other_error"])
async def test_no_other_error_sends_a_refresh_token_again(fault):
    """A second use looks like theft, and ends the grant (RFC 9700 §4.14.2)."""
    site = DPoPSite()
    browser = await site.with_due_refresh()
    with site.provider.fault(fault):
        await browser.fetch("/page")

    assert site.refreshes == 1


@pytest.mark.parametrize("mode", MODES)
async def test_parallel_refreshes_do_not_mix(mode):
    """Each repeats its own call with its own key, token and nonce (CVE-2026-40155 was a mix-up of users)."""
    site = site_with_nonces(mode)
    users = ["alice", "bob", "chloe"] * 3
    browsers = [await site.with_due_refresh(sub) for sub in users]
    pages: dict[int, Any] = {}
    keys = {proof.jkt for proof in site.proofs_at("/token")}

    async def visit(number: int) -> None:
        pages[number] = await browsers[number].fetch("/page")

    site.clock.advance(site.provider.dpop_nonce_lifetime * 2)
    async with anyio.create_task_group() as tasks:
        for number in range(len(users)):
            tasks.start_soon(visit, number)

    assert [pages[number].json()["sub"] for number in range(len(users))] == users
    assert used(site) == 2 * len(users)
    assert {proof.jkt for proof in site.proofs_at("/token")} == keys


@pytest.mark.parametrize("setting", ["auto", "always"])
async def test_userinfo_that_demands_an_unusable_nonce(setting):
    """Where the claims of the ID Token are enough, the login goes on without userinfo, as after any refusal."""
    site = DPoPSite(userinfo=setting)
    site.provider.claims_in_id_token = False
    with site.provider.fault("userinfo_dpop_nonce_forever"):
        browser, url = await site.at_callback()
        back = await browser.get(url, headers=PROGRAM, follow=False)

    assert len(site.calls_of("/userinfo")) == 2
    expected = (502, "dpop_nonce_refused") if setting == "always" else (303, None)
    assert (back.status_code, back.json()["error"] if back.status_code != 303 else None) == expected


class HeaderOnly(httpx.AsyncBaseTransport):
    """The way to a provider whose token endpoint has its error in a header, as APIs have."""

    def __init__(self, provider: FakeProvider) -> None:
        self._provider = provider

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on, but for the token endpoint."""
        if request.url.path != "/token":
            return await httpx.ASGITransport(app=self._provider).handle_async_request(request)
        self._provider.calls.append(Call("POST", "/token", [], request.headers, await request.aread()))
        headers = {"dpop-nonce": "a-nonce", "www-authenticate": 'DPoP error="use_dpop_nonce"'}
        return httpx.Response(401, headers=headers, stream=httpx.ByteStream(b"{}"))


async def test_a_demand_in_a_header_alone_sends_no_code_again():
    """A proxy in between can have written it; only the body is certain to be the provider's (§8)."""
    provider = FakeProvider(alg="ES256")
    site = DPoPSite(provider=provider, http_client=httpx.AsyncClient(transport=HeaderOnly(provider)))
    refused = await site.failed_login()

    assert refused.json()["error"] == "token_status"
    assert len(site.calls_of("/token")) == 1


def test_nonces_are_bounded():
    """A process that calls ever new servers does not grow."""
    nonces = LearnedNonces()
    for number in range(MAX_ORIGINS + 1):
        nonces.learn(f"https://{number}.example.com", {"dpop-nonce": "n"})

    assert nonces.find("https://0.example.com") is None
    assert nonces.find(f"https://{MAX_ORIGINS}.example.com") == "n"


def test_the_newest_nonce_of_a_server_counts():
    """And that of another server never does."""
    nonces = LearnedNonces()
    nonces.learn("https://a.example.com", {"dpop-nonce": "old"})
    nonces.learn("https://a.example.com", {"dpop-nonce": "new"})
    nonces.learn("https://a.example.com", {"dpop-nonce": "not, one"})

    assert (nonces.find("https://a.example.com"), nonces.find("https://b.example.com")) == ("new", None)
