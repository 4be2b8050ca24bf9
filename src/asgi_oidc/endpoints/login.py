"""GET /auth/login: starts a login (OIDC Core §3.1.2.1), or lets the user choose a provider first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from asgi_oidc.endpoints.endpoint import only_value
from asgi_oidc.errors import RequestRejected
from asgi_oidc.login.authentication_requests import AuthenticationRequests, SealedRequest
from asgi_oidc.login.interrupted_forms import InterruptedForms
from asgi_oidc.login.provider_choice import ProviderChoice
from asgi_oidc.login.provider_list import ProviderList
from asgi_oidc.login.start_login import LoginStarter
from asgi_oidc.pages.providers import ProviderPages
from asgi_oidc.protocol.step_up import ANY_LOGIN
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response
from asgi_oidc.web.return_to import ReturnPaths

Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, repr=False)
class LoginEndpoint:
    """Starts the logins that our pages and the app link to.

    Attributes:
        form_path: path of our page for interrupted forms.
        url: absolute URL of this endpoint.
    """

    methods: ClassVar[tuple[str, ...]] = ("GET",)

    logins: LoginStarter
    choice: ProviderChoice
    provider_list: ProviderList
    pages: ProviderPages
    authenticator: Authenticator
    authentication_requests: AuthenticationRequests
    forms: InterruptedForms
    return_paths: ReturnPaths
    form_path: str
    url: str
    now: Callable[[], int]

    async def handle(self, request: Request, receive: Receive) -> Response:
        """Start a login that comes back to `return_to`, or to the start page.

        Raises:
            OIDCError: the request is not a page navigation, or the login cannot start.
        """
        if request.denies_navigation:
            raise RequestRejected("not_a_navigation", "a login can be started by a page navigation only")
        parameters = request.parameters()
        text = only_value(parameters, "ask")
        sealed = (
            SealedRequest(ANY_LOGIN, 0) if text is None else self.authentication_requests.read(text, now=self.now())
        )
        return_to = self._return_to(parameters)
        try:
            provider = await self._choose(request, parameters, sealed)
        except RequestRejected as error:
            if error.code != "provider_unknown" or not request.shows_html:
                raise
            return self._choice_page(request, parameters, sealed, return_to, notice="choose_provider.unknown")
        if provider is None:
            return self._choice_page(request, parameters, sealed, return_to)
        authentication = sealed.authentication
        # A login that the user asked for does not count towards a login loop: users may click our links as often as
        # they like. A script may start a login whenever it gets a step-up response, so a step-up has to be a click
        # (Sec-Fetch-User). An app that is never satisfied may redirect every login to the next one; that chain leads
        # through the provider, so the browser does not call it same-origin.
        is_step_up = bool(authentication.acr_values) or authentication.max_age is not None
        is_clicked = request.header(b"sec-fetch-user") == "?1" or not is_step_up
        is_wanted = is_clicked and request.is_same_origin(self.return_paths.origin)
        return await self.logins.start(
            request,
            provider,
            return_to=return_to,
            authentication=authentication,
            is_wanted=is_wanted,
            form=sealed.kept_form,
        )

    async def _choose(
        self, request: Request, parameters: Parameters, sealed: SealedRequest
    ) -> ProviderConnection | None:
        wanted = only_value(parameters, "provider") if self.provider_list.is_named else None
        active = await self.authenticator.authenticate(request) if self.provider_list.is_named else None
        login = None if active is None else active.session.login
        return await self.choice.choose(request, sealed.authentication, wanted=wanted, login=login)

    def _choice_page(
        self,
        request: Request,
        parameters: Parameters,
        sealed: SealedRequest,
        return_to: str | None,
        *,
        notice: str | None = None,
    ) -> Response:
        choices = self.provider_list.choices(sealed.authentication, return_to, form=sealed.kept_form)
        if choices:
            last_used = self.provider_list.last_used(request.cookies)
            return self.pages.choose(choices, last_used=last_used, notice=notice)
        fields = {"return_to": return_to, "ask": only_value(parameters, "ask")}
        notice = None if notice is None else "provider_name.unknown"
        return self.pages.ask_name(
            action=self.url, fields={name: value for name, value in fields.items() if value is not None}, notice=notice
        )

    def _return_to(self, parameters: Parameters) -> str | None:
        value = only_value(parameters, "return_to")
        if value is None:
            return None
        # The only one of our own pages that a login may return to: it shows what happened to an interrupted form.
        path, _, sealed = value.partition("?form=")
        if path == self.form_path:
            return value if self.forms.open(sealed, now=self.now()) else self.form_path
        return self.return_paths.check(value)
