"""GET /auth/frontchannel-logout: a page of the provider signs the browser out (Front-Channel Logout 1.0 §2).

Any page can load this URL in a frame, so a request proves nothing: it can only end the session of the same browser, and
the response is always the same. Browsers send our cookies in a frame only if the provider is on the same site as the
app (`SameSite=Lax`).
"""

from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, ClassVar

from asgi_oidc import events
from asgi_oidc.endpoints.endpoint import only_value
from asgi_oidc.errors import RequestRejected
from asgi_oidc.pages.pages import Pages
from asgi_oidc.safe_urls import check_url, origin_of
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.sessions.session import Login
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response


@dataclass(frozen=True, slots=True, repr=False)
class FrontchannelLogoutEndpoint:
    """Signs out a browser that shows a page of the provider.

    Attributes:
        is_on: the setting `frontchannel_logout`.
    """

    methods: ClassVar[tuple[str, ...]] = ("GET",)

    is_on: bool
    issuer: str
    authenticator: Authenticator
    sessions: SessionRepository
    pages: Pages
    background: SingleFlight[Any]

    async def handle(self, request: Request, receive: Receive) -> Response:
        """End the session of this browser if `iss` and `sid` name it; the response is the same in any case.

        Raises:
            StoreUnavailable: the session could not be read or ended.
        """
        if not self.is_on:
            return self.pages.problem(404, "frontchannel_logout_off", "problem.frontchannel_logout_off")
        response = self.pages.sign_out.in_frame(provider=origin_of(check_url(self.issuer)))
        sid = None if request.is_prefetch else self._read_sid(request)
        active = None if sid is None else await self.authenticator.find_even_if_over(request)
        if sid is None or active is None or not self._is_of_session(active.session.login, sid):
            return response
        if not self.authenticator.may_sign_out(active.session):
            return response
        session = active.session
        await self.background.run_shielded(lambda: self.sessions.end(session))  # a frame may be removed soon
        events.log(events.LOGGED_OUT, by="the provider, in this browser")
        return response.with_cookies(self.sessions.delete(request.cookies))

    def _read_sid(self, request: Request) -> str | None:
        """Return `sid` if `iss` is our provider; each must be given exactly once."""
        try:
            parameters = request.parameters()
        except RequestRejected:
            return None
        return only_value(parameters, "sid") if only_value(parameters, "iss") == self.issuer else None

    def _is_of_session(self, login: Login, sid: str) -> bool:
        own = login.sid if login.issuer == self.issuer else None
        return own is not None and compare_digest(own.encode("utf-8", "replace"), sid.encode("utf-8", "replace"))
