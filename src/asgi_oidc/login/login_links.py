"""Reads what a link to our login URL asks for: a provider, requirements, and where to come back to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asgi_oidc.login.authentication_requests import AuthenticationRequests, SealedRequest
from asgi_oidc.login.interrupted_forms import InterruptedForms, KeptForm
from asgi_oidc.login.login_parameters import LoginParameters, value_of
from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest
from asgi_oidc.web.return_to import ReturnPaths

Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class LoginLink:
    """The login that a link asks for.

    Attributes:
        return_to: path on our own site, checked; None for home.
        provider: the name in the link, which may not exist; None if it has none.
        form: an interrupted form that is kept until the login has ended.
        is_from_third_party: whether another site asks for it (OIDC Core §4).
    """

    authentication: AuthenticationRequest
    return_to: str | None
    provider: str | None = None
    form: KeptForm | None = None
    is_from_third_party: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class LoginLinks:
    """Reads the links that our pages and the app have.

    Attributes:
        form_path: path of our page for interrupted forms.
    """

    authentication_requests: AuthenticationRequests
    login_parameters: LoginParameters
    forms: InterruptedForms
    return_paths: ReturnPaths
    form_path: str
    now: Callable[[], int]

    def read(self, parameters: Parameters) -> LoginLink:
        """Return what a query asks for; malformed parameters that have a default count as missing.

        Raises:
            RequestRejected: a parameter for the provider is malformed, or no login can satisfy it.
        """
        text = value_of(parameters, "ask")
        sealed = (
            SealedRequest(ANY_LOGIN, 0) if text is None else self.authentication_requests.read(text, now=self.now())
        )
        asked = self.login_parameters.read(parameters)
        return LoginLink(
            authentication=self.login_parameters.add(sealed.authentication, asked),
            return_to=self._return_to(parameters),
            provider=value_of(parameters, "provider"),
            form=sealed.kept_form,
        )

    def fields(self, link: LoginLink) -> dict[str, str]:
        """Return the parameters of a link to the same login, without the provider."""
        fields = {} if link.return_to is None else {"return_to": link.return_to}
        if link.authentication == ANY_LOGIN and link.form is None:
            return fields
        return fields | {"ask": self.authentication_requests.write(link.authentication, now=self.now(), form=link.form)}

    def _return_to(self, parameters: Parameters) -> str | None:
        value = value_of(parameters, "return_to")
        if value is None:
            return None
        # The only one of our own pages that a login may return to: it shows what happened to an interrupted form.
        path, _, sealed = value.partition("?form=")
        if path == self.form_path:
            return value if self.forms.open(sealed, now=self.now()) else self.form_path
        return self.return_paths.check(value)
