"""Whatever happens in a browser, our cookies stay below what a proxy lets through: else nobody could even sign out."""

import random
from typing import Any
from urllib.parse import urlencode

import pytest

from asgi_oidc import Rule
from asgi_oidc.testing import Browser, FakeProvider, Persona, Response
from asgi_oidc.testing.cookie_jar import CookieJar
from asgi_oidc.web.cookie_size import MAX_COOKIE_HEADER
from tests.attacked_provider import own_path

from .attacked_site import ORIGIN, AttackedSite, who_am_i
from .sizes import size

pytestmark = pytest.mark.usefixtures("one_or_three_providers")

EVIL = "https://evil.example/"
STEPS = size(120, 600)
ACCESS = 300  # seconds of an access token


class TokenApp:
    """An app that wants a live token for every page, and takes forms."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["user"].is_authenticated and scope["method"] == "GET":
            await scope["oidc"].access_token()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<p>the app</p>"})


class Walk:
    """One person, some tabs, and other sites that lead the browser here."""

    def __init__(self, seed: int, **settings: Any) -> None:
        self.random = random.Random(seed)
        self.provider = FakeProvider("https://id.example.net", alg="ES256")
        self.stage = AttackedSite(
            self.provider,
            TokenApp(),
            scope="openid profile offline_access",
            rules=[Rule("/vault", max_age=60)],
            keep_forms=True,
            **settings,
        )
        self.provider.clock = self.stage.clock
        self.provider.access_token_lifetime = ACCESS
        self.jar = CookieJar(self.stage.clock)
        self.waiting: list[str] = []
        """Where tabs stand at the provider."""
        self.steps = [
            self.is_led_to_a_login,
            self.is_led_to_a_page,
            self.opens_a_page,
            self.signs_in,
            self.signs_in_in_two_tabs_at_once,
            self.sends_a_form,
            self.goes_on,
            self.pauses,
            self.signs_out,
            self.gets_other_claims,
        ]

    @property
    def browser(self) -> Browser:
        return self.stage.browser(jar=self.jar)

    @property
    def header(self) -> str:
        return self.jar.header(f"{ORIGIN}/", is_same_site=True, is_safe_navigation=True)

    async def step(self) -> str:
        """Do something, and say what."""
        chosen = self.random.choice(self.steps)
        await chosen()
        return chosen.__name__

    def long_path(self) -> str:
        path = "/page/" + "p" * self.random.choice([0, 20, 300, 2000])
        query, fragment = "q" * self.random.choice([0, 50, 1500]), "f" * self.random.choice([0, 1000])
        return f"{path}?{query}#{fragment}" if fragment else f"{path}?{query}"

    def note(self, response: Response) -> None:
        if response.location.startswith(self.provider.issuer):
            self.waiting.append(response.location)

    async def is_led_to_a_login(self) -> None:
        for _ in range(3):
            url = f"/auth/login?{urlencode({'return_to': self.long_path()})}"
            self.note(await self.browser.get(url, initiator=EVIL, follow=False))

    async def is_led_to_a_page(self) -> None:
        self.note(await self.browser.get(self.long_path(), initiator=EVIL, follow=False))

    async def opens_a_page(self) -> None:
        path = self.random.choice(["/page", "/vault", self.long_path()])
        self.note(await self.browser.get(path, follow=False))

    async def goes_on(self) -> None:
        await self.browser.fetch("/page")

    async def pauses(self) -> None:
        self.stage.clock.now += self.random.choice([1, 11, 61, ACCESS, 4000])

    async def signs_out(self) -> None:
        if self.random.random() < 0.3:
            await self.browser.post("/auth/logout", follow=False)

    async def gets_other_claims(self) -> None:
        groups = [f"{self.random.getrandbits(128):032x}" for _ in range(self.random.choice([0, 5, 30, 60, 120]))]
        for sub in ("alice", "bob"):
            self.provider.personas[sub] = Persona(sub, sub, f"{sub}@example.com", {"groups": groups})

    async def at_callback(self) -> Response | None:
        """Let one of the tabs that wait come back from the provider: the address, or the form that it posts."""
        if not self.waiting:
            return None
        self.provider.sign_in_as(self.random.choice(["alice", "alice", "bob"]))
        url = self.waiting.pop(self.random.randrange(len(self.waiting)))
        return await Browser(self.stage.middleware, ORIGIN, {self.provider.origin: self.provider}).get(
            url, follow=False, initiator=ORIGIN + "/"
        )

    async def follows(self, back: Response | None, jar: CookieJar) -> Response | None:
        browser = self.stage.browser(jar=jar)
        if back is None:
            return None
        if back.location:
            return await browser.get(back.location, initiator=self.provider.issuer, follow=False)
        form = back.page.forms[0]
        return await browser.post(form.action, dict(form.data(None, {})), initiator=back.url, follow=False)

    async def signs_in(self) -> None:
        done = await self.follows(await self.at_callback(), self.jar)
        if done is not None and done.location.startswith(ORIGIN):
            await self.browser.get(done.location, initiator=self.provider.issuer, follow=False)

    async def signs_in_in_two_tabs_at_once(self) -> None:
        backs = [await self.at_callback() for _ in range(2)]
        done = [await self.follows(back, self.jar.copy()) for back in backs]
        for answer in self.random.sample(done, 2):
            for line in answer.set_cookies if answer is not None else ():
                self.jar.receive(line, ORIGIN + own_path("callback"))

    async def sends_a_form(self) -> None:
        browser = self.browser
        fields = {"text": "t" * self.random.choice([10, 900, 2000])}
        stopped = await browser.post("/vault", fields, initiator=f"{ORIGIN}/page")
        if stopped.page.forms:
            self.note(await browser.submit(stopped, "Sign in", follow=False))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(size(3, 40)))
@pytest.mark.parametrize("response_mode", ["query", "form_post"])
async def test_no_order_of_events_makes_our_cookies_too_large(seed: int, response_mode: str, quiet: None) -> None:
    """Sessions, logins, forms, refreshes and visits that other sites make up: 8 kB for all of them, at any time."""
    walk = Walk(seed, authorization_params={"response_mode": response_mode})
    sizes = [0]

    for _ in range(STEPS):
        done = await walk.step()
        assert len(walk.header) <= MAX_COOKIE_HEADER, done
        sizes.append(len(walk.header))

    assert walk.jar.refused == []
    assert max(sizes) > MAX_COOKIE_HEADER // 2  # it was worth it


async def test_a_browser_that_other_sites_have_filled_can_still_sign_in_and_out(quiet: None) -> None:
    """Three visits were enough to shut a person out for ten minutes."""
    walk = Walk(0)
    for _ in range(10):
        await walk.is_led_to_a_login()
    walk.waiting.clear()

    await walk.opens_a_page()
    await walk.signs_in()
    signed_in = await who_am_i(walk.browser)
    await walk.browser.post("/auth/logout", follow=False)

    assert (signed_in in ("alice", "bob"), await who_am_i(walk.browser)) == (True, None)
