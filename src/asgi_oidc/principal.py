"""The principal that the app finds in the scope: `user` and `auth`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from asgi_oidc.protocol.claims import is_email_verified

Claims = dict[str, Any]


_claims = msgspec.json.Decoder(Claims)


def read_claims(written: msgspec.Raw) -> Claims:
    """Decode claims; each call returns an object of its own, which the caller may change."""
    return _claims.decode(written)


# Users and sessions are plain classes with slots, not structs or dataclasses: serialisers and consoles would print the
# fields of those.


def _ignore_django_user(user: object, django_user: object) -> None:
    """Keep our user if Channels tries to replace it with the user of a Django session.

    `channels.auth.AuthMiddleware` assumes that `scope["user"]` is its own lazy object, and assigns to its `_wrapped`.
    """


class User:
    """A signed-in user: `scope["user"]`.

    Identify users by (`issuer`, `sub`), compared byte for byte. `email` is what the provider says: check
    `email_verified` before you rely on it.
    """

    __slots__ = ("_claims", "_issuer", "_provider", "_sub", "_trusted_email_domains")

    _wrapped = property(fset=_ignore_django_user)

    def __init__(
        self,
        sub: str,
        issuer: str,
        claims: Claims | msgspec.Raw | Callable[[], msgspec.Raw],
        *,
        trusted_email_domains: frozenset[str] = frozenset(),
        provider: str | None = None,
    ) -> None:
        """Create a user; the tests of an app may do this too.

        Args:
            claims: JSON object; or its encoded text, or a function that returns this, which are decoded on first use.
            trusted_email_domains: as in the settings.
            provider: the name of the provider in the setting `providers`; None without that setting.
        """
        self._sub = sub
        self._issuer = issuer
        self._claims = claims
        self._trusted_email_domains = trusted_email_domains
        self._provider = provider

    @property
    def sub(self) -> str:
        """The user's id at the provider."""
        return self._sub

    @property
    def issuer(self) -> str:
        """The issuer URL of that provider."""
        return self._issuer

    @property
    def provider(self) -> str | None:
        """The name of that provider in the setting `providers`; None without that setting."""
        return self._provider or None

    @property
    def credential(self) -> Literal["session", "bearer"]:
        """What the request was authenticated with: a session, or the access token in its `Authorization` header."""
        return "session"

    @property
    def is_machine(self) -> bool:
        """Whether this is a client that acts for no user (client credentials): only with an access token."""
        return False

    @property
    def client_id(self) -> str | None:
        """The client that the access token was issued to; None for a session."""
        return None

    @property
    def claims(self) -> Claims:
        """The claims as a JSON object: those of the ID Token, and what userinfo and `on_login` added.

        With an access token, those of the token, as `on_token` has changed them. Each request has its own copy.
        """
        claims = self._claims() if callable(self._claims) else self._claims
        self._claims = read_claims(claims) if isinstance(claims, msgspec.Raw) else claims
        return self._claims

    @property
    def is_authenticated(self) -> Literal[True]:
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
    def email_verified(self) -> bool:
        """Whether the provider has verified `email`, or it is in one of `trusted_email_domains`."""
        return is_email_verified(self.claims, trusted_domains=self._trusted_email_domains)

    @property
    def display_name(self) -> str:
        """A name to show: `name`, `preferred_username`, `email` or `sub`. Never empty, not unique."""
        names = (self.name, _text(self.claims, "preferred_username"), self.email, self._sub)
        return next(name for name in names if name)

    @property
    def identity(self) -> str:
        """The same as `sub`, under the name that Starlette uses."""
        return self._sub

    def __repr__(self) -> str:
        return "User(...)"  # personal data stays out of logs and tracebacks


class BearerUser(User):
    """The user, or the client, that an access token was issued for."""

    __slots__ = ("_client_id", "_is_machine")

    def __init__(
        self,
        sub: str,
        issuer: str,
        claims: Claims | msgspec.Raw | Callable[[], msgspec.Raw],
        *,
        trusted_email_domains: frozenset[str] = frozenset(),
        provider: str | None = None,
        client_id: str | None,
        is_machine: bool,
    ) -> None:
        """Create a user.

        Args:
            sub: for a client that acts for no user, and whose token has no `sub`, its `client_id`.
            claims, trusted_email_domains, provider: as for `User`.
        """
        self._sub = sub
        self._issuer = issuer
        self._claims = claims
        self._trusted_email_domains = trusted_email_domains
        self._provider = provider
        self._client_id = client_id
        self._is_machine = is_machine

    @property
    def credential(self) -> Literal["session", "bearer"]:
        """Always `"bearer"`."""
        return "bearer"

    @property
    def is_machine(self) -> bool:
        """Whether this is a client that acts for no user (client credentials)."""
        return self._is_machine

    @property
    def client_id(self) -> str | None:
        """The client that the access token was issued to; None if the token does not say."""
        return self._client_id


class AnonymousUser:
    """The user is not signed in: `scope["user"]` on public paths without a session."""

    __slots__ = ()

    _wrapped = property(fset=_ignore_django_user)

    sub: None = None
    issuer: None = None
    provider: None = None
    name: None = None
    email: None = None
    email_verified = False
    credential: None = None
    is_machine = False
    client_id: None = None
    display_name = ""
    identity = ""

    @property
    def is_authenticated(self) -> Literal[False]:
        """Always False."""
        return False

    @property
    def claims(self) -> Claims:
        """Always empty."""
        return {}

    def __repr__(self) -> str:
        return "AnonymousUser()"


ANONYMOUS = AnonymousUser()


@dataclass(slots=True)
class Auth:
    """The granted scopes: `scope["auth"]`, which Starlette's `@requires` reads.

    Attributes:
        scopes: `authenticated`, then the granted scopes; empty if the user is not signed in.
    """

    scopes: list[str]


def _text(claims: Claims, name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) else None
