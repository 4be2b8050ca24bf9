"""Starts a login at the right provider, or sends the browser to the page on which the user chooses one."""

from dataclasses import dataclass

from asgi_oidc.login.endpoint_urls import EndpointUrls
from asgi_oidc.login.interrupted_forms import KeptForm
from asgi_oidc.login.provider_choice import ProviderChoice
from asgi_oidc.login.start_login import LoginStarter
from asgi_oidc.protocol.step_up import AuthenticationRequest
from asgi_oidc.sessions.session import Login
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, redirect


@dataclass(frozen=True, slots=True, repr=False)
class Logins:
    """Starts logins for pages of the app and of our own."""

    choice: ProviderChoice
    starter: LoginStarter
    urls: EndpointUrls

    async def start(
        self,
        request: Request,
        *,
        return_to: str | None,
        authentication: AuthenticationRequest,
        login: Login | None = None,
        is_wanted: bool = False,
        form: KeptForm | None = None,
    ) -> Response:
        """Redirect the browser to the provider, or to the page on which the user chooses one.

        Args:
            return_to: path on our own site, checked; None for home.
            login: of the user who is signed in now; None if anonymous.
            is_wanted: whether the user asked for this login by a click.
            form: an interrupted form that is kept until the login has ended.

        Raises:
            OIDCError: the login cannot start.
        """
        provider = await self.choice.choose(request, authentication, login=login)
        if provider is None:
            response = redirect(self.urls.login_for(authentication, return_to, form=form))
            return response.with_cookies(self.starter.keep_form(request, form))
        return await self.starter.start(
            request, provider, return_to=return_to, authentication=authentication, is_wanted=is_wanted, form=form
        )
