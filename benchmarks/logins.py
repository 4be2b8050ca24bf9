"""What does a login cost: CPU of the app's process, calls to the provider, and logins per second with one worker?

Run it as `python -m benchmarks.logins`. The app, the provider and the browsers are processes of their own; the CPU time
is that of the app's process as reported by the system.
"""

import asyncio
import os
import ssl
import time
from collections import Counter

import httpx
from benchmarks.fleet import serving, sign_in
from benchmarks.harness import Figures
from benchmarks.sites import OurSite

from asgi_oidc.testing import FakeProvider

LOGINS = 1600
BROWSERS = 8
NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "none"}
TLS = ssl.create_default_context()  # one for all browsers: to make one takes longer than many logins
AT_ONCE = 100
SLOW = 0.1  # seconds that the provider takes for each answer
ROUNDS = 3


async def log_in(url: str, times: int) -> None:
    """Sign new browsers in, one after the other."""
    for _ in range(times):
        async with httpx.AsyncClient(headers=NAVIGATION, verify=TLS) as browser:
            at = await browser.get(f"{url}/orders")
            for _ in range(2):
                at = await browser.send(at.next_request)  # type: ignore[arg-type]
            if at.status_code != 303 or not at.headers.get_list("set-cookie"):
                raise RuntimeError(f"no login: {at.status_code}")


async def cold_start(userinfo: str) -> Counter[str]:
    """Make many concurrent first logins at a cold process, and count the calls to the provider."""
    provider = FakeProvider(alg="ES256")
    provider.latency = SLOW
    site = OurSite(provider=provider, userinfo=userinfo)
    await asyncio.gather(*(site.browser().sign_in("alice", "/orders") for _ in range(AT_ONCE)))
    return counted(provider)


async def warm(userinfo: str) -> Counter[str]:
    """Count the calls to the provider for one more login."""
    site = OurSite(userinfo=userinfo)
    await site.sign_in()
    del site.provider.calls[:]
    await site.sign_in()
    return counted(site.provider)


def counted(provider: FakeProvider) -> Counter[str]:
    """Count calls by endpoint, without those that a browser makes."""
    names = Counter(call.path.rpartition("/")[2] for call in provider.calls)
    return Counter({name: count for name, count in names.items() if name != "authorize"})


def main() -> None:
    """Count calls, then load the servers."""
    figures = Figures("logins")
    for userinfo in ("auto", "always"):
        calls = asyncio.run(warm(userinfo))
        figures.row(f"calls of a login, once warm, userinfo={userinfo}", calls.total(), "calls")
    for name, count in sorted(asyncio.run(cold_start("auto")).items()):
        figures.row(f"{AT_ONCE} first logins at once: {name}", count, "calls")
    cores = sorted(os.sched_getaffinity(0))
    with (
        serving("provider", core=cores[-1]) as provider,
        serving("asgi-oidc", provider=provider.url, core=cores[0]) as app,
    ):
        sign_in(app.url)
        asyncio.run(log_in(app.url, 100))
        spent = []
        for _ in range(ROUNDS):
            cpu, began = app.cpu(), time.monotonic()
            asyncio.run(together(app.url))
            spent.append(((app.cpu() - cpu) / LOGINS, LOGINS / (time.monotonic() - began)))
    cpu = min(each for each, _ in spent)
    figures.row("CPU of the app's process for a login", cpu * 1e3, "ms")
    figures.row("logins a second that one core has time for", 1 / cpu, "logins/s")
    figures.row("logins a second, as fast as the browsers here go", max(it for _, it in spent), "logins/s")
    figures.save()


async def together(url: str) -> None:
    """Sign several browsers in concurrently."""
    await asyncio.gather(*(log_in(url, LOGINS // BROWSERS) for _ in range(BROWSERS)))


if __name__ == "__main__":
    main()
