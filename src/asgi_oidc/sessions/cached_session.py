"""A session in cookies that this process has opened: what is kept of it between requests."""

from collections.abc import Sequence

import msgspec

from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.sessions.session import Session


class CachedSession(msgspec.Struct):
    """An entry of the cache: the session that was opened from some cookies.

    All instants are seconds since the epoch.

    Attributes:
        name: names and values of the cookies, which are a key of the entry.
        session: as the cookies contain it.
        browser_generation: the generation of its tokens.
        left_behind: names of cookies that belong to other sessions.
        newest: the session with its newest tokens.
        sealed_login: the cookie of its login.
        begins_at, ends_at: the session is valid in between; limits and revocations are taken into account.
        fresh_from, fresh_until: in between, the response need not set cookies.
        revocations_version, refreshes_version: the versions that are taken into account.
        touched_at: when the last use was recorded.
    """

    name: tuple[str, ...]
    session: Session
    browser_generation: int
    left_behind: Sequence[str]
    newest: Session
    sealed_login: str
    begins_at: int = 0
    ends_at: int = 0
    fresh_from: int = 0
    fresh_until: int = 0
    revocations_version: int = -1
    refreshes_version: int = -1
    touched_at: int = 0

    def __repr__(self) -> str:
        return f"CachedSession(ends_at={self.ends_at})"  # not `name`, which contains the cookies

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("ends_at", self.ends_at)]

    def active(self) -> ActiveSession:
        """Return the session for one request."""
        return ActiveSession(
            self.newest,
            self.browser_generation,
            False,
            self.left_behind,
            self.fresh_from,
            self.fresh_until,
            self.refreshes_version,
            self.sealed_login,
        )
