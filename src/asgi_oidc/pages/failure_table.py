"""How each error is shown: its status, its texts and what can be done next."""

from enum import Enum
from typing import NamedTuple

from asgi_oidc.errors import (
    AccessTokenExpired,
    LoginLoop,
    LoginRefused,
    OIDCError,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnsupported,
    RefreshFailed,
    RequestRejected,
    SessionEnded,
    SessionTooLarge,
    StoreUnavailable,
    TokenRejected,
)


class Target(Enum):
    """Where a link leads to."""

    LOGIN = "login"
    PAGE = "page"  # where it happened
    ANOTHER_ACCOUNT = "another account"
    HOME = "home"


class Action(NamedTuple):
    """What a user can do next."""

    label: str
    target: Target


class Failure(NamedTuple):
    """How an error is shown.

    Attributes:
        name: its texts are `NAME.title` and `NAME.text`.
        actions: the first is the one to take.
    """

    status: int
    name: str
    actions: tuple[Action, ...]


TRY_AGAIN = Action("action.try_again", Target.LOGIN)  # only where that can help
TRY_PAGE_AGAIN = Action("action.try_again", Target.PAGE)
SIGN_IN = Action("action.sign_in", Target.LOGIN)
SIGN_IN_AGAIN = Action("action.sign_in_again", Target.LOGIN)
ANOTHER_ACCOUNT = Action("action.another_account", Target.ANOTHER_ACCOUNT)
HOME = Action("action.home", Target.HOME)

PROVIDER_UNAVAILABLE = Failure(503, "provider_unavailable", (TRY_AGAIN, HOME))
STORE_UNAVAILABLE = Failure(503, "store_unavailable", (TRY_PAGE_AGAIN, SIGN_IN_AGAIN))
TOKENS_UNAVAILABLE = Failure(503, "tokens_unavailable", (TRY_PAGE_AGAIN, SIGN_IN_AGAIN))
STEP_UP_NOT_DONE = Failure(403, "step_up_not_done", (TRY_PAGE_AGAIN, HOME))
FOREIGN_ORIGIN = Failure(403, "foreign_origin", (HOME,))
STEP_UP_UNSUPPORTED = Failure(403, "step_up_not_done", (ANOTHER_ACCOUNT, HOME))
CHECK_FAILED = Failure(500, "check_failed", (TRY_PAGE_AGAIN, HOME))
STEP_UP_IMPOSSIBLE = Failure(500, "step_up_impossible", (HOME,))
LOGIN_LOOP_WITHOUT_COOKIE = Failure(400, "login_loop_without_cookie", (TRY_AGAIN, HOME))
LOGIN_LOOP_WITH_COOKIE = Failure(400, "login_loop_with_cookie", (HOME,))
LOGIN_LOOP_SIGNED_IN = Failure(403, "login_loop_signed_in", (HOME,))
LOGIN_CANCELLED = Failure(403, "login_cancelled", (TRY_AGAIN, ANOTHER_ACCOUNT, HOME))
INTERACTION_REQUIRED = Failure(403, "interaction_required", (SIGN_IN, HOME))
SESSION_ENDED = Failure(403, "session_ended", (SIGN_IN, HOME))
LOGIN_REFUSED = Failure(403, "login_refused", (ANOTHER_ACCOUNT, HOME))
LOGIN_COOKIE_MISSING = Failure(400, "login_cookie_missing", (TRY_AGAIN, HOME))
LOGIN_COOKIE_UNREADABLE = Failure(400, "login_cookie_unreadable", (TRY_AGAIN, HOME))
LOGIN_EXPIRED = Failure(400, "login_expired", (TRY_AGAIN, HOME))
SIGNED_OUT_MEANWHILE = Failure(400, "signed_out_meanwhile", (SIGN_IN, HOME))
LOGIN_IN_FRAME = Failure(400, "login_in_frame", (SIGN_IN,))
BAD_REQUEST = Failure(400, "bad_request", (HOME, SIGN_IN))
PROVIDER_ANSWER_INVALID = Failure(502, "provider_answer_invalid", (TRY_AGAIN, HOME))
MISCONFIGURED = Failure(502, "misconfigured", (HOME, SIGN_IN))
SESSION_TOO_LARGE = Failure(500, "session_too_large", (ANOTHER_ACCOUNT, HOME))
INTERNAL_ERROR = Failure(500, "internal_error", (TRY_AGAIN, HOME))

_BY_OAUTH_ERROR = {
    "access_denied": LOGIN_CANCELLED,
    "user_cancelled_authorize": LOGIN_CANCELLED,  # Apple, LinkedIn
    "user_cancelled_login": LOGIN_CANCELLED,  # LinkedIn
    "login_required": INTERACTION_REQUIRED,
    "interaction_required": INTERACTION_REQUIRED,
    "consent_required": INTERACTION_REQUIRED,
    "account_selection_required": INTERACTION_REQUIRED,
    "unmet_authentication_requirements": STEP_UP_NOT_DONE,
    "temporarily_unavailable": PROVIDER_UNAVAILABLE,
    "server_error": PROVIDER_UNAVAILABLE,
    "invalid_grant": LOGIN_EXPIRED,
    # What a login with the same settings will get again (RFC 6749 §4.1.2.1, §5.2; OIDC Core §3.1.2.6; RFC 8707 §2; RFC
    # 9396 §5).
    "invalid_client": MISCONFIGURED,
    "invalid_request": MISCONFIGURED,
    "invalid_scope": MISCONFIGURED,
    "invalid_request_object": MISCONFIGURED,
    "invalid_authorization_details": MISCONFIGURED,
    "invalid_target": MISCONFIGURED,
    "request_not_supported": MISCONFIGURED,
    "request_uri_not_supported": MISCONFIGURED,
    "registration_not_supported": MISCONFIGURED,
    "unauthorized_client": MISCONFIGURED,
    "unsupported_grant_type": MISCONFIGURED,
    "unsupported_response_type": MISCONFIGURED,
}


def failure_for(error: OIDCError) -> Failure:
    """Say how an error is shown."""
    match error:
        case LoginLoop(code="login_loop_without_cookie"):
            return LOGIN_LOOP_WITHOUT_COOKIE
        case LoginLoop(code="login_loop_signed_in"):
            return LOGIN_LOOP_SIGNED_IN
        case LoginLoop():
            return LOGIN_LOOP_WITH_COOKIE
        case TokenRejected(code="claim_acr" | "claim_auth_time"):
            return STEP_UP_NOT_DONE
        case TokenRejected(code="claim_hd"):
            return LOGIN_REFUSED
        case ProviderUnsupported(code="step_up_unsupported"):
            return STEP_UP_UNSUPPORTED
        case RequestRejected(code="foreign_origin"):
            return FOREIGN_ORIGIN
        case OIDCError(code="check_failed"):
            return CHECK_FAILED
        case OIDCError(code="step_up_invalid"):
            return STEP_UP_IMPOSSIBLE
        case RequestRejected(code="transaction_missing"):
            return LOGIN_COOKIE_MISSING
        case RequestRejected(code="transaction_unreadable"):
            return LOGIN_COOKIE_UNREADABLE
        case RequestRejected(code="signed_out_meanwhile"):
            return SIGNED_OUT_MEANWHILE
        case RequestRejected():
            return BAD_REQUEST._replace(status=error.status)
        case LoginRefused():
            return LOGIN_REFUSED
        case SessionTooLarge():
            return SESSION_TOO_LARGE
        case ProviderUnavailable():
            return PROVIDER_UNAVAILABLE
        case RefreshFailed() | AccessTokenExpired():
            return TOKENS_UNAVAILABLE
        case SessionEnded():
            return SESSION_ENDED
        case StoreUnavailable():
            return STORE_UNAVAILABLE
        case ProviderRefused():
            return _BY_OAUTH_ERROR.get(error.error, PROVIDER_ANSWER_INVALID)
        case ProviderError(code="metadata_issuer"):
            return MISCONFIGURED
        case ProviderError() | TokenRejected():
            return PROVIDER_ANSWER_INVALID
        case _:
            return INTERNAL_ERROR
