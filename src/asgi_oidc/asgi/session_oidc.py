"""`scope["oidc"]` of a user with a session: its tokens, and those for other APIs."""

import ssl
from typing import Any

from asgi_oidc.asgi.scope_oidc import OIDC, SessionTools, reveal
from asgi_oidc.asgi.token_arguments import check_resource, read_target
from asgi_oidc.bearer.challenges import Challenges
from asgi_oidc.errors.sanitized import sanitizes_errors
from asgi_oidc.protocol.authorization_details import find_missing, granted_objects
from asgi_oidc.protocol.step_up import AuthenticationRequest, is_met
from asgi_oidc.protocol.token_endpoint import BEARER, DPOP
from asgi_oidc.protocol.token_exchange import ExchangeTarget
from asgi_oidc.sessions.lifetimes import expires_at
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.tokens.api_token import ApiCalls, ApiToken
from asgi_oidc.web.request import Scope


class SessionAccess:
    """`Access` to the session of one request."""

    __slots__ = ("_active", "_tools")

    def __init__(self, active: ActiveSession, tools: SessionTools) -> None:
        self._active = active
        self._tools = tools

    def __repr__(self) -> str:
        return "SessionAccess(...)"

    @property
    def id_token(self) -> str:
        """The newest ID Token that this request knows."""
        return self._active.session.tokens.id_token

    @property
    def expires_at(self) -> int:
        """When the session ends if it is not used again, in seconds since the epoch."""
        return expires_at(self._active.session, self._tools.limits)

    @property
    def session_id(self) -> str:
        """The hash of the session id, the same that the store uses as a key."""
        return self._tools.name_session(self._active.session.id)

    @property
    def authorization_details(self) -> list[dict[str, Any]]:
        """The authorization details that the login or the last refresh granted."""
        return granted_objects(self._active.session.tokens.authorization_details)

    @property
    def token_type(self) -> str:
        """`DPoP` if the tokens of the session are bound to its key, else `Bearer`."""
        return DPOP if self._active.session.login.dpop_key else BEARER

    def meets(self, authentication: AuthenticationRequest) -> bool:
        """Return whether the login satisfies the requirements."""
        required = authentication.authorization_details
        if required and find_missing(required, self.authorization_details):
            return False
        first, leeway = self._active.session.login.first, self._tools.leeway
        acr, auth_time = first.get("acr"), first.get("auth_time")
        return is_met(authentication, acr=acr, auth_time=auth_time, now=self._tools.now(), leeway=leeway)

    async def access_token(self, *, resource: str | None = None, refused: ApiToken | None = None) -> ApiToken:
        """Return the access token of the session, or the one for a resource.

        Args:
            refused: the token that the API has answered with 401; it is not returned again.
        """
        if resource is None:
            return await self._session_token(refused)
        check_resource(resource)
        return await self._resource_token(resource, refused)

    async def exchange_token(
        self,
        *,
        audience: str | None = None,
        resource: str | None = None,
        scope: str | None = None,
        refused: ApiToken | None = None,
    ) -> ApiToken:
        """Return a token from a token exchange; `refused` as for `access_token`."""
        return await self._exchanged_token(read_target(audience, resource, scope), refused)

    @sanitizes_errors
    async def client_tls_context(self) -> ssl.SSLContext:
        """Return a TLS context that presents the certificate of this client."""
        return await self._tools.resource_tokens.client_tls_context(self._active)

    @sanitizes_errors
    async def _session_token(self, refused: ApiToken | None) -> ApiToken:
        token = await self._tools.refresher.valid_access_token(self._active, refused=reveal(refused))
        return ApiToken(token, self._active.session.login.dpop_key)

    @sanitizes_errors
    async def _resource_token(self, resource: str, refused: ApiToken | None) -> ApiToken:
        return await self._tools.resource_tokens.token_for_resource(self._active, resource, refused=reveal(refused))

    @sanitizes_errors
    async def _exchanged_token(self, target: ExchangeTarget, refused: ApiToken | None) -> ApiToken:
        return await self._tools.resource_tokens.exchanged_token(self._active, target, refused=reveal(refused))


class SessionOIDC(OIDC):
    """`OIDC` of a signed-in user. Every request makes one and few use it, so it does nothing before it is used."""

    __slots__ = ("_active", "_tools")

    def __init__(self, active: ActiveSession, tools: SessionTools) -> None:
        self._urls = tools.urls
        self._active = active
        self._tools = tools

    @property
    def _access(self) -> SessionAccess:
        return SessionAccess(self._active, self._tools)

    @property
    def _api_calls(self) -> ApiCalls:
        return self._tools.api_calls

    @property
    def _challenges(self) -> Challenges | None:
        return self._tools.challenges

    def _title(self, text_id: str, scope: Scope) -> str:
        return self._tools.text(text_id, scope)
