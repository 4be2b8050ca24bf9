"""What is over stays over: sessions that ended, and all sessions of a user, or at the provider, that were signed out.

A mark says "what has this name and began until then is over". A login that knows of a mark when it starts begins after
it, in logical time: who was signed out can sign in again in the same second, and no older copy comes back by that.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from asgi_oidc.sessions.session import Login, Session

MAX_REVOCATIONS = 200_000  # marks; 50 to 130 MB, and each costs its author a login, or the provider a call
MAX_PER_USER = 1000  # marks made here on account of one user; beyond, one mark ends all sessions of that user
MAX_SIDS = 50_000  # whose users are remembered, those of the latest logins; 10 to 30 MB
MAX_NAME_LENGTH = 255  # characters of a `sid` in a logout token
MAX_USERS_PER_SID = 4  # a provider that gives one `sid` to more than that names nobody by it
MAX_LOGINS = 50_000  # whose names are remembered; some 50 MB at worst, and each takes microseconds to make
SKEW = 2000  # milliseconds by which the clocks of machines that share nothing may differ
FOR_EVER = 1 << 62  # milliseconds: the session of this id is over whenever it began
LONG_AGO = 0  # seconds since the epoch
AT_ONCE, REPLACED = 0, 1  # seconds since the epoch: over at any time; the difference tells why

NamingScheme = Callable[[str, str], tuple[str, ...]]
"""Makes the names of a mark, of its kind and what it is about.

Kinds: `id`, `sub`, `sid`, `both` (a user's session at the provider), `lone` (a user's sessions without a `sid`), and
`tokens`: that one is not about a session, but about tokens of it that newer ones have outdated.
"""


class Moment(NamedTuple):
    """When a login starts: milliseconds since the epoch, and how many marks are known."""

    at: int
    known: int


class Revocation(NamedTuple):
    """The end of whatever has its name.

    Attributes:
        at: milliseconds; what began until then is over. Of kind `tokens`: the least generation that still counts.
        effective_at: seconds since the epoch; what was replaced lives on for a moment.
        made_at: seconds since the epoch; it means nothing that was created later.
    """

    name: str
    at: int
    effective_at: int
    made_at: int


class _Entry(NamedTuple):
    revocation: Revocation
    version: int
    forget_at: float
    was_replaced: bool
    user: str | None


class _Names(NamedTuple):
    session: tuple[str, ...]
    tokens: tuple[str, ...]


class Revocations:
    """A bounded set of marks.

    When one has to go that is still needed, all sessions that were created before it are over: it fails closed. So that
    no single user can bring that about, each has a bound of their own (`is_at_limit`).

    Attributes:
        version: another number whenever more may be over than before.
    """

    def __init__(
        self,
        name: NamingScheme,
        *,
        lifetime: int,
        needed_for: int,
        skew: int = SKEW,
        max_revocations: int = MAX_REVOCATIONS,
        max_per_user: int = MAX_PER_USER,
        is_shared: bool = False,
    ) -> None:
        """Start with nothing.

        Args:
            name: how marks are named here.
            lifetime: seconds that a mark is remembered.
            needed_for: seconds after which no session is left that it could end; one that goes earlier ends them all.
            skew: milliseconds by which the clocks of processes may differ.
            is_shared: whether a mark made here has to be told to other processes, see `mark_published`.
        """
        self._names_for = name
        self._lifetime = lifetime
        self._needed_for = needed_for
        self._skew = skew
        self._max_revocations = max_revocations
        self._max_per_user = max_per_user
        self._is_shared = is_shared
        self._count_by_user: Counter[str] = Counter()  # how many marks are known of each user
        self._users_by_sid: OrderedDict[str, tuple[str, ...]] = OrderedDict()  # by `sid`
        self._unpublished: set[str] = set()  # names of marks made here that other processes may not have
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._names_by_login: dict[tuple[str, str, str | None], _Names] = {}
        self.version = 0
        self._latest_time = 0  # milliseconds; of all marks, and of all logins here: the clock may be set back
        self._all_ended_until = -1  # seconds since the epoch

    def remember_user(self, *, sub: str, sid: object) -> None:
        """Note whose session at the provider has this `sid`: a sign-out may name nothing else."""
        if not isinstance(sid, str) or len(sid) > MAX_NAME_LENGTH:  # no logout token names it
            return
        users = self._users_by_sid.pop(sid, ())
        self._users_by_sid[sid] = users if sub in users else (*users, sub)[:MAX_USERS_PER_SID]
        if len(self._users_by_sid) > MAX_SIDS:
            self._users_by_sid.popitem(last=False)

    def users_of(self, sid: str) -> Collection[str]:
        """Name the users that were seen with a `sid`."""
        return self._users_by_sid.get(sid, ())

    def is_at_limit(self, sub: str) -> bool:
        """Say whether a user has so many marks that the next has to end all sessions of that user."""
        return self._count_by_user[sub] >= self._max_per_user

    def moment(self, *, now: float) -> Moment:
        """Note when a login starts, before the provider is asked for anything."""
        return Moment(int(now * 1000), self.version)

    def begin(self, moment: Moment, *, sub: str, sid: str | None) -> int:
        """Say when a login began, in logical milliseconds: after all marks known when it started, before all others."""
        found = (self._entries.get(name) for name in self._names(sub, sid))
        before = [known.revocation.at + 1 for known in found if known is not None and known.version <= moment.known]
        began = max([moment.at, *before])
        self._latest_time = max(self._latest_time, began)
        return began

    def effective_at(self, login: Login) -> int | None:
        """Say from when on a session is over, in seconds since the epoch; None for one that nobody ended."""
        if login.created_at <= self._all_ended_until:
            return AT_ONCE
        if not self._entries:
            return None
        found = (self._entries.get(name) for name in self._names_of(login).session)
        ends = [
            known.revocation.effective_at for known in found if known is not None and login.began <= known.revocation.at
        ]
        return min(ends, default=None)

    def is_revoked(self, login: Login, *, now: float) -> bool:
        """Say whether a session is over at an instant; `math.inf`: now or in a moment."""
        effective_at = self.effective_at(login)
        return effective_at is not None and effective_at <= now

    def ended_at(self, login: Login, *, now: float) -> int | None:
        """Say when a session ended, in seconds since the epoch.

        Returns:
            None for one that is alive, and for one whose end other processes could not be told of: it has not come
            about yet, and may be tried again. `LONG_AGO` for one that ended with all others of its name: of several
            such marks only the last is known.
        """
        if login.created_at <= self._all_ended_until:
            return LONG_AGO
        found = (self._entries.get(name) for name in self._names_of(login).session if name not in self._unpublished)
        revocations = [known.revocation for known in found if known is not None and login.began <= known.revocation.at]
        ends = [
            (revocation.at, max(revocation.effective_at, revocation.made_at))
            for revocation in revocations
            if revocation.effective_at <= now
        ]
        return min((instant if at == FOR_EVER else LONG_AGO for at, instant in ends), default=None)

    def is_outdated(self, session: Session) -> bool:
        """Say whether the tokens of a session are from before a refresh that changed the user's rights."""
        return session.tokens.generation < self.least_generation(session.login)

    def least_generation(self, login: Login) -> int:
        """Return the generation of the oldest tokens of a session that still count."""
        if not self._entries:
            return 0
        found = (self._entries.get(name) for name in self._names_of(login).tokens)
        return max((known.revocation.at for known in found if known is not None), default=0)

    def revoke_older_tokens(self, session: Session, *, now: float) -> list[Revocation]:
        """Revoke all tokens of a session that are older than these."""
        generation = session.tokens.generation
        revocations = [
            Revocation(name, generation, AT_ONCE, int(now)) for name in self._names_for("tokens", session.id)
        ]
        return [self._add(revocation, now=now, user=session.login.sub) for revocation in revocations]

    def is_ended(self, session_id: str) -> bool:
        """Say whether the session of an id ended for good, and was not merely replaced."""
        found = (self._entries.get(name) for name in self._names_for("id", session_id))
        return any(known is not None and known.revocation.effective_at == AT_ONCE for known in found)

    def was_replaced(self, session_id: str) -> bool:
        """Say whether another session took over from the session of an id, whatever became of it since."""
        found = (self._entries.get(name) for name in self._names_for("id", session_id))
        return any(known is not None and known.was_replaced for known in found)

    def end(
        self, name: str, *, now: float, user: str | None = None, kind: str = "id", grace: int | None = None
    ) -> list[Revocation]:
        """End one session; an earlier end stands.

        Args:
            name: its id, or what `kind` says.
            user: the `sub` that the mark counts against, see `is_at_limit`; None where no user brings this about.
            grace: seconds that it lives on, for what was replaced. What ended for good has none (None): it is over at
                any time, also when the clock is set back.
        """
        effective_at = AT_ONCE if grace is None else int(now) + grace if grace else REPLACED
        revocations = [Revocation(name, FOR_EVER, effective_at, int(now)) for name in self._names_for(kind, name)]
        self._unpublished.update(revocation.name for revocation in revocations if self._is_shared)
        return [self._add(revocation, now=now, user=user) for revocation in revocations]

    def sign_out(self, *, sub: str | None, sid: str | None, now: float, until: int | None = None) -> list[Revocation]:
        """End all sessions of a user, of a session at the provider, or of both, that began until now, or an instant.

        Of a user who has made too many marks all sessions end, whatever the `sid`.

        Args:
            until: in logical milliseconds.

        Returns:
            Marks to tell the others. They reach further than what this process knows now: with the skew of clocks,
            which does harm to logins elsewhere where nobody is told.
        """
        at = max(int(now * 1000) + SKEW, self._latest_time + 1) if until is None else until
        mark_published = at if until is not None else max(at, int(now * 1000) + self._skew)
        revocations: list[Revocation] = []
        for kind, value, user in self._targets_of(sub, sid):
            for name in self._names_for(kind, value):
                self._add(Revocation(name, at, AT_ONCE, int(now)), now=now, user=user)
                revocations.append(Revocation(name, mark_published, AT_ONCE, int(now)))
        self._unpublished.update(revocation.name for revocation in revocations if self._is_shared)
        return revocations

    def mark_published(self, revocation: Revocation) -> None:
        """Note that other processes have a mark."""
        self._unpublished.discard(revocation.name)

    def add(self, revocation: Revocation, *, now: float) -> Revocation:
        """Add a mark of another process; of two with the same name, the one that ends more counts."""
        return self._add(revocation, now=now, user=None)

    def _add(self, revocation: Revocation, *, now: float, user: str | None) -> Revocation:
        forget_at = revocation.made_at + self._lifetime
        if forget_at <= now:
            return revocation
        known, was_replaced = self._entries.get(revocation.name), revocation.effective_at != AT_ONCE
        if known is not None:
            revocation, was_replaced = merged(revocation, known.revocation), was_replaced or known.was_replaced
            if revocation == known.revocation:
                return revocation
            user = known.user
            del self._entries[revocation.name]
        elif user is not None:
            self._count_by_user[user] += 1
        self.version += 1
        self._entries[revocation.name] = _Entry(revocation, self.version, forget_at, was_replaced, user)
        if revocation.at != FOR_EVER:
            self._latest_time = max(self._latest_time, revocation.at)
        self._forget(now=now)
        return revocation

    def _names_of(self, login: Login) -> _Names:
        # Each request asks, and names may be keyed hashes.
        key = (login.id, login.sub, login.sid)
        names = self._names_by_login.get(key)
        if names is None:
            session = (*self._names_for("id", login.id), *self._names(login.sub, login.sid))
            names = _Names(session, self._names_for("tokens", login.id))
            self._names_by_login[key] = names
            if len(self._names_by_login) > MAX_LOGINS:
                del self._names_by_login[next(iter(self._names_by_login))]
        return names

    def _names(self, sub: str, sid: str | None) -> Iterator[str]:
        yield from self._names_for("sub", sub)
        if sid is None:
            yield from self._names_for("lone", sub)
        else:
            yield from self._names_for("sid", sid)
            yield from self._names_for("both", _user_and_sid(sub, sid))

    def _forget(self, *, now: float) -> None:
        # Oldest first; two a call keep up with what comes in.
        for _ in range(2):
            oldest = next(iter(self._entries.values()))
            if oldest.forget_at > now and len(self._entries) <= self._max_revocations:
                return
            if oldest.revocation.made_at + self._needed_for > now:
                self._all_ended_until = max(self._all_ended_until, oldest.revocation.made_at)
            self._drop(oldest)

    def _drop(self, known: _Entry) -> None:
        del self._entries[known.revocation.name]
        self._unpublished.discard(known.revocation.name)
        if known.user is not None:
            self._count_by_user[known.user] -= 1
            if not self._count_by_user[known.user]:
                del self._count_by_user[known.user]

    def _targets_of(self, sub: str | None, sid: str | None) -> list[tuple[str, str, str | None]]:
        """Say what a sign-out marks: the kinds of its names, what they are about, and the user they count against.

        Of `sub` and `lone` each user has one, so that these need no counting.
        """
        users = [sub] if sub is not None else self._users_by_sid.get(sid or "", ())
        if sid is not None and any(self.is_at_limit(user) for user in users):
            return [("sub", user, None) for user in users]
        if sub is not None and sid is not None:
            # A session that has no sid may be the one: nobody can tell.
            return [("both", _user_and_sid(sub, sid), sub), ("lone", sub, None)]
        if sub is not None:
            return [("sub", sub, None)]
        return [("sid", sid or "", next(iter(users), None))]


def plain_names(kind: str, value: str) -> tuple[str, ...]:
    """Name a mark that stays in this process."""
    return (f"{kind} {value}",)


def merged(new: Revocation, old: Revocation) -> Revocation:
    """Make one mark of two with the same name, which ends all that either of them ends."""
    at, effective_at = max(new.at, old.at), min(new.effective_at, old.effective_at)
    return Revocation(new.name, at, effective_at, max(new.made_at, old.made_at))


def _user_and_sid(sub: str, sid: str) -> str:
    return f"{len(sub)} {sub} {sid}"
