"""Logins in progress: one sealed cookie per `state`, so that tabs do not interfere with each other (RFC 9700 §4.7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest

import msgspec

from asgi_oidc.sessions.digests import UserDigests, digest, short_digest
from asgi_oidc.sessions.packing.structs import pack, unpack
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.session import Login, UserId
from asgi_oidc.web.cookie_size import LOGIN_SHARE
from asgi_oidc.web.cookies import CookieStyle, SameSite

LOGIN_LIFETIME = 600  # seconds that a user has to sign in
MAX_LOGINS = 8  # logins in progress in one browser; the oldest is deleted
MAX_OPENED = 16  # cookies that are decrypted for one response without a readable `state`
MAX_DELETED = 16  # cookies that one response deletes; the rest follows with the next logins
MAX_BYTES = 2500  # of all login cookies in a Cookie header, including a new one
MIN_BYTES = LOGIN_SHARE  # always available to a login that another site has started, even if others use all of the room
MAX_RESTARTED = 3  # restarted logins in one browser: a few tabs that return late are fine, more are a loop
IN_WINDOW = ".w"  # in the `state` of a login that started in a frame: its callback arrives in another window
RESTARTED = (
    ".2"  # suffix of the state of a restarted login: one that a callback without a login in progress has started
)


class Before(msgspec.Struct, frozen=True, array_like=True):
    """The session that a browser had when it started a login.

    Attributes:
        session: id of the session.
        user: digest of its user.
    """

    session: str
    user: str

    def __repr__(self) -> str:
        return "Before(...)"


class Transaction(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What the callback of a login has to know of its start.

    Attributes:
        return_to: path on our own site, checked; None for home.
        form_post: whether the authorization response is a form post.
        max_age, acr_values: as requested from the provider, and so as checked in the ID Token.
        created_at: seconds since the epoch.
        before: the session that the browser had when the login started. A callback by form post does not bring the
            session cookie along, and a sign-out in the meantime has to be noticed.
        login_count: the number of logins that this browser completed just before; None if there is no sign of a loop.
        session_id: of the session that the login will create. It is chosen this early so that the cookie's name can
            contain its digest: if several logins by form post end at once, none sees the session cookies of the
            others, but each can delete their tokens.
        is_from_elsewhere: whether another site has led the browser to the login; such logins are deleted first.
        provider: `ProviderSettings.label` of the provider at which the user signs in.
        is_silent: whether the provider was asked to show no page; then the app learns why it would have had to.
        signed_response: whether the response was requested as a signed JWT (JARM); a plain one is then refused.
        span_id: of the span that has started the login, for traces; empty if nothing is traced.
        dpop_key: the private key to which the tokens will be bound, as `read_dpop_key` reads it; empty without DPoP.
        requested_details: digests of the `authorization_details` that the login asks for.
        form, form_size: id of the interrupted form that is kept during the login, and its sealed size in characters.
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
    provider: str = ""
    is_silent: bool = False
    span_id: str = ""
    dpop_key: str = ""
    requested_details: tuple[str, ...] = ()
    signed_response: bool = False

    def __repr__(self) -> str:
        return f"Transaction(created_at={self.created_at})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("created_at", self.created_at)]


@dataclass(frozen=True, slots=True)
class Transactions:
    """Keeps logins in progress in cookies.

    Attributes:
        same_site: of deletions; browsers delete a cookie whatever its own attribute is.
    """

    sealer: Sealer
    style: CookieStyle
    stem: str
    same_site: SameSite
    user_digests: UserDigests

    def before(self, login: Login) -> Before:
        """Return what a new login has to remember of the session that the browser has."""
        return Before(login.id, self.user_digests.of(login.user_id))

    def was_of(self, before: Before, user: UserId) -> bool:
        """Return whether the session that the browser had was this user's."""
        return before.user == self.user_digests.of(user)

    def write(
        self,
        transaction: Transaction,
        cookies: Mapping[str, str],
        *,
        now: int,
        room: int = MAX_BYTES,
        paths: Sequence[str | None] = (),
    ) -> list[bytes]:
        """Write the cookie of a new login, and delete others if there are too many.

        Args:
            room: bytes that all login cookies may take, including the new one.
            paths: alternatives to a return path that is too long, the best first.
        """
        name = self._name(transaction.state, transaction.session_id)
        others = self._by_priority(cookies, now=now)
        own_room = room
        if others and transaction.span_id:  # each login has less room then, and most browsers have only one
            transaction = msgspec.structs.replace(transaction, span_id="")
        if transaction.is_from_elsewhere:  # its return path must not take room from logins that the user started here
            needed = sum(
                len(other) + len(cookies[other]) + len("=; ") for other, login in others if not _gives_way(login)
            )
            own_room = max(room - needed, min(room, MIN_BYTES))
        value = self._seal_to_fit(transaction, name, own_room - len(name) - len("=; "), (*paths, None))
        room -= len(name) + len(value) + len("=; ")
        deletions = []
        for rank, (other, login) in enumerate(others, start=2):  # the new one is the first
            room -= len(other) + len(cookies[other]) + len("=; ")
            if login is None or rank > MAX_LOGINS or room < 0:
                deletions.append(self.style.delete_cookie(other, same_site=self.same_site))
        same_site = same_site_of_login(self.style, form_post=transaction.form_post)
        new = self.style.set_cookie(name, value, max_age=LOGIN_LIFETIME, same_site=same_site)
        return [*deletions[:MAX_DELETED], new]

    def find(self, state: str, cookies: Mapping[str, str]) -> Transaction | None:
        """Return the login in progress of this browser with this state; it may have expired, see `is_live`."""
        name = self._name_in(cookies, state)
        transaction = None if name is None else self._open(name, cookies[name])
        if transaction is None or not compare_digest(transaction.state.encode(), state.encode("utf-8", "replace")):
            return None
        return transaction

    def in_progress(self, cookies: Mapping[str, str], *, provider: str, now: int) -> list[Transaction]:
        """Return the logins of this browser that may still be completed at a provider.

        Args:
            provider: its `ProviderSettings.label`.
        """
        logins = [self._open(name, cookies[name]) for name in self.names(cookies)[:MAX_OPENED]]
        return [login for login in logins if login and login.provider == provider and is_live(login, now=now)]

    def has_cookie(self, state: str, cookies: Mapping[str, str]) -> bool:
        """Return whether the browser sent the cookie of this login, readable or not."""
        return self._name_in(cookies, state) is not None

    def has_others(self, state: str, cookies: Mapping[str, str]) -> bool:
        """Return whether the browser sent cookies of other logins."""
        own = self._name(state)
        return any(not name.startswith(own) for name in self.names(cookies))

    def has_any(self, cookies: Mapping[str, str]) -> bool:
        """Return whether the browser sent the cookie of any login."""
        return bool(self.names(cookies))

    def names(self, cookies: Mapping[str, str]) -> list[str]:
        """Return the names of all login cookies, readable or not."""
        return [name for name in cookies if name.startswith(self._prefix)]

    def sessions_of_others(self, state: str, cookies: Mapping[str, str]) -> list[str]:
        """Return short digests of the sessions that other logins of this browser may have created by now."""
        own = self._name(state)
        return [name[len(own) :] for name in self.names(cookies) if not name.startswith(own) and len(name) > len(own)]

    def delete_least_needed(self, cookies: Mapping[str, str], *, now: int) -> list[bytes]:
        """Return a deletion for each login, the least needed one first."""
        names = [name for name, _ in reversed(self._by_priority(cookies, now=now))]
        return [self.style.delete_cookie(name, same_site=self.same_site) for name in names]

    def is_in_login_loop(self, cookies: Mapping[str, str], *, now: int) -> bool:
        """Return whether this browser has too many restarted logins.

        The `state` of the callback shows a restart as well, but a provider may lose it.
        """
        logins = [self._open(name, cookies[name]) for name in self.names(cookies)]
        restarted = [login for login in logins if login and login.state.endswith(RESTARTED) and is_live(login, now=now)]
        return len(restarted) >= MAX_RESTARTED

    def delete(self, state: str, session_id: str = "") -> bytes:
        """Delete the cookie of a login that has been used."""
        return self.style.delete_cookie(self._name(state, session_id), same_site=self.same_site)

    def _seal_to_fit(self, transaction: Transaction, name: str, room: int, paths: Sequence[str | None]) -> str:
        """Seal a login with the first return path that fits."""
        value = self._sealed(transaction, name)
        if len(value) > room and transaction.span_id:
            transaction = msgspec.structs.replace(transaction, span_id="")
            value = self._sealed(transaction, name)
        for path in paths:
            if len(value) <= room:
                break
            value = self._sealed(msgspec.structs.replace(transaction, return_to=path), name)
        return value

    def _sealed(self, transaction: Transaction, name: str) -> str:
        return self.sealer.seal("login", name, pack(transaction))

    def _by_priority(self, cookies: Mapping[str, str], *, now: int) -> list[tuple[str, Transaction | None]]:
        """Return the logins of a browser, the most needed first; None for those that are unreadable or expired."""
        ranked: list[tuple[bool, int, int, str, Transaction | None]] = []
        for position, name in enumerate(self.names(cookies)):  # browsers send older cookies first (RFC 6265 §5.4)
            login = self._open(name, cookies[name])
            if login is None or not is_live(login, now=now):
                ranked.append((False, 0, position, name, None))
            else:
                ranked.append((not login.is_from_elsewhere, login.created_at, position, name, login))
        return [(name, login) for *_, name, login in sorted(ranked, key=lambda entry: entry[:3], reverse=True)]

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


def same_site_of_login(style: CookieStyle, *, form_post: bool) -> SameSite:
    """Return the attribute SameSite of the cookie of a login.

    With form_post, the callback is a POST from the provider's site, and only SameSite=None cookies come along. Browsers
    accept SameSite=None only with Secure, so over plain http the attribute is left out.
    """
    if not form_post:
        return "Lax"
    return "None" if style.secure else None


def _gives_way(login: Transaction | None) -> bool:
    return login is None or login.is_from_elsewhere


def is_live(transaction: Transaction, *, now: int) -> bool:
    """Return whether a login may still be completed; browsers need not respect the cookie's Max-Age."""
    return now < transaction.created_at + LOGIN_LIFETIME
