"""Decides on requests and websockets with access tokens: whose token it is, or with which response it is denied."""

from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.bearer.authentication import TokenAuthenticator
from asgi_oidc.bearer.authorization_header import scheme_of
from asgi_oidc.errors import OIDCError
from asgi_oidc.errors.sanitized import sanitized, sanitizes_errors
from asgi_oidc.login.login_parameters import ReadAuthentication
from asgi_oidc.policy.access_control import AccessControl
from asgi_oidc.policy.app_errors import decide_on_app_error_with_token
from asgi_oidc.policy.bearer_denials import BearerDenials
from asgi_oidc.policy.policy import Allow, Denial, MatchedPolicy
from asgi_oidc.web.asgi_types import Scope
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response


class BearerDecisions:
    """Decides on requests with access tokens."""

    __slots__ = ("_access", "_denials", "_read_authentication", "_tokens")

    def __init__(
        self,
        tokens: TokenAuthenticator,
        access: AccessControl,
        denials: BearerDenials,
        *,
        read_authentication: ReadAuthentication,
    ) -> None:
        self._tokens = tokens
        self._access = access
        self._denials = denials
        self._read_authentication = read_authentication

    def at_once(self, request: Request) -> ActiveToken | None:
        """Return the token of a request if it is known to be valid; None if `authenticate` has to find out."""
        leaving = None
        try:
            return self._tokens.at_once(request)
        except Exception as error:  # noqa: BLE001  # raised below, where no context is added to it
            leaving = sanitized(error)
        raise leaving

    @sanitizes_errors
    async def authenticate(self, request: Request, matched: MatchedPolicy) -> ActiveToken | Response:
        """Return the valid token of a request, or the response if there is none: on public paths too."""
        try:
            return await self._tokens.authenticate(request)
        except OIDCError as error:
            return self.app_error_response(error, request, matched, None)  # `on_token` is the app's own code

    async def denial(
        self, scope: Scope, request: Request, matched: MatchedPolicy, active: ActiveToken
    ) -> Response | None:
        """Return the response to a request that the app does not get; None if it gets it."""
        try:
            decision = (
                await self._access.decide_with_checks(scope, matched, active)
                if matched.checks
                else self._access.decide(matched, active)
            )
        except OIDCError as error:
            return self.app_error_response(error, request, matched, active)
        return None if isinstance(decision, Allow) else self._response(decision, request, matched, active)

    def app_error_response(
        self, error: OIDCError, request: Request, matched: MatchedPolicy, active: ActiveToken | None
    ) -> Response:
        """Answer in place of an app, or of one of its checks and hooks, that raised an error of ours."""
        denial = decide_on_app_error_with_token(error, read_authentication=self._read_authentication)
        return self._response(denial, request, matched, active)

    def _response(
        self, denial: Denial, request: Request, matched: MatchedPolicy, active: ActiveToken | None
    ) -> Response:
        return self._denials.response(denial, request, matched, scheme=scheme_of(request), active=active)
