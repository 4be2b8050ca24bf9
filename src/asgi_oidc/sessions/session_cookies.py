"""The session in the browser: sealed values, over as many cookies as they need (RFC 6265bis §6.1).

Three kinds of cookie. The login is written once: it alone says that somebody is signed in. The tokens, which a refresh
renews, and the last use have cookies of their own that open nothing by themselves, so that an answer which comes after
a sign-out never brings a session back.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from asgi_oidc.errors import SessionTooLarge
from asgi_oidc.sessions.cookie_packing import compress, decompress, pack, unpack
from asgi_oidc.sessions.digests import digest, short_digest
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.session import (
    Login,
    Session,
    Tokens,
    Use,
    decode_login,
    decode_tokens,
    decode_use,
    encode,
    with_use,
)
from asgi_oidc.web.cookies import MAX_SET_COOKIE_LENGTH, CookieStyle, SameSite

MAX_COOKIES = 4  # of tokens: about 11 kB of tokens and claims; servers refuse longer headers
MAX_DELETED = 16  # cookies at once that other sessions left behind
MAX_UNSEEN = 2  # of tokens, of each session that the browser did not show: what fits into a header is in two
MAX_DELETED_UNSEEN = 32  # of these at once
MAX_VALUE_LENGTH = MAX_SET_COOKIE_LENGTH - 196  # characters of a cookie that are left beside its name and attributes
MAX_NAMED_PARTS = 3  # the largest claims and tokens that the error names


@dataclass(frozen=True, slots=True)
class SessionCookies:
    """Puts sessions into cookies and takes them out.

    The first cookie of the tokens says how many there are; one authentication tag covers the whole, so that pieces of
    two never make one. Their name belongs to one session: a late answer to an older one does not disturb it.

    Attributes:
        name, wire_name: of the cookie that signs somebody in.
        use_name: of the cookie that tells the last use.
        note_name: of the cookie that names the tokens where forms of the provider's site, which bring no others along,
            have to see them.
    """

    sealer: Sealer
    style: CookieStyle
    stem: str
    name: str = field(init=False)
    wire_name: bytes = field(init=False)
    use_name: str = field(init=False)
    note_name: str = field(init=False)
    _tokens_prefix: str = field(init=False)

    def __post_init__(self) -> None:
        """Name the cookies."""
        object.__setattr__(self, "name", self.style.name(self.stem))
        object.__setattr__(self, "wire_name", self.name.encode("ascii"))
        object.__setattr__(self, "use_name", self.style.name(f"{self.stem}-seen"))
        object.__setattr__(self, "note_name", self.style.name(f"{self.stem}-held"))
        object.__setattr__(self, "_tokens_prefix", self.style.name(f"{self.stem}-tokens-"))

    def tokens_name(self, session_id: str) -> str:
        """The name of the first cookie with the tokens of a session."""
        return self._tokens_prefix + short_digest(session_id)

    def open(self, cookies: Mapping[str, str]) -> Session | None:
        """Return the session that the cookies hold, None for anything else."""
        login = self.open_login(cookies)
        tokens = self._open_tokens(login.id, cookies) if login else None
        if login is None or tokens is None:
            return None
        session = Session(login=login, tokens=tokens, seen_at=login.created_at)
        if self.use_name not in cookies:
            return session
        # One that we did not write is no reason to go on without it: somebody changes our cookies.
        use = self._open_use(cookies[self.use_name])
        return None if use is None else with_use(session, use)

    def open_login(self, cookies: Mapping[str, str]) -> Login | None:
        """Return who signed in, also where the tokens are gone; None for anything else."""
        value = cookies.get(self.name, "")
        data = self.sealer.open("session", self.name, value) if value else None
        return None if data is None else decode_login(data)

    def may_be_in(self, cookie_header: bytes) -> bool:
        """Look for the name of the cookie that signs somebody in, before anything is read."""
        return cookie_header.find(self.wire_name) != -1  # "in" takes bytes for a number first: eight times as long

    def has_cookie(self, cookies: Mapping[str, str]) -> bool:
        """Say whether the browser sent the cookie that signs somebody in."""
        return self.name in cookies

    def write(
        self, session: Session, cookies: Mapping[str, str], *, max_age: int, compressed: bool = False
    ) -> list[bytes]:
        """Write the cookies of a new session, and delete those that older ones left.

        Args:
            cookies: what the browser sent.
            max_age: seconds that the browser keeps them.
            compressed: whether to save room, at the cost of some time with cookies that were not seen before.

        Raises:
            SessionTooLarge: it names the largest claims and tokens.
        """
        login = self.sealer.seal("session", self.name, encode(session.login))
        if len(login) > MAX_VALUE_LENGTH:
            raise SessionTooLarge(detail=f"who signed in alone takes {len(login)} of {MAX_VALUE_LENGTH} characters")
        tokens = self.write_tokens(session, cookies, max_age=max_age, compressed=compressed)
        lines = [self.style.set_cookie(self.name, login, max_age=max_age), *tokens]
        # The last use goes unseen: with a form from the provider's site the browser does not show what it has.
        own = self._names_of_pieces(session.id)
        return lines + [self.style.delete_cookie(name) for name in (*self._left_behind(cookies, own), self.use_name)]

    def write_tokens(
        self, session: Session, cookies: Mapping[str, str], *, max_age: int, compressed: bool = False
    ) -> list[bytes]:
        """Write the tokens of a session, and delete the pieces that they do not need any more.

        Raises:
            SessionTooLarge: it names the largest claims and tokens.
        """
        names = self._names_of_pieces(session.id)
        data = (compress(pack(session.tokens)) if compressed else None) or encode(session.tokens)
        pieces = _split(self.sealer.seal("tokens", self._bound_to(session.id), data))
        if len(pieces) > MAX_COOKIES:
            raise too_large(session.tokens, sum(map(len, pieces)), most=MAX_COOKIES * MAX_VALUE_LENGTH)
        values = [f"{len(pieces)}.{pieces[0]}", *pieces[1:]]
        lines = [
            self.style.set_cookie(name, value, max_age=max_age) for name, value in zip(names, values, strict=False)
        ]
        gone = [name for name in names[len(pieces) :] if name in cookies]
        return lines + [self.style.delete_cookie(name) for name in gone]

    def write_note(self, session_id: str, *, max_age: int) -> bytes:
        """Name the tokens of a session, for the next form that comes from the provider's site."""
        same_site: SameSite = "None" if self.style.secure else None
        return self.style.set_cookie(self.note_name, short_digest(session_id), max_age=max_age, same_site=same_site)

    def noted_sessions(self, cookies: Mapping[str, str]) -> list[str]:
        """Return the short digest of the session that left its mark."""
        note = cookies.get(self.note_name, "")
        return [note] if _NOTE.fullmatch(note) else []

    def delete_unseen(self, sessions: Iterable[str], cookies: Mapping[str, str]) -> list[bytes]:
        """Delete the tokens of sessions that the browser may have by now, though it did not send them.

        Args:
            sessions: short digests of their ids.
            cookies: what the browser sent; these are deleted elsewhere.
        """
        first = [f"{self._tokens_prefix}{session}" for session in sessions]
        names = [*first, *(f"{name}.{index}" for name in first for index in range(1, MAX_UNSEEN))]
        return [self.style.delete_cookie(name) for name in names if name not in cookies][:MAX_DELETED_UNSEEN]

    def write_id(self, session_id: str, cookies: Mapping[str, str], *, max_age: int) -> list[bytes]:
        """Write the cookie of a session that is kept elsewhere, and delete those that sealed ones left."""
        gone = [*self._left_behind(cookies, ()), *([self.use_name] if self.use_name in cookies else [])]
        line = self.style.set_cookie(self.name, session_id, max_age=max_age)
        return [line, *(self.style.delete_cookie(name) for name in gone)]

    def left_behind(self, session_id: str, cookies: Mapping[str, str]) -> list[str]:
        """Name tokens that other sessions left: a login that came as a form from the provider's site saw none.

        Args:
            session_id: of the session that these cookies hold.
        """
        found = self._left_behind(cookies, ())
        return [] if len(found) == 1 else self._left_behind(cookies, self._names_of_pieces(session_id))

    def delete_left_behind(self, left_behind: Iterable[str]) -> list[bytes]:
        """Delete them."""
        return [self.style.delete_cookie(name) for name in left_behind]

    def write_use(self, use: Use, *, max_age: int) -> bytes:
        """Write down when a session was last used."""
        value = self.sealer.seal("seen", self.use_name, encode(use))
        return self.style.set_cookie(self.use_name, value, max_age=max_age)

    def delete_tokens(self, session_id: str, cookies: Mapping[str, str]) -> list[bytes]:
        """Delete the tokens of a session: without them the rest opens nothing."""
        return [self.style.delete_cookie(name) for name in self._names_of_pieces(session_id) if name in cookies]

    def delete(self, cookies: Mapping[str, str]) -> list[bytes]:
        """Delete the session of a browser; the cookie of the login always, the others when they were sent."""
        present = [name for name in (self.use_name, self.note_name) if name in cookies]
        return [self.style.delete_cookie(name) for name in (self.name, *self._left_behind(cookies, ()), *present)]

    def _open_tokens(self, session_id: str, cookies: Mapping[str, str]) -> Tokens | None:
        whole_name = digest(session_id)
        name = f"{self._tokens_prefix}{whole_name[:8]}"
        count, dot, sealed = cookies.get(name, "").partition(".")
        if not dot or count not in _COUNTS:
            return None
        # The sealed value does not say in how many pieces it stood; only our own way to cut it counts.
        if count != "1":
            pieces = [sealed, *(cookies.get(f"{name}.{index}", "") for index in range(1, int(count)))]
            sealed = "".join(pieces)
            if pieces != _split(sealed):
                return None
        elif len(sealed) > MAX_VALUE_LENGTH:
            return None
        data = self.sealer.open("tokens", f"{name} {whole_name}", sealed)
        return None if data is None else _read_tokens(data)

    def _bound_to(self, session_id: str) -> str:
        # The name has room for a few characters of the digest only.
        name = digest(session_id)
        return f"{self._tokens_prefix}{name[:8]} {name}"

    def _open_use(self, value: str) -> Use | None:
        data = self.sealer.open("seen", self.use_name, value)
        return None if data is None else decode_use(data)

    def _left_behind(self, cookies: Mapping[str, str], own: Sequence[str]) -> list[str]:
        names = [name for name in cookies if name.startswith(self._tokens_prefix) and name not in own]
        return names[:MAX_DELETED]

    def _names_of_pieces(self, session_id: str) -> list[str]:
        first = self.tokens_name(session_id)
        return [first, *(f"{first}.{index}" for index in range(1, MAX_COOKIES))]


_NOTE = re.compile(r"[A-Za-z0-9_-]{8}")
_COUNTS = tuple(str(count) for count in range(1, MAX_COOKIES + 1))


def _read_tokens(data: bytes) -> Tokens | None:
    if data.startswith(b"["):  # most are JSON, which is read in half the time
        return decode_tokens(data)
    try:
        return unpack(decompress(data), Tokens)
    except (ValueError, RecursionError):
        return None


def _split(text: str) -> list[str]:
    return [text[start : start + MAX_VALUE_LENGTH] for start in range(0, len(text), MAX_VALUE_LENGTH)] or [""]


def too_large(tokens: Tokens, size: int, *, most: int) -> SessionTooLarge:
    """Say that a session does not fit, and what of it is large."""
    sizes = {f"claim {name}": len(str(value)) for name, value in tokens.claims.items()}
    sizes |= {name: len(getattr(tokens, name) or "") for name in ("id_token", "access_token", "refresh_token")}
    largest = sorted(sizes, key=lambda name: -sizes[name])[:MAX_NAMED_PARTS]
    named = ", ".join(f"{name} ({sizes[name]})" for name in largest)
    return SessionTooLarge(
        detail=f"drop claims in on_login, ask for fewer, or keep sessions in a store: {size} of {most} characters in "
        f"cookies; largest: {named}"
    )
