"""The issuer that a token names picks the provider whose keys verify it; nobody else is asked."""

from typing import Any

import pytest

from asgi_oidc import OAuth2Provider, Provider, Rule
from asgi_oidc.testing import FakeProvider
from tests.bearer.token_calls import TokenSite, problem
from tests.protected_site import CLIENT_SECRET, Clock

WITHOUT_FLAT = {"issuer": ..., "client_id": ..., "client_secret": ..., "http_client": ...}


class Providers:
    """Two OpenID providers and one without OpenID Connect."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.home = FakeProvider("https://id.example.com", clock=self.clock, alg="ES256")
        self.work = FakeProvider("https://work.example.com", clock=self.clock, alg="EdDSA")

    @property
    def settings(self) -> dict[str, Any]:
        """The setting `providers`."""
        hub = OAuth2Provider(
            client_id="web",
            client_secret=CLIENT_SECRET,
            authorization_endpoint="https://hub.example.com/authorize",
            token_endpoint="https://hub.example.com/token",
            userinfo_endpoint="https://hub.example.com/user",
            subject="id",
        )
        return {"home": self.openid(self.home), "work": self.openid(self.work), "hub": hub}

    @staticmethod
    def openid(provider: FakeProvider) -> Provider:
        """Return the settings of a provider."""
        return Provider(
            issuer=provider.issuer,
            client_id="web",
            client_secret=CLIENT_SECRET,
            http_client=provider.http_client(),
            title=provider.issuer,
        )

    def site(self, *, providers: Any = None, **settings: Any) -> TokenSite:
        """Return a site with all of them."""
        return TokenSite(
            provider=self.home, clock=self.clock, providers=providers or self.settings, **{**WITHOUT_FLAT, **settings}
        )


def token_of(site: TokenSite, provider: FakeProvider, **changes: Any) -> str:
    return site.token(key=provider.key, **{"iss": provider.issuer, **changes})


async def test_tokens_of_each_openid_provider_count():
    """Each is verified with its own keys."""
    providers = Providers()
    site = providers.site()
    for name, provider in (("home", providers.home), ("work", providers.work)):
        answer = await site.call_with(token_of(site, provider))

        user = site.app.scope["user"]
        assert (answer.status, user.issuer, user.provider) == (200, provider.issuer, name)
    assert (providers.home.count("/jwks"), providers.work.count("/jwks")) == (1, 1)


async def test_the_keys_of_one_provider_sign_nothing_for_another():
    """The issuer of the token decides, and its signature has to fit."""
    providers = Providers()
    site = providers.site()

    answer = await site.call_with(token_of(site, providers.work, iss=providers.home.issuer))

    assert (answer.status, site.app.scopes) == (401, [])


async def test_only_the_named_providers_count():
    """Others sign people in, and their tokens are for other APIs."""
    providers = Providers()
    site = providers.site(bearer={"providers": ["work"]})

    work = await site.call_with(token_of(site, providers.work))
    home = await site.call_with(token_of(site, providers.home))

    assert (work.status, home.status, problem(home)["error"]) == (200, 401, "claim_iss")
    assert providers.home.count("/jwks") == 0


@pytest.mark.parametrize("iss", ["https://evil.example", "", ..., 7, "https://id.example.com/"])
async def test_an_issuer_that_is_not_ours_costs_no_call(iss):
    """Anyone can write one into a token."""
    providers = Providers()
    site = providers.site()

    answer = await site.call_with(token_of(site, providers.home, iss=iss))

    assert (answer.status, problem(answer)["error"]) == (401, "claim_iss")
    assert (len(providers.home.calls), len(providers.work.calls)) == (0, 0)


async def test_a_rule_can_name_the_provider():
    """As for sessions."""
    providers = Providers()
    site = providers.site(rules=[Rule("/page", providers=["work"])])

    work = await site.call_with(token_of(site, providers.work))
    home = await site.call_with(token_of(site, providers.home))

    assert (work.status, home.status) == (200, 403)


class Tenants:
    """Providers that are looked up."""

    def __init__(self, **known: Any) -> None:
        self.known = known

    async def get(self, name: str) -> Any:
        return self.known.get(name)


async def test_looked_up_providers_count_if_they_are_named():
    """And only for as long as the app has them."""
    providers = Providers()
    tenants = Tenants(work=providers.openid(providers.work))
    site = providers.site(providers=tenants, bearer={"providers": ["gone", "work"]})
    token = token_of(site, providers.work)

    before = [(await site.call_with(token)).status for _ in range(2)]
    tenants.known.clear()
    site.clock.advance(120)
    after = await site.call_with(token)

    assert (before, after.status, problem(after)["error"]) == ([200, 200], 401, "claim_iss")


async def test_a_look_up_that_fails_is_an_outage():
    """Nobody gets in, and no token is called wrong."""

    class Broken(Tenants):
        async def get(self, name: str) -> Any:
            raise ZeroDivisionError

    providers = Providers()
    site = providers.site(providers=Broken(), bearer={"providers": ["work"]})

    answer = await site.call_with(token_of(site, providers.work))

    assert (answer.status, answer.header(b"retry-after") is not None) == (503, True)
