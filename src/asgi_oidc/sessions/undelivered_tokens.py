"""Refreshed tokens that the browser, or the store, may not have yet.

A refresh token can often be used only once. So a request that still brings the old one has to find the new one here.
"""

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from asgi_oidc.sessions.session import Session, Tokens

MAX_SESSIONS = 10_000  # sessions whose tokens are kept
MAX_BYTES = 64 * 1024 * 1024  # of all tokens together; to add an entry takes a login and a refresh


class _Entry(NamedTuple):
    tokens: Tokens
    size: int


class UndeliveredTokens:
    """The newest tokens by session id. Bounded: the least recently used are dropped first.

    Attributes:
        version: changes whenever there may be newer tokens of some session.
    """

    def __init__(self, *, max_entries: int = MAX_SESSIONS, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0
        self.version = 0

    def keep(self, session: Session) -> None:
        """Keep the tokens of a session, replacing older ones."""
        self.version += 1
        self.drop(session.id)
        entry = self._entries[session.id] = _Entry(session.tokens, session.tokens.texts.size)
        self._bytes += entry.size
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            self.drop(next(iter(self._entries)))

    def newest(self, session_id: str, tokens: Tokens) -> Tokens:
        """Return the tokens that are kept if they are newer than `tokens`, else `tokens`.

        The times of the last refresh attempts, `retry_at` and `forced_at`, are taken from here in either case.
        """
        entry = self._entries.get(session_id)
        if entry is None or entry.tokens.generation < tokens.generation:
            return tokens
        self._entries.move_to_end(session_id)
        if entry.tokens.generation == tokens.generation:
            retry_at, forced_at = entry.tokens.retry_at, entry.tokens.forced_at
            if (retry_at, forced_at) == (tokens.retry_at, tokens.forced_at):
                return tokens
            return msgspec.structs.replace(tokens, retry_at=retry_at, forced_at=forced_at)
        return entry.tokens

    def has(self, session_id: str) -> bool:
        """Return whether there are tokens of a session."""
        return session_id in self._entries

    def drop(self, session_id: str) -> None:
        """Drop the tokens of a session."""
        entry = self._entries.pop(session_id, None)
        if entry is not None:
            self._bytes -= entry.size
