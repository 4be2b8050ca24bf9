"""What an app lacks that gives up: a user, a better login or a token; it is answered as if the request came without."""

from asgi_oidc.composition import Parts
from asgi_oidc.errors import (
    AccessTokenExpired,
    NotSignedIn,
    OIDCError,
    RefreshFailed,
    StepUpRequired,
    StoreUnavailable,
)
from asgi_oidc.policy.policy import StartLogin, StepUp
from asgi_oidc.protocol.step_up import ANY_LOGIN
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.web.request import Request

MIN_AGE = 60  # seconds that a session must be old before a token that ran out sends the browser to sign in again


def lacks_user(exc: BaseException) -> OIDCError | None:
    """Find out whether an app failed for want of a user, a better login or a token; it may have asked for several."""
    if isinstance(exc, NotSignedIn | StepUpRequired | AccessTokenExpired | RefreshFailed | StoreUnavailable):
        return exc
    if not isinstance(exc, BaseExceptionGroup):
        return None
    found = [lacks_user(each) for each in exc.exceptions]
    return None if None in found else found[0]


def decision_for(
    error: OIDCError, request: Request, parts: Parts, live: ActiveSession | None
) -> StartLogin | StepUp | OIDCError:
    """Say which login would help, or give the error that has to be told instead."""
    if isinstance(error, StepUpRequired):
        try:
            ask = parts.settings.read_ask(error.acr_values, error.max_age)
        except ValueError as exc:
            return OIDCError("step_up_invalid", str(exc))
        return StartLogin(ask) if live is None else StepUp(ask)
    # A provider whose tokens are dead on arrival would send the browser round in circles.
    is_new = live is not None and parts.now() - live.session.login.created_at < MIN_AGE
    goes_in_circles = is_new and request.is_navigation
    if isinstance(error, NotSignedIn | AccessTokenExpired) and not goes_in_circles:
        return StartLogin(ANY_LOGIN)
    return error
