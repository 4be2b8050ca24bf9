"""May this request reach the app? What the policy decides, and the app's own checks; one that fails lets nobody in."""

from collections.abc import Callable

import anyio

from asgi_oidc.errors import OIDCError
from asgi_oidc.policy.app_errors import find_app_error
from asgi_oidc.policy.policy import ALLOW, Allow, Decision, MatchedPolicy, Refuse, StartLogin, StepUp, decide
from asgi_oidc.policy.requirements import Check, Subject, passes
from asgi_oidc.protocol.step_up import ANY_LOGIN
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.web.asgi_types import Scope

CHECK_DEADLINE = 10.0  # seconds for a check of the app

MakeScope = Callable[[Scope, ActiveSession | None], Scope]


class AccessControl:
    """Decides on requests."""

    __slots__ = ("_authenticator", "_leeway", "_make_scope", "_now", "_trusted_email_domains")

    def __init__(
        self,
        authenticator: Authenticator,
        make_scope: MakeScope,
        *,
        trusted_email_domains: frozenset[str],
        leeway: int,
        now: Callable[[], int],
    ) -> None:
        """Set up the decision.

        Args:
            make_scope: makes the scope of the app, for its checks.
            leeway: seconds of clock skew allowed.
        """
        self._authenticator = authenticator
        self._make_scope = make_scope
        self._trusted_email_domains = trusted_email_domains
        self._leeway = leeway
        self._now = now

    def decide(self, matched: MatchedPolicy, active: ActiveSession | None) -> Decision:
        """Decide on a request without the app's own checks."""
        if matched.opened_by is not None or (active is not None and not matched.rules):
            return ALLOW
        subject = None if active is None else self._subject(active)
        return decide(matched, subject, now=self._now(), leeway=self._leeway)

    async def decide_with_checks(self, scope: Scope, matched: MatchedPolicy, active: ActiveSession | None) -> Decision:
        """Decide on a request.

        Raises:
            OIDCError: a check lacks something of its user, or `check_failed`: it raised or took too long.
        """
        decision = self.decide(matched, active)
        if active is None or not matched.checks or not isinstance(decision, Allow | StepUp):
            return decision
        checked = active.session
        for rule in matched.checks:
            if rule.asks_app is not None and not await self._passes(rule.asks_app, rule.path, scope, active):
                return Refuse(f"{rule.path} needs its check to say True")
        if self._authenticator.is_over(active.session):  # signed out while the check took its time
            return StartLogin(ANY_LOGIN)
        # A check may have asked for a token, and with that the provider may have changed the claims of the user.
        return decision if active.session is checked else self.decide(matched, active)

    def _subject(self, active: ActiveSession) -> Subject:
        login, tokens = active.session.login, active.session.tokens
        return Subject(
            tokens.claims,
            tokens.scopes,
            login.first.get("acr"),
            login.first.get("auth_time"),
            self._trusted_email_domains,
        )

    async def _passes(self, check: Check, path: str, scope: Scope, active: ActiveSession) -> bool:
        inner = self._make_scope({**scope, "headers": list(scope.get("headers", ()))}, active)
        try:
            with anyio.fail_after(CHECK_DEADLINE):
                return await passes(check, inner["user"], inner)
        except Exception as exc:  # the app's own code may raise anything, and then nobody is let in
            if (error := find_app_error(exc)) is not None:
                raise error from exc
            raise OIDCError("check_failed", f"the check of {path} raised; nobody was let in") from exc
