"""GET /auth/session: tells a single-page app who is signed in; the request does not extend the session."""

from dataclasses import dataclass
from typing import ClassVar

from asgi_oidc.login.endpoint_urls import EndpointUrls
from asgi_oidc.login.provider_list import ProviderList
from asgi_oidc.login.stale_cookies import StaleCookies
from asgi_oidc.pages.pages import Pages
from asgi_oidc.pages.providers import provider_members
from asgi_oidc.principal import User
from asgi_oidc.protocol.step_up import ANY_LOGIN
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.lifetimes import Limits, ends_for_good_at, expires_at
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, json_response


@dataclass(frozen=True, slots=True, repr=False)
class SessionEndpoint:
    """Returns the signed-in user and the end of the session, as JSON."""

    methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD")

    authenticator: Authenticator
    stale_cookies: StaleCookies
    limits: Limits
    pages: Pages
    urls: EndpointUrls
    provider_list: ProviderList

    async def handle(self, request: Request, receive: Receive) -> Response:
        """Return 200 with the user and the end of the session, or 401 with the URL to sign in."""
        active = await self.authenticator.authenticate(request)
        if active is None:
            choices = self.provider_list.choices(ANY_LOGIN, None)
            members = provider_members(choices)
            response = self.pages.problem(
                request, 401, "login_required", "problem.not_signed_in", login_url=self.urls.login, **members
            )
            return response.with_cookies(self.stale_cookies.delete(request))
        login, tokens = active.session.login, active.session.tokens
        user = User(login.sub, login.issuer, tokens.texts.written_claims)
        return json_response(
            {
                "sub": user.sub,
                "issuer": user.issuer,
                **({"provider": login.provider} if login.provider else {}),
                "name": user.name,
                "email": user.email,
                "claims": user.claims,
                "scopes": tokens.scopes,
                "expires_at": expires_at(active.session, self.limits),
                "ends_at": ends_for_good_at(active.session, self.limits),
            }
        )
