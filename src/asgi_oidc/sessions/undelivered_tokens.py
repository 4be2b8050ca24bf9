"""Tokens that this process renewed and that the browser, or the store, may not have yet.

A refresh token is often good for one use: whoever still comes with the old one has to find the new one here.
"""

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from asgi_oidc.sessions.session import Session, Tokens, encode

MAX_SESSIONS = 10_000  # sessions
MAX_BYTES = 64 * 1024 * 1024  # of all tokens together; each entry costs its author a login and a refresh


class _Kept(NamedTuple):
    tokens: Tokens
    size: int


class UndeliveredTokens:
    """The newest tokens by session id: bounded, and the longest unused go first.

    Attributes:
        changes: another number whenever there may be newer tokens of some session.
    """

    def __init__(self, *, most: int = MAX_SESSIONS, most_bytes: int = MAX_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self.changes = 0

    def keep(self, session: Session) -> None:
        """Keep the tokens of a session, in the place of older ones."""
        self.changes += 1
        self.drop(session.id)
        kept = self._kept[session.id] = _Kept(session.tokens, len(encode(session.tokens)))
        self._bytes += kept.size
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self.drop(next(iter(self._kept)))

    def newest(self, session_id: str, tokens: Tokens) -> Tokens:
        """Return what is kept where it is newer than `tokens`, else `tokens`, and when they were last tried."""
        kept = self._kept.get(session_id)
        if kept is None or kept.tokens.generation < tokens.generation:
            return tokens
        self._kept.move_to_end(session_id)
        if kept.tokens.generation == tokens.generation:
            retry_at, forced_at = kept.tokens.retry_at, kept.tokens.forced_at
            if (retry_at, forced_at) == (tokens.retry_at, tokens.forced_at):
                return tokens
            return msgspec.structs.replace(tokens, retry_at=retry_at, forced_at=forced_at)
        return kept.tokens

    def has(self, session_id: str) -> bool:
        """Say whether there is something of a session."""
        return session_id in self._kept

    def drop(self, session_id: str) -> None:
        """Forget a session."""
        known = self._kept.pop(session_id, None)
        if known is not None:
            self._bytes -= known.size
