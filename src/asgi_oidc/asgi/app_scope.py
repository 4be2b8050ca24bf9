"""The scope that the app gets: a copy with the user, the scopes and the session of the request."""

from asgi_oidc.asgi.scope_oidc import OIDC, SessionTools, SignedInOIDC
from asgi_oidc.principal import ANONYMOUS, Auth, User
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.web.asgi_types import Scope


class AppScopes:
    """Puts `user`, `auth` and `oidc` into scopes."""

    __slots__ = ("_anonymous", "_tools", "_trusted_email_domains")

    def __init__(self, tools: SessionTools, *, trusted_email_domains: frozenset[str]) -> None:
        self._tools = tools
        self._anonymous = OIDC(tools.urls)
        self._trusted_email_domains = trusted_email_domains

    def make(self, scope: Scope, active: ActiveSession | None) -> Scope:
        """Copy the scope with our three keys; whatever stood there before came from outside and is replaced."""
        inner = dict(scope)
        if active is None:
            inner["user"], inner["auth"], inner["oidc"] = ANONYMOUS, Auth([]), self._anonymous
            return inner
        login, tokens = active.session.login, active.session.tokens
        domains = self._trusted_email_domains
        inner["user"] = User(login.sub, login.issuer, tokens.written_claims, trusted_email_domains=domains)
        inner["auth"] = Auth(["authenticated", *tokens.scopes])
        inner["oidc"] = SignedInOIDC(active, self._tools)
        return inner
