"""GET /auth/frontchannel-logout: a page of the provider signs the browser out (Front-Channel Logout 1.0 §2).

Any page can load this URL in a frame, so a request proves nothing: it can only end the session of the same browser, and
the response is always the same. Browsers send our cookies in a frame only if the provider is on the same site as the
app (`SameSite=Lax`).
"""

from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, ClassVar

from asgi_oidc import events, telemetry
from asgi_oidc.audit import SignedOut
from asgi_oidc.audit.reporting import report_session
from asgi_oidc.endpoints.endpoint import only_value
from asgi_oidc.errors import RequestRejected
from asgi_oidc.pages.pages import Pages
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.sessions.session import Login
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.telemetry import catalogue
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response


@dataclass(frozen=True, slots=True, repr=False)
class FrontchannelLogoutEndpoint:
    """Signs out a browser that shows a page of the provider, which contains our URL as a frame."""

    methods: ClassVar[tuple[str, ...]] = ("GET",)

    authenticator: Authenticator
    sessions: SessionRepository
    pages: Pages
    background: SingleFlight[Any]

    async def handle(self, request: Request, receive: Receive, provider: ProviderConnection) -> Response:
        """End the session of this browser if `iss` and `sid` name it; the response is the same in any case.

        Raises:
            StoreUnavailable: the session could not be read or ended.
        """
        if not provider.settings.frontchannel_logout:
            return self.pages.problem(request, 404, "frontchannel_logout_off", "problem.frontchannel_logout_off")
        response = self.pages.sign_out.in_frame(request, provider=provider.settings.origin)
        named = None if request.is_prefetch else _read_parameters(request)
        active = None if named is None else await self.authenticator.find_even_if_over(request)
        if named is None or active is None or not _is_of_session(active.session.login, provider, named):
            return response
        if not self.authenticator.may_sign_out(active.session):
            return response
        session = active.session
        await self.background.run_shielded(lambda: self.sessions.end(session))  # a frame may be removed soon
        events.log(events.LOGGED_OUT, by="the provider, in this browser", provider=session.login.provider or None)
        report_session(session.login, SignedOut, by="provider_in_browser")
        telemetry.count(catalogue.LOGOUTS, by="provider", outcome="succeeded")
        return response.with_cookies(self.sessions.delete(request.cookies))


def _read_parameters(request: Request) -> tuple[str, str] | None:
    """Return `iss` and `sid`; each must be given exactly once."""
    try:
        parameters = request.parameters()
    except RequestRejected:
        return None
    issuer, sid = only_value(parameters, "iss"), only_value(parameters, "sid")
    return None if issuer is None or sid is None else (issuer, sid)


def _is_of_session(login: Login, provider: ProviderConnection, named: tuple[str, str]) -> bool:
    if login.provider != provider.settings.name or login.sid is None:
        return False
    pairs = zip((login.issuer, login.sid), named, strict=True)
    return all(compare_digest(own.encode("utf-8", "replace"), name.encode("utf-8", "replace")) for own, name in pairs)
