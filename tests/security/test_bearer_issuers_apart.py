"""With several providers, each vouches for its own tokens alone: the same `sub` or `kid` elsewhere is another."""

from typing import Any

import pytest

from asgi_oidc import Bearer, OAuth2Provider, OIDCMiddleware, Provider
from asgi_oidc.testing import FakeProvider, GitHubStandIn, Network

from .api_calls import API, PROTECTED, APISite, bearer, refusal_of
from .attacked_site import CLIENT_SECRET, NOW, ORIGIN, SECRET, Clock, CountingApp

WORK, HOME = "https://id.example.com", "https://home.example.com"
FORM = [(b"content-type", b"application/x-www-form-urlencoded")]


class TwoProviders(APISite):
    """A site with two OpenID providers and GitHub, whose users have the same names.

    Args:
        settings: Keywords of `Bearer`, beyond the audience.
    """

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.app = CountingApp()
        self.provider, self.home = FakeProvider(WORK, clock=self.clock), FakeProvider(HOME, clock=self.clock)
        self.home.rotate_keys()
        self.github = GitHubStandIn(clock=self.clock)
        network = Network(self.provider, self.home, self.github)
        client: dict[str, Any] = {"client_id": "web", "client_secret": CLIENT_SECRET}
        self.middleware = OIDCMiddleware(
            self.app,
            base_url=ORIGIN,
            secret=SECRET,
            providers={
                "work": Provider(issuer=WORK, **client),
                "home": Provider(issuer=HOME, **client),
                "github": OAuth2Provider.github(**client),
            },
            public=["/", "/public"],
            http_client=network.http_client(),
            clock=self.clock,
            bearer=Bearer(API, **settings),
        )


async def test_the_same_sub_at_two_providers_is_two_users() -> None:
    """A person is issuer and sub."""
    site = TwoProviders()
    seen = []
    for provider in (site.provider, site.home, site.provider):
        token = provider.access_token("alice", audience=API, claims={"jti": "a-jti"})
        answer = await site.call("/auth/session", [bearer(token)])
        seen.append((answer.status, answer.body))

    assert [status for status, _ in seen] == [200, 200, 200]
    assert (WORK.encode() in seen[0][1], HOME.encode() in seen[1][1], seen[0] == seen[2]) == (True, True, True)


@pytest.mark.parametrize("has_own_kid", [True, False])
async def test_a_provider_signs_for_itself_alone(has_own_kid: bool) -> None:
    """Its key under the issuer of the other, with its own key id or the other's."""
    site = TwoProviders()
    header = {} if has_own_kid else {"kid": site.provider.key.kid}
    token = site.home.access_token("alice", audience=API, header=header, claims={"iss": WORK})

    refusal = refusal_of(await site.call(PROTECTED, [bearer(token)]))

    assert (refusal.status, refusal.code) == (401, "kid_unknown" if has_own_kid else "signature")
    assert (site.home.calls, site.app.visits) == ([], [])


async def test_providers_that_are_not_named_do_not_count() -> None:
    """Staff may call the API, and customers may not; nobody asks for their keys."""
    site = TwoProviders(providers=["work"])
    own, other = (it.access_token("alice", audience=API) for it in (site.provider, site.home))

    refusal = refusal_of(await site.call(PROTECTED, [bearer(other)]))

    assert (refusal.status, refusal.code, site.home.calls) == (401, "claim_iss", [])
    assert (await site.call(PROTECTED, [bearer(own)])).status == 200


@pytest.mark.parametrize("introspect", [None, "work", False])
async def test_an_opaque_token_is_shown_to_the_named_provider_alone(introspect: Any) -> None:
    """Another one could use it."""
    site = TwoProviders(introspect=introspect)
    own, other = (it.access_token("alice", audience=API, opaque=True) for it in (site.provider, site.home))

    answers = [await site.call(PROTECTED, [bearer(it)]) for it in (own, other, "gho_made-up-token-of-github")]

    assert [it.status for it in answers] == ([200, 401, 401] if introspect == "work" else [401, 401, 401])
    assert (site.home.calls, site.github.calls) == ([], [])


async def test_an_answer_that_names_another_issuer_does_not_count() -> None:
    """The provider that is asked cannot make its users those of another."""
    site = TwoProviders(introspect="work")
    site.provider.introspection_overrides = {"iss": HOME}

    answer = await site.call(PROTECTED, [bearer(site.token("alice", opaque=True))])

    assert (answer.status, site.app.visits) == (401, [])


async def sign_out(site: TwoProviders, provider: FakeProvider, name: str, **logout: Any) -> None:
    form = b"logout_token=" + provider.logout_token("alice", **logout).encode()
    assert (await site.call(f"/auth/backchannel-logout/{name}", FORM, method="POST", body=form)).status == 200


async def test_a_sign_out_at_one_provider_ends_no_token_of_another() -> None:
    """And it ends those of its own user, whatever program has them."""
    site = TwoProviders()
    tokens = [it.access_token("alice", audience=API) for it in (site.provider, site.home)]
    tokens.append(site.provider.access_token("bob", audience=API))
    site.clock.now += 2

    await sign_out(site, site.provider, "work")

    assert [(await site.call(PROTECTED, [bearer(it)])).status for it in tokens] == [401, 200, 200]


async def test_a_token_of_a_login_after_the_sign_out_counts() -> None:
    """Dead stays dead, and new is new."""
    site = TwoProviders()
    old = site.token("alice")
    assert (await site.call(PROTECTED, [bearer(old)])).status == 200
    site.clock.now += 2
    await sign_out(site, site.provider, "work")
    site.clock.now = NOW + 10

    statuses = [(await site.call(PROTECTED, [bearer(it)])).status for it in (old, site.token("alice"), old)]

    assert statuses == [401, 200, 401]
