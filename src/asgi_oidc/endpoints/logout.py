"""POST /auth/logout: ends the session here, then at the provider (RP-Initiated Logout 1.0 §2)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from asgi_oidc import events
from asgi_oidc.endpoints.endpoint import only_value
from asgi_oidc.errors import RequestRejected
from asgi_oidc.login.endpoint_urls import EndpointUrls, with_return_to
from asgi_oidc.login.interrupted_forms import InterruptedForms
from asgi_oidc.login.login_loops import LoginLoops
from asgi_oidc.logout.after_logout import AfterLogout
from asgi_oidc.logout.logout_state import LogoutState, LogoutStates
from asgi_oidc.logout.sign_out import ProviderSignOut, SignOut
from asgi_oidc.pages.sign_out import SignOutPages
from asgi_oidc.protocol.end_session import (
    MAX_URL_LENGTH,
    choose_logout_hint,
    cognito_logout_parameters,
    end_session_parameters,
    with_parameters,
)
from asgi_oidc.provider.provider_exceptions import COGNITO_LOGOUT
from asgi_oidc.request_body import read_form_body
from asgi_oidc.safe_urls import check_url, origin_of
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.sessions.session import Session
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request, read_form
from asgi_oidc.web.response import Response, redirect
from asgi_oidc.web.return_to import ReturnPaths


@dataclass(frozen=True, slots=True, repr=False)
class LogoutEndpoint:
    """Signs out the user of a browser.

    Attributes:
        is_embedded: whether pages of other sites show the app in a frame, where users sign out too.
    """

    methods: ClassVar[tuple[str, ...]] = ("GET", "POST")

    sign_out: SignOut
    after_logout: AfterLogout
    states: LogoutStates
    authenticator: Authenticator
    sessions: SessionRepository
    loops: LoginLoops
    forms: InterruptedForms
    pages: SignOutPages
    urls: EndpointUrls
    return_paths: ReturnPaths
    background: SingleFlight[Any]
    now: Callable[[], int]
    is_embedded: bool = False

    async def handle(self, request: Request, receive: Receive) -> Response:
        """Sign out if a page of this site sent the request; otherwise ask the user to confirm.

        Raises:
            RequestRejected: the request is a prefetch, is for an image or another subresource, or comes from a script
                of another site.
            StoreUnavailable: the session could not be ended; the browser keeps its cookies, so the user can try again.
        """
        is_in_frame = self._is_in_frame(request)
        if request.is_prefetch or (request.is_subresource and not is_in_frame):
            raise RequestRejected("not_a_navigation", "a prefetch, or an image in a page, does not sign out")
        if not self._is_trusted(request):
            if not request.wants_page:
                raise RequestRejected("foreign_origin", "a script of another site cannot sign out the user", status=403)
            action = with_return_to(self.urls.logout, self._return_to(request.parameters()))
            return self.pages.confirm(request, action=action)
        session, target = await self._find_session(request), None
        if session is not None:
            target = await self.sign_out.sign_out(session)
        if is_in_frame:  # most providers do not let others frame their pages: signed out of the app only
            target = None
        # Read only now: a body that is slow or invalid cannot prevent the sign-out.
        return_to = self._return_to(await _read_parameters(request, receive))
        response = self._redirect_after_sign_out(request, session, target, return_to)
        return response.with_cookies(self.sessions.delete(request.cookies)).with_cookies(
            [*self.loops.delete(request.cookies), *self.forms.delete(request.cookies)]
        )

    def _is_in_frame(self, request: Request) -> bool:
        return self.is_embedded and request.is_framed and request.method == "POST"

    def _is_trusted(self, request: Request) -> bool:
        if request.is_same_origin(self.return_paths.origin):
            # Browsers without Fetch Metadata do not tell that a GET is for an image, but their Accept header does.
            return request.method == "POST" or request.has(b"sec-fetch-site") or request.wants_page
        # A POST without any of these headers is not from a browser: all browsers send Origin with a POST.
        has_no_source = not any(request.has(name) for name in (b"sec-fetch-site", b"origin", b"referer"))
        return request.method == "POST" and has_no_source

    async def _find_session(self, request: Request) -> Session | None:
        """Return the session to end; None if there is none, or it has ended already."""
        active = await self.authenticator.find_even_if_over(request)
        if active is None:
            await self.background.run_shielded(lambda: self.sessions.end_unreadable(request.cookies))
            return None
        return active.session if self.authenticator.may_sign_out(active.session) else None

    def _return_to(self, parameters: list[tuple[str, str]]) -> str | None:
        value = only_value(parameters, "return_to")
        return None if value is None else self.return_paths.check(value)

    def _redirect_after_sign_out(
        self, request: Request, session: Session | None, target: ProviderSignOut | None, return_to: str | None
    ) -> Response:
        """Redirect to the provider; if it cannot sign the user out, straight to the page that follows a logout."""
        landing_url = self.after_logout.landing_url
        state = LogoutState(return_to=return_to, is_everywhere=target is not None, created_at=self.now())
        sealed = self.states.write(state)
        if target is not None and target.parameters == COGNITO_LOGOUT:
            return redirect(
                with_parameters(target.endpoint, **cognito_logout_parameters(target.client, logout_uri=landing_url))
            )
        if session is not None and target is not None:
            tokens, sid = session.tokens, session.login.sid
            parameters = end_session_parameters(
                target.client,
                id_token_hint=tokens.id_token,
                logout_hint=choose_logout_hint(sid=sid, login_hint=tokens.claims.get("login_hint")),
                post_logout_redirect_uri=landing_url,
                state=sealed,
            )
            return self._redirect_to_provider(request, target.endpoint, parameters)
        if self.after_logout.is_target_public(return_to, request):
            return redirect(self.after_logout.target_url(return_to))
        # A protected page would start a login, which could silently undo the sign-out. With the state, the landing page
        # shows that the user is signed out.
        is_in_frame = self._is_in_frame(request)
        if self.after_logout.landing_path is not None and not is_in_frame:
            return redirect(with_parameters(landing_url, state=sealed))
        is_page = request.wants_page or is_in_frame
        return self.after_logout.signed_out(request, state) if is_page else redirect(landing_url)

    def _redirect_to_provider(self, request: Request, endpoint: str, parameters: dict[str, str]) -> Response:
        """Send the browser to the provider: by a redirect, or by a form if the URL would be too long.

        A client that shows no pages cannot submit a form. It is redirected without the ID Token, and the provider asks
        the user to confirm.
        """
        url = with_parameters(endpoint, **parameters)
        if len(url) <= MAX_URL_LENGTH:
            return redirect(url)
        if request.wants_page:
            provider, back = origin_of(check_url(endpoint)), self.after_logout.landing_url
            return self.pages.at_provider(request, action=endpoint, fields=parameters, provider=provider, back=back)
        parameters.pop("id_token_hint", None)
        return redirect(with_parameters(endpoint, **parameters))


async def _read_parameters(request: Request, receive: Receive) -> list[tuple[str, str]]:
    """Read the query and the form; parameters that cannot be read are ignored, so that the sign-out goes on."""
    parameters: list[tuple[str, str]] = []
    try:
        parameters += request.parameters()
        if request.method == "POST" and request.is_form:
            parameters += read_form(await read_form_body(request, receive))
    except RequestRejected as error:
        events.log(events.RETURN_TO_IGNORED, reason=error.code)
    return parameters
