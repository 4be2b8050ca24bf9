"""A bad day, as Prometheus sees it: each outage shows in a metric of its own, for an alert."""

import re
from typing import Any
from urllib.request import urlopen

import anyio.to_thread
from prometheus_client import start_http_server

from asgi_oidc import Provider
from asgi_oidc.testing import FakeProvider
from tests.examples.guides import blocks, read_guide
from tests.protected_site import CLIENT_SECRET, ORIGIN, Site, cookie_header
from tests.scripted_store import ScriptedStore
from tests.telemetry.recorder import scraped
from tests.token_site import TokenSite

CALLS = "http_client_request_duration_seconds"  # to a provider


class Page:
    """What was added to the metrics since this object was made."""

    def __init__(self) -> None:
        self._before = _read(scraped())

    def added(self, name: str, **labels: object) -> float:
        """Return what was added to the samples of a metric that have these labels."""
        wanted = {f'{name}="{value}"' for name, value in labels.items()}
        now = _read(scraped())
        return sum(
            value - self._before.get(line, 0)
            for line, value in now.items()
            if line.startswith(f"{name}{{") and wanted <= set(re.findall(r'\w+="[^"]*"', line))
        )


def _read(text: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def named(name: str, **settings: Any) -> Site:
    """Make a site whose provider has a name."""
    fake = FakeProvider(alg="ES256")
    provider = Provider(
        issuer=fake.issuer, client_id="web", client_secret=CLIENT_SECRET, http_client=fake.http_client()
    )
    flat: dict[str, Any] = dict.fromkeys(("issuer", "client_id", "client_secret", "http_client"), ...)
    return Site(provider=fake, providers={name: provider}, **flat, **settings)


async def test_the_morning_the_provider_is_down():
    """Nobody can sign in; who is signed in does not notice."""
    site = named("work", session_idle=86_400)
    browser = await site.signed_in()
    page = Page()

    site.clock.advance(3601)
    with site.provider.fault("discovery_down", "token_500"):
        for _ in range(3):
            await site.browser().sign_in("alice", "/auth/login?provider=work")
            site.clock.advance(5)

    failed = {"asgi_oidc_provider": "work", "asgi_oidc_outcome": "failed", "asgi_oidc_code": "token_unavailable"}
    assert page.added("asgi_oidc_logins_total", **failed) == 3
    assert page.added(f"{CALLS}_count", asgi_oidc_endpoint="metadata", error_type="503") >= 3
    assert page.added(f"{CALLS}_count", asgi_oidc_endpoint="token", error_type="500") == 3
    assert page.added("asgi_oidc_denials_total", http_response_status_code=503) == 3
    assert (await browser.get("/auth/session")).status_code == 200


async def test_at_noon_the_keys_are_rotated_badly():
    """The provider signs with a key that it has not published."""
    site = named("work")
    await site.signed_in()
    page = Page()

    with site.provider.fault("id_token_made_up_kid"):
        for _ in range(2):
            await site.browser().sign_in("alice", "/auth/login?provider=work")

    assert page.added("asgi_oidc_logins_total", asgi_oidc_provider="work", asgi_oidc_code="kid_unknown") == 2
    assert page.added(f"{CALLS}_count", asgi_oidc_endpoint="jwks") >= 1


async def test_in_the_afternoon_the_store_is_lost():
    """Protected pages get 503, and each call shows how it failed."""
    store = ScriptedStore()
    site = Site(store=store)
    browser = await site.signed_in()
    page = Page()

    store.broken = {"get"}
    for _ in range(4):
        await browser.get("/page")

    failed = {"db_operation_name": "get", "error_type": "store_failed"}
    assert page.added("db_client_operation_duration_seconds_count", **failed) == 4
    assert page.added("asgi_oidc_denials_total", asgi_oidc_code="store_failed") == 4


async def test_in_the_evening_refreshes_fail_and_sessions_end():
    """First the provider is overloaded, then it has forgotten the grants."""
    site = TokenSite()
    browser = await site.signed_in()
    page = Page()

    for fault in ("refresh_down", "refresh_invalid_grant"):
        site.clock.advance(400)
        with site.provider.fault(fault):
            await browser.get("/page")

    assert page.added("asgi_oidc_refreshes_total", asgi_oidc_code="refresh_token_unavailable") == 1
    assert page.added("asgi_oidc_refreshes_total", asgi_oidc_outcome="session_ended") == 1


async def test_at_night_another_site_forges_requests():
    """Each of them is refused, and counted."""
    site = Site()
    browser = await site.signed_in()
    page = Page()

    for _ in range(5):
        headers = {"cookie": cookie_header(browser), "origin": "https://evil.example"}
        await site.call("/page", method="POST", headers=headers)

    assert page.added("asgi_oidc_denials_total", http_response_status_code=403, asgi_oidc_code="foreign_origin") == 5


async def test_prometheus_reads_it_over_http():
    """As it does every 15 seconds."""
    await Site().signed_in()

    server, thread = start_http_server(0, addr="127.0.0.1")
    try:
        url = f"http://127.0.0.1:{server.server_port}/metrics"
        text = await anyio.to_thread.run_sync(lambda: urlopen(url, timeout=10).read().decode("utf-8"))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

    assert re.search(r'^asgi_oidc_logins_total\{.*asgi_oidc_outcome="succeeded".*\} [1-9]', text, re.MULTILINE)
    assert "http_client_request_duration_seconds_bucket{" in text
    assert ORIGIN not in text


async def test_the_queries_of_the_guide_name_what_prometheus_reads():
    """A query for a name that does not exist shows nothing, on a bad day too."""
    store = ScriptedStore()
    site = named("work", store=store)
    await site.signed_in()
    with site.provider.fault("token_500"):
        await site.browser().sign_in("alice", "/auth/login?provider=work")
    store.broken = {"get"}
    await site.middleware.health()

    (queries,) = blocks(read_guide("telemetry"), "promql")

    text = scraped()
    words = set(re.findall(r"[a-z]+(?:_[a-z]+)+", re.sub(r"#.*", "", queries)))
    unknown = {word for word in words if f"{word}{{" not in text and f'{word}="' not in text}
    assert unknown == {"histogram_quantile", "transaction_missing"}
