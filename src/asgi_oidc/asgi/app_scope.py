"""Makes the scope that the app gets: a copy with the user, the granted scopes and the session."""

from collections.abc import Sequence
from typing import Any

from asgi_oidc.asgi.bearer_oidc import BearerOIDC
from asgi_oidc.asgi.scope_oidc import OIDC, SessionTools
from asgi_oidc.asgi.session_oidc import SessionOIDC
from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.policy.access_control import Active
from asgi_oidc.principal import ANONYMOUS, Auth, BearerUser, User
from asgi_oidc.web.asgi_types import Scope


class AppScopes:
    """Adds `user`, `auth` and `oidc` to scopes."""

    __slots__ = ("_anonymous", "_tools", "_trusted_email_domains")

    def __init__(self, tools: SessionTools, *, trusted_email_domains: frozenset[str]) -> None:
        self._tools = tools
        self._anonymous = OIDC(tools.urls, tools.text, tools.challenges)
        self._trusted_email_domains = trusted_email_domains

    def make(self, scope: Scope, active: Active | None, scopes_of_path: Sequence[str] = ()) -> Scope:
        """Return a copy of the scope with our three keys.

        Values that a server or another middleware has put there are replaced: only we may say who the user is.

        Args:
            scopes_of_path: all that the rules require, for the challenges of routes to programs with tokens.
        """
        app_scope = dict(scope)
        if active is None:
            app_scope["user"], app_scope["auth"], app_scope["oidc"] = ANONYMOUS, Auth([]), self._anonymous
            return app_scope
        if isinstance(active, ActiveToken):
            return self._with_token(app_scope, active, scopes_of_path)
        login, tokens = active.session.login, active.session.tokens
        app_scope["user"] = User(
            login.sub,
            login.issuer,
            tokens.texts.written_claims,
            trusted_email_domains=self._trusted_email_domains,
            provider=login.provider,
        )
        app_scope["auth"] = Auth(["authenticated", *tokens.scopes])
        app_scope["oidc"] = SessionOIDC(active, self._tools)
        return app_scope

    def _with_token(self, app_scope: dict[str, Any], active: ActiveToken, scopes_of_path: Sequence[str]) -> Scope:
        token = active.access_token
        app_scope["user"] = BearerUser(
            token.sub,
            token.issuer,
            active.written_claims,
            trusted_email_domains=self._trusted_email_domains,
            provider=active.provider,
            client_id=token.client_id,
            is_machine=token.is_machine,
        )
        app_scope["auth"] = Auth(["authenticated", *active.scopes])
        app_scope["oidc"] = BearerOIDC(active, self._tools, scopes_of_path)
        return app_scope
