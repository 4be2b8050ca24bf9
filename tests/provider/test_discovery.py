"""The metadata: asked for when first needed, kept an hour, kept on while the provider is down."""

import anyio
import pytest

from asgi_oidc.errors import AnswerRejected, ProviderError, ProviderUnavailable
from asgi_oidc.provider.discovery import BURST, FRESH, INTERVAL, STALE
from asgi_oidc.testing import FakeProvider
from tests.provider.provider_caches import Caches, all_at_once


async def code_of(caches: Caches) -> str:
    with pytest.raises(ProviderError) as caught:
        await caches.discovery.metadata()
    return caught.value.code


async def test_no_discovery_call_is_made_before_it_is_needed(caches):
    """The app starts while the provider is down."""
    assert caches.metadata_calls == 0

    await caches.discovery.metadata()

    assert caches.metadata_calls == 1


@pytest.mark.parametrize(("age", "calls"), [(0, 1), (FRESH - 1, 1), (FRESH, 2)])
async def test_it_is_fresh_for_an_hour(caches, age, calls):
    """It changes about once a year."""
    await caches.discovery.metadata()

    caches.clock.advance(age)
    await caches.discovery.metadata()

    assert caches.metadata_calls == calls


async def test_what_changed_is_seen_after_an_hour(caches):
    """A provider moves its endpoints now and then."""
    await caches.discovery.metadata()
    caches.provider.metadata["token_endpoint"] = "https://new.example.com/token"

    caches.clock.advance(FRESH)

    assert (await caches.discovery.metadata()).token_endpoint == "https://new.example.com/token"


@pytest.mark.parametrize("fault", ["discovery_down", "discovery_html", "discovery_issuer_mismatch"])
async def test_stale_metadata_is_used_during_an_outage(caches, fault):
    """An outage of a day stops nobody who is known."""
    known = await caches.discovery.metadata()

    with caches.provider.fault(fault):
        for age in (FRESH, STALE - 1):
            caches.clock.advance(age)
            assert await caches.discovery.metadata() == known


async def test_metadata_that_is_too_stale_is_not_used(caches):
    """Then it is an outage."""
    await caches.discovery.metadata()

    caches.clock.advance(FRESH + STALE)
    with caches.provider.fault("discovery_down"):
        assert await code_of(caches) == "metadata_unavailable"


async def test_a_provider_that_is_down_is_not_called_again_at_once(caches):
    """Else every visitor would make us call it, ten seconds each."""
    with caches.provider.fault("discovery_down"):
        codes = [await code_of(caches) for _ in range(BURST + 2)]
        caches.clock.advance(INTERVAL)
        codes.append(await code_of(caches))

    assert codes == ["metadata_unavailable"] * BURST + ["metadata_cool_down"] * 2 + ["metadata_unavailable"]
    assert caches.metadata_calls == BURST + 1


async def test_it_works_again_as_soon_as_the_provider_does(caches):
    """After the cool-down at the latest."""
    with caches.provider.fault("discovery_down"):
        for _ in range(BURST + 1):
            await code_of(caches)

    caches.clock.advance(INTERVAL)

    assert (await caches.discovery.metadata()).issuer == caches.provider.issuer


async def test_the_cool_down_says_how_long(caches):
    """It becomes the Retry-After of a 503."""
    with caches.provider.fault("discovery_down"):
        for _ in range(BURST):
            await code_of(caches)
        with pytest.raises(ProviderUnavailable) as caught:
            await caches.discovery.metadata()

    assert caught.value.retry_after == INTERVAL


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("discovery_issuer_mismatch", "metadata_issuer"),
        ("discovery_html", "metadata_not_json"),
        ("discovery_redirect", "metadata_redirect"),
        ("discovery_endpoints_plain_http", "metadata_endpoint"),
        ("discovery_members_of_wrong_type", "metadata_invalid"),
        ("discovery_down", "metadata_unavailable"),
    ],
)
async def test_a_document_that_cannot_be_used_says_why(caches, fault, code):
    """By a code, for the log."""
    with caches.provider.fault(fault):
        assert await code_of(caches) == code


@pytest.mark.parametrize(
    "issuer", ["https://id.example.com", "https://id.example.com/realms/one", "https://id.example.com/tenant/"]
)
async def test_every_form_of_issuer_is_found(issuer):
    """With a path, and with a slash at the end."""
    caches = Caches(FakeProvider(issuer))

    assert (await caches.discovery.metadata()).issuer == issuer


async def test_an_issuer_that_differs_by_a_slash_is_another_one():
    """Discovery §4.3: compared exactly."""
    provider = FakeProvider("https://id.example.com/tenant/")
    caches = Caches(provider)
    provider.metadata["issuer"] = "https://id.example.com/tenant"

    assert await code_of(caches) == "metadata_issuer"


async def test_endpoints_given_by_hand_need_no_document():
    """For a provider without discovery."""
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    caches = Caches(configured={name: f"https://id.example.com/{name}" for name in names})

    with caches.provider.fault("discovery_down"):
        caches.clock.advance(10 * (FRESH + STALE))
        metadata = await caches.discovery.metadata()

    assert (metadata.jwks_uri, caches.metadata_calls) == ("https://id.example.com/jwks_uri", 0)


async def test_some_members_given_by_hand_win_over_the_document():
    """For one that says it wrong."""
    caches = Caches(configured={"token_endpoint": "https://inner.example.com/token"})

    metadata = await caches.discovery.metadata()

    assert metadata.token_endpoint == "https://inner.example.com/token"
    assert (metadata.jwks_uri, caches.metadata_calls) == (caches.provider.metadata["jwks_uri"], 1)


async def test_a_clock_that_is_set_back_makes_it_due_and_not_dead(caches):
    """Machines correct their clocks after they start."""
    known = await caches.discovery.metadata()

    caches.clock.advance(-100_000)
    with caches.provider.fault("discovery_down"):
        assert await caches.discovery.metadata() == known
    await caches.discovery.metadata()

    assert caches.metadata_calls == 3


async def test_concurrent_requests_share_one_discovery_call(caches):
    """A hundred first logins on a cold process."""
    results = await all_at_once(100, caches.discovery.metadata)

    assert {result.issuer for result in results} == {caches.provider.issuer}
    assert caches.metadata_calls == 1


async def test_many_at_once_share_one_failure(caches):
    """And one outage is one call too."""
    caches.gate.shut()
    results: list[object] = []

    async def gather() -> None:
        results.extend(await all_at_once(20, caches.discovery.metadata))

    with caches.provider.fault("discovery_html"):
        async with anyio.create_task_group() as group:
            group.start_soon(gather)
            await caches.gate.arrival()
            await anyio.wait_all_tasks_blocked()
            caches.gate.open()

    assert {type(result) for result in results} == {AnswerRejected}
    assert (len(results), caches.metadata_calls) == (20, 1)


async def test_when_the_first_goes_away_the_others_get_it_all_the_same(caches):
    """A browser that hangs up is nobody else's error."""
    caches.gate.shut()
    issuers: list[str] = []

    async def first(scope: anyio.CancelScope) -> None:
        with scope:
            await caches.discovery.metadata()

    async def second() -> None:
        issuers.append((await caches.discovery.metadata()).issuer)

    async with anyio.create_task_group() as group:
        scope = anyio.CancelScope()
        group.start_soon(first, scope)
        await caches.gate.arrival()
        group.start_soon(second)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        caches.gate.open()

    assert issuers == [caches.provider.issuer]
