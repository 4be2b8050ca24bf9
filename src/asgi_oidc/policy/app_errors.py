"""Turns errors of ours that the app raises (it needs a user, another login or a token) into a denial."""

from asgi_oidc.errors import (
    AccessTokenExpired,
    InsufficientScope,
    NotSignedIn,
    OIDCError,
    RefreshFailed,
    StepUpRequired,
    StoreUnavailable,
)
from asgi_oidc.login.login_parameters import ReadAuthentication
from asgi_oidc.policy.policy import Refuse, StartLogin, StepUp, step_up_refused
from asgi_oidc.protocol.step_up import ANY_LOGIN
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.web.request import Request

# Seconds; a younger session is not sent to sign in again when its token has expired.
MIN_SESSION_AGE = 60

_APP_ERRORS = (
    NotSignedIn,
    StepUpRequired,
    InsufficientScope,
    AccessTokenExpired,
    RefreshFailed,
    StoreUnavailable,
)


def find_app_error(error: BaseException) -> OIDCError | None:
    """Return the error of ours that an app raised, alone or in an exception group; None if it raised anything else."""
    if isinstance(error, _APP_ERRORS):
        return error
    if not isinstance(error, BaseExceptionGroup):
        return None
    errors = [find_app_error(member) for member in error.exceptions]
    return None if None in errors else errors[0]


def decide_on_app_error_with_token(
    error: OIDCError, *, read_authentication: ReadAuthentication
) -> StepUp | Refuse | OIDCError:
    """Return the login that the app needs of a user with an access token, or what to report."""
    if isinstance(error, InsufficientScope):
        return _scopes_missing(error)
    if not isinstance(error, StepUpRequired):
        return error
    try:
        return StepUp(read_authentication(error.acr_values, error.max_age))
    except ValueError as exc:
        return OIDCError("step_up_invalid", str(exc))


def decide_on_app_error(
    error: OIDCError,
    request: Request,
    active: ActiveSession | None,
    *,
    read_authentication: ReadAuthentication,
    now: int,
) -> StartLogin | StepUp | Refuse | OIDCError:
    """Return the login that the app needs, or what to report if no login would help."""
    if isinstance(error, StepUpRequired):
        try:
            authentication = read_authentication(error.acr_values, error.max_age)
        except ValueError as exc:
            return OIDCError("step_up_invalid", str(exc))
        if active is None:
            return StartLogin(authentication)
        can_step_up = active.session.login.can_step_up
        return StepUp(authentication) if can_step_up else step_up_refused(authentication)
    if isinstance(error, InsufficientScope):
        return StartLogin(ANY_LOGIN) if active is None else _scopes_missing(error)
    # If the provider issues tokens that have already expired, another login would lead to a redirect loop.
    is_new = active is not None and now - active.session.login.created_at < MIN_SESSION_AGE
    would_loop = is_new and request.is_navigation
    if isinstance(error, NotSignedIn | AccessTokenExpired) and not would_loop:
        return StartLogin(ANY_LOGIN)
    return error


def _scopes_missing(error: InsufficientScope) -> Refuse:
    return Refuse(f"the app needs scopes {' '.join(error.scopes)}", error.scopes)
