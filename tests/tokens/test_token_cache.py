"""Tokens for other APIs are kept per session, and memory stays bounded."""

from asgi_oidc.tokens.token_cache import CachedToken, TokenCache


def test_a_cached_token_belongs_to_one_session_and_one_request():
    """Never to a wish alone: it is a user's."""
    tokens, granted = TokenCache(), CachedToken("at", 1000, refresh_due_at=1060, expires_at=1120)
    tokens.keep("one", "https://api.example.com", granted)

    assert tokens.find("one", "https://api.example.com") is granted
    assert tokens.find("two", "https://api.example.com") is None
    assert tokens.find("one", "https://other.example.com") is None


def test_the_least_recently_used_cached_tokens_are_dropped():
    """Memory is bounded; a token that is kept again counts once."""
    tokens = TokenCache(max_entries=3)
    for number in range(3):
        tokens.keep("id", number, CachedToken(str(number), 0, 0, 0))
    assert tokens.find("id", 0) is not None
    tokens.keep("id", 1, CachedToken("again", 0, 0, 0))

    tokens.keep("id", 3, CachedToken("3", 0, 0, 0))

    assert [tokens.find("id", number) is not None for number in range(4)] == [True, True, False, True]


def test_the_repr_of_a_cached_token_hides_it():
    """It stands in tracebacks."""
    assert "s3cret" not in repr(CachedToken("s3cret", 0, 1, 2))


def test_the_token_cache_is_bounded_in_bytes():
    """A token may be long."""
    tokens = TokenCache(max_bytes=250)

    for number in range(4):
        tokens.keep("id", number, CachedToken("x" * 100, 0, 0, 0))
    tokens.keep("id", 3, CachedToken("x" * 120, 0, 0, 0))
    tokens.keep("id", 4, CachedToken(None, 0, 0, 0))

    assert [tokens.find("id", number) is not None for number in range(5)] == [False, False, True, True, True]
