"""Logins whose tokens are bound to a key of the session (RFC 9449)."""

import json

import httpx
import pytest

from asgi_oidc.errors import SettingsError
from asgi_oidc.testing import Browser, FakeProvider
from tests.dpop_site import DPoPSite, sent_proof
from tests.protected_site import Site
from tests.providers.test_back_channel import BACK_CHANNEL, EXTERNAL, INSIDE, INTERNAL, REALM, InsideSite, Reachable
from tests.token_site import STORES

ISSUER = "https://id.example.com"


class OtherTokenType(httpx.AsyncBaseTransport):
    """The way to a provider that says of every access token that it is of this type."""

    def __init__(self, provider: FakeProvider, token_type: str) -> None:
        self._provider = provider
        self._token_type = token_type

    def client(self) -> httpx.AsyncClient:
        """Take that way."""
        return httpx.AsyncClient(transport=self)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on, and change the answer."""
        answer = await httpx.ASGITransport(app=self._provider).handle_async_request(request)
        if request.url.path != "/token":
            return answer
        members = {**json.loads(await answer.aread()), "token_type": self._token_type}
        return httpx.Response(answer.status_code, stream=httpx.ByteStream(json.dumps(members).encode()))


@pytest.mark.parametrize("store", STORES)
async def test_the_tokens_of_a_login_are_bound_to_its_key(store):
    """The code (§10), the token call and userinfo: one key proves them all."""
    site = DPoPSite(store, userinfo="always")
    await site.signed_in()

    (token_proof,), (userinfo_proof,) = site.proofs_at("/token"), site.proofs_at("/userinfo")
    (authorization,) = site.calls_of("/authorize")[:1]
    assert authorization.params["dpop_jkt"] == token_proof.jkt == userinfo_proof.jkt
    assert (token_proof.claims["htm"], token_proof.claims["htu"]) == ("POST", f"{ISSUER}/token")
    assert (userinfo_proof.claims["htm"], userinfo_proof.claims["htu"]) == ("GET", f"{ISSUER}/userinfo")
    assert ("ath" in token_proof.claims, "ath" in userinfo_proof.claims) == (False, True)
    assert site.calls_of("/userinfo")[0].headers["authorization"] == f"DPoP {site.tokens[0]}"


async def test_every_session_has_a_key_of_its_own():
    """A common one would tell APIs which users come from the same app, and a thief of one key would have all."""
    site = DPoPSite()
    await site.signed_in("alice")
    await site.signed_in("bob")

    first, second = site.proofs_at("/token")
    assert first.jkt != second.jkt
    assert first.claims["jti"] != second.claims["jti"]


@pytest.mark.parametrize(
    ("setting", "algorithms", "is_bound"),
    [
        ("never", ["ES256"], False),
        ("auto", ["ES256", "RS256"], True),
        ("auto", ["RS256"], False),
        ("auto", None, False),
        ("auto", "ES256", False),
        ("always", ["ES256"], True),
        ("always", None, True),  # the member is optional; the answer shows whether the token is bound
    ],
)
async def test_the_setting_and_the_metadata_decide(setting, algorithms, is_bound):
    """`auto` means: where the provider says that it can (§5.1)."""
    site = DPoPSite(dpop=setting)
    site.provider.requires_dpop = False
    site.provider.metadata["dpop_signing_alg_values_supported"] = algorithms
    if algorithms is None:
        del site.provider.metadata["dpop_signing_alg_values_supported"]
    browser = site.browser()
    await browser.get("/page")
    calls = site.calls_of("/authorize")

    assert ["dpop_jkt" in call.params for call in calls] == [is_bound]


async def test_algorithms_that_we_do_not_sign_with_are_named_before_the_login(caplog):
    """Proofs are signed with ES256, and every login would fail."""
    site = DPoPSite()
    site.provider.metadata["dpop_signing_alg_values_supported"] = ["RS256", "EdDSA"]
    refused = await site.browser().get("/auth/login", follow=False)

    assert (refused.status_code, "code=dpop_unsupported" in caplog.text) == (502, True)
    assert "dpop_signing_alg_values_supported is RS256, EdDSA" in caplog.text
    assert site.calls_of("/authorize") == []


@pytest.mark.parametrize(
    ("setting", "fault", "hint"),
    [
        ("always", "token_type_bearer_for_dpop", "set dpop (OIDC_DPOP) to never"),
        ("always", "token_type_missing", ""),
        ("always", "token_type_unknown", ""),
        ("always", "token_type_number", ""),
        ("always", "token_type_empty", ""),
        ("never", "token_type_missing", ""),
        ("never", "token_type_unknown", ""),
    ],
)
async def test_a_token_of_another_type_is_refused(caplog, setting, fault, hint):
    """A bearer token could be used by a thief, and the log says which setting decides."""
    site = DPoPSite(dpop=setting)
    site.provider.requires_dpop = False
    refused = await site.failed_login(fault)

    assert (refused.status_code, refused.json()["error"]) == (502, "token_type")
    assert hint in caplog.text


async def test_a_bound_token_that_nobody_asked_for_is_refused(caplog):
    """We could not prove possession of the key that it is bound to."""
    provider = FakeProvider(alg="ES256")
    client = OtherTokenType(provider, "DPoP").client()
    site = Site(provider=provider, http_client=client)
    refused = await site.failed_login()

    assert refused.json()["error"] == "token_type"
    assert "set dpop (OIDC_DPOP) to always" in caplog.text


@pytest.mark.parametrize("setting", ["never", "always"])
async def test_the_case_of_the_token_type_does_not_matter(setting):
    """`dpop` and `bEARER` are the same types (RFC 6749 §5.1)."""
    site = DPoPSite(dpop=setting)
    site.provider.requires_dpop = setting == "always"
    with site.provider.fault("token_type_other_case"):
        browser = await site.signed_in()

    assert isinstance(browser, Browser)
    assert len(site.calls_of("/token")) == 1


async def test_a_provider_that_requires_proofs_tells_what_to_set(caplog):
    """The default is `never`, and the log line of the first login names the setting."""
    site = DPoPSite(dpop="never")
    refused = await site.failed_login()

    assert refused.json()["error"] == "provider_refused"
    assert "set dpop (OIDC_DPOP) to always" in caplog.text


async def test_a_refused_proof_hints_at_the_clock(caplog):
    """Providers refuse a proof from the future, and the provider's own text may say nothing of it."""
    site = DPoPSite()
    site.clock.advance(120)
    site.provider.clock = lambda: site.clock.now - 120
    refused = await site.failed_login()

    assert refused.json()["error"] == "provider_refused"
    assert "check this server's clock" in caplog.text


class KnownByItsPublicName(Reachable):
    """The way to a provider that compares its public URL, whatever the address at which it was called."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on under the public name."""
        request.headers["host"] = "id.example.com"
        return await super().handle_async_request(request)


@pytest.mark.parametrize("are_inside", [False, True])
async def test_behind_an_internal_url_a_proof_names_the_public_one(are_inside):
    """Also where the metadata names internal URLs, as Keycloak's does with `hostname-backchannel-dynamic`."""
    site = InsideSite(dpop="always", **INSIDE)
    client = httpx.AsyncClient(transport=KnownByItsPublicName(site.provider, INTERNAL))
    site = InsideSite(dpop="always", http_client=client, provider=site.provider, **INSIDE)
    if are_inside:
        site.name_inside(*BACK_CHANNEL)
    await site.signed_in()

    proven = [call for call in site.provider.calls if "dpop" in call.headers]
    public = f"{EXTERNAL}{REALM}"
    assert [sent_proof(call).claims["htu"] for call in proven] == [f"{public}/token", f"{public}/userinfo"]


def test_the_app_cannot_set_the_key_of_a_login():
    """`dpop_jkt` of the settings would bind codes to a key that we do not have."""
    with pytest.raises(SettingsError, match="dpop_jkt"):
        Site(authorization_params={"dpop_jkt": "x"})


@pytest.mark.parametrize("nonces", ["never", "always", "every_answer", "errors_only"])
async def test_a_pushed_request_proves_the_key_as_well(nonces):
    """The code is then bound to it without the browser's help (§10.1)."""
    site = DPoPSite(par="always")
    site.provider.requires_par = True
    site.provider.dpop_nonces = nonces
    await site.signed_in()

    (*_, pushed), (*_, token_call) = site.proofs_at("/par"), site.proofs_at("/token")
    assert pushed.jkt == token_call.jkt
    assert pushed.claims["htu"] == f"{ISSUER}/par"
    assert len(site.proofs_at("/par")) == (1 if nonces == "never" else 2)
    assert len(site.proofs_at("/token")) == 1
