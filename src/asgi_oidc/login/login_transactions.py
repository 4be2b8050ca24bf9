"""Logins in progress: one sealed cookie per `state`, so that tabs never disturb each other (RFC 9700 §4.7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest

import msgspec

from asgi_oidc.sessions.cookie_packing import pack, unpack
from asgi_oidc.sessions.digests import digest, short_digest
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.web.cookies import CookieStyle, SameSite

LOGIN_LIFETIME = 600  # seconds that a person has to sign in
MAX_LOGINS = 8  # logins at once in one browser; the oldest goes
MAX_DELETED = 16  # cookies at once; whoever has more loses the rest with the next logins
MAX_BYTES = 2500  # of login cookies in all, as they stand in a header, the new one included
MIN_BYTES = 600  # for one that another site has started, though the others take all there is
MAX_RESTARTED = 3  # of these at once; a few tabs that come back late are fine, a loop is not
RESTARTED = ".2"  # ends a state of a login that was started by a callback nobody waited for


class Before(msgspec.Struct, frozen=True, array_like=True):
    """The session that a browser had when it started a login.

    Attributes:
        sub: its digest only: a cookie has little room, and a `sub` may be long.
    """

    session: str
    sub: str

    def __repr__(self) -> str:
        return "Before(...)"


class Transaction(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What one login has to remember until its callback.

    Attributes:
        return_to: path on our own site, checked; None for home.
        form_post: whether the response comes as a POST.
        max_age, acr_values: what was asked of the provider, and so what is checked.
        created_at: seconds since the epoch.
        before: who was signed in when the login started. A callback that comes as a form from the provider's site
            does not bring the session cookie along, and a sign-out meanwhile has to be seen.
        login_count: how many logins of this browser came just before; None where nothing hints at a loop.
        session_id: of the session that it will begin. Known so early, the name of the cookie can tell which tokens this
            login may leave in the browser, when several end at once and none sees the cookies of the others.
        is_from_elsewhere: whether a page of another site has led the browser to it; such logins give way to others.
        form, form_size: id of the form that is kept meanwhile, and how many characters it has, sealed.
    """

    state: str
    nonce: str
    code_verifier: str
    return_to: str | None
    form_post: bool
    max_age: int | None
    acr_values: list[str]
    created_at: int
    before: Before | None = None
    login_count: int | None = None
    session_id: str = ""
    is_from_elsewhere: bool = False
    form_size: int = 0
    form: str | None = None

    def __repr__(self) -> str:
        return f"Transaction(created_at={self.created_at})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("created_at", self.created_at)]


@dataclass(frozen=True, slots=True)
class Transactions:
    """Puts logins in progress into cookies and finds them again."""

    sealer: Sealer
    style: CookieStyle
    stem: str
    same_site: SameSite

    def write(
        self,
        transaction: Transaction,
        cookies: Mapping[str, str],
        *,
        now: int,
        room: int = MAX_BYTES,
        paths: Sequence[str | None] = (),
    ) -> list[bytes]:
        """Write the cookie of a new login, and delete those that are too many.

        Args:
            room: bytes that all login cookies may take, the new one included.
            paths: what may stand in the place of a return path that is too long, the best first.
        """
        name = self._name(transaction.state, transaction.session_id)
        others = self._by_priority(cookies, now=now)
        most = room
        if transaction.is_from_elsewhere:  # it must not cost more of the others than it needs
            needed = sum(len(one) + len(cookies[one]) + len("=; ") for one, login in others if not _gives_way(login))
            most = max(room - needed, min(room, MIN_BYTES))
        value = self._seal_to_fit(transaction, name, most - len(name) - len("=; "), (*paths, None))
        room -= len(name) + len(value) + len("=; ")
        deletions = []
        for rank, (other, login) in enumerate(others, start=2):  # the new one is the first
            room -= len(other) + len(cookies[other]) + len("=; ")
            if login is None or rank > MAX_LOGINS or room < 0:
                deletions.append(self.style.delete_cookie(other, same_site=self.same_site))
        new = self.style.set_cookie(name, value, max_age=LOGIN_LIFETIME, same_site=self.same_site)
        return [*deletions[:MAX_DELETED], new]

    def find(self, state: str, cookies: Mapping[str, str]) -> Transaction | None:
        """Return the login in progress that this browser started with this state; it may be too old."""
        name = self._name_in(cookies, state)
        transaction = None if name is None else self._open(name, cookies[name])
        if transaction is None or not compare_digest(transaction.state.encode(), state.encode("utf-8", "replace")):
            return None
        return transaction

    def has_cookie(self, state: str, cookies: Mapping[str, str]) -> bool:
        """Say whether the browser brought the cookie of a login, whoever can open it."""
        return self._name_in(cookies, state) is not None

    def has_others(self, state: str, cookies: Mapping[str, str]) -> bool:
        """Say whether the browser brought cookies of other logins."""
        own = self._name(state)
        return any(not name.startswith(own) for name in self.names(cookies))

    def has_any(self, cookies: Mapping[str, str]) -> bool:
        """Say whether the browser brought the cookie of any login."""
        return bool(self.names(cookies))

    def names(self, cookies: Mapping[str, str]) -> list[str]:
        """Name the cookies of logins, whoever can open them."""
        return [name for name in cookies if name.startswith(self._prefix)]

    def sessions_of_others(self, state: str, cookies: Mapping[str, str]) -> list[str]:
        """Return short digests of the sessions that the other logins of this browser may have begun by now."""
        own = self._name(state)
        return [name[len(own) :] for name in self.names(cookies) if not name.startswith(own) and len(name) > len(own)]

    def delete_least_needed(self, cookies: Mapping[str, str], *, now: int) -> list[bytes]:
        """Delete logins one by one, those first that are needed least."""
        names = [name for name, _ in reversed(self._by_priority(cookies, now=now))]
        return [self.style.delete_cookie(name, same_site=self.same_site) for name in names]

    def is_in_login_loop(self, cookies: Mapping[str, str], *, now: int) -> bool:
        """Say whether this browser was sent to sign in again too often: a provider may lose the state that says so."""
        logins = [self._open(name, cookies[name]) for name in self.names(cookies)]
        restarted = [login for login in logins if login and login.state.endswith(RESTARTED) and is_live(login, now=now)]
        return len(restarted) >= MAX_RESTARTED

    def delete(self, state: str, session_id: str = "") -> bytes:
        """Delete the cookie of a login: it has been used."""
        return self.style.delete_cookie(self._name(state, session_id), same_site=self.same_site)

    def _seal_to_fit(self, transaction: Transaction, name: str, room: int, paths: Sequence[str | None]) -> str:
        """Seal a login, with a return path that fits."""
        value = self._sealed(transaction, name)
        for path in paths:
            if len(value) <= room:
                break
            value = self._sealed(msgspec.structs.replace(transaction, return_to=path), name)
        return value

    def _sealed(self, transaction: Transaction, name: str) -> str:
        return self.sealer.seal("login", name, pack(transaction))

    def _by_priority(self, cookies: Mapping[str, str], *, now: int) -> list[tuple[str, Transaction | None]]:
        """Return the logins of a browser, those first that are needed most; None for what cannot be finished."""
        ages: list[tuple[bool, int, int, str, Transaction | None]] = []
        for position, name in enumerate(self.names(cookies)):  # browsers send older cookies first (RFC 6265 §5.4)
            login = self._open(name, cookies[name])
            if login is None or not is_live(login, now=now):
                ages.append((False, 0, position, name, None))
            else:
                ages.append((not login.is_from_elsewhere, login.created_at, position, name, login))
        return [(name, login) for *_, name, login in sorted(ages, key=lambda age: age[:3], reverse=True)]

    def _open(self, name: str, value: str) -> Transaction | None:
        data = self.sealer.open("login", name, value) if value else None
        if data is None:
            return None
        try:
            return unpack(data, Transaction)
        except (ValueError, RecursionError):
            return None

    @property
    def _prefix(self) -> str:
        return self.style.name(f"{self.stem}-login-")

    def _name(self, state: str, session_id: str = "") -> str:
        session = short_digest(session_id) if session_id else ""
        return f"{self._prefix}{digest(state)[:16]}{session}"

    def _name_in(self, cookies: Mapping[str, str], state: str) -> str | None:
        start = self._name(state)
        return next((name for name in cookies if name.startswith(start)), None)


def _gives_way(login: Transaction | None) -> bool:
    return login is None or login.is_from_elsewhere


def is_live(transaction: Transaction, *, now: int) -> bool:
    """Say whether a login may still be finished; the browser's own Max-Age is only a courtesy."""
    return now < transaction.created_at + LOGIN_LIFETIME
