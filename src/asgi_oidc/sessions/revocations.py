"""Revocations: which sessions are over, so that no late request and no copy of a cookie brings one back.

A revocation has a name (of one session, of a user, or of a session at the provider) and a time: every session of that
name that began until then is over. Sessions begin in logical time: a login begins after all revocations that this
process knew when the login started. So a user who was signed out can sign in again in the same second, and that does
not bring older copies of a session back.
"""

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterator
from typing import NamedTuple, Protocol

from asgi_oidc.sessions.session import Login, Session, UserId

MAX_REVOCATIONS = 200_000  # 50 to 130 MB; each takes a login by a user, or a logout call by the provider
MAX_PER_USER = 1000  # revocations that one user causes here; after that, a single one ends all sessions of the user
MAX_SIDS = 50_000  # `sid` values of the latest logins, whose users are remembered; 10 to 30 MB
MAX_NAME_LENGTH = 255  # characters of a `sid` in a logout token
MAX_USERS_PER_SID = 4  # users remembered per `sid`; one that a provider gives to more users identifies none of them
MAX_LOGINS = 50_000  # logins whose names are cached; some 50 MB at worst, and each takes microseconds to compute
SKEW = 2000  # milliseconds by which the clocks of machines that share nothing may differ
FOR_EVER = 1 << 62  # logical milliseconds: the session is over, whenever it began
LONG_AGO = 0  # seconds since the epoch: the session ended, but the time is not known
# Seconds since the epoch: over at any time. The second one is for sessions that were replaced, without any grace.
AT_ONCE, REPLACED = 0, 1


class NamingScheme(Protocol):
    """Returns the names of a revocation, for its kind and a value.

    Kinds: `id` (a session), `tokens` (not a session, but its older tokens), `sub` (a user), `sid` (a session at the
    provider), `both` (one user in one session at the provider), and `lone` (the sessions of a user that have no `sid`).
    """

    def __call__(self, kind: str, value: str, *, issuer: str | None = None) -> tuple[str, ...]:
        """Return the names.

        Args:
            issuer: of the user, or of the session at the provider; None for `id` and `tokens`: ids are unique.
        """


class Moment(NamedTuple):
    """When a login starts.

    Attributes:
        at: milliseconds since the epoch.
        version: `Revocations.version` at that time; later revocations are not known to the login.
    """

    at: int
    version: int


class Revocation(NamedTuple):
    """Ends all sessions of a name that began until some time, or the older tokens of one session.

    Attributes:
        covers_until: logical milliseconds; sessions that began until then are over. Of kind `tokens`: the lowest
            generation of tokens that is still valid.
        effective_at: seconds since the epoch; a replaced session stays valid until then, for requests under way.
        made_at: seconds since the epoch; it is not meant for sessions that are created later.
    """

    name: str
    covers_until: int
    effective_at: int
    made_at: int


class _Entry(NamedTuple):
    """A known revocation.

    Attributes:
        version: `Revocations.version` once it was added.
        forget_at: seconds since the epoch.
        was_replaced: whether any revocation of this name came from a replacement by a new session.
        user: whom it counts against, see `Revocations.is_at_limit`.
    """

    revocation: Revocation
    version: int
    forget_at: float
    was_replaced: bool
    user: UserId | None


class _Names(NamedTuple):
    """All names under which the session of a login, and its tokens, may be revoked."""

    session: tuple[str, ...]
    tokens: tuple[str, ...]


class Revocations:
    """A bounded set of revocations.

    It fails closed: if it is full and a revocation that is still needed has to be forgotten, all sessions that were
    created before that revocation are over. Each user has a limit of their own (`is_at_limit`), so that no single user
    can cause this.

    Attributes:
        version: changes whenever a session that was valid before may be revoked now.
        names_version: changes whenever revocations get other names.
    """

    def __init__(
        self,
        names_for: NamingScheme,
        *,
        lifetime: int,
        needed_for: int,
        skew: int = SKEW,
        max_revocations: int = MAX_REVOCATIONS,
        max_per_user: int = MAX_PER_USER,
        is_shared: bool = False,
    ) -> None:
        """Start without any revocation.

        Args:
            names_for: how revocations are named.
            lifetime: seconds that a revocation is remembered.
            needed_for: seconds after which no session is left that a revocation could end; if one is forgotten
                earlier, all sessions that are older than it are over.
            skew: milliseconds by which the clocks of processes may differ.
            is_shared: whether revocations made here have to be published to other processes, see `mark_published`.
        """
        self._names_for = names_for
        self._lifetime = lifetime
        self._needed_for = needed_for
        self._skew = skew
        self._max_revocations = max_revocations
        self._max_per_user = max_per_user
        self._is_shared = is_shared
        self._count_by_user: Counter[UserId] = Counter()  # revocations that each user has caused
        self._users_by_sid: OrderedDict[tuple[str, str], tuple[UserId, ...]] = OrderedDict()  # by issuer and `sid`
        self._unpublished: set[str] = set()  # names of revocations that other processes may not know yet
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._names_by_login: dict[tuple[str, str, str, str | None], _Names] = {}
        self.version = self.names_version = 0
        self._latest_time = 0  # logical milliseconds, of all revocations and logins here: the clock may be set back
        self._all_ended_until = -1  # seconds since the epoch; sessions that were created until then are over

    def rename(self) -> None:
        """Name revocations anew from now on: the secrets have changed, from which their names are made."""
        self._names_by_login.clear()
        self.names_version += 1
        self.version += 1

    def remember_user(self, user: UserId, *, sid: object) -> None:
        """Remember which user a `sid` belongs to: a logout token may contain only the `sid`."""
        if not isinstance(sid, str) or len(sid) > MAX_NAME_LENGTH:  # no logout token can contain it
            return
        users = self._users_by_sid.pop((user.issuer, sid), ())
        self._users_by_sid[user.issuer, sid] = users if user in users else (*users, user)[:MAX_USERS_PER_SID]
        if len(self._users_by_sid) > MAX_SIDS:
            self._users_by_sid.popitem(last=False)

    def users_of(self, sid: str, *, issuer: str) -> Collection[UserId]:
        """Return the users that have signed in with a `sid` of an issuer."""
        return self._users_by_sid.get((issuer, sid), ())

    def is_at_limit(self, user: UserId) -> bool:
        """Return whether a user has caused so many revocations that the next must end all sessions of that user."""
        return self._count_by_user[user] >= self._max_per_user

    def moment(self, *, now: float) -> Moment:
        """Return when a login starts; to be called before any call to the provider."""
        return Moment(int(now * 1000), self.version)

    def session_start(self, moment: Moment, user: UserId, *, sid: str | None) -> int:
        """Return when a session begins, in logical milliseconds.

        That is after all revocations that were known when the login started, and before all that came since: a user
        who is signed out during the login must not be signed in by it.
        """
        found = (self._entries.get(name) for name in self._names_of_user(user, sid))
        before = [
            entry.revocation.covers_until + 1
            for entry in found
            if entry is not None and entry.version <= moment.version
        ]
        began = max([moment.at, *before])
        self._latest_time = max(self._latest_time, began)
        return began

    def effective_at(self, login: Login) -> int | None:
        """Return from when on a session is over, in seconds since the epoch; None if it is not revoked."""
        if login.created_at <= self._all_ended_until:
            return AT_ONCE
        if not self._entries:
            return None
        found = (self._entries.get(name) for name in self._names_of(login).session)
        ends = [
            entry.revocation.effective_at
            for entry in found
            if entry is not None and login.began <= entry.revocation.covers_until
        ]
        return min(ends, default=None)

    def is_revoked(self, login: Login, *, now: float) -> bool:
        """Return whether a session is revoked.

        Args:
            now: seconds since the epoch; `math.inf` to count a replaced session that is still within its grace.
        """
        effective_at = self.effective_at(login)
        return effective_at is not None and effective_at <= now

    def names_of_token(self, user: UserId, sid: str | None) -> tuple[str, ...]:
        """Return the names of the revocations that end access tokens of a user: those of sign-outs by the provider.

        Args:
            sid: the session at the provider, if the token names it.
        """
        return tuple(self._names_of_user(user, sid))

    def is_token_revoked(self, names: tuple[str, ...], *, issued_at: float) -> bool:
        """Return whether a user was signed out after an access token was issued, or up to `SKEW` before that.

        Tokens have no logical time: their provider counts in seconds, and its clock may be ahead.

        Args:
            names: from `names_of_token`.
            issued_at: seconds since the epoch.
        """
        if issued_at <= self._all_ended_until:
            return True
        found = (self._entries.get(name) for name in names)
        return any(entry is not None and issued_at * 1000 <= entry.revocation.made_at * 1000 + SKEW for entry in found)

    def ended_at(self, login: Login, *, now: float) -> int | None:
        """Return when a session ended, in seconds since the epoch.

        Returns:
            None if it is not revoked, or if the revocation could not be published to other processes: then the user
            may try to sign out again. `LONG_AGO` if it ended together with all sessions of a user or a `sid`: only the
            latest revocation of that name is known, so the time is not.
        """
        if login.created_at <= self._all_ended_until:
            return LONG_AGO
        found = (self._entries.get(name) for name in self._names_of(login).session if name not in self._unpublished)
        revocations = [
            entry.revocation for entry in found if entry is not None and login.began <= entry.revocation.covers_until
        ]
        ends = [
            (revocation.covers_until, max(revocation.effective_at, revocation.made_at))
            for revocation in revocations
            if revocation.effective_at <= now
        ]
        return min(
            (ended_at if covers_until == FOR_EVER else LONG_AGO for covers_until, ended_at in ends), default=None
        )

    def is_outdated(self, session: Session) -> bool:
        """Return whether the tokens of a session are from before a refresh that changed the user's rights."""
        return session.tokens.generation < self.least_generation(session.login)

    def least_generation(self, login: Login) -> int:
        """Return the lowest generation of a session's tokens that is still valid."""
        if not self._entries:
            return 0
        found = (self._entries.get(name) for name in self._names_of(login).tokens)
        return max((entry.revocation.covers_until for entry in found if entry is not None), default=0)

    def revoke_older_tokens(self, session: Session, *, now: float) -> list[Revocation]:
        """Revoke all tokens of a session that are older than its current ones."""
        generation = session.tokens.generation
        revocations = [
            Revocation(name, generation, AT_ONCE, int(now)) for name in self._names_for("tokens", session.id)
        ]
        return [self._add(revocation, now=now, user=session.login.user_id) for revocation in revocations]

    def is_ended(self, session_id: str) -> bool:
        """Return whether the session with this id has ended for good, as opposed to being replaced by a new login."""
        found = (self._entries.get(name) for name in self._names_for("id", session_id))
        return any(entry is not None and entry.revocation.effective_at == AT_ONCE for entry in found)

    def was_replaced(self, session_id: str) -> bool:
        """Return whether a new login ever replaced the session with this id, even if it was signed out since."""
        found = (self._entries.get(name) for name in self._names_for("id", session_id))
        return any(entry is not None and entry.was_replaced for entry in found)

    def end(
        self, name: str, *, now: float, user: UserId | None = None, kind: str = "id", grace: int | None = None
    ) -> list[Revocation]:
        """End one session; if it was to end earlier anyway, that stays.

        Args:
            name: its id, or another name of this `kind`.
            user: whom the revocation counts against, see `is_at_limit`; None if no user causes it.
            grace: seconds for which a replaced session stays valid. None for a session that ends for good: it is over
                at any time, even if the clock is set back.
        """
        effective_at = AT_ONCE if grace is None else int(now) + grace if grace else REPLACED
        revocations = [Revocation(name, FOR_EVER, effective_at, int(now)) for name in self._names_for(kind, name)]
        self._unpublished.update(revocation.name for revocation in revocations if self._is_shared)
        return [self._add(revocation, now=now, user=user) for revocation in revocations]

    def sign_out(
        self, *, issuer: str, sub: str | None, sid: str | None, now: float, until: int | None = None
    ) -> list[Revocation]:
        """End all sessions of a user, of a session at the provider, or of a user in a session at the provider.

        If the user is at the limit of revocations, all sessions of the user end, whatever the `sid`.

        Args:
            until: logical milliseconds; only sessions that began until then end. None for all until now.

        Returns:
            Revocations to publish. They cover more time than those that this process keeps: the possible skew of
            clocks is added. Processes that read them before a login starts are not affected by that; in others, a
            login within that span would be revoked as well.
        """
        covers_until = max(int(now * 1000) + SKEW, self._latest_time + 1) if until is None else until
        published_until = covers_until if until is not None else max(covers_until, int(now * 1000) + self._skew)
        revocations: list[Revocation] = []
        for kind, value, user in self._targets_of(issuer, sub, sid):
            for name in self._names_for(kind, value, issuer=issuer):
                self._add(Revocation(name, covers_until, AT_ONCE, int(now)), now=now, user=user)
                revocations.append(Revocation(name, published_until, AT_ONCE, int(now)))
        self._unpublished.update(revocation.name for revocation in revocations if self._is_shared)
        return revocations

    def mark_published(self, revocation: Revocation) -> None:
        """Note that other processes can read a revocation."""
        self._unpublished.discard(revocation.name)

    def add(self, revocation: Revocation, *, now: float) -> Revocation:
        """Add a revocation of another process; it is merged with one of the same name, see `merged`."""
        return self._add(revocation, now=now, user=None)

    def _add(self, revocation: Revocation, *, now: float, user: UserId | None) -> Revocation:
        forget_at = revocation.made_at + self._lifetime
        if forget_at <= now:
            return revocation
        entry, was_replaced = self._entries.get(revocation.name), revocation.effective_at != AT_ONCE
        if entry is not None:
            revocation, was_replaced = merged(revocation, entry.revocation), was_replaced or entry.was_replaced
            if revocation == entry.revocation:
                return revocation
            user = entry.user
            del self._entries[revocation.name]
        elif user is not None:
            self._count_by_user[user] += 1
        self.version += 1
        self._entries[revocation.name] = _Entry(revocation, self.version, forget_at, was_replaced, user)
        if revocation.covers_until != FOR_EVER:
            self._latest_time = max(self._latest_time, revocation.covers_until)
        self._forget(now=now)
        return revocation

    def _names_of(self, login: Login) -> _Names:
        # Cached, as names may be keyed hashes and every request needs them.
        key = (login.id, login.issuer, login.sub, login.sid)
        names = self._names_by_login.get(key)
        if names is None:
            session = (*self._names_for("id", login.id), *self._names_of_user(login.user_id, login.sid))
            names = _Names(session, self._names_for("tokens", login.id))
            self._names_by_login[key] = names
            if len(self._names_by_login) > MAX_LOGINS:
                del self._names_by_login[next(iter(self._names_by_login))]
        return names

    def _names_of_user(self, user: UserId, sid: str | None) -> Iterator[str]:
        issuer, sub = user
        yield from self._names_for("sub", sub, issuer=issuer)
        if sid is None:
            yield from self._names_for("lone", sub, issuer=issuer)
        else:
            yield from self._names_for("sid", sid, issuer=issuer)
            yield from self._names_for("both", _joined(sub, sid), issuer=issuer)

    def _forget(self, *, now: float) -> None:
        # Oldest first. Each call adds one at most, so removing two keeps up.
        for _ in range(2):
            oldest = next(iter(self._entries.values()))
            if oldest.forget_at > now and len(self._entries) <= self._max_revocations:
                return
            if oldest.revocation.made_at + self._needed_for > now:
                self._all_ended_until = max(self._all_ended_until, oldest.revocation.made_at)
            self._drop(oldest)

    def _drop(self, entry: _Entry) -> None:
        del self._entries[entry.revocation.name]
        self._unpublished.discard(entry.revocation.name)
        if entry.user is not None:
            self._count_by_user[entry.user] -= 1
            if not self._count_by_user[entry.user]:
                del self._count_by_user[entry.user]

    def _targets_of(self, issuer: str, sub: str | None, sid: str | None) -> list[tuple[str, str, UserId | None]]:
        """Return what a sign-out has to revoke: kind and value of each name, and the user it counts against.

        Revocations of the kinds `sub` and `lone` are not counted: there is one per user.
        """
        users = [UserId(issuer, sub)] if sub is not None else self.users_of(sid or "", issuer=issuer)
        if sid is not None and any(self.is_at_limit(user) for user in users):
            return [("sub", user.sub, None) for user in users]
        if sub is not None and sid is not None:
            # Sessions without a `sid` end as well: they may belong to this session at the provider.
            return [("both", _joined(sub, sid), UserId(issuer, sub)), ("lone", sub, None)]
        if sub is not None:
            return [("sub", sub, None)]
        return [("sid", sid or "", next(iter(users), None))]


def plain_names(kind: str, value: str, *, issuer: str | None = None) -> tuple[str, ...]:
    """Name revocations that stay in this process: they need no hashing."""
    return (f"{kind} {value if issuer is None else _joined(issuer, value)}",)


def merged(new: Revocation, old: Revocation) -> Revocation:
    """Merge two revocations of the same name into one that ends everything that either of them ends."""
    covers_until, effective_at = max(new.covers_until, old.covers_until), min(new.effective_at, old.effective_at)
    return Revocation(new.name, covers_until, effective_at, max(new.made_at, old.made_at))


def _joined(first: str, second: str) -> str:
    """Join two texts; the length makes sure that no two others give the same result."""
    return f"{len(first)} {first} {second}"
