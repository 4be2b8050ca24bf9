"""What the app sees in the scope: `user`, `auth` and `oidc`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx
import msgspec

from asgi_oidc.errors import NotSignedIn
from asgi_oidc.protocol.claims import is_email_verified
from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest
from asgi_oidc.tokens.httpx_auth import HiddenToken, make_api_auth

Claims = dict[str, Any]


_claims = msgspec.json.Decoder(Claims)


def read_claims(written: msgspec.Raw) -> Claims:
    """Read claims from their text; nobody else looks at what comes of it."""
    return _claims.decode(written)


# Users and sessions are classes with slots, and no structs or dataclasses: serialisers and consoles look inside those.


def _stay_as_it_is(user: object, other: object) -> None:
    """Ignore the user of a Django session.

    `channels.auth.AuthMiddleware` takes whatever is in `scope["user"]` for its own lazy object, and sets the user that
    this stands for.
    """


class User:
    """A signed-in user: `scope["user"]`.

    Two names for one person are never guessed: (`issuer`, `sub`) is the key, byte for byte. `email` is what
    the provider says; look at `email_verified` before you trust it.
    """

    __slots__ = ("_claims", "_issuer", "_sub", "_trusted_email_domains")

    _wrapped = property(fset=_stay_as_it_is)

    def __init__(
        self,
        sub: str,
        issuer: str,
        claims: Claims | msgspec.Raw,
        *,
        trusted_email_domains: frozenset[str] = frozenset(),
    ) -> None:
        """Name a user.

        Args:
            claims: a JSON object, or its text, which is read when somebody asks.
            trusted_email_domains: as in the settings.
        """
        self._sub = sub
        self._issuer = issuer
        self._claims = claims
        self._trusted_email_domains = trusted_email_domains

    @property
    def sub(self) -> str:
        """The user's id at the provider."""
        return self._sub

    @property
    def issuer(self) -> str:
        """Which provider that is."""
        return self._issuer

    @property
    def claims(self) -> Claims:
        """JSON object: the ID Token's, with what userinfo and `on_login` added; this request's own."""
        if isinstance(self._claims, msgspec.Raw):
            self._claims = read_claims(self._claims)
        return self._claims

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
    def email_verified(self) -> bool:
        """Whether `email` is the user's: the provider has verified it, or it is in one of `trusted_email_domains`."""
        return is_email_verified(self.claims, trusted_domains=self._trusted_email_domains)

    @property
    def display_name(self) -> str:
        """A name to greet the user with; never empty, not unique."""
        names = (self.name, _text(self.claims, "preferred_username"), self.email, self._sub)
        return next(name for name in names if name)

    @property
    def identity(self) -> str:
        """The user's id at the provider, as Starlette calls it."""
        return self._sub

    def __repr__(self) -> str:
        return "User(...)"  # who it is stays out of logs and tracebacks


class AnonymousUser:
    """Nobody: `scope["user"]` on public paths without a session."""

    __slots__ = ()

    _wrapped = property(fset=_stay_as_it_is)

    sub: None = None
    issuer: None = None
    name: None = None
    email: None = None
    email_verified = False
    display_name = ""
    identity = ""

    @property
    def is_authenticated(self) -> bool:
        """Always False."""
        return False

    @property
    def claims(self) -> Claims:
        """None at all."""
        return {}

    def __repr__(self) -> str:
        return "AnonymousUser()"


ANONYMOUS = AnonymousUser()


@dataclass(slots=True)
class Auth:
    """`scope["auth"]`: what Starlette's `@requires` reads.

    Attributes:
        scopes: the granted scopes, after `authenticated`; empty without a user.
    """

    scopes: list[str]


@dataclass(frozen=True, slots=True)
class Urls:
    """Absolute URLs of ours, to put into pages.

    Attributes:
        base_path: what stands before the app's own paths in a browser's address.
        read_ask: checks what the app asks for: `acr_values` and `max_age`.
        sealed: writes how a login shall be done, so that nobody else can ask for it.
    """

    login: str
    logout: str
    form: str
    base_path: str
    read_ask: Callable[[object, object], AuthenticationRequest] = field(repr=False)
    sealed: Callable[[AuthenticationRequest], str] = field(repr=False)

    def login_for(self, ask: AuthenticationRequest, return_to: str | None) -> str:
        """Write the URL that starts a login of that kind."""
        # The return path comes last, so that a script may add a fragment to it.
        return _with_parameters(self.login, self._asking(ask) | ({"return_to": return_to} if return_to else {}))

    def form_for(self, ask: AuthenticationRequest) -> str:
        """Write the URL that keeps a form and starts such a login."""
        return _with_parameters(self.form, self._asking(ask))

    def _asking(self, ask: AuthenticationRequest) -> dict[str, str]:
        return {} if ask == ANY_LOGIN else {"ask": self.sealed(ask)}


class Access(Protocol):
    """What the session behind a request gives."""

    @property
    def id_token(self) -> str: ...

    @property
    def expires_at(self) -> int: ...

    @property
    def session_id(self) -> str: ...

    def meets(self, ask: AuthenticationRequest) -> bool: ...

    async def access_token(self, *, resource: str | None = None, refused: HiddenToken | None = None) -> str: ...

    async def exchange_token(
        self,
        *,
        audience: str | None = None,
        resource: str | None = None,
        scope: str | None = None,
        refused: HiddenToken | None = None,
    ) -> str: ...


class OIDC:
    """The session behind a request: `scope["oidc"]`."""

    __slots__ = ("_urls",)

    def __init__(self, urls: Urls) -> None:
        self._urls = urls

    @property
    def _access(self) -> Access | None:
        """Nobody is signed in; whoever puts a session behind this says otherwise."""
        return None

    def __repr__(self) -> str:
        return f"OIDC(is_authenticated={self._access is not None})"

    @property
    def id_token(self) -> str | None:
        """The newest ID Token exactly as issued, None without a user."""
        return access.id_token if (access := self._access) else None

    @property
    def expires_at(self) -> int | None:
        """When the session ends if it is not used again, in seconds since the epoch; None without a user."""
        return access.expires_at if (access := self._access) else None

    @property
    def session_id(self) -> str | None:
        """The name of this session in `middleware.sessions`; it opens nothing. None without a user."""
        return access.session_id if (access := self._access) else None

    def meets(self, *, acr_values: Sequence[str] | None = None, max_age: int | None = None) -> bool:
        """Say whether the user's login was as strong and is as fresh as this; never without a user.

        The provider's word counts, as it signed it: not what `on_login` made of the claims.

        Args:
            acr_values: authentication contexts, of which it has to have reached one (RFC 9470).
            max_age: seconds since the user signed in at the provider.

        Raises:
            ValueError: nobody can sign in like that.
        """
        ask = self._urls.read_ask(acr_values, max_age)
        return (access := self._access) is not None and access.meets(ask)

    async def access_token(self, *, resource: str | None = None) -> str:
        """Return a live access token for calls to other APIs; it is renewed when less than a minute is left.

        Args:
            resource: URI of another API that the token shall be for (RFC 8707); it needs a refresh token.

        Raises:
            NotSignedIn: there is no user; `SessionEnded` when that became so during the request.
            AccessTokenExpired: it has run out and there is no refresh token; signing in again gives a new one.
            RefreshFailed: it has run out and the provider does not renew it right now.
            StoreUnavailable: the same, because of the session store.
            TokenNotGranted: the provider gives no token for `resource`.
            ValueError: `resource` is no absolute URI, or has a fragment.
        """
        return await self._signed_in().access_token(resource=resource)

    async def exchange_token(
        self, *, audience: str | None = None, resource: str | None = None, scope: str | None = None
    ) -> str:
        """Return an access token for another API, in exchange for the user's own (RFC 8693).

        Args:
            audience: name of the other API at the provider.
            resource: its URI.
            scope: scopes, with spaces between; left to the provider when it is not given.

        Raises:
            TokenNotGranted: the provider gives none.
            OIDCError, ValueError: those of `access_token`.
        """
        return await self._signed_in().exchange_token(audience=audience, resource=resource, scope=scope)

    def httpx_auth(
        self, *origins: str, resource: str | None = None, audience: str | None = None, scope: str | None = None
    ) -> httpx.Auth:
        """Make an `httpx.Auth` that puts the live access token on calls to these origins, and to no others.

        After a 401 the token is renewed, and the call made again, once.

        Args:
            origins: such as `https://api.example.com`; only an `AsyncClient` can use it.
            resource: as for `access_token`.
            audience: with it, the token is got as by `exchange_token`.
            scope: only with `audience`.

        Raises:
            NotSignedIn: there is no user.
            ValueError: no origin, or one that a token must not go to.
        """
        access = self._signed_in()

        async def get_token(refused: HiddenToken | None = None) -> str:
            if audience is None:
                return await access.access_token(resource=resource, refused=refused)
            return await access.exchange_token(audience=audience, resource=resource, scope=scope, refused=refused)

        if scope is not None and audience is None:
            raise ValueError("scope goes with audience: a token of the session has the scopes of the login")
        return make_api_auth(origins, get_token)

    def _signed_in(self) -> Access:
        access = self._access
        if access is None:
            raise NotSignedIn(detail="there is no user behind this request")
        return access

    @property
    def base_path(self) -> str:
        """The path of `base_url`, without a `/` at its end: what a browser's address has before the app's own paths."""
        return self._urls.base_path

    def login_url(
        self,
        return_to: str | None = None,
        *,
        acr_values: Sequence[str] | None = None,
        max_age: int | None = None,
    ) -> str:
        """Write the URL that starts a login, also of a user who is signed in already.

        Args:
            return_to: path on this site to come back to, query and fragment included; home where it is left out.
            acr_values: authentication contexts, of which the login has to reach one (RFC 9470).
            max_age: seconds since the user signed in at the provider.

        Raises:
            ValueError: nobody can sign in like that.
        """
        return self._urls.login_for(self._urls.read_ask(acr_values, max_age), return_to)

    def logout_url(self, return_to: str | None = None) -> str:
        """Write the URL that signs out: send a form with POST to it, or link to it from a page of this site.

        Args:
            return_to: path on this site where the browser ends; where it is left out, `post_logout_redirect_uri`.
        """
        return with_return_to(self._urls.logout, return_to)


def with_return_to(url: str, return_to: str | None) -> str:
    """Add the return path to the URL of one of our endpoints."""
    return _with_parameters(url, {"return_to": return_to} if return_to else {})


def _with_parameters(url: str, parameters: dict[str, str]) -> str:
    return f"{url}?{urlencode(parameters)}" if parameters else url


def _text(claims: Claims, name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) else None
