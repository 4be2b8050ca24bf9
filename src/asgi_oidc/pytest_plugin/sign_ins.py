"""Makes the session of a user: the fake provider is told who signs in, and a login is walked through."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from asgi_oidc.middleware import OIDCMiddleware
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.pytest_plugin.app_provider import TermsOfSignIns
from asgi_oidc.pytest_plugin.clock import Clock
from asgi_oidc.pytest_plugin.endpoint_visit import Visit
from asgi_oidc.pytest_plugin.fake_providers import FakeProviders, claims_needed_by
from asgi_oidc.pytest_plugin.users import OF_THE_LOGIN, SignInTerms, make_persona
from asgi_oidc.settings.several_providers import read_found_provider
from asgi_oidc.testing import Persona
from asgi_oidc.testing.cookie_jar import Cookie


class Site(NamedTuple):
    """Where a user signs in: a middleware, and one of its URLs."""

    middleware: OIDCMiddleware
    base_url: str


class Wanted(NamedTuple):
    """Who signs in, and how; None leaves a choice to the fixture."""

    sub: str
    claims: Mapping[str, Any] = {}
    scopes: Sequence[str] | None = None
    provider: str | None = None
    name: str | None = None
    email: str | None = None


class SignIn(NamedTuple):
    """A sign-in that took place.

    Attributes:
        sid: the session at the provider.
    """

    site: Site
    wanted: Wanted
    provider: TermsOfSignIns
    client_id: str
    sid: str | None


class SignIns:
    """Signs users in and out; awaiting it takes no network and no time."""

    def __init__(self, fakes: FakeProviders, clock: Clock) -> None:
        self._fakes = fakes
        self._clock = clock
        self._said_by_test: dict[tuple[str, str], Persona | None] = {}
        self._made: dict[tuple[str, str], Persona] = {}

    async def sign_in(self, site: Site, wanted: Wanted) -> tuple[Sequence[Cookie], SignIn]:
        """Sign a user in; return the cookies for the browser.

        Raises:
            SignInFailed: the app did not accept the login.
            ValueError: an unknown provider, or a claim that cannot be chosen.
        """
        settings = await _find_settings(site.middleware, wanted.provider)
        visit = self._visit(site)
        with self.about_to_sign_in(settings, wanted) as fake:
            await visit.sign_in(wanted.provider, fake)
        return visit.cookies, SignIn(site, wanted, fake, settings.client.client_id, fake.last_sid)

    @contextlib.contextmanager
    def about_to_sign_in(self, settings: ProviderSettings, wanted: Wanted) -> Iterator[TermsOfSignIns]:
        """Let the fake provider sign in a user without its login page until the block ends; return that provider."""
        fake = self.introduce(settings, wanted)
        of_the_login = {claim: value for claim, value in wanted.claims.items() if claim in OF_THE_LOGIN}
        before = fake.signed_in_as
        fake.sign_in_as(wanted.sub)
        fake.terms = SignInTerms(of_the_login, wanted.scopes)
        try:
            yield fake
        finally:
            fake.signed_in_as, fake.terms = before, None

    async def sign_out(self, site: Site, cookies: Mapping[str, str]) -> Sequence[Cookie]:
        """Sign out the user who has these cookies; return those that are left.

        Raises:
            SignInFailed: the app refused.
        """
        visit = self._visit(site)
        await visit.sign_out(cookies)
        return visit.cookies

    async def sign_out_at_provider(self, made: SignIn) -> None:
        """Send the app a logout token.

        Raises:
            SignInFailed: the app refused it.
        """
        token = made.provider.logout_token(made.wanted.sub, sid=made.sid, client_id=made.client_id)
        await self._visit(made.site).post_logout_token(token, made.wanted.provider)

    def introduce(self, settings: ProviderSettings, wanted: Wanted) -> TermsOfSignIns:
        """Let the fake provider know a user; return that provider."""
        fake = self._fakes.find(settings)
        key, known = (fake.issuer, wanted.sub), fake.personas.get(wanted.sub)
        if key not in self._made or known is not self._made[key]:
            self._said_by_test[key] = known
        persona = make_persona(
            wanted.sub,
            known=self._said_by_test[key],
            scopes=settings.scope.split(),
            name=wanted.name,
            email=wanted.email,
            claims={**claims_needed_by(settings), **wanted.claims},
        )
        fake.personas[wanted.sub] = self._made[key] = persona
        return fake

    def _visit(self, site: Site) -> Visit:
        return Visit(site.middleware, site.base_url, self._clock)


def settings_of(middleware: OIDCMiddleware, name: str | None) -> ProviderSettings:
    """Return the settings of the provider that is meant.

    Raises:
        ValueError: there is none of that name, or a name is needed.
    """
    providers = middleware._settings.fixed_providers
    if name is None and len(providers) == 1:
        return next(iter(providers.values()))
    if name and name in providers:
        return providers[name]
    there = f"it has {', '.join(providers)}" if any(providers) else "it has one provider, without a name"
    if not providers:
        there = "it looks its providers up"
    wrong = "which provider? pass provider=..." if name is None else f"there is no provider {name!r}"
    raise ValueError(f"the app at {middleware.base_url}: {wrong}; {there}")


async def _find_settings(middleware: OIDCMiddleware, name: str | None) -> ProviderSettings:
    """Return the settings of the provider that is meant; the app may have to look it up. Errors as in `settings_of`."""
    providers = middleware._settings.providers
    if name is None or providers is None or isinstance(providers, Mapping):
        return settings_of(middleware, name)
    entry = await providers.get(name)
    if entry is None:
        raise ValueError(f"the app at {middleware.base_url}: its look-up knows no provider {name!r}")
    return read_found_provider(name, entry)
