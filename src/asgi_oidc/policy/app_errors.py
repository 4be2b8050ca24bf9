"""Errors by which the app says that it lacks a user, a better login or a token: the middleware answers for it."""

from collections.abc import Callable

from asgi_oidc.errors import (
    AccessTokenExpired,
    NotSignedIn,
    OIDCError,
    RefreshFailed,
    StepUpRequired,
    StoreUnavailable,
)
from asgi_oidc.policy.policy import StartLogin, StepUp
from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.web.request import Request

MIN_AGE = 60  # seconds that a session must be old before a token that ran out sends the browser to sign in again

ReadAuthentication = Callable[[object, object], AuthenticationRequest]
"""Checks `acr_values` and `max_age`; raises `ValueError`."""


def find_app_error(error: BaseException) -> OIDCError | None:
    """Return the error of ours by which an app failed, None if it failed in another way; it may raise a group."""
    if isinstance(error, NotSignedIn | StepUpRequired | AccessTokenExpired | RefreshFailed | StoreUnavailable):
        return error
    if not isinstance(error, BaseExceptionGroup):
        return None
    found = [find_app_error(each) for each in error.exceptions]
    return None if None in found else found[0]


def decide_on_app_error(
    error: OIDCError,
    request: Request,
    active: ActiveSession | None,
    *,
    read_authentication: ReadAuthentication,
    now: int,
) -> StartLogin | StepUp | OIDCError:
    """Say which login would help, or give the error that has to be reported instead."""
    if isinstance(error, StepUpRequired):
        try:
            authentication = read_authentication(error.acr_values, error.max_age)
        except ValueError as exc:
            return OIDCError("step_up_invalid", str(exc))
        return StartLogin(authentication) if active is None else StepUp(authentication)
    # A provider whose tokens are dead on arrival would send the browser round in circles.
    is_new = active is not None and now - active.session.login.created_at < MIN_AGE
    goes_in_circles = is_new and request.is_navigation
    if isinstance(error, NotSignedIn | AccessTokenExpired) and not goes_in_circles:
        return StartLogin(ANY_LOGIN)
    return error
