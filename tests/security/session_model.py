"""What a session may be, in rules small enough to be seen to be right: alive, whose, with which tokens, ended for good.

Nothing here seals, stores or sends; a test drives the library beside it and compares.
"""

from dataclasses import dataclass, field, replace

IDLE, LIFETIME, GRACE, ROLL = 600, 1500, 30, 60  # seconds; the first two are settings of the test, GRACE and ROLL ours
ACCESS, AHEAD = 300, 60  # seconds of an access token, and how long before its end it is renewed
SIGN_OUT_GRACE = 5  # seconds after its end in which a session may still sign out
MAX_REPLACED = 8
ENDED, REPLACED = -2.0, -1.0  # dead from ever; the difference is whether a login under way stops as well
NEVER = float("inf")


@dataclass(frozen=True)
class Tokens:
    """What a session has of the provider; `number` counts the refreshes."""

    access: str
    refresh: str | None
    issued_at: float
    number: int = 0

    def is_due(self, now: float) -> bool:
        """Say whether a request that wants the access token renews it first."""
        return now >= self.issued_at + ACCESS - AHEAD

    def is_good(self, now: float) -> bool:
        """Say whether the access token has not run out."""
        return now < self.issued_at + ACCESS


@dataclass
class Kept:
    """What changes in a session: in the record of the store, or in each copy of the cookies."""

    tokens: Tokens
    seen_at: float


@dataclass(eq=False)
class Login:
    """One login; `ends_at` and `is_gone` are about its record in the store."""

    user: str
    created_at: float
    handle: str
    replaced: list["Login"] = field(default_factory=list)
    ends_at: float = NEVER
    is_gone: bool = False


@dataclass(eq=False)
class Ticket:
    """The session cookies of one browser, or a copy of them."""

    login: Login | None = None
    kept: Kept | None = None

    def drop(self) -> None:
        """Be a browser that has no session cookies."""
        self.login = self.kept = None


@dataclass(eq=False)
class Memory:
    """What one process alone knows: when sessions die, when that was said, and tokens that it refreshed."""

    ended: dict[Login, float] = field(default_factory=dict)
    ended_at: dict[Login, float] = field(default_factory=dict)
    renewed: dict[Login, Tokens] = field(default_factory=dict)

    def end(self, login: Login, dead_from: float = ENDED, *, now: float) -> None:
        """Write a death down; an earlier one stands."""
        if dead_from < self.ended.get(login, NEVER):
            self.ended[login], self.ended_at[login] = dead_from, max(dead_from, now)
        if dead_from == ENDED:
            self.renewed.pop(login, None)


class Model:
    """All sessions of one app.

    Args:
        has_store: whether processes share a store; without one, what ended in one process may live on in another.
    """

    def __init__(self, *, has_store: bool, now: float) -> None:
        self.has_store = has_store
        self.now = now
        self.records: dict[Login, Kept] = {}

    def copy(self, ticket: Ticket) -> Ticket:
        """Be a thief: a copy of the cookies stays as it is, a record in the store is one for all."""
        kept = ticket.kept if self.has_store or ticket.kept is None else replace(ticket.kept)
        return Ticket(ticket.login, kept)

    def is_alive(self, ticket: Ticket, memory: Memory) -> bool:
        """Say whether a process takes these cookies."""
        login, kept = ticket.login, ticket.kept
        if login is None or kept is None or not self.opens(ticket):
            return False
        return self.now < min(_limit(login, kept), memory.ended.get(login, NEVER))

    def is_long_over(self, ticket: Ticket, memory: Memory) -> bool:
        """Say whether these cookies must not even sign out: what they belong to ended, and not just now."""
        login, kept = ticket.login, ticket.kept
        if login is None or kept is None:
            return False
        # With a store, an end that it could not be told of may be tried again.
        ended_at = NEVER if self.has_store else memory.ended_at.get(login, NEVER)
        return self.now >= min(_limit(login, kept), ended_at) + SIGN_OUT_GRACE

    def user(self, ticket: Ticket, memory: Memory) -> str | None:
        """Say who that is."""
        return ticket.login.user if ticket.login is not None and self.is_alive(ticket, memory) else None

    def tokens(self, ticket: Ticket, memory: Memory) -> Tokens:
        """Say with which tokens a process goes on."""
        assert ticket.login is not None
        assert ticket.kept is not None
        newest = memory.renewed.get(ticket.login, ticket.kept.tokens)
        return newest if newest.number > ticket.kept.tokens.number else ticket.kept.tokens

    def is_use_due(self, ticket: Ticket) -> bool:
        """Say whether the last use should be written down."""
        return ticket.kept is not None and self.now - ticket.kept.seen_at >= ROLL

    def use(self, ticket: Ticket, memory: Memory, *, is_writable: bool = True) -> None:
        """Answer a request of a live session: what is new is written down."""
        assert ticket.kept is not None
        if self.has_store:
            if is_writable and self.is_use_due(ticket):
                ticket.kept.seen_at = self.now
        elif ticket.login not in memory.ended:  # one that was replaced gets no cookies any more
            seen_at = self.now if self.is_use_due(ticket) else ticket.kept.seen_at
            ticket.kept = Kept(self.tokens(ticket, memory), seen_at)

    def renew(self, ticket: Ticket, memory: Memory, tokens: Tokens) -> None:
        """Take new tokens over."""
        assert ticket.login is not None
        assert ticket.kept is not None
        if self.has_store:
            ticket.kept.tokens = tokens
        else:
            memory.renewed[ticket.login] = tokens

    def may_sign_in(self, ticket: Ticket, start: Memory, finish: Memory) -> bool:
        """Say whether a login counts that one process starts and another one finishes: not after a sign-out."""
        was_there = ticket.login is not None and self.is_alive(ticket, start)
        return not (was_there and finish.ended.get(ticket.login) == ENDED)  # type: ignore[arg-type]  # it was there

    def sign_in(self, ticket: Ticket, memory: Memory, login: Login, tokens: Tokens) -> None:
        """Begin a session in the place of older ones: another user's end now, the same user's in a moment."""
        old = ticket.login if self.opens(ticket) else None
        for one in [] if old is None else [old, *old.replaced]:
            self._expire_with_grace(one, memory, grace=GRACE if one.user == login.user else 0)
            if one.user == login.user:
                login.replaced.append(one)
        del login.replaced[MAX_REPLACED:]
        ticket.login, ticket.kept = login, Kept(tokens, self.now)
        self.records[login] = ticket.kept

    def end(self, ticket: Ticket, memory: Memory, *, is_removable: bool = True) -> None:
        """End a session and those that it took over from, for good; without the store, in this process."""
        if ticket.login is None or not self.opens(ticket):
            return
        for one in (ticket.login, *ticket.login.replaced):
            memory.end(one, now=self.now)
            one.is_gone = one.is_gone or (self.has_store and is_removable)

    def sign_out_user(self, user: str, memory: Memory, *, store_state: str) -> None:
        """End all sessions of a user; a store that takes nothing more still forgets, one that is down does nothing."""
        if store_state == "down":
            return
        for login in [it for it in self.records if it.user == user]:
            memory.end(login, REPLACED, now=self.now)
            login.is_gone = login.is_gone or (self.has_store and store_state != "read-only")

    def of(self, user: str) -> set[str]:
        """Name the records of a user."""
        return {login.handle for login in self.records if login.user == user and self.is_stored(login)}

    def is_stored(self, login: Login) -> bool:
        """Say whether the store has a record."""
        return not login.is_gone and self.now < _limit(login, self.records[login])

    def opens(self, ticket: Ticket) -> bool:
        if ticket.login is None:
            return False
        return self.is_stored(ticket.login) if self.has_store else self.now < ticket.login.created_at + LIFETIME

    def _expire_with_grace(self, login: Login, memory: Memory, *, grace: int) -> None:
        memory.end(login, self.now + grace if grace else REPLACED, now=self.now)
        login.ends_at = min(login.ends_at, self.now + grace) if self.has_store else NEVER


def _limit(login: Login, kept: Kept) -> float:
    return min(login.created_at + LIFETIME, kept.seen_at + IDLE, login.ends_at)
