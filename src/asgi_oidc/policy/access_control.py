"""Decides whether a request may reach the app: by the policy, then by the app's own checks, which fail closed."""

from collections.abc import Callable

import anyio

from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.bearer.authentication import TokenAuthenticator
from asgi_oidc.errors import OIDCError
from asgi_oidc.policy.app_errors import find_app_error
from asgi_oidc.policy.checks import Check, passes
from asgi_oidc.policy.policy import ALLOW, Allow, Decision, MatchedPolicy, Refuse, StartLogin, StepUp, decide
from asgi_oidc.policy.requirements import BEARER, Subject
from asgi_oidc.protocol.step_up import ANY_LOGIN
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.web.asgi_types import Scope

CHECK_DEADLINE = 10.0  # seconds that a check of the app may take

Active = ActiveSession | ActiveToken
"""What a user has shown, and what is valid: a session, or an access token."""
MakeScope = Callable[[Scope, Active | None], Scope]


class AccessControl:
    """Decides whether requests may reach the app."""

    __slots__ = ("_authenticator", "_leeway", "_make_scope", "_now", "_tokens", "_trusted_email_domains")

    def __init__(
        self,
        authenticator: Authenticator,
        make_scope: MakeScope,
        tokens: TokenAuthenticator | None = None,
        *,
        trusted_email_domains: frozenset[str],
        leeway: int,
        now: Callable[[], int],
    ) -> None:
        """Set up access control.

        Args:
            make_scope: makes the scope that the app would get, for its checks.
            tokens: checks access tokens; None if none are accepted.
            leeway: seconds of clock skew allowed.
        """
        self._authenticator = authenticator
        self._make_scope = make_scope
        self._tokens = tokens
        self._trusted_email_domains = trusted_email_domains
        self._leeway = leeway
        self._now = now

    def decide(self, matched: MatchedPolicy, active: Active | None) -> Decision:
        """Decide by the policy alone, without the app's own checks."""
        if matched.opened_by is not None or (active is not None and not matched.rules):
            return ALLOW
        subject = None if active is None else self._subject(active)
        return decide(matched, subject, now=self._now(), leeway=self._leeway)

    async def decide_with_checks(self, scope: Scope, matched: MatchedPolicy, active: Active | None) -> Decision:
        """Decide by the policy and by the app's own checks.

        Raises:
            OIDCError: a check raised an error of ours, such as `StepUpRequired`; or `check_failed`: it raised another
                error, or took too long.
        """
        decision = self.decide(matched, active)
        if active is None or not matched.checks or not isinstance(decision, Allow | StepUp):
            return decision
        session_before = active.session if isinstance(active, ActiveSession) else None
        for rule in matched.checks:
            if rule.app_check is not None and not await self._passes(rule.app_check, rule.path, scope, active):
                return Refuse(f"{rule.path} needs its check to return True")
        if self._is_over(active):  # signed out while the check ran
            return StartLogin(ANY_LOGIN)
        # A check may have refreshed the tokens, and with them the provider may have changed the user's claims.
        is_same = isinstance(active, ActiveToken) or active.session is session_before
        return decision if is_same else self.decide(matched, active)

    def _is_over(self, active: Active) -> bool:
        if isinstance(active, ActiveSession):
            return self._authenticator.is_over(active.session)
        return self._tokens is None or self._tokens.is_over(active)

    def _subject(self, active: Active) -> Subject:
        if isinstance(active, ActiveToken):
            return self._subject_of_token(active)
        login, tokens = active.session.login, active.session.tokens
        return Subject(
            tokens.claims,
            tokens.scopes,
            login.first.get("acr"),
            login.first.get("auth_time"),
            self._trusted_email_domains,
            login.provider,
            login.issuer,
            authorization_details=tokens.authorization_details,
            requested_details=login.requested_details,
        )

    def _subject_of_token(self, active: ActiveToken) -> Subject:
        token = active.access_token
        return Subject(
            active.claims,
            active.scopes,
            token.claims.get("acr"),
            token.claims.get("auth_time"),
            self._trusted_email_domains,
            active.provider,
            issuer=token.issuer,
            credential=BEARER,
            is_machine=token.is_machine,
            client_id=token.client_id,
            authorization_details=token.claims.get("authorization_details"),
        )

    async def _passes(self, check: Check, path: str, scope: Scope, active: Active) -> bool:
        app_scope = self._make_scope({**scope, "headers": list(scope.get("headers", ()))}, active)
        try:
            with anyio.fail_after(CHECK_DEADLINE):
                return await passes(check, app_scope["user"], app_scope)
        except Exception as exc:  # the app's own code may raise anything; access is denied then
            if (error := find_app_error(exc)) is not None:
                raise error from exc
            raise OIDCError(
                "check_failed",
                f"the check of {path} raised an error or took more than {CHECK_DEADLINE:g} s; access was denied",
            ) from exc
