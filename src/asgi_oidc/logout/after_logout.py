"""Where a sign-out ends: the browser is back from the provider (RP-Initiated Logout 1.0 §3)."""

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
"""Says of a path, as in a URL, and a root path whether anybody may open it."""


@dataclass(frozen=True, slots=True, repr=False)
class AfterLogout:
    """Sends the browser on after a sign-out.

    Attributes:
        landing_url: where the provider sends the browser after a sign-out.
        landing_path: the path of that, None if it is not on our own site.
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
        """Answer the browser that brings the state of a sign-out; everything else is an ordinary request (None)."""
        if b"state=" not in request.query or not self._is_landing(request):
            return None
        state = self._read_state(request)
        if state is None:
            return None
        may_show_target = is_signed_in or self.is_target_public(state.return_to, request)
        return redirect(self.target_url(state.return_to)) if may_show_target else self.signed_out(state)

    def signed_out(self, state: LogoutState) -> Response:
        """Show "You are signed out" if the target page would start a login, which could silently undo the sign-out."""
        login = with_return_to(self.urls.login, state.return_to)
        return self.pages.signed_out(login=login, is_everywhere=state.is_everywhere)

    def target_url(self, return_to: str | None) -> str:
        """Return the URL that a sign-out ends at."""
        return self.landing_url if return_to is None else self.origin + return_to

    def is_target_public(self, return_to: str | None, request: Request) -> bool:
        """Say whether the page that a sign-out ends at is public; it may be on another site.

        Args:
            request: another one, for what the server says of the mount.
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
        except RequestRejected:  # no query of the provider
            return None
        return self.states.read(states[0], now=self.now()) if len(states) == 1 else None
