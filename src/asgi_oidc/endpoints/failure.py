"""What a person or a program sees when a request of ours fails: fixed words, a reference, a way on.

Nothing that the provider or the URL says is shown, not even escaped: words that others choose can still
fool people. The log has them, under the same reference.
"""

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from asgi_oidc import events
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
from asgi_oidc.parts import Parts
from asgi_oidc.principal import with_return_to
from asgi_oidc.web.pages import error_page
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, page_for, problem


class _Words(NamedTuple):
    status: int
    title: str
    text: str


DOWN = _Words(
    503,
    "Sign-in is not available right now",
    "The sign-in service does not answer. Nothing is wrong with your account. Please try again in a moment.",
)
STORE_DOWN = _Words(
    503,
    "This site cannot look you up right now",
    "The place where this site keeps who is signed in does not answer. Nothing is lost. Please try again in a moment.",
)
NOT_RENEWED = _Words(
    503,
    "This page does not work right now",
    "You are still signed in, but the sign-in service does not renew this site's access to your data. Please try again "
    "in a moment.",
)
TOO_WEAK = _Words(
    403,
    "This page needs another kind of sign-in",
    "This page asks for a stronger or more recent sign-in, and the sign-in service did not do that. Please try again; "
    "if it stays like this, tell the people who run this site, with the reference below.",
)
FOREIGN = _Words(
    403,
    "This request came from another site",
    "A page of another site tried to do something here in your name, so it was not done. If you wanted it, do it here "
    "yourself.",
)
CHECK_BROKEN = _Words(
    500,
    "This page does not work right now",
    "This site could not find out whether you may open this page. Please try again; if it stays like this, tell the "
    "people who run it, with the reference below.",
)
LOOP_WITHOUT_COOKIE = _Words(
    400,
    "Your browser does not stay signed in",
    "You have signed in several times just now, and each time your browser came back without the cookie that says so. "
    "Cookies may be blocked for this site, or it may have stored too many. Allow its cookies or delete the old ones, "
    "then try again.",
)
LOOP_WITH_COOKIE = _Words(
    400,
    "This site does not keep you signed in",
    "You have signed in several times just now, and each time this site forgot it at once. That is no fault of yours: "
    "its servers may disagree about the time or their settings. Tell the people who run it, with the reference below.",
)
LOOP_SIGNED_IN = _Words(
    403,
    "This page keeps asking you to sign in",
    "You are signed in, but this page sent you to sign in again several times in a row. Tell the people who run this "
    "site, with the reference below.",
)
CANCELLED = _Words(
    403,
    "You are not signed in",
    "The sign-in was cancelled, or the sign-in service did not allow it. You can try again, also with another account.",
)
NOT_ADMITTED = _Words(
    403,
    "This account cannot be used here",
    "You signed in, but this account is not admitted to this site. Ask the people who run it for access.",
)
LOST = _Words(
    400,
    "This sign-in could not be finished",
    "Your browser did not bring back the cookie that belongs to it. It may be blocked, or the sign-in took longer "
    "than ten minutes, or it was started in another browser. Allow cookies for this site, then try again.",
)
UNREADABLE = _Words(
    400,
    "This sign-in could not be finished",
    "Your browser brought back the cookie that belongs to it, but this site could not read it. That is no fault of "
    "yours: its servers may have different settings. Please try again; if it stays like this, tell the people who run "
    "it, with the reference below.",
)
TOO_LATE = _Words(
    400,
    "This sign\u2011in has run out",
    "It took too long, or it was finished twice. Please try again.",
)
SIGNED_OUT = _Words(
    400,
    "You have signed out",
    "You signed out while this sign-in was under way, so it was not finished. You can sign in again.",
)
BAD_REQUEST = _Words(
    400,
    "This link does not work",
    "The address is not one that this site has made. Please start again.",
)
BROKEN = _Words(
    502,
    "Sign-in did not work",
    "The sign-in service gave an answer that this site cannot accept, so you were not signed in. Please try again; "
    "if it stays like this, tell the people who run this site, with the reference below.",
)
TOO_LARGE = _Words(
    500,
    "Sign-in did not work",
    "Your account carries more data than this site can keep. Tell the people who run this site, with the reference "
    "below.",
)
OUR_FAULT = _Words(
    500,
    "Sign-in did not work",
    "Something on this site went wrong. Please try again; if it stays like this, tell the people who run it, with "
    "the reference below.",
)
_BY_OAUTH_ERROR = {
    "access_denied": CANCELLED,
    "login_required": CANCELLED,
    "interaction_required": CANCELLED,
    "consent_required": CANCELLED,
    "account_selection_required": CANCELLED,
    "unmet_authentication_requirements": TOO_WEAK,
    "temporarily_unavailable": DOWN,
    "server_error": DOWN,
    "invalid_grant": TOO_LATE,
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
    cause = error.__cause__ if words in (OUR_FAULT, CHECK_BROKEN) else None
    no_logins = (STORE_DOWN, NOT_RENEWED, CHECK_BROKEN, FOREIGN)
    event = events.REQUEST_FAILED if words in no_logins else events.LOGIN_FAILED
    events.log(event, error=cause, code=error.code, detail=error.detail, reference=reference)
    again = with_return_to(parts.urls.login, return_to)
    response = (
        _page(request, words, reference, _ways_on(parts, words, again, return_to))
        if _is_for_a_person(request)
        else problem(words.status, error.code, words.title, detail=words.text, reference=reference, login_url=again)
    )
    if isinstance(error, LoginLoop):  # whoever has fixed the cause shall not be stopped
        response = response.with_cookies(parts.rounds.delete(request.cookies))
    if words.status == 503:
        wait = error.retry_after if isinstance(error, ProviderUnavailable | RefreshFailed | StoreUnavailable) else 5
        return response.with_headers((b"retry-after", str(wait).encode("ascii")))
    return response


def _ways_on(parts: Parts, words: _Words, again: str, return_to: str | None) -> list[tuple[str, str]]:
    home = parts.settings.home
    same_page = parts.origin + return_to if return_to else home
    if words in (STORE_DOWN, NOT_RENEWED):
        return [("Try again", same_page), ("Sign in again", again)]
    if words in (TOO_WEAK, CHECK_BROKEN):
        return [("Try again", same_page), ("Go to the start page", home)]
    if words is FOREIGN:
        return [("Go to the start page", home)]
    return [("Try again", again), ("Go to the start page", home)]


def _page(request: Request, words: _Words, reference: str, actions: Sequence[tuple[str, str]]) -> Response:
    return page_for(
        request,
        error_page(title=words.title, text=words.text, reference=reference, actions=actions),
        status=words.status,
    )


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
            return TOO_WEAK
        case RequestRejected(code="foreign_origin"):
            return FOREIGN
        case OIDCError(code="check_failed" | "step_up_invalid"):
            return CHECK_BROKEN
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
            return CANCELLED
        case StoreUnavailable():
            return STORE_DOWN
        case ProviderRefused():
            return _BY_OAUTH_ERROR.get(error.error, BROKEN)
        case ProviderError() | TokenRejected():
            return BROKEN
        case _:
            return OUR_FAULT
