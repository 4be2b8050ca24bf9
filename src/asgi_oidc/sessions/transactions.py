"""Logins in progress: one sealed cookie per `state`, so that tabs never disturb each other (RFC 9700 §4.7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest

import msgspec

from asgi_oidc.sessions.sealing import Sealer, base64url
from asgi_oidc.web.cookies import CookieStyle, SameSite

LIFETIME = 600  # seconds that a person has to sign in
MOST = 8  # logins at once in one browser; the oldest goes
MOST_DELETED = 16  # cookies at once; whoever has more loses the rest with the next logins
MOST_BYTES = 8192  # characters of login cookies in all, the new one left aside: headers have limits too
MOST_AGAIN = 3  # of these at once; a few tabs that come back late are fine, a loop is not
AGAIN = ".2"  # ends a state of a login that was started by a callback nobody waited for


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
        round: how many logins of this browser came just before; None where nothing hints at a loop.
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
    round: int | None = None

    def __repr__(self) -> str:
        return f"Transaction(created_at={self.created_at})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("created_at", self.created_at)]


_decoder = msgspec.msgpack.Decoder(Transaction)


@dataclass(frozen=True, slots=True)
class Transactions:
    """Puts logins in progress into cookies and finds them again."""

    sealer: Sealer
    style: CookieStyle
    stem: str
    same_site: SameSite

    def write(self, transaction: Transaction, cookies: Mapping[str, str], *, now: int) -> list[bytes]:
        """Write the cookie of a new login, and delete those beyond `MOST`."""
        name = self._name(transaction.state)
        value = self.sealer.seal("login", name, msgspec.msgpack.encode(transaction))
        new = self.style.set_cookie(name, value, max_age=LIFETIME, same_site=self.same_site)
        return [*self._evict(cookies, now=now), new]

    def find(self, state: str, cookies: Mapping[str, str]) -> Transaction | None:
        """Return the login in progress that this browser started with this state; it may be too old."""
        name = self._name(state)
        transaction = self._open(name, cookies.get(name, ""))
        if transaction is None or not compare_digest(transaction.state.encode(), state.encode("utf-8", "replace")):
            return None
        return transaction

    def is_there(self, state: str, cookies: Mapping[str, str]) -> bool:
        """Say whether the browser brought the cookie of a login, whoever can open it."""
        return self._name(state) in cookies

    def has_others(self, state: str, cookies: Mapping[str, str]) -> bool:
        """Say whether the browser brought cookies of other logins."""
        own = self._name(state)
        return any(name != own for name in cookies if name.startswith(self._prefix))

    def is_any(self, cookies: Mapping[str, str]) -> bool:
        """Say whether the browser brought the cookie of any login."""
        return any(name.startswith(self._prefix) for name in cookies)

    def goes_in_circles(self, cookies: Mapping[str, str], *, now: int) -> bool:
        """Say whether this browser was sent to sign in again too often: a provider may lose the state that says so."""
        logins = [self._open(name, cookies[name]) for name in cookies if name.startswith(self._prefix)]
        again = [login for login in logins if login and login.state.endswith(AGAIN) and is_live(login, now=now)]
        return len(again) >= MOST_AGAIN

    def delete(self, state: str) -> bytes:
        """Delete the cookie of a login: it has been used."""
        return self.style.delete_cookie(self._name(state), same_site=self.same_site)

    def _evict(self, cookies: Mapping[str, str], *, now: int) -> list[bytes]:
        ages: list[tuple[int, int, str]] = []
        for place, name in enumerate(cookies):  # browsers send older cookies first (RFC 6265 §5.4)
            if name.startswith(self._prefix):
                login = self._open(name, cookies[name])
                ages.append((login.created_at if login and is_live(login, now=now) else 0, place, name))
        room = MOST_BYTES
        lines = []
        for rank, (created_at, _, name) in enumerate(sorted(ages, reverse=True), start=2):  # the new one is the first
            room -= len(cookies[name])
            if created_at == 0 or rank > MOST or room < 0:
                lines.append(self.style.delete_cookie(name, same_site=self.same_site))
        return lines[:MOST_DELETED]

    def _open(self, name: str, value: str) -> Transaction | None:
        data = self.sealer.open("login", name, value) if value else None
        if data is None:
            return None
        try:
            return _decoder.decode(data)
        except (ValueError, RecursionError):
            return None

    @property
    def _prefix(self) -> str:
        return self.style.name(f"{self.stem}-login-")

    def _name(self, state: str) -> str:
        return self._prefix + digest(state)[:16]


def digest(text: str) -> str:
    """Name a text without giving it away: SHA-256, base64url."""
    return base64url(sha256(text.encode("utf-8", "replace")).digest())


def is_live(transaction: Transaction, *, now: int) -> bool:
    """Say whether a login may still be finished; the browser's own Max-Age is only a courtesy."""
    return now < transaction.created_at + LIFETIME
