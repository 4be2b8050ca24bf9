"""Sessions in sealed cookies; the process remembers only refreshed tokens, last uses, and opened cookies."""

import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from asgi_oidc import events
from asgi_oidc.errors import LoginLoop, SessionTooLarge
from asgi_oidc.sessions.cached_session import CachedSession
from asgi_oidc.sessions.lifetimes import Limits, expires_at, fresh_period, is_live, is_use_due, valid_period
from asgi_oidc.sessions.repository import ENDED, EXPIRED, LOCK_LIFETIME, NOT_OURS, ActiveSession, Change, NoSession
from asgi_oidc.sessions.revocation_feed import RevocationFeed
from asgi_oidc.sessions.revocations import AT_ONCE, Revocation, Revocations
from asgi_oidc.sessions.session import Login, Session, UserId
from asgi_oidc.sessions.session_cache import SessionCache
from asgi_oidc.sessions.session_cookies import SessionCookies
from asgi_oidc.sessions.session_size import SizeCheck
from asgi_oidc.sessions.undelivered_tokens import UndeliveredTokens
from asgi_oidc.web.cookie_size import size_of_lines
from asgi_oidc.web.cookies import Cookies

MAX_LAST_USES = 10_000  # sessions; the least recently used are forgotten first


class CookieSessions:
    """`SessionRepository` that keeps sessions in the browser.

    Refreshed tokens are known to this process alone until the browser has them; revocations are known to all processes
    that share a feed.
    """

    def __init__(
        self,
        session_cookies: SessionCookies,
        limits: Limits,
        revocations: Revocations,
        feed: RevocationFeed,
        *,
        kept_tokens: Collection[str],
        max_cookie_header: int,
        has_provider: Callable[[Login], bool | None],
        now: Callable[[], int],
        ticks: Callable[[], float],
    ) -> None:
        """Keep sessions in cookies.

        Args:
            kept_tokens: names of the tokens that sessions keep.
            max_cookie_header: bytes of all our cookies.
            has_provider: whether the app still has the provider of a session; None if that takes waiting.
            now: seconds since the epoch.
            ticks: seconds of a monotonic clock.
        """
        self._session_cookies = session_cookies
        self._limits = limits
        self._revocations = revocations
        self._feed = feed
        self._size_check = SizeCheck(
            session_cookies.size, kept_tokens=kept_tokens, max_cookie_header=max_cookie_header, ticks=ticks
        )
        self._has_provider = has_provider
        self._now = now
        self._ticks = ticks
        self._cache: SessionCache[bytes | tuple[str, ...], CachedSession] = SessionCache()
        # The last one without a session: it cannot get one later, so it is not opened again.
        self._unreadable_header = b""
        self._undelivered = UndeliveredTokens()
        self._last_uses: OrderedDict[str, int] = OrderedDict()
        self._locks: dict[str, tuple[str, float]] = {}

    def at_once(self, cookie_header: bytes) -> ActiveSession | None:
        """Return the session from the cache, or open the cookies.

        None also if the revocation feed has to be read, or if its provider is gone or has to be looked up.
        """
        cached = self._cache.get(cookie_header)
        if cached is None and self.may_have_cookie(cookie_header):
            cached = self._open_cookies(Cookies(cookie_header, self._session_cookies.stem))
        if cached is None or self._feed.is_due():
            return None
        now = self._now()
        if (
            cached.revocations_version != self._revocations.version
            or cached.refreshes_version != self._undelivered.version
        ):
            self._update(cached)
            if cached.newest.tokens.generation > cached.browser_generation:
                self._forget(cached, cookie_header)
        if not cached.begins_at <= now < cached.ends_at:
            self._forget(cached, cookie_header)
            return None
        if cached.touched_at != now:  # once a second is enough
            if not self._has_provider(cached.session.login):
                return None
            cached.touched_at = now
            self._touch(cached.session.id, now)
        return cached.active()

    def forget_opened(self) -> None:
        """Open every session anew: the secrets have changed."""
        self._cache.clear()
        self._unreadable_header = b""

    def can_open(self, active: ActiveSession) -> bool:
        """Open the cookie of the login again: it is never written anew."""
        return self._session_cookies.open_login({self._session_cookies.name: active.sealed_login}) is not None

    def may_have_cookie(self, cookie_header: bytes) -> bool:
        """Search for the name of the session cookie, without parsing."""
        return self._session_cookies.may_be_in(cookie_header)

    async def open(self, cookies: Cookies) -> ActiveSession | None:
        """Return the session from the cache, or open the cookies."""
        cached = self._cache.get(cookies.header) or self._open_cookies(cookies)
        if cached is None:
            return None
        await self._feed.poll()
        self._update(cached)
        return cached.active()

    async def find(self, cookies: Cookies) -> ActiveSession | NoSession:
        """Open the cookies, and find out why they contain no session.

        If the tokens are gone, the cookie of the login may still tell which session it was.
        """
        active = await self.open(cookies)
        if active is not None:
            return active
        login = self._session_cookies.open_login(cookies)
        if login is None:
            return NOT_OURS
        await self._feed.poll()
        now = self._now()
        if self._revocations.is_revoked(login, now=now):
            return ENDED
        return EXPIRED if now >= login.created_at + self._limits.lifetime else NOT_OURS

    def has_cookie(self, cookies: Mapping[str, str]) -> bool:
        """Return whether the cookie of the login is among the cookies."""
        return self._session_cookies.has_cookie(cookies)

    def cookie(self, cookies: Mapping[str, str]) -> str:
        """Return the sealed login."""
        return cookies.get(self._session_cookies.name, "")

    async def begin(
        self, session: Session, cookies: Mapping[str, str], *, unseen: Sequence[str] = (), hides_cookies: bool = False
    ) -> list[bytes]:
        """Write all cookies of a new session."""
        max_age = self._limits.lifetime
        notes = [self._session_cookies.write_note(session.id, max_age=max_age)] if hides_cookies else []
        self._size_check.check(session, other_size=size_of_lines(notes))
        return [
            *self._session_cookies.write(session, cookies, max_age=max_age),
            *notes,
            *self._session_cookies.delete_unseen([*unseen, *self._session_cookies.noted_sessions(cookies)], cookies),
        ]

    async def newest(self, session: Session) -> Session | None:
        """Return the session with the newest tokens that this process has.

        Its last use by any request counts: a request may be open for hours.
        """
        await self._feed.poll()
        now = self._now()
        seen_at = max(session.seen_at, self._last_uses.get(session.id, 0))
        in_use = msgspec.structs.replace(session, seen_at=seen_at)
        if self._revocations.is_revoked(session.login, now=now) or not is_live(in_use, self._limits, now=now):
            return None
        newest = self._with_newest_tokens(session)
        return None if self._revocations.is_outdated(newest) else newest

    async def change(self, session: Session, change: Change) -> Session | None:
        """Keep the new tokens in this process: the request may fail before the browser gets them."""
        current = await self.newest(session)
        if current is None:
            return None
        changed = change(current)
        self._undelivered.keep(changed)
        return changed

    def keep_unsaved(self, session: Session) -> None:
        """Keep the tokens in this process, like all refreshed tokens."""
        self._undelivered.keep(session)

    def has_unsaved(self, session_id: str) -> bool:
        """Return False: the browser gets the tokens with the next response."""
        return False

    async def touch(self, active: ActiveSession) -> None:
        """Remember the last use in this process; `cookies_due` writes the cookie."""
        self._touch(active.session.id, self._now())

    def is_due(self, active: ActiveSession) -> bool:
        """Return whether tokens were refreshed, the session has ended, or the last use has to be written."""
        is_known = active.refreshes_version == self._undelivered.version and not active.is_over
        return not (is_known and active.fresh_from <= self._now() < active.fresh_until)

    def cookies_due(self, active: ActiveSession, cookies: Mapping[str, str]) -> list[bytes]:
        """Write tokens that the browser does not have, and, at most once a minute, the last use.

        Called when the response starts: the session may have ended while the app handled the request.
        """
        session, now = self._with_newest_tokens(active.session), self._now()
        if self._revocations.is_outdated(session):
            return []  # the browser may have the newer tokens by now, from the process that got them
        if active.is_over:
            # The other cookies may be those of a newer login by now; these name the session that they belong to.
            return self._session_cookies.delete_tokens(active.session.id, cookies)
        if self._revocations.is_revoked(session.login, now=math.inf) or not is_live(session, self._limits, now=now):
            return []
        lines = [
            *self._tokens_due(active, session, cookies, now=now),
            *self._session_cookies.delete_left_behind(active.left_behind),
        ]
        if is_use_due(session, self._limits, now):
            max_age = expires_at(msgspec.structs.replace(session, seen_at=now), self._limits) - now
            lines.append(self._session_cookies.write_use(session.id, now, max_age=max_age))
        return lines

    async def revoke_older_tokens(self, session: Session) -> None:
        """Revoke the tokens in all processes that share a feed: older cookies may have been copied."""
        login, now = session.login, self._now()
        if self._revocations.least_generation(login) or not self._revocations.is_at_limit(login.user_id):
            revocations = self._revocations.revoke_older_tokens(session, now=now)
        else:
            revocations = self._sign_out(login.user_id, until=login.began)
        await self._feed.write_soon(revocations)

    async def end(self, session: Session) -> None:
        """Revoke the session, so that neither a late response nor a copy of the cookies brings it back."""
        self._undelivered.drop(session.id)
        # With all that it replaced: a process that started since then does not know that they were replaced.
        login = session.login
        await self._feed.write(self._end((login.id, *login.replaced), of=login))

    async def end_all(self, *, issuer: str, sub: str | None, sid: str | None) -> int:
        """Return 0: cookies cannot be deleted remotely; the revocation makes them invalid on the next request."""
        return 0

    async def is_sid_of_another_user(self, sid: str, user: UserId) -> bool:
        """Look at the logins of this process; a `sid` that several users had identifies none of them."""
        users = self._revocations.users_of(sid, issuer=user.issuer)
        return len(users) == 1 and user not in users

    async def may_have_active_session(self, user: UserId, *, sid: str | None) -> bool:
        """Return True: only the browsers know."""
        return True

    async def end_unreadable(self, cookies: Mapping[str, str]) -> None:
        """Do nothing: the session is only in the browser."""

    async def expire_with_grace(
        self, session_id: str, *, grace: int, successor: Login, other: Login | None = None
    ) -> None:
        """Revoke the session, from the end of the grace on."""
        user, until = (successor.user_id, successor.began - 1) if other is None else (other.user_id, other.began)
        if not self._revocations.is_at_limit(user):
            revocations = self._revocations.end(session_id, user=user, now=self._now(), grace=grace)
        elif grace or other is not None:
            revocations = self._sign_out(user, until=until)
        else:  # a revocation for the successor's user would not end the session, whose user is not known
            detail = "this user has replaced too many sessions of other users"
            raise LoginLoop("login_loop_signed_in", detail, status=403)
        await self._feed.write(revocations)

    def delete(self, cookies: Mapping[str, str]) -> list[bytes]:
        """Delete all cookies of the session."""
        return self._session_cookies.delete(cookies)

    async def lock(self, session: Session, holder: str) -> bool:
        """Take the lock in this process; other processes do not see it."""
        if self._ticks() < self._locks.get(session.id, ("", 0.0))[1]:
            return False
        self._locks[session.id] = (holder, self._ticks() + LOCK_LIFETIME)
        return True

    async def keep_lock(self, session: Session, holder: str) -> None:
        """Do nothing: without a store, no refresh outlives its lock."""

    async def unlock(self, session: Session, holder: str) -> None:
        """Release the lock."""
        if self._locks.get(session.id, ("", 0.0))[0] == holder:
            del self._locks[session.id]

    def _end(self, names: Sequence[str], *, of: Login) -> list[Revocation]:
        user, now = of.user_id, self._now()
        if self._revocations.is_at_limit(user):
            return self._sign_out(user, until=of.began)
        return [revocation for name in names for revocation in self._revocations.end(name, user=user, now=now)]

    def _sign_out(self, user: UserId, *, until: int) -> list[Revocation]:
        """Make one revocation for all sessions that the user began until then, in other browsers too."""
        return self._revocations.sign_out(issuer=user.issuer, sub=user.sub, sid=None, now=self._now(), until=until)

    def _touch(self, session_id: str, now: int) -> None:
        self._last_uses.pop(session_id, None)
        self._last_uses[session_id] = now
        if len(self._last_uses) > MAX_LAST_USES:
            self._last_uses.popitem(last=False)

    def _open_cookies(self, cookies: Cookies) -> CachedSession | None:
        if cookies.header == self._unreadable_header:
            return None
        own = cookies.beginning_with(self._session_cookies.name)  # other cookies may change with every request
        name = (*own, *own.values())
        cached = self._cache.get(name)
        if cached is not None:  # from now on also found by the header, without parsing it
            self._cache.keep(cookies.header, cached, size=len(cookies.header) + cached.session.tokens.texts.size)
            return cached
        session = self._session_cookies.open(own)
        if session is None:
            self._unreadable_header = cookies.header
            return None
        cached = CachedSession(
            name,
            session,
            session.tokens.generation,
            self._session_cookies.left_behind(session.id, own),
            session,
            own[self._session_cookies.name],
        )
        self._update(cached)
        # A session that is over takes no room in the cache. Nor does one with refreshed tokens: the browser is about to
        # get other cookies, and the new tokens may be larger than the size that the cache counts.
        is_live = cached.begins_at <= self._now() < cached.ends_at
        if is_live and cached.newest.tokens.generation <= cached.browser_generation:
            self._cache.keep(name, cached, size=len(cookies.header) + session.tokens.texts.size)
        return cached

    def _forget(self, cached: CachedSession, cookie_header: bytes) -> None:
        self._cache.drop(cookie_header)
        self._cache.drop(cached.name)

    def _update(self, cached: CachedSession) -> None:
        """Apply the current revocations and refreshed tokens to a cached session."""
        revocations = self._revocations
        versions = revocations.version, self._undelivered.version
        cached.newest = newest = self._with_newest_tokens(cached.session)
        cached.begins_at, cached.ends_at = valid_period(newest, self._limits)
        effective_at = revocations.effective_at(newest.login)
        if effective_at is not None:
            cached.ends_at = min(cached.ends_at, effective_at)
        if revocations.is_outdated(newest):
            cached.ends_at = AT_ONCE
        cached.fresh_from, cached.fresh_until = fresh_period(newest, self._limits)
        if cached.left_behind or newest.tokens.generation > cached.browser_generation:
            cached.fresh_until = 0
        # Last: another thread must not take the old limits for the new ones.
        cached.revocations_version, cached.refreshes_version = versions

    def _with_newest_tokens(self, session: Session) -> Session:
        tokens = self._undelivered.newest(session.login.id, session.tokens)
        return session if tokens is session.tokens else msgspec.structs.replace(session, tokens=tokens)

    def _tokens_due(
        self, active: ActiveSession, session: Session, cookies: Mapping[str, str], *, now: int
    ) -> list[bytes]:
        if session.tokens.generation <= active.browser_generation:
            return []
        max_age = session.login.created_at + self._limits.lifetime - now
        try:
            self._size_check.check(session)
            return self._session_cookies.write_tokens(session, cookies, max_age=max_age)
        except SessionTooLarge as error:  # they stay in this process, and the request goes on
            events.log(events.TOKENS_NOT_KEPT, code=error.code, detail=error.detail)
            return []
