"""The table of known tokens is bounded, in all and for each user; what is dropped is only verified again."""

from typing import Any

import msgspec
import pytest

from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.bearer.known_tokens import MAX_BYTES, MAX_PER_USER, KnownTokens
from asgi_oidc.protocol.bearer_token import AccessToken
from tests.bearer.token_calls import TokenSite


def token_of(sub: str, *, size: int = 2) -> ActiveToken:
    """Return a token of a user, with claims of this many bytes."""
    access_token = AccessToken(
        issuer="https://id.example.com",
        sub=sub,
        client_id="cli",
        is_machine=False,
        claims={},
        scopes=(),
        expires_at=1,
        issued_at=0,
    )
    written: Any = msgspec.Raw(b" " * size)
    connection: Any = None
    return ActiveToken(
        access_token, written, token="t", provider="", connection=connection, needs_proof=False, valid_until=1
    )


def kept(known: KnownTokens, count: int) -> list[int]:
    """Return which of so many headers are known."""
    return [number for number in range(count) if known.get(b"%d" % number) is not None]


def test_the_oldest_are_dropped_when_there_are_too_many():
    """Memory does not grow with the number of clients."""
    known = KnownTokens(max_entries=3)
    for number in range(5):
        known.keep(b"%d" % number, token_of(f"user-{number}"))

    assert (kept(known, 5), len(known)) == ([2, 3, 4], 3)


def test_the_oldest_are_dropped_when_they_take_too_many_bytes():
    """Nor with the size of their tokens."""
    known = KnownTokens(max_bytes=10)
    for number in range(4):
        known.keep(b"%d" % number, token_of(f"user-{number}", size=4))

    assert kept(known, 4) == [2, 3]


def test_one_that_is_too_large_for_the_table_is_not_kept():
    """It would drop all others."""
    known = KnownTokens(max_bytes=10)
    known.keep(b"0", token_of("alice", size=4))
    known.keep(b"1", token_of("bob", size=10))

    assert kept(known, 2) == [0]


def test_a_user_with_many_tokens_drops_their_own():
    """A client that gets a new token for each call must not slow others down."""
    known = KnownTokens(max_entries=10, max_per_user=2)
    known.keep(b"0", token_of("alice"))
    for number in range(1, 9):
        known.keep(b"%d" % number, token_of("bob"))

    assert kept(known, 9) == [0, 7, 8]


def test_a_token_is_replaced_and_dropped():
    """The count of bytes and of tokens per user follows."""
    known, first, second = KnownTokens(max_bytes=5, max_per_user=1), token_of("alice"), token_of("alice")
    for _ in range(5):
        known.keep(b"0", first)
        known.keep(b"0", second)
    assert known.get(b"0") is second

    known.drop(b"0")
    known.drop(b"0")
    known.keep(b"1", first)

    assert (len(known), known.get(b"1")) == (1, first)


def test_the_bounds_are_sensible():
    """A table of the largest headers takes less than 100 MB."""
    assert (MAX_PER_USER, MAX_BYTES) == (100, 16 * 2**20)


@pytest.mark.parametrize("seconds", [600 + 29, 600 + 30])
async def test_a_known_token_ends_when_it_expires(seconds):
    """The leeway counts for a known token as for a new one."""
    site = TokenSite()
    token = site.token()
    await site.call_with(token)
    site.clock.advance(seconds)

    known, new = await site.call_with(token), await site.restarted().call_with(token)

    assert known.status == new.status == (200 if seconds < 630 else 401)
