"""Deletes the cookies of a session that is over, but never those of a login that may have replaced it."""

from collections.abc import Callable

from asgi_oidc.login.login_transactions import LOGIN_LIFETIME, Transactions
from asgi_oidc.sessions.digests import digest
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.stores.replay_cache import ReplayCache
from asgi_oidc.web.request import Request

MAX_SIGNING_IN = 10_000  # browsers that had a session and have started a login; 1 to 2 MB
LATE_RESPONSE_LIMIT = (
    1  # seconds; later, another tab may have signed in through a process that this one does not know of
)


class StaleCookies:
    """Remembers which browsers are signing in, and deletes the cookies of ended sessions of the others."""

    __slots__ = ("_now", "_sessions", "_signing_in", "_transactions")

    def __init__(self, sessions: SessionRepository, transactions: Transactions, *, now: Callable[[], int]) -> None:
        self._sessions = sessions
        self._transactions = transactions
        self._signing_in = ReplayCache(max_names=MAX_SIGNING_IN)
        self._now = now

    def expect_login(self, request: Request) -> None:
        """Note that this browser is signing in: its cookies may soon belong to a new session.

        Responses to older requests, which may still be under way, must not delete these.
        """
        if self._sessions.has_cookie(request.cookies):
            name = digest(self._sessions.cookie(request.cookies))
            self._signing_in.add(name, now=self._now(), lifetime=2 * LOGIN_LIFETIME)

    def delete(self, request: Request) -> list[bytes]:
        """Return the Set-Cookie lines that delete a session that is known to be over.

        Browsers delete cookies by name, and the next session uses the same names. So nothing is deleted by a response
        that may arrive after a login: a late one, or one to a browser that is signing in. Nor by the response to a form
        that a user submitted: going back in the browser shows what the user typed, but as pages have `Vary: Cookie`,
        only while the cookies are the same.
        """
        over_at, cookies = request.session_over_at, request.cookies
        if over_at is None or not 0 <= self._now() - over_at <= LATE_RESPONSE_LIMIT:
            return []
        if request.wants_page and request.has_form:
            return []
        if self._transactions.has_any(cookies) or digest(self._sessions.cookie(cookies)) in self._signing_in:
            return []
        return self._sessions.delete(cookies)
