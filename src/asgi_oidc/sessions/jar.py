"""The session in the browser: one sealed value, over as many cookies as it needs (RFC 6265bis §6.1)."""

from collections.abc import Mapping
from dataclasses import dataclass

from asgi_oidc.errors import SessionTooLarge
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.session import (
    Session,
    Use,
    decode_session,
    decode_use,
    encode_session,
    encode_use,
    used,
)
from asgi_oidc.web.cookies import LONGEST_LINE, CookieStyle

MOST_COOKIES = 4  # per session: about 11 kB of tokens and claims; servers refuse longer headers
ROOM = LONGEST_LINE - 196  # characters of a cookie that are left beside its name and attributes
NAMED_PARTS = 3  # the largest claims and tokens that the error names


@dataclass(frozen=True, slots=True)
class Jar:
    """Puts sessions into cookies and takes them out.

    The first cookie says how many there are; one authentication tag covers the whole, so that pieces of two
    sessions never make one. They are written once, at login; the last use has a small cookie of its own.
    """

    sealer: Sealer
    style: CookieStyle
    stem: str

    @property
    def name(self) -> str:
        """The name of the first cookie on the wire."""
        return self.style.name(self.stem)

    @property
    def use_name(self) -> str:
        """The name of the cookie that tells the last use."""
        return self.style.name(f"{self.stem}-seen")

    def open(self, cookies: Mapping[str, str]) -> Session | None:
        """Return the session that the cookies hold, None for anything else."""
        count, dot, first = cookies.get(self.name, "").partition(".")
        if not dot or count not in _COUNTS:
            return None
        pieces = [first, *(cookies.get(self._piece(index), "") for index in range(1, int(count)))]
        data = self.sealer.open("session", self.name, "".join(pieces))
        # The sealed value does not say in how many pieces it stood; only our own way to cut it counts.
        if data is None or pieces != _cut("".join(pieces)):
            return None
        session = decode_session(data)
        if session is None or self.use_name not in cookies:
            return session
        # One that we did not write is no reason to go on without it: somebody changes our cookies.
        use = self._open_use(cookies[self.use_name])
        return None if use is None else used(session, use)

    def is_there(self, cookies: Mapping[str, str]) -> bool:
        """Say whether the browser sent anything under our names."""
        return any(name in cookies for name in self._pieces())

    def write(self, session: Session, cookies: Mapping[str, str], *, max_age: int) -> list[bytes]:
        """Write the cookies of a new session, and delete those of an older one that it does not need.

        Args:
            cookies: what the browser sent.
            max_age: seconds that the browser keeps them.

        Raises:
            SessionTooLarge: it names the largest claims and tokens.
        """
        pieces = _cut(self.sealer.seal("session", self.name, encode_session(session)))
        if len(pieces) > MOST_COOKIES:
            raise SessionTooLarge(detail=_describe(session, sum(map(len, pieces))))
        values = {self.name: f"{len(pieces)}.{pieces[0]}"}
        values |= {self._piece(index): piece for index, piece in enumerate(pieces) if index}
        lines = [self.style.set_cookie(name, value, max_age=max_age) for name, value in values.items()]
        # The last use goes unseen: with a form from the provider's site the browser does not show what it has.
        gone = [name for name in self._pieces() if name in cookies and name not in values] + [self.use_name]
        return lines + [self.style.delete_cookie(name) for name in gone]

    def write_use(self, use: Use, *, max_age: int) -> bytes:
        """Write down when a session was last used."""
        value = self.sealer.seal("seen", self.use_name, encode_use(use))
        return self.style.set_cookie(self.use_name, value, max_age=max_age)

    def delete(self, cookies: Mapping[str, str]) -> list[bytes]:
        """Delete the session of a browser; the first cookie always, the others when they were sent."""
        names = [name for name in self._names() if name in cookies or name == self.name]
        return [self.style.delete_cookie(name) for name in names]

    def _open_use(self, value: str) -> Use | None:
        data = self.sealer.open("seen", self.use_name, value)
        return None if data is None else decode_use(data)

    def _names(self) -> list[str]:
        return [*self._pieces(), self.use_name]

    def _pieces(self) -> list[str]:
        return [self.name, *(self._piece(index) for index in range(1, MOST_COOKIES))]

    def _piece(self, index: int) -> str:
        return f"{self.name}.{index}"


_COUNTS = tuple(str(count) for count in range(1, MOST_COOKIES + 1))


def _cut(text: str) -> list[str]:
    return [text[start : start + ROOM] for start in range(0, len(text), ROOM)] or [""]


def _describe(session: Session, size: int) -> str:
    sizes = {f"claim {name}": len(str(value)) for name, value in session.claims.items()}
    sizes |= {"id_token": len(session.id_token), "access_token": len(session.access_token)}
    largest = sorted(sizes, key=lambda name: -sizes[name])[:NAMED_PARTS]
    named = ", ".join(f"{name} ({sizes[name]})" for name in largest)
    return f"drop claims in on_login, or ask for fewer: {size} of {MOST_COOKIES * ROOM} characters; largest: {named}"
