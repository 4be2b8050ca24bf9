"""The providers that a user can choose from, each with the URL that starts a login there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asgi_oidc.login.endpoint_urls import EndpointUrls
from asgi_oidc.login.interrupted_forms import KeptForm
from asgi_oidc.login.last_provider import LastProvider
from asgi_oidc.login.provider_choice import ProviderChoice
from asgi_oidc.pages.providers import Choice
from asgi_oidc.protocol.step_up import AuthenticationRequest
from asgi_oidc.provider.provider_settings import title_of


@dataclass(frozen=True, slots=True, repr=False)
class ProviderList:
    """Lists providers.

    Attributes:
        is_named: whether providers have names; False for the one provider of the flat keywords.
    """

    choice: ProviderChoice
    urls: EndpointUrls
    last_provider: LastProvider
    is_named: bool

    def choices(
        self, authentication: AuthenticationRequest, return_to: str | None, *, form: KeptForm | None = None
    ) -> Sequence[Choice]:
        """Return the providers that a login may use; none if they cannot be listed.

        Args:
            form: the interrupted form that is kept until the login has ended.
        """
        if not self.is_named:
            return ()
        listed = self.choice.directory.listed
        choices = []
        for name in self.choice.allowed(authentication):
            settings = listed.get(name)
            title, logo = (title_of(name), None) if settings is None else (settings.shown_title, settings.logo)
            url = self.urls.login_for(authentication, return_to, provider=name, form=form)
            choices.append(Choice(name=name, title=title, url=url, logo=logo))
        return choices

    def last_used(self, cookies: Mapping[str, str]) -> str | None:
        """Return the name of the provider at which this browser signed in last."""
        return self.last_provider.read(cookies)
