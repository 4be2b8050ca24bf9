"""`scope["oidc"]` of a user with an access token: the token is never passed on, but can be exchanged."""

import copy
import ssl
from collections.abc import Sequence
from typing import Any

from asgi_oidc.asgi.scope_oidc import OIDC, SessionTools, reveal
from asgi_oidc.asgi.token_arguments import read_target
from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.bearer.challenges import Challenges
from asgi_oidc.errors import TokenNotGranted
from asgi_oidc.errors.sanitized import sanitizes_errors
from asgi_oidc.protocol.authorization_details import find_missing
from asgi_oidc.protocol.step_up import AuthenticationRequest, is_met
from asgi_oidc.protocol.token_exchange import ExchangeTarget
from asgi_oidc.tokens.api_token import ApiCalls, ApiToken
from asgi_oidc.web.request import Scope


class BearerAccess:
    """`Access` to the access token of one request."""

    __slots__ = ("_active", "_tools")

    def __init__(self, active: ActiveToken, tools: SessionTools) -> None:
        self._active = active
        self._tools = tools

    def __repr__(self) -> str:
        return "BearerAccess(...)"

    @property
    def id_token(self) -> str:
        """Empty: there was no login here."""
        return ""

    @property
    def expires_at(self) -> int | None:
        """When the token expires, in seconds since the epoch; None if the provider does not say."""
        return self._active.access_token.expires_at

    @property
    def session_id(self) -> None:
        """None: there is no session."""
        return

    @property
    def authorization_details(self) -> list[dict[str, Any]]:
        """The authorization details in the token (RFC 9396 §9); malformed ones grant nothing."""
        details = self._active.access_token.claims.get("authorization_details")
        return [copy.deepcopy(item) for item in details if isinstance(item, dict)] if isinstance(details, list) else []

    @property
    def token_type(self) -> None:
        """None: there is no session, and each exchanged token has a type of its own."""
        return

    def meets(self, authentication: AuthenticationRequest) -> bool:
        """Return whether the login that the token says it comes from satisfies the requirements (RFC 9470 §6)."""
        required = authentication.authorization_details
        if required and find_missing(required, self.authorization_details):
            return False
        claims, now = self._active.access_token.claims, self._tools.now()
        acr, auth_time = claims.get("acr"), claims.get("auth_time")
        return is_met(authentication, acr=acr, auth_time=auth_time, now=now, leeway=self._tools.leeway)

    async def access_token(self, *, resource: str | None = None, refused: ApiToken | None = None) -> ApiToken:
        """Refuse: the token is for this app; another API that got it could act as the user here.

        Raises:
            TokenNotGranted: always.
        """
        detail = "the access token of a request is not passed on: use exchange_token, or httpx_auth with audience"
        raise TokenNotGranted("token_pass_through", detail)

    async def exchange_token(
        self,
        *,
        audience: str | None = None,
        resource: str | None = None,
        scope: str | None = None,
        refused: ApiToken | None = None,
    ) -> ApiToken:
        """Return a token for another API, on behalf of the user (RFC 8693).

        Args:
            refused: the token that the API has answered with 401; it is not returned again.
        """
        return await self._exchanged_token(read_target(audience, resource, scope), refused)

    @sanitizes_errors
    async def client_tls_context(self) -> ssl.SSLContext:
        """Return a TLS context that presents the certificate of this client, to which exchanged tokens are bound."""
        return await self._active.connection.http.app_tls_context()

    @sanitizes_errors
    async def _exchanged_token(self, target: ExchangeTarget, refused: ApiToken | None) -> ApiToken:
        exchange = self._tools.token_exchange
        if exchange is None:
            raise TokenNotGranted(detail="this app accepts no access tokens, so there is none to exchange")
        return await exchange.exchanged_token(self._active, target, refused=reveal(refused))


class BearerOIDC(OIDC):
    """`OIDC` of a user with an access token."""

    __slots__ = ("_active", "_needed_scopes", "_tools")

    def __init__(self, active: ActiveToken, tools: SessionTools, scopes_of_path: Sequence[str] = ()) -> None:
        self._urls = tools.urls
        self._active = active
        self._tools = tools
        self._needed_scopes = scopes_of_path

    @property
    def _api_calls(self) -> ApiCalls:
        return self._tools.api_calls

    @property
    def _challenges(self) -> Challenges | None:
        return self._tools.challenges

    @property
    def _scopes_of_path(self) -> Sequence[str]:
        return self._needed_scopes

    @property
    def _access(self) -> BearerAccess:
        return BearerAccess(self._active, self._tools)

    def _title(self, text_id: str, scope: Scope) -> str:
        return self._tools.text(text_id, scope)
