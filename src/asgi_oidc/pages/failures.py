"""What a person or a program gets when a request fails: a fixed text, a reference, and what to do next.

Nothing that the provider or the URL says is shown, not even escaped: words that others choose can still
fool people. The log has them, under the same reference.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from asgi_oidc import events, telemetry
from asgi_oidc.audit import CSRFRefused, LoginFailed, RequestFailed
from asgi_oidc.audit.reporting import LoginFacts, report, report_session
from asgi_oidc.errors import (
    RETRY_AFTER,
    LoginLoop,
    OIDCError,
    ProviderUnavailable,
    RefreshFailed,
    StoreUnavailable,
)
from asgi_oidc.pages.failure_table import (
    CHECK_FAILED,
    FOREIGN_ORIGIN,
    INTERNAL_ERROR,
    LOGIN_IN_FRAME,
    STEP_UP_IMPOSSIBLE,
    STORE_UNAVAILABLE,
    TOKENS_UNAVAILABLE,
    Failure,
    Target,
    failure_for,
)
from asgi_oidc.pages.layout import Layout, links, reference_html
from asgi_oidc.pages.page import Action, FailurePage
from asgi_oidc.telemetry import catalogue
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response

_NO_LOGINS = (STORE_UNAVAILABLE, TOKENS_UNAVAILABLE, CHECK_FAILED, STEP_UP_IMPOSSIBLE, FOREIGN_ORIGIN)

_OUTAGES = (ProviderUnavailable, RefreshFailed, StoreUnavailable)

LoginUrl = Callable[[str | None], str]
"""Writes an absolute URL of ours that starts a login and comes back to this path; None for the start page."""


@dataclass(frozen=True, slots=True)
class Failures:
    """Answers requests that failed.

    Attributes:
        origin: our own.
        home: absolute URL of the start page.
        login_url: of an ordinary login.
        another_account_url: of a login with another account.
        delete_login_count: deletes the cookie that counts the logins of this browser.
    """

    layout: Layout
    origin: str
    home: str
    login_url: LoginUrl
    another_account_url: LoginUrl
    delete_login_count: Callable[[Mapping[str, str]], list[bytes]]

    def response(
        self,
        request: Request,
        error: OIDCError,
        *,
        return_to: str | None = None,
        login: LoginFacts | None = None,
    ) -> Response:
        """Log a failure under a new reference, and respond with a page, or with JSON for a program.

        Args:
            return_to: where the login that failed would have ended; trying again keeps it.
            login: of the session with which the request was made.
        """
        reference, failure = secrets.token_hex(6), self._failure(request, error)
        _log(failure, error, reference)
        _report(failure, error, reference, request, login)
        response = (
            self._page(request, failure, error.code, reference, return_to)
            if _is_for_a_person(request)
            else self._problem(request, failure, error, reference, return_to)
        )
        if isinstance(error, LoginLoop):  # a user who has fixed the cause must not be stopped again
            response = response.with_cookies(self.delete_login_count(request.cookies))
        if failure.status != 503:
            return response
        wait = error.retry_after if isinstance(error, _OUTAGES) else RETRY_AFTER
        return response.with_headers((b"retry-after", str(wait).encode("ascii")))

    def _failure(self, request: Request, error: OIDCError) -> Failure:
        if error.code == "not_a_navigation":
            is_login = self.origin + request.path.external.rstrip("/") == self.login_url(None)
            is_in_frame = bool(self.layout.embedded_in) and request.is_framed
            return LOGIN_IN_FRAME if is_login or is_in_frame else failure_for(error)
        return failure_for(error)

    def _page(self, request: Request, failure: Failure, code: str, reference: str, return_to: str | None) -> Response:
        texts, urls = self.layout.texts_for(request), self._urls(request, failure, return_to)
        actions = tuple(
            Action(texts.plain(action.label), urls[action.target], is_primary=number == 0)
            for number, action in enumerate(failure.actions)
        )
        page = FailurePage(
            kind=failure.name,
            status=failure.status,
            title=texts.plain(f"{failure.name}.title"),
            text=texts.plain(f"{failure.name}.text"),
            actions=actions,
            reference=reference,
            code=code,
        )
        content = f"<p>{texts.html(f'{failure.name}.text')}</p>{links(actions)}{reference_html(texts, reference)}"
        return self.layout.respond(request, page, content, in_parts=True, leaves_frame=failure is LOGIN_IN_FRAME)

    def _urls(self, request: Request, failure: Failure, return_to: str | None) -> Mapping[Target, str]:
        is_in_frame = failure is LOGIN_IN_FRAME  # the same URL, in a window
        return {
            Target.LOGIN: self.origin + request.target if is_in_frame else self.login_url(return_to),
            Target.PAGE: self.origin + return_to if return_to else self.home,
            Target.ANOTHER_ACCOUNT: self.another_account_url(return_to),
            Target.HOME: self.home,
        }

    def _problem(
        self, request: Request, failure: Failure, error: OIDCError, reference: str, return_to: str | None
    ) -> Response:
        detail, again = self.layout.texts_for(request).plain(f"{failure.name}.text"), self.login_url(return_to)
        title = f"{failure.name}.title"
        return self.layout.problem(
            request, failure.status, error.code, title, detail=detail, reference=reference, login_url=again
        )


def _log(failure: Failure, error: OIDCError, reference: str) -> None:
    cause = error.__cause__ if failure in (INTERNAL_ERROR, CHECK_FAILED) else None
    event = events.REQUEST_FAILED if failure in _NO_LOGINS else events.LOGIN_FAILED
    provider = error.provider
    telemetry.annotate(code=error.code)
    telemetry.count(catalogue.DENIALS, status=failure.status, code=error.code)
    events.log(event, error=cause, provider=provider, code=error.code, detail=error.detail, reference=reference)


def _report(failure: Failure, error: OIDCError, reference: str, request: Request, login: LoginFacts | None) -> None:
    """Report a failure to the audit trail; `identified` is verified, what a callback contains is not."""
    issuer, sub = error.identified or (None, None)
    if failure is FOREIGN_ORIGIN:
        origin = request.header(b"origin")
        report_session(login, CSRFRefused, code=error.code, reference=reference, origin=origin)
    elif failure in _NO_LOGINS:
        report_session(login, RequestFailed, provider=error.provider, code=error.code, reference=reference)
    else:  # a session that the browser may have tells nothing about who tried to sign in
        report(LoginFailed, provider=error.provider, code=error.code, reference=reference, issuer=issuer, sub=sub)


def _is_for_a_person(request: Request) -> bool:
    return request.shows_html or (request.wants_page and not request.is_prefetch)
