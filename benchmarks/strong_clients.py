"""What does a strong client cost: a login with private_key_jwt, PAR and DPoP beside a plain one, and later requests?

Run it as `python -m benchmarks.strong_clients`. As in `benchmarks.logins`, the app, the provider and the browsers are
processes of their own, and the CPU time is that of the app's process as reported by the system. Both apps run side by
side, and take turns.
"""

import asyncio
import json
import os
import statistics
from collections import Counter
from typing import Any

import httpx
from benchmarks.fleet import Server, serving
from benchmarks.harness import Figures
from benchmarks.logins import NAVIGATION, TLS, counted, log_in
from benchmarks.sites import OurSite

from asgi_oidc.testing import Client, ClientKey, FakeProvider

LOGINS = 300  # in each round
REQUESTS = 3000  # in each round
ROUNDS = 7
KEY = ClientKey()


async def warm_calls() -> Counter[str]:
    """Count the calls to the provider for one more login of a strong client, when its nonces are known."""
    provider = FakeProvider(alg="ES256", clients=[Client("web", None, jwks=[KEY.public_jwk])])
    provider.requires_par = provider.requires_dpop = True
    provider.dpop_nonces = "always"
    strong: dict[str, Any] = {
        "client_secret": None,
        "client_key": KEY.pem,
        "par": "always",
        "dpop": "always",
        "userinfo": "always",
    }
    site = OurSite(provider=provider, **strong)
    await site.sign_in()
    del provider.calls[:]
    await site.sign_in()
    return counted(provider)


async def make_requests(url: str, times: int) -> None:
    """Sign in once, and request a page that uses no token."""
    async with httpx.AsyncClient(headers=NAVIGATION, verify=TLS) as browser:
        at = await browser.get(f"{url}/orders")
        while at.next_request is not None:
            at = await browser.send(at.next_request)
        for _ in range(times):
            await browser.get(f"{url}/orders")


def spend_on_logins(app: Server) -> float:
    """Return the CPU time of the app for a login, in seconds."""
    before = app.cpu()
    asyncio.run(log_in(app.url, LOGINS))
    return (app.cpu() - before) / LOGINS


def spend_on_requests(app: Server) -> float:
    """Return the CPU time of the app for a request, in seconds; the login counts too, and is the smallest part."""
    before = app.cpu()
    asyncio.run(make_requests(app.url, REQUESTS))
    return (app.cpu() - before) / REQUESTS


def main() -> None:
    """Count calls, then load both servers in turns."""
    figures = Figures("strong_clients")
    figures.row("calls of a strong login, once warm", asyncio.run(warm_calls()).total(), "calls")
    jwk, cores = json.dumps(KEY.public_jwk), sorted(os.sched_getaffinity(0))
    with (
        serving("provider", core=cores[-1], CLIENT_JWK=jwk) as provider,
        serving("asgi-oidc", provider=provider.url, core=cores[0]) as plain,
        serving("strong client", provider=provider.url, core=cores[0], CLIENT_KEY=KEY.pem) as strong,
    ):
        for app in (plain, strong):
            asyncio.run(log_in(app.url, 50))
        logins = [(spend_on_logins(plain), spend_on_logins(strong)) for _ in range(ROUNDS)]
        requests = [(spend_on_requests(plain), spend_on_requests(strong)) for _ in range(ROUNDS)]
    figures.row("CPU of the app's process for a plain login", min(each for each, _ in logins) * 1e3, "ms")
    figures.row("CPU of the app's process for a strong login", min(each for _, each in logins) * 1e3, "ms")
    for name, pairs in (("login", logins), ("signed-in request without a token", requests)):
        ratios = sorted(strong / plain for plain, strong in pairs)
        spread = {"least": ratios[0], "most": ratios[-1]}
        figures.row(f"{name}: strong, as a multiple of plain", statistics.median(ratios), "", **spread)
    figures.save()


if __name__ == "__main__":
    main()
