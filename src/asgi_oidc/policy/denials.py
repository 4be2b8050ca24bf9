"""Makes the response to a request that is denied: a redirect to the login, a page, or problem details (RFC 9457)."""

from dataclasses import dataclass, replace
from typing import assert_never

import msgspec

from asgi_oidc import events, telemetry
from asgi_oidc.audit import AccessDenied, StepUpRequired
from asgi_oidc.audit.reporting import report_session
from asgi_oidc.bearer.authorization_header import unread_token
from asgi_oidc.bearer.challenges import Challenges
from asgi_oidc.errors import OIDCError, RequestRejected
from asgi_oidc.login.endpoint_urls import EndpointUrls
from asgi_oidc.login.interrupted_form_saver import InterruptedFormSaver
from asgi_oidc.login.logins import Logins
from asgi_oidc.login.provider_list import ProviderList
from asgi_oidc.pages.failures import Failures
from asgi_oidc.pages.pages import Pages
from asgi_oidc.pages.providers import provider_members
from asgi_oidc.policy.denials_log import log_denied
from asgi_oidc.policy.policy import Denial, MatchedPolicy, Refuse, StartLogin, StepUp
from asgi_oidc.policy.requirements import BEARER, SESSION
from asgi_oidc.principal import User
from asgi_oidc.protocol.step_up import ANOTHER_ACCOUNT, ANY_LOGIN, AuthenticationRequest
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.sessions.session import Login
from asgi_oidc.telemetry import catalogue
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, challenge
from asgi_oidc.web.return_to import ReturnPaths

LOGIN_REQUIRED = "login_required"
STEP_UP_REQUIRED = "insufficient_user_authentication"  # RFC 9470 §3


@dataclass(frozen=True, slots=True, repr=False)
class Denials:
    """Makes the responses to denied requests.

    Attributes:
        challenges: those for programs with access tokens; None if none are accepted.
        form_path: path of our page for interrupted forms.
        keeps_fragment: the setting `keep_fragment`: whether the `#fragment` of a page survives the login.
        is_embedded: whether pages of other sites show the app in a frame, where users sign in too.
    """

    logins: Logins
    pages: Pages
    failures: Failures
    urls: EndpointUrls
    provider_list: ProviderList
    return_paths: ReturnPaths
    form_saver: InterruptedFormSaver
    form_path: str
    keeps_fragment: bool
    challenges: Challenges | None = None
    is_embedded: bool = False

    async def response(
        self,
        denial: Denial,
        request: Request,
        matched: MatchedPolicy,
        active: ActiveSession | None,
        receive: Receive | None,
    ) -> Response:
        """Return the response to a denied http request.

        Args:
            receive: receives the body; None if the app may have read it already.
        """
        match denial:
            case StartLogin() | StepUp():
                _report_step_up(denial, active)
                response = await self._login_response(denial, request, matched, active, receive)
                return self._with_token_challenge(response, matched)
            case Refuse():
                return self.forbidden(denial, request, matched, active)
            case RequestRejected():
                return self.failures.response(request, denial, login=_login_of(active))
            case OIDCError():
                return_to = self.return_paths.check(request.target)
                return self.failures.response(request, denial, return_to=return_to, login=_login_of(active))
            case other:
                assert_never(other)

    def refused_websocket(
        self, denial: StartLogin | StepUp, request: Request, matched: MatchedPolicy, active: ActiveSession | None
    ) -> Response:
        """Return a 401 to a websocket: the user has to sign in, or to sign in again."""
        _report_step_up(denial, active)
        return self._with_token_challenge(self._unauthorized(denial, request, matched), matched)

    def _unauthorized(
        self, denial: StartLogin | StepUp, request: Request, matched: MatchedPolicy, *, shows_html: bool = False
    ) -> Response:
        """Return a 401: the user has to sign in, or to sign in again with a stronger or fresher login (RFC 9470 §3).

        Args:
            shows_html: the client shows the response to a person, so it is a page instead of JSON.
        """
        hint = unread_token(request, accepts_tokens=self.challenges is not None)
        events.log(events.LOGIN_REQUIRED, status=401, method=request.method, hint=hint)
        telemetry.count(catalogue.DENIALS, status=401, code=_code_of(denial))
        if SESSION not in matched.credentials:  # a login would not help
            return self.pages.problem(request, 401, "token_required", "problem.token_required")
        # After the login, the user should get back to the page that the script runs on, not to the URL that it calls.
        authentication = denial.authentication
        url = self.urls.login_for(authentication, self._page_of(request))
        if shows_html:
            return self._sign_in_page(denial, request, url)
        if isinstance(denial, StartLogin):
            choices = self.provider_list.choices(authentication, self._page_of(request))
            members = provider_members(choices)
            response = self.pages.problem(
                request, 401, LOGIN_REQUIRED, "problem.login_required", login_url=url, **members
            )
            return response.with_headers(challenge(self.urls.login, {}))
        response = self.pages.problem(
            request, 401, STEP_UP_REQUIRED, "problem.step_up_required", login_url=url, **authentication.problem_members
        )
        return response.with_headers(
            challenge(self.urls.login, {"error": STEP_UP_REQUIRED, **authentication.parameters})
        )

    def forbidden(
        self, refusal: Refuse, request: Request, matched: MatchedPolicy, active: ActiveSession | None
    ) -> Response:
        """Return a 403: this account lacks the rights, so there is no login redirect, which would change nothing."""
        why, login = refusal.why, _login_of(active)
        provider = None if login is None else login.provider or None
        reference = log_denied(method=request.method, provider=provider, why=why, hint=refusal.hint)
        report_session(login, AccessDenied, why=why, reference=reference)
        is_page = request.is_navigation
        return_to = self.return_paths.check(request.target) if is_page else self._page_of(request)
        if SESSION not in matched.credentials:  # another account would not help
            response = self.pages.problem(request, 403, "forbidden", "problem.forbidden", reference=reference)
            return self._with_token_challenge(response, matched)
        authentication = refusal.authentication or matched.authentication or ANY_LOGIN
        switch_url = self.urls.login_for(_with_another_account(authentication, active), return_to)
        is_for_a_person = is_page or request.shows_html or (request.wants_page and request.has_form)
        if active is not None and matched.may_redirect and is_for_a_person:
            login, tokens = active.session.login, active.session.tokens
            user = User(login.sub, login.issuer, tokens.texts.written_claims)
            return self.pages.denied.forbidden(
                request,
                name=user.display_name,
                email=user.email,
                another_account=switch_url,
                reference=reference,
                requirement=why,
            )
        name, scope_member = "forbidden", {}
        if refusal.scopes:  # RFC 6750 §3.1
            name, scope_member = "insufficient_scope", {"scope": " ".join(refusal.scopes)}
        response = self.pages.problem(
            request, 403, name, "problem.forbidden", reference=reference, login_url=switch_url, **scope_member
        )
        return response.with_headers(challenge(self.urls.login, {"error": name, **scope_member}))

    async def _login_response(
        self,
        denial: StartLogin | StepUp,
        request: Request,
        matched: MatchedPolicy,
        active: ActiveSession | None,
        receive: Receive | None,
    ) -> Response:
        if not matched.may_redirect or request.is_prefetch:
            return self._unauthorized(denial, request, matched)
        return_to = self.return_paths.check(request.target)
        is_in_frame = self.is_embedded and request.is_framed and request.is_safe
        if not request.is_navigation and not is_in_frame:
            is_submitted_by_a_person = request.wants_page or (request.shows_html and not request.is_htmx)
            if request.has_form and is_submitted_by_a_person:
                return await self._interrupted_form_response(denial, request, receive, target=return_to)
            return self._unauthorized(denial, request, matched, shows_html=request.shows_html)
        if self.keeps_fragment and return_to is not None and not is_in_frame:
            login = self.urls.login_for(denial.authentication, return_to)
            return self.pages.sign_in.keeping_fragment(request, login=login).with_headers(
                challenge(self.urls.login, {})
            )
        try:
            return await self.logins.start(
                request,
                return_to=return_to,
                authentication=denial.authentication,
                login=None if active is None else active.session.login,
            )
        except OIDCError as error:
            return self.failures.response(request, error, return_to=return_to)

    def _sign_in_page(self, denial: StartLogin | StepUp, request: Request, url: str) -> Response:
        is_step_up = isinstance(denial, StepUp)
        members = {"error": STEP_UP_REQUIRED, **denial.authentication.parameters} if is_step_up else {}
        response = self.pages.sign_in.required(request, login=url, is_step_up=is_step_up)
        response = response.with_headers(challenge(self.urls.login, members))
        # htmx obeys this header with any status but a redirect.
        return response.with_headers((b"hx-redirect", url.encode("ascii"))) if request.is_htmx else response

    async def _interrupted_form_response(
        self, denial: StartLogin | StepUp, request: Request, receive: Receive | None, *, target: str | None
    ) -> Response:
        """Return a page for a form that was submitted without a session: it keeps the form, or says that it is lost."""
        sealed = await self.form_saver.save(request, receive, target=target)
        events.log(events.FORM_STOPPED, is_kept=sealed is not None)
        page, is_step_up = self._page_of(request), isinstance(denial, StepUp)
        back = None if page is None else self.return_paths.origin + page
        if sealed is None:
            after_login = f"{self.form_path}?form={self.form_saver.remember_page(page)}"
            login = self.urls.login_for(denial.authentication, after_login)
            response = self.pages.forms.not_sent(request, login=login, back=back, is_step_up=is_step_up)
        else:
            action = self.urls.form_for(denial.authentication)
            response = self.pages.forms.kept(request, action=action, sealed=sealed, back=back, is_step_up=is_step_up)
        return response.with_headers(challenge(self.urls.login, {}))

    def _with_token_challenge(self, response: Response, matched: MatchedPolicy) -> Response:
        """Tell programs how to get a token (RFC 9728 §5.1), before what tells browsers how to get a session."""
        if self.challenges is None or BEARER not in matched.credentials or response.status not in (401, 403):
            return response
        missing = self.challenges.at(matched.path.own).token_missing(matched.scopes)
        return replace(response, headers=(missing, *response.headers))

    def _page_of(self, request: Request) -> str | None:
        return self.return_paths.check_page(request.page_url)


def _login_of(active: ActiveSession | None) -> Login | None:
    return None if active is None else active.session.login


def _report_step_up(denial: StartLogin | StepUp, active: ActiveSession | None) -> None:
    if isinstance(denial, StepUp):
        required = denial.authentication
        acr_values, max_age = tuple(required.acr_values), required.max_age
        report_session(_login_of(active), StepUpRequired, acr_values=acr_values, max_age=max_age)


def _code_of(denial: StartLogin | StepUp) -> str:
    return STEP_UP_REQUIRED if isinstance(denial, StepUp) else LOGIN_REQUIRED


def _with_another_account(authentication: AuthenticationRequest, active: ActiveSession | None) -> AuthenticationRequest:
    """Return the login with which the user may get access: with another account, or at another provider."""
    providers = authentication.providers
    is_elsewhere = active is not None and providers and active.session.login.provider not in providers
    return msgspec.structs.replace(authentication, prompt=None if is_elsewhere else ANOTHER_ACCOUNT, params=())
