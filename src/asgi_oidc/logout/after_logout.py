"""Answers the browser when it returns from the provider after a sign-out (RP-Initiated Logout 1.0 §3)."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from asgi_oidc.errors import RequestRejected
from asgi_oidc.login.endpoint_urls import EndpointUrls, with_return_to
from asgi_oidc.logout.logout_state import LogoutState, LogoutStates
from asgi_oidc.pages.sign_out import SignOutPages
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, redirect

IsPublic = Callable[[str, str], bool]
"""Returns whether a path (as in a URL, not decoded) is public, below a root path."""


@dataclass(frozen=True, slots=True, repr=False)
class AfterLogout:
    """Redirects the browser after a sign-out, or shows the page "You are signed out".

    Attributes:
        landing_url: where the provider sends the browser after a sign-out.
        landing_path: its path, None if it is on another site.
        origin, base_path: of `base_url`.
    """

    states: LogoutStates
    pages: SignOutPages
    urls: EndpointUrls
    is_public: IsPublic
    landing_url: str
    landing_path: str | None
    origin: str
    base_path: str
    now: Callable[[], int]

    def handle_return(self, request: Request, *, is_signed_in: bool) -> Response | None:
        """Answer a request that contains the state of a sign-out; None for any other request."""
        if b"state=" not in request.query or not self._is_landing(request):
            return None
        state = self._read_state(request)
        if state is None:
            return None
        may_show_target = is_signed_in or self.is_target_public(state.return_to, request)
        return redirect(self.target_url(state.return_to)) if may_show_target else self.signed_out(request, state)

    def signed_out(self, request: Request, state: LogoutState) -> Response:
        """Return the page "You are signed out".

        It is for targets that would start a login: the provider may sign the user in again silently.
        """
        login = with_return_to(self.urls.login, state.return_to)
        return self.pages.signed_out(request, login=login, is_everywhere=state.is_everywhere)

    def target_url(self, return_to: str | None) -> str:
        """Return the URL of the page that the user sees after a sign-out."""
        return self.landing_url if return_to is None else self.origin + return_to

    def is_target_public(self, return_to: str | None, request: Request) -> bool:
        """Return whether the page after a sign-out is public; a page on another site counts as public.

        Args:
            request: the current one, for another page; it shows whether paths are unambiguous below this mount.
        """
        path = self.landing_path if return_to is None else urlsplit(return_to).path
        if path is None:
            return True
        has_one_reading = len(request.path.readings) == 1
        return self.is_public(path, self.base_path if has_one_reading else "")

    def _is_landing(self, request: Request) -> bool:
        path = self.landing_path
        is_there = path is not None and request.path.external.rstrip("/") == path.rstrip("/")
        return is_there and request.method == "GET" and request.is_navigation

    def _read_state(self, request: Request) -> LogoutState | None:
        try:
            states = [value for name, value in request.parameters() if name == "state"]
        except RequestRejected:  # a malformed query, which is not from the provider
            return None
        return self.states.read(states[0], now=self.now()) if len(states) == 1 else None
