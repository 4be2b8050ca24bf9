"""May they? What the policy decides, and the app's own checks; a check that breaks lets nobody in."""

from collections.abc import MutableMapping
from typing import Any

import anyio

from asgi_oidc.errors import OIDCError, StepUpRequired
from asgi_oidc.handover import inner_scope
from asgi_oidc.needs import Person, passes
from asgi_oidc.parts import Parts
from asgi_oidc.policy import Allow, Decision, Place, Refuse, StepUp, decide
from asgi_oidc.protocol.step_up import Ask, read_ask
from asgi_oidc.rules import Rule
from asgi_oidc.sessions.sessions import Live

CHECK_DEADLINE = 10.0  # seconds for a check of the app

Scope = MutableMapping[str, Any]

_NOT_LOOKED_AT = Person({}, ())


async def authorize(scope: Scope, parts: Parts, place: Place, live: Live | None) -> Decision:
    """Decide on a request.

    Raises:
        OIDCError: `check_failed`, a check of the app raised or took too long.
    """
    person = None if live is None else _person(live) if place.rules else _NOT_LOOKED_AT
    decision = decide(place, person, now=parts.now(), leeway=parts.settings.leeway)
    if live is None or not isinstance(decision, Allow | StepUp):
        return decision
    for rule in place.rules:
        if rule.asks_app is not None:
            said = await _ask_app(rule, scope, parts, live)
            if isinstance(said, StepUp):
                return said
            if not said:
                return Refuse(f"{rule.path} needs its check to say True")
    return decision


def asked_by(error: StepUpRequired) -> Ask:
    """Read what an app asks for.

    Raises:
        OIDCError: nobody can sign in like that.
    """
    try:
        return read_ask(error.acr_values, error.max_age)
    except ValueError as exc:
        raise OIDCError("step_up_invalid", str(exc)) from exc


def _person(live: Live) -> Person:
    login, tokens = live.session.login, live.session.tokens
    return Person(tokens.claims, tokens.scopes, login.first.get("acr"), login.first.get("auth_time"))


async def _ask_app(rule: Rule, scope: Scope, parts: Parts, live: Live) -> bool | StepUp:
    inner = inner_scope(scope, parts, live)
    try:
        with anyio.fail_after(CHECK_DEADLINE):
            return rule.asks_app is not None and await passes(rule.asks_app, inner["user"], inner)
    except StepUpRequired as error:
        return StepUp(asked_by(error))
    except Exception as exc:  # the app's own code may raise anything, and then nobody is let in
        raise OIDCError("check_failed", f"the check of {rule.path} raised; nobody was let in") from exc
