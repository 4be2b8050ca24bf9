"""What do several providers cost a request, and how much memory does each take?

Run it as `python -m benchmarks.providers`. The requests are those of a signed-in user whose session was seen before, in
turn with those of an app that has a single provider, by the flat keywords.
"""

import asyncio
import tracemalloc

from benchmarks.harness import Harness, Make
from benchmarks.requests import seen_before
from benchmarks.sites import ORIGIN, SECRET, Site, bare, cookie_header

from asgi_oidc import OIDCMiddleware, Provider
from asgi_oidc.testing import Browser, FakeProvider

COUNTS = (1, 3, 300)
AT_MOST = 1.05  # times the request of an app with a single provider
TENANTS = 200  # whose memory is measured


def provider_of(fake: FakeProvider) -> Provider:
    """Describe a fake provider."""
    return Provider(
        issuer=fake.issuer,
        client_id="web",
        client_secret=fake.clients["web"].client_secret,
        scope="openid profile email offline_access",
        http_client=fake.http_client(),
    )


def fakes(count: int) -> dict[str, FakeProvider]:
    """Make that many providers."""
    return {f"p{number}": FakeProvider(f"https://p{number}.example.net", alg="ES256") for number in range(count)}


async def sign_in(middleware: OIDCMiddleware, fake: FakeProvider, name: str) -> str:
    """Sign in at a provider; return the Cookie header that the browser then sends."""
    browser = Browser(middleware, ORIGIN, {fake.issuer: fake})
    await browser.sign_in("alice", f"/auth/login?provider={name}&return_to=/orders")
    return cookie_header(browser, ORIGIN)


def named(count: int) -> Make:
    """Make a site with that many named providers, whose user comes from the last one."""

    async def make() -> Site:
        made = fakes(count)
        providers = {name: provider_of(fake) for name, fake in made.items()}
        middleware = OIDCMiddleware(bare, providers=providers, base_url=ORIGIN, secret=SECRET, public=["/public/*"])
        name = f"p{count - 1}"
        return Site(middleware, [await sign_in(middleware, made[name], name)], ["/orders"])

    return make


async def looked_up() -> Site:
    """Make a site whose provider is looked up."""
    (name, fake), *_ = fakes(1).items()

    class OneTenant:
        async def get(self, name: str) -> Provider | None:
            return tenant

    tenant = provider_of(fake)
    middleware = OIDCMiddleware(bare, providers=OneTenant(), base_url=ORIGIN, secret=SECRET, public=["/public/*"])
    return Site(middleware, [await sign_in(middleware, fake, name)], ["/orders"])


CASES: dict[str, Make] = {**{f"{count} named": named(count) for count in COUNTS}, "looked up": looked_up}


async def bytes_per_provider() -> float:
    """Measure what one provider takes after a login: its connection, with metadata and keys."""
    made = fakes(TENANTS)

    class Source:
        async def get(self, name: str) -> Provider | None:
            return provider_of(made[name])

    middleware = OIDCMiddleware(bare, providers=Source(), base_url=ORIGIN, secret=SECRET)
    await sign_in(middleware, made["p0"], "p0")
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    for name in list(made)[1:]:
        await sign_in(middleware, made[name], name)
    after = tracemalloc.take_snapshot()
    tracemalloc.stop()
    own = [tracemalloc.Filter(False, "*/asgi_oidc/testing/*"), tracemalloc.Filter(False, __file__)]
    differences = after.filter_traces(own).compare_to(before.filter_traces(own), "filename")
    return sum(difference.size_diff for difference in differences) / (TENANTS - 1)


def main() -> None:
    """Measure the ratios, then the memory."""
    harness = Harness("providers")
    for name, make in CASES.items():
        harness.ratio(name, make, seen_before)
    if not harness.is_main:
        return
    for name in CASES:
        harness.row(name, harness.spread[name], "times", at_most=AT_MOST)
    harness.row("memory of one provider", asyncio.run(bytes_per_provider()) / 1000, "kB")
    harness.save()


if __name__ == "__main__":
    main()
