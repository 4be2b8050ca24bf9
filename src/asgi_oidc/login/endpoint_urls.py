"""The URLs of our endpoints, for links in pages and for JSON responses."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from asgi_oidc.errors import describe_value
from asgi_oidc.login.interrupted_forms import KeptForm
from asgi_oidc.login.login_parameters import ReadAuthentication, read_params
from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest, strongest_of_both


@dataclass(frozen=True, slots=True)
class EndpointUrls:
    """Absolute URLs of our endpoints.

    Attributes:
        base_path: the path of `base_url`, which comes before the app's own paths.
        read_authentication: checks the `acr_values` and `max_age` that an app requests.
        sealed: seals an authentication request, and the interrupted form that it is for, so that only this site can
            write one.
        provider_names: the names of all providers, an empty one for the provider of the flat keywords; nothing if the
            app looks providers up.
    """

    login: str
    logout: str
    form: str
    base_path: str
    read_authentication: ReadAuthentication = field(repr=False)
    sealed: Callable[[AuthenticationRequest, KeptForm | None], str] = field(repr=False)
    provider_names: Collection[str] = ()

    def read_request(
        self, acr_values: object, max_age: object, params: object, authorization_details: object = None
    ) -> AuthenticationRequest:
        """Check and read what an app asks of a login; None means nothing.

        Raises:
            ValueError: no login can satisfy it, or a parameter is not for apps.
        """
        required = self.read_authentication(acr_values, max_age, authorization_details)
        if params is None:
            return required
        both = strongest_of_both(required, read_params(params, self.read_authentication))
        if both is None:
            raise ValueError("acr_values: no login can satisfy those of params as well")
        return both

    def check_provider(self, name: str | None) -> None:
        """Check the provider that an app names in a link.

        Raises:
            ValueError: there is none of this name, so the link could only fail.
        """
        if not name or not self.provider_names or name in self.provider_names:
            return
        known = ", ".join(map(repr, filter(None, self.provider_names)))
        instead = f"the providers are {known}" if known else "leave it out, as there is one provider, which has no name"
        raise ValueError(f"provider: there is no {describe_value(name)}; {instead}")

    def login_for(
        self,
        authentication: AuthenticationRequest,
        return_to: str | None,
        *,
        provider: str | None = None,
        form: KeptForm | None = None,
    ) -> str:
        """Return the URL that starts a login with these requirements.

        Args:
            provider: the name of the provider; None to let the user choose.
            form: the interrupted form that is kept until the login has ended.
        """
        [url] = self.login_for_each(authentication, return_to, providers=[provider], form=form)
        return url

    def login_for_each(
        self,
        authentication: AuthenticationRequest,
        return_to: str | None,
        *,
        providers: Sequence[str | None],
        form: KeptForm | None = None,
    ) -> list[str]:
        """Return such a URL for each of several providers."""
        # The return path comes last, so that a script can append a fragment to it.
        others = self._ask_parameter(authentication, form) | ({"return_to": return_to} if return_to else {})
        return [_with_parameters(self.login, ({"provider": name} if name else {}) | others) for name in providers]

    def form_for(self, authentication: AuthenticationRequest) -> str:
        """Return the URL that keeps an interrupted form and starts such a login."""
        return _with_parameters(self.form, self._ask_parameter(authentication))

    def _ask_parameter(self, authentication: AuthenticationRequest, form: KeptForm | None = None) -> dict[str, str]:
        return {} if authentication == ANY_LOGIN and form is None else {"ask": self.sealed(authentication, form)}


def with_return_to(url: str, return_to: str | None) -> str:
    """Add the return path to the URL of one of our endpoints."""
    return _with_parameters(url, {"return_to": return_to} if return_to else {})


def _with_parameters(url: str, parameters: dict[str, str]) -> str:
    return f"{url}?{urlencode(parameters)}" if parameters else url
