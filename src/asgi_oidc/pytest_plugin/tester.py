"""`OIDCTester`, what the fixture `oidc` is: signs users in and out on the clients of a test."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Unpack
from weakref import WeakKeyDictionary

from asgi_oidc.pytest_plugin.apps_under_test import AppsUnderTest
from asgi_oidc.pytest_plugin.client_middleware import base_url_of, middleware_of
from asgi_oidc.pytest_plugin.clients import at_once, cookies_of, settled
from asgi_oidc.pytest_plugin.clock import Clock
from asgi_oidc.pytest_plugin.django_client import through_middleware
from asgi_oidc.pytest_plugin.fake_providers import FakeProviders
from asgi_oidc.pytest_plugin.follow_login import afollow, follow
from asgi_oidc.pytest_plugin.other_thread import run_in_thread
from asgi_oidc.pytest_plugin.sign_in_options import SignInOptions, read_options
from asgi_oidc.pytest_plugin.sign_ins import SignIn, SignIns, Site, Wanted, settings_of
from asgi_oidc.safe_urls import check_url, origin_of
from asgi_oidc.testing import FakeProvider, serve

MINUTE = 60  # seconds


class OIDCTester:
    """Signs users in on test clients, without a provider and without a network.

        def test_admins_see_the_reports(oidc):
            client = TestClient(app)
            oidc.sign_in(client, "alice", claims={"roles": ["admin"]})
            assert client.get("/reports").status_code == 200

    During a test, every `OIDCMiddleware` calls the fake `provider` instead of its own, keeps sessions in this process
    instead of in a store, and goes by `clock`. All other settings are the app's own: rules, public patterns, scopes,
    lifetimes, hooks.

    A sign-in is a real login, so a token is signed and checked, `on_login` is called, and the session cookie is the one
    that a browser would have. `sign_in` needs no `await`: it runs on an event loop of its own. `asign_in` runs on that
    of the test: for an `on_login` with a database connection, and for Playwright's async API.
    """

    def __init__(self, apps: AppsUnderTest, fakes: FakeProviders, clock: Clock) -> None:
        self._apps = apps
        self._fakes = fakes
        self._sign_ins = SignIns(fakes, clock)
        self._last_provider: FakeProvider | None = None
        self._last: WeakKeyDictionary[Any, SignIn] = WeakKeyDictionary()  # by client
        self.clock = clock
        """The time of the app and of the provider: `oidc.clock.advance(3600)`."""

    @property
    def provider(self) -> FakeProvider:
        """The fake provider: `oidc.provider.fault("token_500")`, `oidc.provider.personas`, `oidc.provider.calls`.

        It is that of the app that the last call was about: of `sign_in`, `bearer`, `serve` and so on. Before the first
        such call, it is that of the only app.

        Raises:
            NoMiddleware: there is no app yet, or there are several, and no call was about one of them.
            ValueError: the app has several providers.
        """
        if self._last_provider is not None:
            return self._last_provider
        return self._fakes.find(settings_of(middleware_of(None, known=self._apps.known), None))

    def provider_of(self, client: Any = None, name: str | None = None, *, app: object = None) -> FakeProvider:
        """Return the fake provider of a client's app.

        Args:
            client: as for `sign_in`; None if `app` says which app is meant.
            name: of the setting `providers`, if there are several.

        Raises:
            NoMiddleware, ValueError: as for `sign_in`.
        """
        middleware = middleware_of(client, app=app, known=self._apps.known)
        self._last_provider = self._fakes.find(settings_of(middleware, name))
        return self._last_provider

    def sign_in(
        self,
        client: Any,
        sub: str = "alice",
        **options: Unpack[SignInOptions],
    ) -> None:
        """Sign a user in on a client: its next requests have the session.

        Args:
            client: a test client of Starlette, FastAPI, Litestar, Quart, httpx or Django (AsyncClient), or a browser
                context or page of Playwright (sync API).
            sub: who signs in; any text will do.
            options: see `SignInOptions`.

        Raises:
            NoMiddleware: none is found for the client, or more than one.
            WrongClient: the client cannot be signed in, or needs `await oidc.asign_in(...)`.
            SignInFailed: the app did not accept the login; the message has the reason.
            ValueError: an unknown provider, or a claim that cannot be chosen.
        """
        site = self._site(client, options.get("app"), options.get("base_url"))
        self._sign_in_at(site, client, read_options(sub, options))

    async def asign_in(
        self,
        client: Any,
        sub: str = "alice",
        **options: Unpack[SignInOptions],
    ) -> None:
        """Do the same on the event loop of the test. For Playwright's async API, and if `on_login` needs that loop."""
        site, wanted = self._site(client, options.get("app"), options.get("base_url")), read_options(sub, options)
        old = await settled(cookies_of(client).read())
        cookies, made = await self._sign_ins.sign_in(site, wanted)
        self._remember(client, made)
        await settled(cookies_of(client).change(remove=old, add=cookies))

    def follow_login(
        self,
        client: Any,
        path: str = "/",
        sub: str = "alice",
        **options: Unpack[SignInOptions],
    ) -> Any:
        """Open a page with a client, sign in where it leads, and follow the redirects back; return the last response.

        Each request goes through the client, so the whole app takes part: middlewares around it, the start of the
        login, the callback, and the page itself.

        Args:
            path: the page, which needs a login; `/auth/login?provider=...` for one of several providers.

        Raises:
            NoMiddleware, WrongClient, ValueError: as for `sign_in`.
            EndlessRedirects: no page comes.
        """
        site, wanted = self._site(client, options.get("app"), options.get("base_url")), read_options(sub, options)
        with self._login_of(client, site, wanted) as fake:
            return follow(client, path, base_url=site.base_url, provider=fake)

    async def afollow_login(
        self,
        client: Any,
        path: str = "/",
        sub: str = "alice",
        **options: Unpack[SignInOptions],
    ) -> Any:
        """Do the same with a client that has an async API."""
        site, wanted = self._site(client, options.get("app"), options.get("base_url")), read_options(sub, options)
        with self._login_of(client, site, wanted) as fake:
            return await afollow(client, path, base_url=site.base_url, provider=fake)

    def sign_out(self, client: Any, *, app: object = None, base_url: str | None = None) -> None:
        """Sign out as the user does: the session ends, and the client has no cookies of it any more.

        Raises:
            NoMiddleware, WrongClient, SignInFailed: as for `sign_in`.
        """
        site = self._site(client, app, base_url)
        old = at_once(cookies_of(client).read())
        left = run_in_thread(lambda: self._sign_ins.sign_out(site, old))
        at_once(cookies_of(client).change(remove=old, add=left))

    async def asign_out(self, client: Any, *, app: object = None, base_url: str | None = None) -> None:
        """Do the same on the event loop of the test."""
        site = self._site(client, app, base_url)
        old = await settled(cookies_of(client).read())
        left = await self._sign_ins.sign_out(site, old)
        await settled(cookies_of(client).change(remove=old, add=left))

    def expire(self, client: Any) -> None:
        """Let the session of a client be over, as if its lifetime had passed.

        Raises:
            ValueError: this fixture has not signed the client in.
        """
        settings = self._last_sign_in(client).site.middleware._settings
        self._sign_in_earlier(client, settings.session_lifetime + MINUTE)

    def expire_access_token(self, client: Any) -> None:
        """Let the access token of a client have expired; the session goes on.

        `access_token()` then refreshes it, or raises an error if the provider has issued no refresh token: that takes
        the scope `offline_access`, or `oidc.provider.always_refresh_tokens = True`.

        Raises:
            ValueError: this fixture has not signed the client in.
        """
        made = self._last_sign_in(client)
        age, lifetime = made.site.middleware._settings.leeway + MINUTE, made.provider.access_token_lifetime
        made.provider.access_token_lifetime = 1
        try:
            self._sign_in_earlier(client, age)
        finally:
            made.provider.access_token_lifetime = lifetime

    def sign_out_at_provider(self, client: Any) -> None:
        """Sign the user out at the provider, which tells the app so (Back-Channel Logout 1.0).

        Raises:
            ValueError: this fixture has not signed the client in.
            SignInFailed: the app refused the logout token; the message has the reason.
        """
        made = self._last_sign_in(client)
        run_in_thread(lambda: self._sign_ins.sign_out_at_provider(made))

    def bearer(
        self,
        sub: str = "alice",
        *,
        claims: Mapping[str, Any] | None = None,
        scopes: Sequence[str] = (),
        audience: str | None = None,
        lifetime: int | None = None,
        provider: str | None = None,
        app: object = None,
        base_url: str | None = None,
    ) -> dict[str, str]:
        """Return the headers of a program that calls an API with an access token: `client.get("/", headers=...)`.

        Args:
            sub: whose token it is.
            claims: further claims of the token; the value `...` removes one.
            scopes: that it grants.
            audience: the API that it is for; by default the first of the setting `bearer`.
            lifetime: in seconds; negative for a token that has expired.
            provider: which of the setting `providers` has issued it; by default the first that counts.
            app: the app or its middleware, if there are several in the process.
            base_url: which middleware is meant, if the app has several.

        Raises:
            NoMiddleware: none is found, or more than one.
            ValueError: the app has no setting `bearer`, or no such provider.
        """
        candidates = [known for known in self._apps.known if known._settings.bearer is not None]
        middleware = middleware_of(None, app=app, base_url=base_url, known=candidates or self._apps.known)
        bearer = middleware._settings.bearer
        if bearer is None:
            raise ValueError(f"the app at {middleware.base_url} accepts no access tokens: it has no setting bearer")
        name = provider if provider is not None else next(iter(bearer.providers or ()), None)
        settings = settings_of(middleware, name)
        fake = self._last_provider = self._sign_ins.introduce(settings, Wanted(sub))
        token = fake.access_token(
            sub,
            audience=bearer.audiences[0] if audience is None else audience,
            scopes=scopes,
            client_id=settings.client.client_id,
            lifetime=lifetime,
            claims=claims,
        )
        return {"authorization": f"Bearer {token}"}

    @contextlib.contextmanager
    def serve(self, app: Any) -> Iterator[str]:
        """Serve an app on a free port until the block ends, for a real browser; return its URL.

            with oidc.serve(app) as url:
                oidc.sign_in(page, "alice", app=app)
                page.goto(f"{url}/reports")

        There, `base_url` is that URL, so sign in after this call. If the app has one provider, the fake one is served
        as well: a page that needs a login then leads to a login page, on which the users of `oidc.provider.personas`
        can be picked. It needs uvicorn: `pip install "asgi-oidc[testing]"`.

        Raises:
            NoMiddleware: none is found in the app, or more than one.
        """
        middleware = middleware_of(None, app=app, known=())
        base_path = middleware._settings.base_path
        with serve(app) as server, contextlib.ExitStack() as stack:
            url = f"{server.url}{base_path}"
            urls: dict[str, Any] = {"base_url": url, "base_urls": (url,)}
            if middleware._settings.is_flat:
                settings = settings_of(middleware, None)
                self._last_provider = self._fakes.find(settings)
                urls["issuer"] = stack.enter_context(self._fakes.on_a_port(settings))
            stack.enter_context(self._apps.elsewhere(middleware, **urls))
            yield url

    def origin(self, client: Any = None, *, app: object = None, base_url: str | None = None) -> dict[str, str]:
        """Return the header that a page of the app sends, for a websocket: without it, the handshake is refused."""
        return {"origin": origin_of(check_url(self._site(client, app, base_url).base_url))}

    def _site(self, client: Any, app: object, base_url: str | None) -> Site:
        middleware = middleware_of(client, app=app, base_url=base_url, known=self._apps.known)
        return Site(middleware, base_url_of(middleware, base_url, client))

    def _sign_in_at(self, site: Site, client: Any, wanted: Wanted) -> None:
        old = at_once(cookies_of(client).read())
        cookies, made = run_in_thread(lambda: self._sign_ins.sign_in(site, wanted))
        self._remember(client, made)
        at_once(cookies_of(client).change(remove=old, add=cookies))

    @contextlib.contextmanager
    def _login_of(self, client: Any, site: Site, wanted: Wanted) -> Iterator[FakeProvider]:
        """Sign a user in at the provider for the duration of the block, and remember that the client is signed in."""
        cookies_of(client)  # from now on, our cookies reach the app
        settings = settings_of(site.middleware, wanted.provider)
        with self._sign_ins.about_to_sign_in(settings, wanted) as fake:
            yield fake
        self._remember(client, SignIn(site, wanted, fake, settings.client.client_id, fake.last_sid))

    def _forget_sessions(self) -> None:
        """Take the cookies away that this fixture has given: a client of several tests is anonymous in the next one."""
        for client in list(self._last):
            # A page of a browser that is closed by now raises an error, and has no cookies any more.
            with contextlib.suppress(Exception):
                at_once(cookies_of(client).change(remove=at_once(cookies_of(client).read()), add=()))

    def _remember(self, client: Any, made: SignIn) -> None:
        self._last[client], self._last_provider = made, made.provider

    def _last_sign_in(self, client: Any) -> SignIn:
        if client not in self._last:
            raise ValueError(f"this {type(client).__name__} was not signed in by this fixture: call oidc.sign_in first")
        return self._last[client]

    def _sign_in_earlier(self, client: Any, age: int) -> None:
        """Sign the same user in again, as if that had been earlier."""
        made = self._last_sign_in(client)
        with self.clock.at(-age):
            self._sign_in_at(made.site, client, made.wanted)


@contextlib.contextmanager
def tester() -> Iterator[OIDCTester]:
    """Return what a test signs users in with; when the block ends, all apps and clients are as they were before."""
    clock = Clock()
    fakes = FakeProviders(clock)
    apps = AppsUnderTest(fakes, clock)
    with apps.running(), through_middleware():
        found = OIDCTester(apps, fakes, clock)
        try:
            yield found
        finally:
            found._forget_sessions()
