"""What the app sees in the scope: `user`, `auth` and `oidc`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from asgi_oidc.errors import AccessTokenExpired, NotSignedIn

Claims = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class User:
    """A signed-in user: `scope["user"]`.

    Two names for one person are never guessed: (`issuer`, `sub`) is the key, byte for byte. `email` is what
    the provider says; look at `claims["email_verified"]` before you trust it.

    Attributes:
        sub: the user's id at the provider.
        issuer: which provider that is.
        claims: JSON object: the ID Token's, with what userinfo and `on_login` added; a copy of this request's own.
    """

    sub: str
    issuer: str
    claims: Claims = field(repr=False)

    @property
    def is_authenticated(self) -> bool:
        """Always True."""
        return True

    @property
    def name(self) -> str | None:
        """The claim `name`."""
        return _text(self.claims, "name")

    @property
    def email(self) -> str | None:
        """The claim `email`, verified or not."""
        return _text(self.claims, "email")

    @property
    def display_name(self) -> str:
        """A name to greet the user with; never empty, not unique."""
        names = (self.name, _text(self.claims, "preferred_username"), self.email, self.sub)
        return next(name for name in names if name)

    @property
    def identity(self) -> str:
        """The user's id at the provider, as Starlette calls it."""
        return self.sub

    def __repr__(self) -> str:
        return "User(...)"  # who it is stays out of logs and tracebacks


@dataclass(frozen=True, slots=True)
class AnonymousUser:
    """Nobody: `scope["user"]` on public paths without a session."""

    sub: None = None
    issuer: None = None
    claims: Claims = field(default_factory=dict)
    name: None = None
    email: None = None
    display_name: str = ""
    identity: str = ""

    @property
    def is_authenticated(self) -> bool:
        """Always False."""
        return False


@dataclass(frozen=True, slots=True)
class Auth:
    """`scope["auth"]`: what Starlette's `@requires` reads.

    Attributes:
        scopes: the granted scopes, after `authenticated`; empty without a user.
    """

    scopes: list[str]


@dataclass(frozen=True, slots=True)
class Urls:
    """Absolute URLs of ours, to put into pages."""

    login: str
    logout: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens behind a session, and until when it lives (seconds since the epoch)."""

    id_token: str = field(repr=False)
    access_token: str = field(repr=False)
    access_expires_at: int | None
    session_expires_at: int


class OIDC:
    """The session behind a request: `scope["oidc"]`."""

    __slots__ = ("_clock", "_tokens", "_urls")

    def __init__(self, urls: Urls, clock: Callable[[], float], tokens: Tokens | None = None) -> None:
        self._urls = urls
        self._clock = clock
        self._tokens = tokens

    def __repr__(self) -> str:
        return f"OIDC(is_authenticated={self._tokens is not None})"

    @property
    def id_token(self) -> str | None:
        """The ID Token exactly as issued, None without a user."""
        return self._tokens.id_token if self._tokens else None

    @property
    def expires_at(self) -> int | None:
        """When the session ends if it is not used again, in seconds since the epoch; None without a user."""
        return self._tokens.session_expires_at if self._tokens else None

    async def access_token(self) -> str:
        """Return a live access token for calls to other APIs.

        Raises:
            NotSignedIn: there is no user.
            AccessTokenExpired: it has run out; signing in again gives a new one.
        """
        if self._tokens is None:
            raise NotSignedIn(detail="there is no user behind this request")
        ends = self._tokens.access_expires_at
        if ends is not None and self._clock() >= ends:
            raise AccessTokenExpired(detail="sign in again: send the browser to login_url()")
        return self._tokens.access_token

    def login_url(self, return_to: str | None = None) -> str:
        """Write the URL that starts a login.

        Args:
            return_to: path on this site to come back to, query included; home where it is left out.
        """
        return login_url(self._urls.login, return_to)

    def logout_url(self) -> str:
        """Write the URL that signs out: send a form with POST to it, or link to it from a page of this site."""
        return self._urls.logout


def login_url(login: str, return_to: str | None) -> str:
    """Add the return path to the URL of our login endpoint."""
    return f"{login}?{urlencode({'return_to': return_to})}" if return_to else login


def _text(claims: Claims, name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) else None
