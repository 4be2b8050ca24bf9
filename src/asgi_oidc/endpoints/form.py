"""GET and POST /auth/form: keeps a form that was submitted without a session, and offers it after the login."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from asgi_oidc import events
from asgi_oidc.endpoints.endpoint import only_value
from asgi_oidc.errors import RequestRejected
from asgi_oidc.login.authentication_requests import AuthenticationRequests
from asgi_oidc.login.cookie_budget import CookieBudget
from asgi_oidc.login.endpoint_urls import EndpointUrls
from asgi_oidc.login.interrupted_forms import CLAIM_PARAMETER, FormClaim, InterruptedForm, InterruptedForms, KeptForm
from asgi_oidc.login.logins import Logins
from asgi_oidc.pages.forms import FormPages
from asgi_oidc.principal import User
from asgi_oidc.request_body import read_form_body
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request, read_form
from asgi_oidc.web.response import Response, redirect


@dataclass(frozen=True, slots=True, repr=False)
class FormEndpoint:
    """Keeps an interrupted form during the login, and offers to submit it afterwards.

    Attributes:
        form_path: the path of this endpoint.
        home: absolute URL of the start page.
    """

    methods: ClassVar[tuple[str, ...]] = ("GET", "POST")

    logins: Logins
    authenticator: Authenticator
    authentication_requests: AuthenticationRequests
    forms: InterruptedForms
    budget: CookieBudget
    pages: FormPages
    urls: EndpointUrls
    origin: str
    form_path: str
    home: str
    now: Callable[[], int]

    async def handle(self, request: Request, receive: Receive) -> Response:
        """Keep a form and start the login (POST), discard it (POST), or show it after the login (GET).

        Raises:
            RequestRejected: the POST is not from a page of ours, or the GET is not a page navigation.
            OIDCError: the login cannot be started.
        """
        if request.method == "POST":
            if not request.is_same_origin(self.origin) or not request.wants_page:
                raise RequestRejected("foreign_origin", "only pages of this site may send a form here", status=403)
            parameters = read_form(await read_form_body(request, receive))
            if only_value(parameters, "discard") is not None:
                return self._discard(request)
            return await self._keep(request, only_value(parameters, "form") or "")
        if not request.is_navigation:
            raise RequestRejected("not_a_navigation", "expected a page navigation")
        return await self._offer(request)

    async def _keep(self, request: Request, sealed: str) -> Response:
        form, now, return_to = self.forms.open(sealed, now=self.now()), self.now(), self.form_path
        sealed_request = self.authentication_requests.read(only_value(request.parameters(), "ask") or "", now=now)
        kept_form = None
        if form is not None and self.budget.has_room_for(sealed, request.cookies):
            kept_form = KeptForm(form.id, len(sealed), sealed)
        elif form is not None:
            without_content = msgspec.structs.replace(form, target="", pairs=[])  # tells which page it was on
            return_to = f"{return_to}?form={self.forms.seal(without_content)}"
        active = await self.authenticator.authenticate(request)
        return await self.logins.start(
            request,
            return_to=return_to,
            authentication=sealed_request.authentication,
            login=None if active is None else active.session.login,
            is_wanted=True,
            form=kept_form,
        )

    def _discard(self, request: Request) -> Response:
        form = self.forms.find(request.cookies, now=self.now())
        return redirect(self._page_of(form)).with_cookies(self.forms.delete(request.cookies))

    async def _offer(self, request: Request) -> Response:
        active = await self.authenticator.authenticate(request)
        lost = self.forms.open(only_value(request.parameters(), "form") or "", now=self.now())
        back = self._page_of(lost)
        if active is None:
            return redirect(back)
        login, form = active.session.login, self.forms.find(request.cookies, now=self.now())
        if form is None:
            events.log(events.FORM_LOST, was_kept=lost is None)
            # A form that was kept may have been submitted by now; one that could not be kept is lost for certain.
            return self.pages.not_found(request, back=back) if lost is None else self.pages.lost(request, back=back)
        name = User(login.sub, login.issuer, active.session.tokens.texts.written_claims).display_name
        if form.user is None and not self._is_claimed(form, active.session.id, request):
            # The form was submitted by an anonymous user: only the login that was started from its page may get it.
            events.log(events.FORM_LOST, reason="another login")
            return self.pages.not_found(request, back=back).with_cookies(self.forms.delete(request.cookies))
        if form.user is not None and not self.forms.is_of(form, login.user_id):
            events.log(events.FORM_LOST, reason="another user")
            response = self.pages.of_other_user(request, name=name, back=back)
            return response.with_cookies(self.forms.delete(request.cookies))
        events.log(events.FORM_OFFERED)
        return self.pages.offer(
            request, name=name, origin=self.origin, target=form.target, pairs=form.pairs, discard=self.urls.form
        )

    def _page_of(self, form: InterruptedForm | None) -> str:
        return self.origin + form.page if form is not None and form.page else self.home

    def _is_claimed(self, form: InterruptedForm, session_id: str, request: Request) -> bool:
        claim = self.forms.read_claim(only_value(request.parameters(), CLAIM_PARAMETER) or "")
        return claim is not None and claim == FormClaim(form.id, session_id)
