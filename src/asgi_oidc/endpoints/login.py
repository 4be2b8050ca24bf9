"""GET /auth/login: starts a login (OIDC Core §3.1.2.1), or lets the user choose a provider first.

Other sites start logins here as well, by GET and by POST (OIDC Core §4).
"""

from dataclasses import dataclass
from typing import ClassVar

from asgi_oidc.errors import OIDCError, RequestRejected
from asgi_oidc.login.login_links import LoginLink, LoginLinks
from asgi_oidc.login.provider_choice import ProviderChoice
from asgi_oidc.login.provider_list import ProviderList
from asgi_oidc.login.silent_login import CHOICE_REQUIRED, silent_result
from asgi_oidc.login.start_login import LoginStarter
from asgi_oidc.login.third_party_logins import ISSUER, ThirdPartyLogins
from asgi_oidc.pages.providers import ProviderPages
from asgi_oidc.protocol.step_up import SILENT
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.request_body import read_form_body
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request, read_form
from asgi_oidc.web.response import Response, redirect


@dataclass(frozen=True, slots=True, repr=False)
class LoginEndpoint:
    """Starts the logins that our pages, the app and other sites link to.

    Attributes:
        origin: the origin of `base_url`.
        url: absolute URL of this endpoint.
        is_embedded: whether pages of other sites show the app in a frame, where users sign in too.
    """

    methods: ClassVar[tuple[str, ...]] = ("GET", "POST")

    logins: LoginStarter
    links: LoginLinks
    third_party_logins: ThirdPartyLogins
    choice: ProviderChoice
    provider_list: ProviderList
    pages: ProviderPages
    authenticator: Authenticator
    origin: str
    url: str
    is_embedded: bool = False

    async def handle(self, request: Request, receive: Receive) -> Response:
        """Start a login that comes back to `return_to`, or to the start page.

        Raises:
            OIDCError: the request is not a page navigation, or the login cannot start.
        """
        if request.denies_navigation and not (self.is_embedded and request.is_framed):
            raise RequestRejected("not_a_navigation", "a login can be started by a page navigation only")
        parameters = request.parameters()
        if request.method == "POST":
            parameters += read_form(await read_form_body(request, receive))
            link = await self.third_party_logins.read(parameters)
            return redirect(self.third_party_logins.get_url(parameters, link))
        is_from_third_party = any(name == ISSUER for name, _ in parameters)
        link = await self.third_party_logins.read(parameters) if is_from_third_party else self.links.read(parameters)
        try:
            provider = await self._choose(request, link)
        except RequestRejected as error:
            if error.code != "provider_unknown" or not request.shows_html:
                raise
            return self._choice_page(request, link, notice="choose_provider.unknown")
        if provider is not None:
            return await self._start(request, link, provider)
        if link.authentication.prompt == SILENT:
            return self.logins.silent_response(request, link.return_to, result=CHOICE_REQUIRED)
        return self._choice_page(request, link)

    async def _choose(self, request: Request, link: LoginLink) -> ProviderConnection | None:
        is_named, authentication = self.provider_list.is_named, link.authentication
        wanted = link.provider if is_named else None
        is_open = is_named and wanted is None
        active = await self.authenticator.authenticate(request) if is_open else None
        login = None if active is None else active.session.login
        provider = await self.choice.choose(request, authentication, wanted=wanted, login=login)
        if provider is None and authentication.prompt == SILENT:  # no page may be shown, so the last one is taken
            last_used = self.provider_list.last_used(request.cookies) or ""
            if last_used in self.choice.allowed(authentication):
                return await self.choice.named(last_used)
        return provider

    async def _start(self, request: Request, link: LoginLink, provider: ProviderConnection) -> Response:
        try:
            return await self.logins.start(
                request,
                provider,
                return_to=link.return_to,
                authentication=link.authentication,
                is_wanted=self._is_wanted(request, link),
                is_from_third_party=link.is_from_third_party,
                form=link.form,
            )
        except OIDCError as error:
            result = silent_result(error) if link.authentication.prompt == SILENT else None
            if result is None:
                raise
            return self.logins.silent_response(request, link.return_to, result=result)

    def _is_wanted(self, request: Request, link: LoginLink) -> bool:
        """Whether the user asked for this login.

        Such a login does not count towards a login loop: users may click our links as often as they like. A script may
        start a login whenever it gets a step-up response, or to find out who the user is, so these have to be a click
        (Sec-Fetch-User). An app that is never satisfied may redirect every login to the next one; that chain leads
        through the provider, so the browser does not call it same-origin.
        """
        authentication = link.authentication
        is_step_up = bool(authentication.acr_values) or authentication.max_age is not None
        needs_click = is_step_up or authentication.prompt == SILENT
        is_clicked = request.header(b"sec-fetch-user") == "?1" or not needs_click
        return is_clicked and request.is_same_origin(self.origin)

    def _choice_page(self, request: Request, link: LoginLink, *, notice: str | None = None) -> Response:
        choices = self.provider_list.choices(link.authentication, link.return_to, form=link.form)
        if choices:
            last_used = self.provider_list.last_used(request.cookies)
            return self.pages.choose(request, choices, last_used=last_used, notice=notice)
        notice = None if notice is None else "provider_name.unknown"
        return self.pages.ask_name(request, action=self.url, fields=self.links.fields(link), notice=notice)
