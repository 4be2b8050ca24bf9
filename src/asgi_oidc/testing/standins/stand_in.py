"""What all stand-ins share: real host names, accounts, and which clients they accept."""

import time
import urllib.parse
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ..accounts import Client
from ..client_authentication import is_authentic, read_client_credentials
from ..endpoints import AUTHORIZE, END_SESSION, JWKS, REVOKE, TOKEN, USERINFO, Endpoint
from ..fake_provider import FakeProvider
from ..grants import Grant
from ..provider_rules import Pkce
from ..web_urls import origin_of
from ..wire import Call
from .accounts import ACCOUNTS, Account, as_account

Routes = Mapping[tuple[str, str], Endpoint]
"""Endpoints by method and URL, as in ("GET", "https://api.github.com/user")."""

METADATA_NAMES = {
    "authorization_endpoint": AUTHORIZE,
    "token_endpoint": TOKEN,
    "userinfo_endpoint": USERINFO,
    "revocation_endpoint": REVOKE,
    "end_session_endpoint": END_SESSION,
    "jwks_uri": JWKS,
}


class StandIn(FakeProvider):
    """A provider that behaves as the documentation of a real one says, under the real host names.

    A stand-in is a `FakeProvider` with the URLs, the checks and the answers of the real provider: `fault`, `hold`,
    `calls`, `sign_in_as` and the rest work as there. `personas` has the accounts by `sub`, the id that never changes.
    The faults of the user API are those whose names begin with `userinfo_`.

    Args:
        url: An origin at which all endpoints answer instead of at the real hosts, for a server on loopback.
        accounts: Who can sign in; by default alice, bob, and mallory, whose e-mail address is not verified.
        clients: Registered applications; by default `web` (with a secret) and `spa` (public).
        clock: Returns seconds since the epoch.
    """

    real_issuer: ClassVar[str]
    routes: ClassVar[Routes]
    client_auth_methods: ClassVar[Sequence[str]] = ("client_secret_post",)
    token_lifetime: ClassVar[int] = 3600
    """Of access tokens, in seconds."""
    keeps_refresh_tokens: ClassVar[bool] = False
    """Whether a refresh token can be used more than once."""
    default_accounts: ClassVar[Sequence[Account]] = ACCOUNTS
    sends_iss = False
    response_modes = ("query", "form_post")

    def __init__(
        self,
        *,
        url: str | None = None,
        accounts: Iterable[Account] | None = None,
        clients: Iterable[Client] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.url = url
        personas = self.default_accounts if accounts is None else accounts
        super().__init__(self.at(self.real_issuer), clients=clients, personas=personas, clock=clock)
        self.access_token_lifetime = self.token_lifetime
        self.rotates_refresh_tokens = not self.keeps_refresh_tokens
        self._by_address = {(method, _address(self.at(real))): found for (method, real), found in self.routes.items()}
        self.metadata = self._own_metadata()

    def at(self, real_url: str) -> str:
        """Return the URL at which the stand-in serves what the real provider serves at this URL."""
        if self.url is None:
            return real_url
        here = urllib.parse.urlsplit(self.url)
        return urllib.parse.urlsplit(real_url)._replace(scheme=here.scheme, netloc=here.netloc).geturl()

    @property
    def origins(self) -> Sequence[str]:
        """The origins at which it answers."""
        return sorted({origin_of(self.at(real_url)) for _, real_url in self.routes})

    def _endpoints(self) -> Collection[Endpoint]:
        return self.routes.values()

    def _endpoint_of(self, call: Call) -> Endpoint | None:
        return self._by_address.get((call.method, self._address_of(call)))

    def _address_of(self, call: Call) -> str:
        """Return host and path of a call, as the routes have them."""
        return call.host + call.path

    def _own_metadata(self) -> dict[str, Any]:
        """Return the issuer and the URLs of the endpoints, by their names in OpenID Connect Discovery §3."""
        urls: dict[str, Any] = {"issuer": self.issuer}
        for name, endpoint in METADATA_NAMES.items():
            found = next((real_url for (_, real_url), route in self.routes.items() if route is endpoint), None)
            if found is not None:
                urls[name] = self.at(found)
        return urls

    def authenticated_client(self, call: Call) -> Client | None:
        """Return the client that makes this call, if it authenticates as the documentation says."""
        method, client_id, secret = read_client_credentials(call)
        if method not in (*self.client_auth_methods, "none"):
            return None
        client = self.clients.get(client_id)
        return client if client is not None and is_authentic(client, method, secret) else None

    def id_token_of(
        self,
        grant: Grant,
        access_token: str | None,
        *,
        further: Mapping[str, Any] | None = None,
        is_refreshed: bool = False,
    ) -> str:
        """Return the ID Token of a grant, with the claims that this provider sends."""
        changes = {**self._id_token_changes(grant), **(further or {})}
        return super().id_token_of(grant, access_token, further=changes, is_refreshed=is_refreshed)

    def _id_token_changes(self, _grant: Grant) -> dict[str, Any]:
        """Return claims that replace those of the fake provider; the value `...` removes one."""
        return {"sid": ...}

    def _account_of(self, grant: Grant) -> Account:
        return as_account(grant.sign_in.persona)


class OAuth2StandIn(StandIn):
    """A provider with plain OAuth 2.0: no ID Token; the user comes from its user API."""

    pkce: Pkce = "optional"
    required_scopes = ()
    subject_path: tuple[str, ...] = ("id",)

    def issues_id_token(self, _grant: Grant) -> bool:
        """Whether the tokens of this grant include an ID Token: never."""
        return False


def _address(url: str) -> str:
    """Return host and path of a URL, as a call has them."""
    split = urllib.parse.urlsplit(url)
    return split.netloc + split.path
