"""The requests whose instructions are counted; `benchmarks/instructions.py` runs this under valgrind.

Only the middleware's own call counts: a request is also made to the app at once, which is subtracted, and what the
provider does is left out.
"""

import asyncio
import gc
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
from benchmarks.callgrind import Counter
from benchmarks.sites import CLAIMS, ID_TOKEN, SECRET, OurSite, Site, bare, cookie_header, signed_cookie
from starlette.middleware.sessions import SessionMiddleware

from asgi_oidc import Bearer, MemoryStore
from asgi_oidc.testing import FakeProvider

API = "https://api.example.com"
WARM_UP = 10  # requests before those that are counted: Python adapts its code to what it sees
AT_ONCE = "at once: "  # names the same requests to the app itself
# In other builds of Python, its own code takes fewer or more instructions, and that of OpenSSL as many: a bit of both.
REFERENCE, REFERENCE_TIMES = "an app that hashes a short text", 50

MakeSite = Callable[..., OurSite]


class Uncounted(httpx.AsyncBaseTransport):
    """Leaves out what the provider does."""

    def __init__(self, provider: FakeProvider, counter: Counter) -> None:
        self.inner = httpx.ASGITransport(app=provider)
        self.counter = counter

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a call on."""
        with self.counter.left_out():
            return await self.inner.handle_async_request(request)


@dataclass(frozen=True)
class Step:
    """One kind of request.

    Attributes:
        make: prepares that many of these requests, given a function that makes a site.
        times: how many are counted.
        status: of the responses.
    """

    make: Callable[[MakeSite, int], Awaitable[Site]]
    times: int
    status: int = 200


async def seen_before(make_site: MakeSite, count: int) -> Site:
    return await make_site().signed_in()


async def not_seen_before(make_site: MakeSite, count: int) -> Site:
    site = make_site()
    cookies = [await site.sign_in() for _ in range(count)]
    return Site(make_site(provider=site.provider).app, cookies)  # another process, as it were


async def in_memory(make_site: MakeSite, count: int) -> Site:
    return await make_site(store=MemoryStore()).signed_in()


async def public_path(make_site: MakeSite, count: int) -> Site:
    return Site(make_site().app, paths=["/public/page"])


async def to_the_provider(make_site: MakeSite, count: int) -> Site:
    return Site(make_site().app)


async def back_from_the_provider(make_site: MakeSite, count: int) -> Site:
    site = make_site()
    site.provider.sign_in_as("alice")
    callbacks = [await next_callback(site) for _ in range(count)]
    return Site(site.app, [cookies for cookies, _ in callbacks], [path for _, path in callbacks])


async def next_callback(site: OurSite) -> tuple[str, str]:
    """Log in up to the callback; return the cookies and the path of the request that finishes the login."""
    browser = site.browser()
    sent = await browser.get("/orders", follow=False)
    back = await browser.get(sent.location, follow=False)
    return cookie_header(browser, site.origin), back.location.removeprefix(site.origin)


async def sign_out(make_site: MakeSite, count: int) -> Site:
    site = make_site()
    cookies = [await site.sign_in() for _ in range(count)]
    return Site(site.app, cookies, ["/auth/logout"], method="POST")


async def token_seen_before(make_site: MakeSite, count: int) -> Site:
    site = make_site(bearer=Bearer(audience=API))
    return Site(site.app, lines=[f"authorization: Bearer {site.provider.access_token('alice', audience=API)}"])


async def session_middleware(make_site: MakeSite, count: int) -> Site:
    return Site(SessionMiddleware(bare, SECRET), [signed_cookie({"user": CLAIMS, "id_token": ID_TOKEN})])


async def session_middleware_with_all_tokens(make_site: MakeSite, count: int) -> Site:
    return Site(SessionMiddleware(bare, SECRET), [signed_cookie(await make_site().content())])


async def hashing(scope: Any, receive: Any, send: Any) -> None:
    """Do what any request does, and hash a text."""
    hashlib.sha256(ID_TOKEN.encode()).digest()
    await bare(scope, receive, send)


STEPS = {
    "session seen before": Step(seen_before, 50),
    "session not seen before": Step(not_seen_before, 10),
    "session in MemoryStore": Step(in_memory, 50),
    "public path, nobody signed in": Step(public_path, 50),
    "redirect to the provider": Step(to_the_provider, 10, 303),
    "callback that finishes a login": Step(back_from_the_provider, 10, 303),
    "sign-out": Step(sign_out, 10, 303),
    "access token seen before": Step(token_seen_before, 50),
}
OTHERS = {  # for comparison
    "SessionMiddleware with an ID Token": Step(session_middleware, 50),
    "SessionMiddleware with all tokens": Step(session_middleware_with_all_tokens, 50),
}


async def count_all(counter: Counter) -> None:
    """Prepare all requests, then make and count them."""

    def make_site(*, provider: FakeProvider | None = None, **settings: Any) -> OurSite:
        provider = provider or FakeProvider(alg="ES256")
        client = httpx.AsyncClient(transport=Uncounted(provider, counter))
        return OurSite(provider=provider, http_client=client, **settings)

    steps = STEPS | OTHERS
    sites = {name: await step.make(make_site, WARM_UP + step.times) for name, step in steps.items()}
    gc.collect()
    gc.disable()
    counter.start()
    await count(counter, REFERENCE, Site(hashing), Step(public_path, REFERENCE_TIMES))
    for name, step in steps.items():
        await count(counter, name, sites[name], step)
        await count(counter, AT_ONCE + name, replace(sites[name], app=bare), replace(step, status=200))


async def count(counter: Counter, name: str, site: Site, step: Step) -> None:
    """Make and count the requests of one kind, and check how they were answered."""
    statuses: list[int | None] = []

    async def note(message: Any) -> None:
        statuses.append(message.get("status"))

    request = site.request(note)
    for _ in range(WARM_UP):
        await request()
    with counter.counted(name):
        for _ in range(step.times):
            await request()
    answered = [status for status in statuses if status is not None]
    if answered != [step.status] * (WARM_UP + step.times):
        raise RuntimeError(f"{name}: expected {step.status} each time, got {answered}")


if __name__ == "__main__":
    asyncio.run(count_all(Counter()))
