"""The keys: fresh, refreshed ahead, stale in an outage, and never fetched more often than is fair."""

from base64 import urlsafe_b64encode
from hmac import digest
from typing import Any

import anyio
import pytest

from asgi_oidc.errors import AnswerRejected, ProviderError, ProviderUnavailable, TokenRejected
from asgi_oidc.protocol.jose import KeyUnknown, read_shared_secret
from asgi_oidc.protocol.messages import Answer
from asgi_oidc.provider.jwks import AHEAD, BURST, COOL_DOWN, FRESH, RETRY_INTERVAL, STALE, KeyCache, lifetime_of
from asgi_oidc.testing import FakeProvider
from tests.provider.provider_caches import Caches, all_at_once

DUE = int(FRESH * AHEAD)


async def provider_code(caches: Caches) -> str:
    with pytest.raises(ProviderError) as caught:
        await caches.verify()
    return caught.value.code


def made_up(caches: Caches, number: int) -> str:
    return caches.provider.sign({"sub": "x"}, kid=f"made-up-{number}")


async def made_up_is_refused(caches: Caches, count: int = 10) -> None:
    for number in range(count):
        with pytest.raises(KeyUnknown):
            await caches.verify(made_up(caches, number))


async def test_keys_are_fetched_once_and_kept(caches):
    """One call, however many logins."""
    for age in (0, 1, DUE - 2):
        caches.clock.advance(age)
        assert await caches.verify() == "alice"

    assert caches.key_calls == 1


async def test_concurrent_requests_of_a_cold_process_share_one_key_fetch(caches):
    """A hundred first logins."""
    assert await all_at_once(100, caches.verify) == ["alice"] * 100

    assert caches.key_calls == 1


async def test_keys_are_refreshed_ahead(caches):
    """Before they run out, so that an outage finds them fresh."""
    await caches.verify()

    caches.clock.advance(DUE)
    await caches.verify()
    await caches.verify()

    assert caches.key_calls == 2


async def test_while_one_request_refreshes_ahead_the_others_go_on(caches):
    """Nobody waits for keys that are still good."""
    await caches.verify()
    caches.clock.advance(DUE)
    caches.gate.shut()

    async with anyio.create_task_group() as group:
        group.start_soon(caches.verify)
        await caches.gate.arrival()
        assert await all_at_once(10, caches.verify) == ["alice"] * 10
        assert caches.gate.waiting == 1
        caches.gate.open()

    assert caches.key_calls == 2


async def test_when_keys_have_run_out_all_wait_for_the_one_call(caches):
    """Old keys are for outages alone."""
    await caches.verify()
    caches.clock.advance(FRESH)
    caches.gate.shut()
    results: list[str] = []

    async def gather() -> None:
        results.extend(await all_at_once(10, caches.verify))

    async with anyio.create_task_group() as group:
        group.start_soon(gather)
        await caches.gate.arrival()
        await anyio.wait_all_tasks_blocked()
        assert results == []
        caches.gate.open()

    assert (results, caches.key_calls) == (["alice"] * 10, 2)


@pytest.mark.parametrize(
    ("cache_control", "lifetime"),
    [
        ("", FRESH),
        ("no-store", FRESH),
        ("max-age=600", 600),
        ("public, max-age=600, must-revalidate", 600),
        ("public,max-age=600,x", 600),
        ("MAX-AGE=600", 600),
        ('max-age="600"', 600),
        ("max-age=0", 30),
        ("max-age=29", 30),
        ("max-age=31", 31),
        ("max-age=999999999", 86_400),
        ("max-age=9999999999", FRESH),
        ("max-age=-1", FRESH),
        ("max-age=soon", FRESH),
        ("max-age", FRESH),
        ("x-max-age=600", FRESH),
        ("s-maxage=600", FRESH),
    ],
)
def test_a_cache_control_counts_within_limits(cache_control, lifetime):
    """A provider must not make us hammer it, nor keep a stolen key for a year."""
    assert lifetime_of(Answer(200, {"cache-control": cache_control})) == lifetime


@pytest.mark.parametrize(("age", "calls"), [(int(1000 * AHEAD) - 1, 1), (int(1000 * AHEAD), 2)])
async def test_keys_are_fresh_as_long_as_the_answer_says(caches, age, calls):
    """RFC 9111 §5.2.2.1."""
    caches.provider.jwks_headers = {"cache-control": "max-age=1000"}
    await caches.verify()

    caches.clock.advance(age)
    await caches.verify()

    assert caches.key_calls == calls


@pytest.mark.parametrize("fault", ["jwks_down", "jwks_html"])
async def test_stale_keys_are_used_for_an_hour_during_an_outage(caches, fault):
    """An outage of the provider is not one of ours."""
    await caches.verify()

    with caches.provider.fault(fault):
        for age in (DUE, FRESH - DUE, STALE - 1):
            caches.clock.advance(age)
            assert await caches.verify() == "alice"


async def test_keys_that_are_too_stale_are_not_used(caches):
    """Then a login is answered with 503."""
    await caches.verify()

    caches.clock.advance(FRESH + STALE)
    with caches.provider.fault("jwks_down"), pytest.raises(ProviderUnavailable) as caught:
        await caches.verify()

    assert caught.value.code == "jwks_unavailable"


async def test_a_provider_that_is_down_is_not_called_again_at_once(caches):
    """Old keys are used without asking each time."""
    await caches.verify()
    caches.clock.advance(FRESH)

    with caches.provider.fault("jwks_down"):
        for _ in range(20):
            assert await caches.verify() == "alice"
        calls = caches.key_calls
        caches.clock.advance(RETRY_INTERVAL)
        await caches.verify()

    assert (calls, caches.key_calls) == (1 + BURST, 2 + BURST)


async def test_without_any_key_the_cool_down_is_an_outage(caches):
    """A flood of logins makes a handful of calls."""
    with caches.provider.fault("jwks_down"):
        codes = [await provider_code(caches) for _ in range(BURST + 2)]

    assert codes == ["jwks_unavailable"] * BURST + ["jwks_cool_down"] * 2
    assert caches.key_calls == BURST


async def test_a_key_set_that_cannot_be_read_is_no_key_set(caches):
    """A web page with status 200, for one."""
    with caches.provider.fault("jwks_html"), pytest.raises(AnswerRejected) as caught:
        await caches.verify()

    assert caught.value.code == "jwks_not_json"


async def test_an_unknown_kid_is_looked_for_at_once(caches):
    """The provider has changed its keys."""
    await caches.verify()

    caches.provider.rotate_keys()

    assert (await caches.verify(), caches.key_calls) == ("alice", 2)


async def test_a_new_key_is_found_also_by_a_token_without_kid(caches):
    """The signature fits none that we have."""
    await caches.verify()
    caches.provider.rotate_keys()
    with caches.provider.fault("id_token_no_kid"):
        token = caches.provider.id_token("bob")

    assert (await caches.verify(token), caches.key_calls) == ("bob", 2)


async def test_made_up_kids_make_a_burst_and_then_one_call_per_half_minute(caches):
    """Anyone can make up key ids."""
    await caches.verify()
    calls = []
    for age in (0, COOL_DOWN - 1, 1, COOL_DOWN):
        caches.clock.advance(age)
        await made_up_is_refused(caches)
        calls.append(caches.key_calls - 1)

    assert calls == [BURST, BURST, BURST + 1, BURST + 2]


async def test_made_up_kids_do_not_block_logins(caches):
    """The keys that are known go on."""
    await caches.verify()
    await made_up_is_refused(caches)

    with caches.provider.fault("jwks_down"):
        await made_up_is_refused(caches)
        assert await caches.verify() == "alice"


async def test_many_unknown_kids_at_once_make_one_call(caches):
    """One call, however many wait."""
    await caches.verify()
    caches.provider.rotate_keys()
    token = caches.provider.id_token("alice")
    caches.gate.shut()
    results: list[str] = []

    async def gather() -> None:
        results.extend(await all_at_once(20, lambda: caches.verify(token)))

    async with anyio.create_task_group() as group:
        group.start_soon(gather)
        await caches.gate.arrival()
        await anyio.wait_all_tasks_blocked()
        caches.gate.open()

    assert (results, caches.key_calls) == (["alice"] * 20, 2)


async def test_an_unknown_kid_in_an_outage_is_refused(caches):
    """The token may be good, but nobody can tell."""
    await caches.verify()
    caches.provider.rotate_keys()

    with caches.provider.fault("jwks_down"), pytest.raises(KeyUnknown):
        await caches.verify()


async def test_a_token_that_waited_for_newer_keys_is_checked_with_them(caches):
    """Keys that somebody else has just fetched are not fetched again."""
    await caches.verify()
    old = caches.keys._cached
    caches.provider.rotate_keys()
    await caches.verify()
    assert old is not None

    assert await caches.keys._keys_newer_than(old) is caches.keys._cached
    assert caches.key_calls == 2


async def test_a_wrong_signature_under_a_known_kid_fetches_nothing(caches):
    """Else forged tokens would be a way to make us call."""
    await caches.verify()

    with caches.provider.fault("id_token_foreign_key"), pytest.raises(TokenRejected) as caught:
        await caches.verify()

    assert (caught.value.code, caches.key_calls) == ("signature", 1)


async def test_a_set_with_junk_works_with_the_rest(caches):
    """Old kinds, new kinds, broken ones, and one kid on several."""
    with caches.provider.fault("jwks_junk_keys"):
        assert await caches.verify() == "alice"


async def test_an_empty_set_is_asked_for_once_more(caches):
    """The key may come any moment."""
    with caches.provider.fault("jwks_empty"), pytest.raises(KeyUnknown):
        await caches.verify()

    assert caches.key_calls == 2
    assert await caches.verify() == "alice"


async def test_keys_are_those_of_where_the_metadata_points_now(caches):
    """A provider that moves its keys may have lost the old place."""
    await caches.verify()
    caches.jwks_uri = "https://other.example.com/jwks"

    assert (await caches.verify(), caches.key_calls) == ("alice", 2)


async def test_keys_of_the_previous_jwks_uri_are_not_a_fallback(caches):
    """They may be somebody else's by now."""
    await caches.verify()
    caches.jwks_uri = "https://other.example.com/jwks"

    with caches.provider.fault("jwks_down"):
        assert await provider_code(caches) == "jwks_unavailable"


async def test_a_clock_that_is_set_back_makes_keys_due_and_not_dead(caches):
    """Machines correct their clocks after they start."""
    await caches.verify()
    caches.clock.advance(-100_000)

    with caches.provider.fault("jwks_down"):
        assert await caches.verify() == "alice"
    await caches.verify()

    assert caches.key_calls == 3


async def test_when_the_first_goes_away_the_others_get_the_keys_all_the_same(caches):
    """A browser that hangs up is nobody else's error."""
    caches.gate.shut()
    results: list[str] = []

    async def first(scope: anyio.CancelScope) -> None:
        with scope:
            await caches.verify()

    async def second() -> None:
        results.append(await caches.verify())

    async with anyio.create_task_group() as group:
        scope = anyio.CancelScope()
        group.start_soon(first, scope)
        await caches.gate.arrival()
        group.start_soon(second)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        caches.gate.open()

    assert results == ["alice"]


class OtherKeys(FakeProvider):
    """A provider that publishes its key as one of another issuer."""

    @property
    def published_keys(self) -> list[dict[str, Any]]:
        """Add the issuer for whose tokens the key is."""
        return [{**jwk, "issuer": "https://another.example.com"} for jwk in super().published_keys]


async def test_a_key_of_another_issuer_is_refused_if_that_is_asked_for():
    """The JWKS of a multi-tenant provider says for whose tokens each key is; others have no such member."""
    caches = Caches(OtherKeys(alg="ES256"))
    assert await caches.verify() == "alice"

    caches.keys = KeyCache(caches.http, jwks_uri=caches._uri, clock=caches.clock, honours_key_issuer=True)

    with pytest.raises(TokenRejected) as caught:
        await caches.verify()
    assert caught.value.code == "key_issuer"


def with_secret(caches: Caches) -> KeyCache:
    secret = read_shared_secret("x" * 32)
    return KeyCache(caches.http, jwks_uri=caches._uri, clock=caches.clock, shared_secret=secret)


def signed_with(secret: bytes) -> str:
    signed = b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in (b'{"alg":"HS256"}', b'{"sub":"bob"}'))
    signature = urlsafe_b64encode(digest(secret, signed, "sha256")).rstrip(b"=")
    return f"{signed.decode()}.{signature.decode()}"


async def test_a_token_that_the_client_secret_signs_needs_no_keys(caches):
    """The provider's keys have nothing to do with it, and a forged one causes no fetch."""
    keys = with_secret(caches)

    verified = await keys.verify(signed_with(b"x" * 32), ["HS256", "ES256"])
    with pytest.raises(TokenRejected) as caught:
        await keys.verify(signed_with(b"y" * 32), ["HS256", "ES256"])

    assert (verified.claims, caught.value.code, caches.key_calls) == ({"sub": "bob"}, "signature", 0)
    assert (await keys.verify(caches.provider.id_token("alice"), ["HS256", "ES256"])).claims["sub"] == "alice"


@pytest.mark.parametrize(("has_secret", "algorithms"), [(True, ["ES256"]), (False, ["ES256", "HS256"])])
async def test_hs256_needs_its_name_and_the_secret(caches, has_secret, algorithms):
    """Neither alone makes it acceptable."""
    keys = with_secret(caches) if has_secret else caches.keys

    with pytest.raises(TokenRejected) as caught:
        await keys.verify(signed_with(b"x" * 32), algorithms)

    assert caught.value.code == "alg_not_allowed"


async def test_a_new_key_is_found_soon_after_an_outage(caches):
    """Fetches that failed say nothing about the key: a login with it need not wait for the unknown-key cool-down."""
    await caches.verify()
    caches.provider.rotate_keys()
    with caches.provider.fault("jwks_down"):
        for _ in range(10):
            with pytest.raises(TokenRejected):
                await caches.verify()
        calls = caches.key_calls
    caches.clock.advance(RETRY_INTERVAL)

    assert (await caches.verify(), calls) == ("alice", 1 + BURST)
