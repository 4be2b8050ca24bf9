"""The URLs of our own endpoints, as links in pages and in answers to programs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest


@dataclass(frozen=True, slots=True)
class EndpointUrls:
    """Absolute URLs of ours, to put into pages.

    Attributes:
        base_path: what stands before the app's own paths in a browser's address.
        read_authentication: checks what the app asks for: `acr_values` and `max_age`.
        sealed: writes how a login shall be done, so that nobody else can ask for it.
    """

    login: str
    logout: str
    form: str
    base_path: str
    read_authentication: Callable[[object, object], AuthenticationRequest] = field(repr=False)
    sealed: Callable[[AuthenticationRequest], str] = field(repr=False)

    def login_for(self, authentication: AuthenticationRequest, return_to: str | None) -> str:
        """Write the URL that starts a login of that kind."""
        # The return path comes last, so that a script may add a fragment to it.
        return _with_parameters(
            self.login, self._ask_parameter(authentication) | ({"return_to": return_to} if return_to else {})
        )

    def form_for(self, authentication: AuthenticationRequest) -> str:
        """Write the URL that keeps a form and starts such a login."""
        return _with_parameters(self.form, self._ask_parameter(authentication))

    def _ask_parameter(self, authentication: AuthenticationRequest) -> dict[str, str]:
        return {} if authentication == ANY_LOGIN else {"ask": self.sealed(authentication)}


def with_return_to(url: str, return_to: str | None) -> str:
    """Add the return path to the URL of one of our endpoints."""
    return _with_parameters(url, {"return_to": return_to} if return_to else {})


def _with_parameters(url: str, parameters: dict[str, str]) -> str:
    return f"{url}?{urlencode(parameters)}" if parameters else url
