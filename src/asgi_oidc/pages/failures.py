"""What a person or a program sees when a request of ours fails: fixed words, a reference, a way on.

Nothing that the provider or the URL says is shown, not even escaped: words that others choose can still
fool people. The log has them, under the same reference.
"""

import secrets
from typing import Literal, NamedTuple

from asgi_oidc import events
from asgi_oidc.composition import Parts
from asgi_oidc.endpoints.login import ANOTHER_ACCOUNT
from asgi_oidc.errors import (
    AccessTokenExpired,
    LoginLoop,
    LoginRefused,
    OIDCError,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    RefreshFailed,
    RequestRejected,
    SessionEnded,
    SessionTooLarge,
    StoreUnavailable,
    TokenRejected,
)
from asgi_oidc.login.endpoint_urls import with_return_to
from asgi_oidc.pages.layout import error_page
from asgi_oidc.protocol.step_up import AuthenticationRequest
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, page_for, problem


class _Way(NamedTuple):
    label: str
    leads_to: Literal["login", "page", "another account", "home"]  # "page": where it happened


class _Words(NamedTuple):
    status: int
    title: str
    text: str
    ways: tuple[_Way, ...]  # the first is the one to take


_AGAIN = _Way("Try again", "login")  # only where that can help
_PAGE_AGAIN = _Way("Try again", "page")
_SIGN_IN = _Way("Sign in", "login")
_SIGN_IN_AGAIN = _Way("Sign in again", "login")
_ANOTHER = _Way("Use another account", "another account")
_HOME = _Way("Go to the start page", "home")
_TELL = "please contact the people who run this site and give them the reference below."

DOWN = _Words(
    503,
    "Sign-in is temporarily unavailable",
    "The sign-in service is not responding. There is nothing wrong with your account. Please try again in a moment.",
    (_AGAIN, _HOME),
)
STORE_DOWN = _Words(
    503,
    "This page is temporarily unavailable",
    "This site cannot check who is signed in right now. You have not been signed out. Please try again in a moment.",
    (_PAGE_AGAIN, _SIGN_IN_AGAIN),
)
NOT_RENEWED = _Words(
    503,
    "This page is temporarily unavailable",
    "You are still signed in, but this site cannot access your data at the moment, because the sign-in service is not "
    "responding. Please try again in a moment.",
    (_PAGE_AGAIN, _SIGN_IN_AGAIN),
)
STEP_UP_NOT_DONE = _Words(
    403,
    "This page needs another kind of sign-in",
    "To open this page, you need to sign in with an extra step, or to have signed in more recently, but the sign-in "
    f"service did not ask you to. Please try again. If that does not help, {_TELL}",
    (_PAGE_AGAIN, _HOME),
)
FOREIGN = _Words(
    403,
    "This request came from another site",
    "A page on another site tried to do something here on your behalf, so the request was blocked. If you meant to do "
    "this, do it from this site instead.",
    (_HOME,),
)
CHECK_BROKEN = _Words(
    500,
    "This page is not working right now",
    "This site could not check whether you may open this page. Please try again. If that does not help, " + _TELL,
    (_PAGE_AGAIN, _HOME),
)
PAGE_BROKEN = _Words(
    500,
    "This page is not working",
    f"It requires a kind of sign-in that this site does not offer. To have it fixed, {_TELL}",
    (_HOME,),
)
LOOP_WITHOUT_COOKIE = _Words(
    400,
    "Your browser does not stay signed in",
    "You have just signed in several times, and each time your browser came back without the cookie that keeps you "
    "signed in. It may be blocking cookies, or have too many from this site. Allow cookies for this site or delete "
    "the old ones, then try again.",
    (_AGAIN, _HOME),
)
LOOP_WITH_COOKIE = _Words(
    400,
    "This site does not keep you signed in",
    "You have just signed in several times, and each time this site ended your session at once. This is not your "
    f"fault: its servers may disagree about the time or their settings. To have it fixed, {_TELL}",
    (_HOME,),
)
LOOP_SIGNED_IN = _Words(
    403,
    "This page keeps asking you to sign in",
    "You are signed in, but this page has asked you to sign in again several times in a row. To have it fixed, "
    + _TELL,
    (_HOME,),
)
CANCELLED = _Words(
    403,
    "The sign-in was cancelled",
    "You are not signed in: you cancelled, or the sign-in service did not let you continue. You can try again or use "
    "another account.",
    (_AGAIN, _ANOTHER, _HOME),
)
NOT_COMPLETE = _Words(
    403,
    "You are not signed in",
    "The sign-in service needs something from you first, such as your password or your consent. Please sign in.",
    (_SIGN_IN, _HOME),
)
SESSION_OVER = _Words(
    403,
    "You have been signed out",
    "Your session has ended. Please sign in again to continue.",
    (_SIGN_IN, _HOME),
)
NOT_ADMITTED = _Words(
    403,
    "This account cannot be used here",
    "You signed in successfully, but this account does not have access to this site. Use another account, or ask the "
    "people who run this site for access.",
    (_ANOTHER, _HOME),
)
LOST = _Words(
    400,
    "This sign-in could not be finished",
    "Your browser did not send the cookie that this sign-in needs. Cookies may be blocked, the sign-in may have "
    "taken more than ten minutes, or you may have started it in another browser. Allow cookies for this site, then try "
    "again.",
    (_AGAIN, _HOME),
)
UNREADABLE = _Words(
    400,
    "This sign-in could not be finished",
    "Your browser sent the cookie that this sign-in needs, but this site could not read it. This is not your "
    f"fault: its servers may have different settings. Please try again. If that does not help, {_TELL}",
    (_AGAIN, _HOME),
)
TOO_LATE = _Words(
    400,
    "Your sign-in expired",
    "It took too long, or it was already finished in another tab. Please try again.",
    (_AGAIN, _HOME),
)
SIGNED_OUT = _Words(
    400,
    "You have signed out",
    "You signed out while this sign-in was in progress, so it was not finished. You can sign in again.",
    (_SIGN_IN, _HOME),
)
NEEDS_A_WINDOW = _Words(
    400,
    "Sign in to continue",
    "You need to sign in, but that is not possible inside another page.",
    (_SIGN_IN,),
)
BAD_REQUEST = _Words(
    400,
    "This link does not work",
    "It may be incomplete or out of date. Please start again from this site.",
    (_HOME, _SIGN_IN),
)
BROKEN = _Words(
    502,
    "Sign-in did not work",
    "The sign-in service sent a response that this site cannot accept, so you are not signed in. Please try again. If "
    f"that does not help, {_TELL}",
    (_AGAIN, _HOME),
)
SET_UP_WRONG = _Words(
    502,
    "Sign-in did not work",
    "This site is not set up correctly for the sign-in service, so you cannot sign in right now. Please contact the "
    "people who run this site and give them the reference below. Once they have fixed it, you can sign in.",
    (_HOME, _SIGN_IN),
)
TOO_LARGE = _Words(
    500,
    "Sign-in did not work",
    "Your account has more data than this site can store. Use another account, or contact the people who run this site "
    "and give them the reference below.",
    (_ANOTHER, _HOME),
)
OUR_FAULT = _Words(
    500,
    "Sign-in did not work",
    f"Something went wrong on this site. Please try again. If that does not help, {_TELL}",
    (_AGAIN, _HOME),
)
_BY_OAUTH_ERROR = {
    "access_denied": CANCELLED,
    "login_required": NOT_COMPLETE,
    "interaction_required": NOT_COMPLETE,
    "consent_required": NOT_COMPLETE,
    "account_selection_required": NOT_COMPLETE,
    "unmet_authentication_requirements": STEP_UP_NOT_DONE,
    "temporarily_unavailable": DOWN,
    "server_error": DOWN,
    "invalid_grant": TOO_LATE,
    # What a login with the same settings will get again (RFC 6749 §4.1.2.1, §5.2; OIDC Core §3.1.2.6; RFC 8707 §2).
    "invalid_client": SET_UP_WRONG,
    "invalid_request": SET_UP_WRONG,
    "invalid_scope": SET_UP_WRONG,
    "invalid_target": SET_UP_WRONG,
    "request_not_supported": SET_UP_WRONG,
    "request_uri_not_supported": SET_UP_WRONG,
    "registration_not_supported": SET_UP_WRONG,
    "unauthorized_client": SET_UP_WRONG,
    "unsupported_grant_type": SET_UP_WRONG,
    "unsupported_response_type": SET_UP_WRONG,
}


def failure(
    request: Request,
    parts: Parts,
    error: OIDCError,
    *,
    return_to: str | None = None,
) -> Response:
    """Log a failure under a new reference, and answer with a page, or with JSON for a program.

    Args:
        return_to: where the login that failed would have ended; trying again keeps it.
    """
    reference = secrets.token_hex(6)
    words = _words(error)
    if error.code == "not_a_navigation" and parts.origin + request.path.external.rstrip("/") == parts.urls.login:
        words = NEEDS_A_WINDOW
    cause = error.__cause__ if words in (OUR_FAULT, CHECK_BROKEN) else None
    no_logins = (STORE_DOWN, NOT_RENEWED, CHECK_BROKEN, PAGE_BROKEN, FOREIGN)
    event = events.REQUEST_FAILED if words in no_logins else events.LOGIN_FAILED
    events.log(event, error=cause, code=error.code, detail=error.detail, reference=reference)
    again = with_return_to(parts.urls.login, return_to)
    response = (
        _page(request, parts, words, reference, return_to)
        if _is_for_a_person(request)
        else problem(words.status, error.code, words.title, detail=words.text, reference=reference, login_url=again)
    )
    if isinstance(error, LoginLoop):  # a user who has fixed the cause must not be stopped again
        response = response.with_cookies(parts.rounds.delete(request.cookies))
    if words.status == 503:
        wait = error.retry_after if isinstance(error, ProviderUnavailable | RefreshFailed | StoreUnavailable) else 5
        return response.with_headers((b"retry-after", str(wait).encode("ascii")))
    return response


def _ways_on(request: Request, parts: Parts, words: _Words, return_to: str | None) -> list[tuple[str, str]]:
    home = parts.settings.home
    login = with_return_to(parts.urls.login, return_to)
    if words is NEEDS_A_WINDOW:  # the same URL, in a window
        login = parts.origin + request.target
    urls = {
        "login": login,
        "page": parts.origin + return_to if return_to else home,
        "another account": parts.urls.login_for(AuthenticationRequest((), None, ANOTHER_ACCOUNT), return_to),
        "home": home,
    }
    return [(way.label, urls[way.leads_to]) for way in words.ways]


def _page(request: Request, parts: Parts, words: _Words, reference: str, return_to: str | None) -> Response:
    ways, name = _ways_on(request, parts, words, return_to), parts.settings.app_name
    body = error_page(title=words.title, text=words.text, reference=reference, actions=ways, app=name)
    return page_for(request, body, status=words.status)


def _is_for_a_person(request: Request) -> bool:
    return request.shows_html or (request.wants_page and not request.is_prefetch)


def _words(error: OIDCError) -> _Words:
    match error:
        case LoginLoop(code="login_loop_without_cookie"):
            return LOOP_WITHOUT_COOKIE
        case LoginLoop(code="login_loop_signed_in"):
            return LOOP_SIGNED_IN
        case LoginLoop():
            return LOOP_WITH_COOKIE
        case TokenRejected(code="claim_acr" | "claim_auth_time"):
            return STEP_UP_NOT_DONE
        case RequestRejected(code="foreign_origin"):
            return FOREIGN
        case OIDCError(code="check_failed"):
            return CHECK_BROKEN
        case OIDCError(code="step_up_invalid"):
            return PAGE_BROKEN
        case RequestRejected(code="transaction_missing"):
            return LOST
        case RequestRejected(code="transaction_unreadable"):
            return UNREADABLE
        case RequestRejected(code="signed_out_meanwhile"):
            return SIGNED_OUT
        case RequestRejected():
            return BAD_REQUEST._replace(status=error.status)
        case LoginRefused():
            return NOT_ADMITTED
        case SessionTooLarge():
            return TOO_LARGE
        case ProviderUnavailable():
            return DOWN
        case RefreshFailed() | AccessTokenExpired():
            return NOT_RENEWED
        case SessionEnded():
            return SESSION_OVER
        case StoreUnavailable():
            return STORE_DOWN
        case ProviderRefused():
            return _BY_OAUTH_ERROR.get(error.error, BROKEN)
        case ProviderError(code="metadata_issuer"):
            return SET_UP_WRONG
        case ProviderError() | TokenRejected():
            return BROKEN
        case _:
            return OUR_FAULT
