"""May they? What the policy decides, and the app's own checks; a check that breaks lets nobody in."""

from collections.abc import MutableMapping
from typing import Any

import anyio

from asgi_oidc.asgi.app_response import app_scope
from asgi_oidc.composition import Parts
from asgi_oidc.errors import OIDCError
from asgi_oidc.policy.app_errors import lacks_user
from asgi_oidc.policy.policy import ALLOW, Allow, Decision, MatchedPolicy, Refuse, StartLogin, StepUp, decide
from asgi_oidc.policy.requirements import Check, Subject, passes
from asgi_oidc.protocol.step_up import ANY_LOGIN
from asgi_oidc.sessions.authentication import is_over
from asgi_oidc.sessions.repository import ActiveSession

CHECK_DEADLINE = 10.0  # seconds for a check of the app

Scope = MutableMapping[str, Any]


def decide_at_once(parts: Parts, place: MatchedPolicy, live: ActiveSession | None) -> Decision:
    """Decide on a request where the app has no say."""
    if place.opened_by is not None or (live is not None and not place.rules):
        return ALLOW
    person = None if live is None else _person(live, parts)
    return decide(place, person, now=parts.now(), leeway=parts.settings.leeway)


async def authorize(scope: Scope, parts: Parts, place: MatchedPolicy, live: ActiveSession | None) -> Decision:
    """Decide on a request.

    Raises:
        OIDCError: a check of the app lacks something of its user, or `check_failed`: it raised or took too long.
    """
    decision = decide_at_once(parts, place, live)
    if live is None or not place.checks or not isinstance(decision, Allow | StepUp):
        return decision
    judged = live.session
    for rule in place.checks:
        if rule.asks_app is not None and not await _passes(rule.asks_app, rule.path, scope, parts, live):
            return Refuse(f"{rule.path} needs its check to say True")
    if is_over(live.session, parts, now=parts.now()):  # signed out while the check took its time
        return StartLogin(ANY_LOGIN)
    # A check may have asked for a token, and with that the provider may have said something else about the user.
    return decision if live.session is judged else decide_at_once(parts, place, live)


def _person(live: ActiveSession, parts: Parts) -> Subject:
    login, tokens = live.session.login, live.session.tokens
    return Subject(
        tokens.claims,
        tokens.scopes,
        login.first.get("acr"),
        login.first.get("auth_time"),
        parts.settings.trusted_email_domains,
    )


async def _passes(check: Check, path: str, scope: Scope, parts: Parts, live: ActiveSession) -> bool:
    inner = app_scope({**scope, "headers": list(scope.get("headers", ()))}, parts, live)
    try:
        with anyio.fail_after(CHECK_DEADLINE):
            return await passes(check, inner["user"], inner)
    except Exception as exc:  # the app's own code may raise anything, and then nobody is let in
        if (error := lacks_user(exc)) is not None:
            raise error from exc
        raise OIDCError("check_failed", f"the check of {path} raised; nobody was let in") from exc
