"""Many people sign in and refresh at once, and no answer ever reaches the wrong one."""

import random
from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc.testing import Browser, FakeProvider, numbered_personas
from tests.security.sizes import size
from tests.token_site import LIFETIME, STORES, TokenSite

pytestmark = pytest.mark.usefixtures("one_or_three_providers")

PEOPLE = size(40, 1000)
MAX_PAUSE_LENGTH = 0.05  # seconds by which an answer of the provider is late, at random: they cross all the time


class CrossingAnswers:
    """The provider, whose answers come in another order than the calls."""

    def __init__(self, provider: FakeProvider) -> None:
        self._provider = provider
        self._dice = random.Random(7)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await anyio.sleep(self._dice.uniform(0, MAX_PAUSE_LENGTH))
        await self._provider(scope, receive, send)


class Crowd:
    """All of them, each with a browser, at a site that tells who came with which token."""

    def __init__(self, kept_in: str, tokens: str = "all") -> None:
        provider = FakeProvider(alg="ES256", personas=numbered_personas(PEOPLE))
        network = httpx.ASGITransport(app=CrossingAnswers(provider))
        client = httpx.AsyncClient(transport=network)
        self.site = TokenSite(kept_in, provider=provider, http_client=client, tokens=tokens)
        self.browsers: dict[str, Browser] = {sub: self.site.browser() for sub in provider.personas}
        self.seen: list[tuple[str, str, str]] = []
        """Whose browser it was, who the app saw, and whose token that was."""
        for sub, browser in self.browsers.items():
            browser.jar.receive(provider.session_cookie(sub), provider.issuer)
        self.site.app.at_work = self.ask_for_both_tokens

    async def ask_for_both_tokens(self, scope: Any) -> None:
        """Be a page that calls two APIs."""
        whose = next(value for name, value in scope["headers"] if name == b"x-browser-of").decode()
        oidc = scope["oidc"]
        for token in (await oidc.access_token(), await oidc.exchange_token(audience="orders")):
            owner = self.site.provider.token_info(token)
            assert owner.active
            self.seen.append((whose, scope["user"].sub, owner.sub or ""))

    async def all_visit(self) -> None:
        """Let everybody open the page at the same time."""

        async def visit(sub: str, browser: Browser) -> None:
            page = await browser.get("/page", headers={"x-browser-of": sub})
            assert (page.status_code, page.json()["sub"]) == (200, sub)

        async with anyio.create_task_group() as tasks:
            for sub, browser in self.browsers.items():
                tasks.start_soon(visit, sub, browser)


@pytest.mark.long
@pytest.mark.parametrize(("kept_in", "tokens"), [*((each, "all") for each in STORES), ("cookies", "refresh")])
async def test_no_user_ever_sees_another_users_data_or_tokens(kept_in, tokens):
    """Whoever mixes answers up hands one person's data to another, and so does whoever mixes up what is in memory."""
    crowd = Crowd(kept_in, tokens)

    await crowd.all_visit()
    crowd.site.clock.advance(LIFETIME + 1)
    await crowd.all_visit()

    assert set(crowd.seen) == {(sub, sub, sub) for sub in crowd.browsers}
    assert len(crowd.seen) == 4 * PEOPLE
    assert crowd.site.refreshes == PEOPLE
