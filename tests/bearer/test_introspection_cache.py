"""What the provider has said about tokens is kept for seconds, within bounds that one user cannot fill for others."""

from typing import Any

import pytest

from asgi_oidc.bearer.introspection_cache import Introspected, IntrospectionCache
from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.bearer_token import AccessToken
from tests.provider.token_connection import TokenConnection

NOW = 1_800_000_000
CONNECTION = TokenConnection().connection


def answer(sub: str = "alice", *, size: int = 100, issuer: str = "https://id.example.com") -> Introspected:
    token = AccessToken(
        issuer=issuer,
        sub=sub,
        client_id="program",
        is_machine=False,
        claims={},
        scopes=(),
        expires_at=None,
        issued_at=NOW,
    )
    return Introspected(token, CONNECTION, size=size, asked_at=NOW, fresh_until=NOW + 30)


def refuse(cache: IntrospectionCache, digest: bytes) -> None:
    cache.refuse(digest, CONNECTION, TokenRejected("token_inactive", "why"), asked_at=NOW, fresh_until=NOW + 10)


def found(cache: IntrospectionCache, digest: bytes, *, now: int = NOW, connection: Any = CONNECTION) -> Any:
    try:
        return cache.find(digest, connection, now=now)
    except TokenRejected as error:
        return error.code, error.detail


@pytest.mark.parametrize(("now", "is_found"), [(NOW, True), (NOW + 29, True), (NOW + 30, False), (NOW - 1, False)])
def test_an_answer_counts_for_its_time(now, is_found):
    """Not longer if the clock is set back."""
    cache, kept = IntrospectionCache(), answer()
    cache.keep(b"token", kept)

    assert found(cache, b"token", now=now) is (kept if is_found else None)


@pytest.mark.parametrize(("now", "is_found"), [(NOW, True), (NOW + 9, True), (NOW + 10, False), (NOW - 1, False)])
def test_a_refusal_counts_for_its_time(now, is_found):
    """With the reason, in a new error."""
    cache = IntrospectionCache()
    refuse(cache, b"token")

    assert found(cache, b"token", now=now) == (("token_inactive", "why") if is_found else None)


def test_an_answer_counts_for_the_provider_that_gave_it():
    """An app may replace a provider by another one of the same name."""
    cache, other = IntrospectionCache(), TokenConnection().connection
    cache.keep(b"active", answer())
    refuse(cache, b"refused")

    assert found(cache, b"active", connection=other) is found(cache, b"refused", connection=other) is None


def test_the_last_answer_counts():
    """A token is active or refused, never both."""
    cache = IntrospectionCache()
    cache.keep(b"token", answer())
    refuse(cache, b"token")
    assert (found(cache, b"token"), cache.was_active(b"token")) == (("token_inactive", "why"), False)

    cache.keep(b"token", answer())
    assert (found(cache, b"token").access_token.sub, cache.was_active(b"token")) == ("alice", True)


def test_a_token_that_was_active_since_is_not_refused():
    """Not even when its answer is dropped before the refusal runs out."""
    cache = IntrospectionCache()
    refuse(cache, b"token")
    cache.keep(b"token", answer())

    cache.drop(b"token")

    assert found(cache, b"token") is None


def test_users_without_tokens_take_no_memory():
    """They come and go for as long as the process runs."""
    cache = IntrospectionCache(max_active=2)

    for number in range(50):
        cache.keep(b"%d" % number, answer(f"user-{number}"))

    assert len(cache._by_user) == 2


def test_an_outdated_answer_tells_that_the_token_was_active():
    """Such tokens have slots of their own for their calls."""
    cache = IntrospectionCache()
    cache.keep(b"token", answer())

    assert found(cache, b"token", now=NOW + 1000) is None
    assert (cache.was_active(b"token"), cache.was_active(b"other")) == (True, False)


def test_a_flood_of_made_up_tokens_drops_no_active_one():
    """They have a table of their own, with a bound."""
    cache = IntrospectionCache(max_refused=10)
    cache.keep(b"active", answer())

    for number in range(100):
        refuse(cache, b"%d" % number)

    assert found(cache, b"active").access_token.sub == "alice"
    assert [number for number in range(100) if found(cache, b"%d" % number)] == list(range(90, 100))


def test_a_user_with_many_tokens_drops_only_own_ones():
    """One user never pays for another."""
    cache = IntrospectionCache(max_active=50, max_per_user=10)
    cache.keep(b"of alice", answer())

    for number in range(100):
        cache.keep(b"%d" % number, answer("bob"))

    assert cache.was_active(b"of alice")
    assert [number for number in range(100) if cache.was_active(b"%d" % number)] == list(range(90, 100))


def test_users_of_two_providers_are_two_users():
    """The same sub means nothing."""
    cache = IntrospectionCache(max_per_user=1)

    cache.keep(b"one", answer("alice"))
    cache.keep(b"other", answer("alice", issuer="https://other.example.com"))

    assert cache.was_active(b"one")
    assert cache.was_active(b"other")


def test_the_oldest_are_dropped_first():
    """The number of entries is bounded."""
    cache = IntrospectionCache(max_active=3)
    for sub in ("one", "two", "three"):
        cache.keep(sub.encode(), answer(sub))
    cache.keep(b"one", answer("one"))  # renewed

    cache.keep(b"four", answer("four"))

    assert [cache.was_active(sub) for sub in (b"one", b"two", b"three", b"four")] == [True, False, True, True]


def test_large_answers_are_bounded_in_bytes():
    """And one that is too large is not kept at all."""
    cache = IntrospectionCache(max_bytes=1000)
    for sub in ("one", "two", "three"):
        cache.keep(sub.encode(), answer(sub, size=400))

    cache.keep(b"huge", answer("huge", size=1001))

    kept = [cache.was_active(sub) for sub in (b"one", b"two", b"three", b"huge")]
    assert kept == [False, True, True, False]
    cache.keep(b"just right", answer("four", size=1000))
    assert cache.was_active(b"just right")


def test_dropped_entries_leave_room():
    """Bytes and users are counted back."""
    cache = IntrospectionCache(max_bytes=1000, max_per_user=1)
    for _ in range(10):
        cache.keep(b"token", answer(size=900))
        cache.drop(b"token")
        cache.drop(b"token")
    cache.keep(b"token", answer(size=900))

    cache.keep(b"other", answer("bob", size=100))

    assert cache.was_active(b"token")
    assert cache.was_active(b"other")
