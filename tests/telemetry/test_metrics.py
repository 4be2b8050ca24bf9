"""The counters and durations of logins, refreshes, sign-outs, tokens and denials."""

import contextlib
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import HistogramDataPoint
from quart import Quart

from asgi_oidc import Bearer, MemoryStore, Rule, telemetry
from asgi_oidc.integrations.quart import requires
from asgi_oidc.telemetry import catalogue
from asgi_oidc.telemetry.bounded import OTHER, BoundedValues
from asgi_oidc.telemetry.instruments import MAX_ADDRESSES, MAX_CODES, MAX_PROVIDERS
from tests.logout_site import LogoutSite, sid_of
from tests.protected_site import ORIGIN, PROGRAM, Site, cookie_header
from tests.providers.tenants import TenantSite
from tests.providers.three_providers import ThreeProviders
from tests.telemetry.recorder import Labels, Recording, recording
from tests.token_site import TokenSite


def counted(recorded: Recording, counter: catalogue.Counter) -> dict[Labels, float]:
    """Return what a counter has counted, by the attributes."""
    points = recorded.metrics().get(counter.name, {})
    return {labels: getattr(point, "value", 0) for labels, point in points.items()}


def labels(**attributes: Any) -> Labels:
    """Write the attributes of ours."""
    return frozenset({f"asgi_oidc.{name}": value for name, value in attributes.items()}.items())


async def test_logins_are_counted_by_provider_and_outcome():
    """A provider at which they fail stands out."""
    site = ThreeProviders()

    with recording() as recorded:
        await site.signed_in("one")
        await site.signed_in("one")
        with site.fakes["two"].fault("token_500"):
            await site.browser().sign_in("alice", "/auth/login?provider=two&return_to=/private")
        found = counted(recorded, catalogue.LOGINS)

    assert found == {
        labels(provider="one", outcome="succeeded"): 2,
        labels(provider="two", outcome="failed", code="token_unavailable"): 1,
    }


async def test_logins_that_never_come_back_show_as_a_difference():
    """Users who give up, or whom the provider turns away, never reach the callback."""
    site = Site()

    with recording() as recorded:
        await site.browser().get("/private", follow=False)
        await site.signed_in()
        found = recorded.metrics()

    started, finished = found[catalogue.LOGINS_STARTED.name], found[catalogue.LOGINS.name]
    assert [getattr(point, "value", 0) for point in (*started.values(), *finished.values())] == [2, 1]


async def test_a_login_that_cannot_start_has_the_code():
    """As while the provider is down."""
    site = Site()

    with recording() as recorded, site.provider.fault("discovery_down"):
        await site.browser().get("/private", follow=False)
        found = counted(recorded, catalogue.LOGINS_STARTED)

    assert found == {labels(outcome="failed", code="metadata_unavailable"): 1}


async def test_the_time_of_a_login_includes_the_user():
    """From the redirect to the session; the callback alone is ours."""
    site = Site()

    with recording() as recorded:
        browser, url = await site.at_callback()
        site.clock.advance(45)
        await browser.get(url)
        found = recorded.metrics()

    (whole,), (callback,) = (
        found[each.name].values() for each in (catalogue.LOGIN_DURATION, catalogue.CALLBACK_DURATION)
    )
    assert isinstance(whole, HistogramDataPoint)
    assert isinstance(callback, HistogramDataPoint)
    assert (whole.sum, whole.explicit_bounds) == (45, catalogue.LOGIN_BUCKETS)
    assert callback.sum < 45
    assert callback.explicit_bounds == catalogue.HTTP_BUCKETS


async def test_refreshes_are_counted_by_outcome():
    """A session that the provider has ended is no failure of ours."""
    site = TokenSite()
    browser = await site.signed_in()
    outcomes = []

    with recording() as recorded:
        for fault in ((), ("refresh_down",), ("refresh_invalid_grant",)):
            site.clock.advance(400)
            with site.provider.fault(*fault):
                await browser.get("/page", headers=PROGRAM)
            outcomes.append(counted(recorded, catalogue.REFRESHES))

    assert outcomes == [
        {labels(outcome="succeeded"): 1},
        {labels(outcome="failed", code="refresh_token_unavailable"): 1},
        {labels(outcome="session_ended", code="session_ended"): 1},
    ]


async def test_sign_outs_are_counted_by_who_caused_them():
    """The user, the provider, or the app."""
    site = LogoutSite(store=MemoryStore())
    one, two = await site.signed_in(), await site.signed_in("bob")

    with recording() as recorded:
        await one.post("/auth/logout", headers={"origin": ORIGIN}, follow=False)
        await site.hear(site.provider.logout_token(sub="bob", sid=await sid_of(two)))
        await site.hear("forged")
        await site.signed_in()
        await site.middleware.sessions.end_all("alice")
        found = counted(recorded, catalogue.LOGOUTS)

    assert found == {
        labels(by="user", outcome="succeeded"): 1,
        labels(by="provider", outcome="succeeded"): 1,
        labels(by="provider", outcome="failed", code="token_malformed"): 1,
        labels(by="app", outcome="succeeded"): 1,
    }


async def test_denials_are_counted_by_status_and_code():
    """A rule that shuts everybody out, or a page that others forge requests for, stands out."""
    site = Site(rules=[Rule("/admin/*", claims={"roles": "nobody-has-it"}), Rule("/step", acr_values=["gold"])])
    browser = await site.signed_in()

    with recording() as recorded:
        await site.browser().fetch("/page")
        await browser.fetch("/admin/x")
        await browser.fetch("/step")
        forged = {"cookie": cookie_header(browser), "origin": "https://evil.example"}
        await site.call("/page", method="POST", headers=forged)
        found = counted(recorded, catalogue.DENIALS)

    assert {(dict(each)["http.response.status_code"], dict(each)["asgi_oidc.code"]) for each in found} == {
        (401, "login_required"),
        (403, "forbidden"),
        (401, "insufficient_user_authentication"),
        (403, "foreign_origin"),
    }


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # Quart has no other
async def test_what_a_route_denies_is_counted_as_well():
    """An alert must not depend on whether a rule or a route shuts people out."""
    app = Quart(__name__)

    @app.get("/reports")
    @requires(claims={"roles": "nobody-has-it"})
    async def reports() -> str:
        return ""

    @app.get("/step")
    @requires(acr_values=["gold"])
    async def step() -> str:
        return ""

    site = Site(inner=app, public="everything-but-rules")
    browser = site.browser()
    await browser.sign_in("alice", "/auth/login?return_to=/elsewhere")

    with recording() as recorded:
        await site.browser().fetch("/reports")
        await browser.fetch("/reports")
        await browser.fetch("/step")
        found = counted(recorded, catalogue.DENIALS)

    assert {(dict(each)["http.response.status_code"], dict(each)["asgi_oidc.code"]) for each in found} == {
        (401, "login_required"),
        (403, "forbidden"),
        (401, "insufficient_user_authentication"),
    }


async def test_access_tokens_are_counted_once_when_they_are_verified():
    """A token that is known to be valid costs nothing, and is not counted again."""
    site = Site(bearer=Bearer(audience="https://api.example.com"))
    token = site.provider.access_token("alice", audience="https://api.example.com")

    with recording() as recorded:
        for value in (token, token, "forged"):
            await site.call("/page", headers={"authorization": f"Bearer {value}"})
        found = counted(recorded, catalogue.TOKENS)

    assert found == {labels(outcome="accepted"): 1, labels(outcome="refused", code="token_inactive"): 1}


async def test_names_of_tenants_appear_only_once_they_are_found():
    """Anyone can make names up, and each one would be a time series."""
    site = TenantSite("acme")

    with recording() as recorded:
        await site.signed_in("acme")
        for number in range(20):
            await site.browser().get(f"/auth/login?provider=made-up-{number}", follow=False)
            await site.browser().get(f"/auth/callback/made-up-{number}?code=x&state=y", follow=False)
        found = recorded.metrics()

    assert "made-up" not in repr(found)
    assert {dict(each).get("asgi_oidc.provider") for each in found["http.client.request.duration"]} == {"acme"}


def test_names_of_providers_and_codes_are_bounded_in_every_metric():
    """An app that makes a provider for any name, and an exception class for any call, must not fill the collector."""
    with recording() as recorded:
        for number in range(MAX_CODES + 50):
            name = f"tenant-{number}"
            telemetry.name_provider(name)
            telemetry.count(catalogue.LOGINS, provider=name, code=f"code-{number}")
            failure = type(f"Error{number}", (Exception,), {})
            with (
                contextlib.suppress(failure),
                telemetry.provider_call("POST", "https://id.test/token", endpoint="token", provider=name),
            ):
                raise failure
        found = recorded.metrics()

    series = [dict(each) for name in (catalogue.LOGINS.name, catalogue.PROVIDER_CALLS.name) for each in found[name]]
    names = {each.get("asgi_oidc.provider") for each in series}
    codes = {each[key] for each in series for key in ("asgi_oidc.code", "error.type") if key in each}
    assert (len(names), len(codes)) == (MAX_PROVIDERS + 1, MAX_CODES + 1)


def test_hosts_and_ports_of_providers_are_bounded():
    """A tenant could name new ones every hour."""
    with recording() as recorded:
        for port in range(MAX_ADDRESSES + 50):
            url = f"https://tenant.example.net:{10_000 + port}/token"
            with telemetry.provider_call("POST", url, endpoint="token", provider="") as call:
                call.answered(200)
        found = recorded.metrics()[catalogue.PROVIDER_CALLS.name]

    ports = {dict(each).get("server.port") for each in found}
    assert len(ports) <= MAX_ADDRESSES + 1
    assert any(dict(each)["server.address"] == OTHER for each in found)


def test_there_are_at_most_a_hundred_names_in_metrics():
    """Tenants beyond that are counted together; a trace has the name of each."""
    names = BoundedValues(MAX_PROVIDERS)

    added = [names.add(f"tenant-{number}") for number in range(MAX_PROVIDERS + 1)]

    assert added[-2:] == [f"tenant-{MAX_PROVIDERS - 1}", OTHER]
    assert names.add("tenant-0") == names.get("tenant-0") == "tenant-0"
    assert names.get("tenant-9999") == OTHER


async def test_calls_to_a_provider_are_counted_by_status():
    """An endpoint that answers 500 stands out."""
    site = Site()

    with recording() as recorded, site.provider.fault("token_500"):
        await site.failed_login()
        found = recorded.metrics()["http.client.request.duration"]

    statuses = {dict(each).get("http.response.status_code") for each in found}
    assert statuses == {200, 500}


@pytest.mark.parametrize("metric", [*catalogue.COUNTERS, *catalogue.HISTOGRAMS])
def test_names_and_units_follow_the_conventions(metric):
    """Lower case with dots; a counter of things has their name in braces as its unit."""
    assert metric.name == metric.name.lower()
    assert metric.description
    if isinstance(metric, catalogue.Counter):
        assert metric.unit.strip("{}").isalpha()
    else:
        assert list(metric.buckets) == sorted(metric.buckets)
