"""The cookies of a session: sealed values, split over as many cookies as they need (RFC 6265bis §6.1).

There are three kinds. The cookie of the login is written once; only with it is the user signed in. The tokens, which
change with each refresh, and the last use have cookies of their own. Without the login they are worth nothing, so a
response that arrives after a sign-out never brings a session back.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from asgi_oidc.errors import SessionTooLarge
from asgi_oidc.sessions.digests import digest, short_digest
from asgi_oidc.sessions.sealing import Sealer, sealed_length
from asgi_oidc.sessions.session import Login, Session, Tokens
from asgi_oidc.sessions.session_format import (
    decode_login,
    decode_tokens,
    decode_use,
    encode_login,
    encode_tokens,
    encode_use,
)
from asgi_oidc.web.cookies import MAX_SET_COOKIE_LENGTH, CookieStyle, SameSite

MAX_COOKIES = 4  # token cookies of a session: as much as the largest `max_cookie_header` allows
MAX_DELETED = 16  # cookies of other sessions that one response deletes
MAX_UNSEEN = 2  # token cookies deleted per session whose cookies were not sent: more do not fit into a header
MAX_DELETED_UNSEEN = 32  # such cookies that one response deletes
MAX_VALUE_LENGTH = MAX_SET_COOKIE_LENGTH - 196  # characters of a value; the rest is for its name and attributes


@dataclass(frozen=True, slots=True)
class SessionCookies:
    """Writes sessions to cookies and reads them.

    The first token cookie contains the number of token cookies. One authentication tag covers them all, so the
    cookies of two values cannot be combined. Their names contain a digest of the session id: a late response for an
    older session does not affect a newer one.

    Attributes:
        name, wire_name: of the cookie with the login, without which the user is not signed in.
        use_name: of the cookie with the last use.
        note_name: of the cookie that names the session, with `SameSite=None`: form posts from the provider's site bring
            no other session cookie along.
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
        """Set the names of the cookies."""
        object.__setattr__(self, "name", self.style.name(self.stem))
        object.__setattr__(self, "wire_name", self.name.encode("ascii"))
        object.__setattr__(self, "use_name", self.style.name(f"{self.stem}-seen"))
        object.__setattr__(self, "note_name", self.style.name(f"{self.stem}-held"))
        object.__setattr__(self, "_tokens_prefix", self.style.name(f"{self.stem}-tokens-"))

    def tokens_name(self, session_id: str) -> str:
        """Return the name of the first token cookie of a session."""
        return self._tokens_prefix + short_digest(session_id)

    def open(self, cookies: Mapping[str, str]) -> Session | None:
        """Return the session that the cookies contain, None if they contain no complete one."""
        login = self.open_login(cookies)
        tokens = self._open_tokens(login.id, cookies) if login else None
        if login is None or tokens is None:
            return None
        # A last use that we did not write means that the cookies were tampered with: no session then.
        seen_at = self._seen_at(login, cookies[self.use_name]) if self.use_name in cookies else login.created_at
        return None if seen_at is None else Session(login=login, tokens=tokens, seen_at=seen_at)

    def open_login(self, cookies: Mapping[str, str]) -> Login | None:
        """Return the login, even if the token cookies are missing; None if its cookie is missing or not ours."""
        value = cookies.get(self.name, "")
        data = self.sealer.open("session", self.name, value) if value else None
        return None if data is None else decode_login(data)

    def may_be_in(self, cookie_header: bytes) -> bool:
        """Return whether the name of the login cookie is in a header that has not been parsed yet."""
        return cookie_header.find(self.wire_name) != -1  # not `in`, which first tries bytes as a number: 8x slower

    def has_cookie(self, cookies: Mapping[str, str]) -> bool:
        """Return whether the browser sent the login cookie."""
        return self.name in cookies

    def write(self, session: Session, cookies: Mapping[str, str], *, max_age: int) -> list[bytes]:
        """Write the cookies of a new session, and delete those of older ones.

        Args:
            cookies: all that the browser sent.
            max_age: seconds that the browser keeps the cookies.

        Raises:
            SessionTooLarge: it does not fit, whatever proxies accept.
        """
        login = self.sealer.seal("session", self.name, encode_login(session.login))
        if len(login) > MAX_VALUE_LENGTH:
            raise SessionTooLarge(
                detail=f"the login without tokens takes {len(login)} of {MAX_VALUE_LENGTH} characters"
            )
        tokens = self.write_tokens(session, cookies, max_age=max_age)
        lines = [self.style.set_cookie(self.name, login, max_age=max_age), *tokens]
        # The last use is always deleted: a form post from the provider's site does not bring its cookie along.
        own = self._names_of_pieces(session.id)
        return lines + [self.style.delete_cookie(name) for name in (*self._left_behind(cookies, own), self.use_name)]

    def write_tokens(self, session: Session, cookies: Mapping[str, str], *, max_age: int) -> list[bytes]:
        """Write the token cookies of a session, and delete those that are not needed any more.

        Raises:
            SessionTooLarge: they do not fit, whatever proxies accept.
        """
        names = self._names_of_pieces(session.id)
        pieces = _split(self.sealer.seal("tokens", self._bound_to(session.id), encode_tokens(session.tokens)))
        if len(pieces) > MAX_COOKIES:
            raise SessionTooLarge(
                detail=f"the session needs {len(pieces)} cookies, and at most {MAX_COOKIES} are written"
            )
        values = [f"{len(pieces)}.{pieces[0]}", *pieces[1:]]
        lines = [
            self.style.set_cookie(name, value, max_age=max_age) for name, value in zip(names, values, strict=False)
        ]
        unneeded = [name for name in names[len(pieces) :] if name in cookies]
        return lines + [self.style.delete_cookie(name) for name in unneeded]

    def write_note(self, session_id: str, *, max_age: int) -> bytes:
        """Write the cookie that names a session, for the next form post from the provider's site."""
        same_site: SameSite = "None" if self.style.secure else None
        return self.style.set_cookie(self.note_name, short_digest(session_id), max_age=max_age, same_site=same_site)

    def noted_sessions(self, cookies: Mapping[str, str]) -> list[str]:
        """Return the short digest of the session that the note names; empty if there is no note."""
        note = cookies.get(self.note_name, "")
        return [note] if _NOTE.fullmatch(note) else []

    def delete_unseen(self, sessions: Iterable[str], cookies: Mapping[str, str]) -> list[bytes]:
        """Delete token cookies that the browser may have although it did not send them.

        Args:
            sessions: short digests of the ids of their sessions.
            cookies: all that the browser sent; these are deleted elsewhere.
        """
        first = [f"{self._tokens_prefix}{session}" for session in sessions]
        names = [*first, *(f"{name}.{index}" for name in first for index in range(1, MAX_UNSEEN))]
        return [self.style.delete_cookie(name) for name in names if name not in cookies][:MAX_DELETED_UNSEEN]

    def write_id(self, session_id: str, cookies: Mapping[str, str], *, max_age: int) -> list[bytes]:
        """Write the cookie of a session that is kept in a store, and delete those of sessions kept in cookies."""
        old = [*self._left_behind(cookies, ()), *([self.use_name] if self.use_name in cookies else [])]
        line = self.style.set_cookie(self.name, session_id, max_age=max_age)
        return [line, *(self.style.delete_cookie(name) for name in old)]

    def left_behind(self, session_id: str, cookies: Mapping[str, str]) -> list[str]:
        """Return the names of token cookies that other sessions left.

        A login that ends with a form post from the provider's site cannot delete them: it does not see their cookies.

        Args:
            session_id: of the session that the cookies contain.
        """
        if len(cookies) == 2:  # the login and its tokens
            return []
        return self._left_behind(cookies, self._names_of_pieces(session_id))

    def delete_left_behind(self, left_behind: Iterable[str]) -> list[bytes]:
        """Delete cookies that other sessions left."""
        return [self.style.delete_cookie(name) for name in left_behind]

    def size(self, session: Session, tokens: Tokens) -> int:
        """Return how many bytes the session would take in a Cookie header with these tokens, without its last use."""
        login = sealed_length(len(encode_login(session.login))) + len(f"{self.name}=; ")
        sealed = sealed_length(len(encode_tokens(tokens)))
        pieces = max(1, math.ceil(sealed / MAX_VALUE_LENGTH))
        names = len(f"{self.tokens_name(session.id)}=; 1.") + (pieces - 1) * len(f"{self.tokens_name(session.id)}.1=; ")
        return login + sealed + names

    def write_use(self, session_id: str, seen_at: int, *, max_age: int) -> bytes:
        """Write the cookie with the last use of a session, in seconds since the epoch.

        The cookie is worth nothing without the login, so a response after a sign-out cannot bring the session back.
        """
        value = self.sealer.seal("seen", self.use_name, encode_use(session_id, seen_at))
        return self.style.set_cookie(self.use_name, value, max_age=max_age)

    def delete_tokens(self, session_id: str, cookies: Mapping[str, str]) -> list[bytes]:
        """Delete the token cookies of a session: without them, its other cookies are worth nothing."""
        return [self.style.delete_cookie(name) for name in self._names_of_pieces(session_id) if name in cookies]

    def delete(self, cookies: Mapping[str, str]) -> list[bytes]:
        """Delete the session of a browser: the login cookie always, the others if they were sent."""
        present = [name for name in (self.use_name, self.note_name) if name in cookies]
        return [self.style.delete_cookie(name) for name in (self.name, *self._left_behind(cookies, ()), *present)]

    def _open_tokens(self, session_id: str, cookies: Mapping[str, str]) -> Tokens | None:
        full_digest = digest(session_id)
        name = f"{self._tokens_prefix}{full_digest[:8]}"
        count, dot, sealed = cookies.get(name, "").partition(".")
        if not dot or count not in _COUNTS:
            return None
        # The sealed value does not contain the number of pieces, so only the split that we would write is accepted.
        if count != "1":
            pieces = [sealed, *(cookies.get(f"{name}.{index}", "") for index in range(1, int(count)))]
            sealed = "".join(pieces)
            if pieces != _split(sealed):
                return None
        elif len(sealed) > MAX_VALUE_LENGTH:
            return None
        data = self.sealer.open("tokens", f"{name} {full_digest}", sealed)
        return None if data is None else decode_tokens(data)

    def _bound_to(self, session_id: str) -> str:
        # The cookie's name has room for a few characters of the digest only, so the value is bound to all of it.
        full_digest = digest(session_id)
        return f"{self._tokens_prefix}{full_digest[:8]} {full_digest}"

    def _seen_at(self, login: Login, sealed: str) -> int | None:
        """Return when the session was last used; None if the cookie is not ours.

        After a new login, the browser may still have the cookie of the earlier session, which is ignored.
        """
        data = self.sealer.open("seen", self.use_name, sealed)
        use = None if data is None else decode_use(data)
        if use is None:
            return None
        session, seen_at = use
        return seen_at if session == short_digest(login.id) else login.created_at

    def _left_behind(self, cookies: Mapping[str, str], own: Sequence[str]) -> list[str]:
        names = [name for name in cookies if name.startswith(self._tokens_prefix) and name not in own]
        return names[:MAX_DELETED]

    def _names_of_pieces(self, session_id: str) -> list[str]:
        first = self.tokens_name(session_id)
        return [first, *(f"{first}.{index}" for index in range(1, MAX_COOKIES))]


_NOTE = re.compile(r"[A-Za-z0-9_-]{8}")
_COUNTS = tuple(str(count) for count in range(1, MAX_COOKIES + 1))


def _split(text: str) -> list[str]:
    return [text[start : start + MAX_VALUE_LENGTH] for start in range(0, len(text), MAX_VALUE_LENGTH)] or [""]
