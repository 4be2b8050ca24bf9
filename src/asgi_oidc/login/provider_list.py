"""The providers that a user can choose from, each with the URL that starts a login there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote_plus

from asgi_oidc.login.endpoint_urls import EndpointUrls
from asgi_oidc.login.interrupted_forms import KeptForm
from asgi_oidc.login.last_provider import LastProvider
from asgi_oidc.login.provider_choice import ProviderChoice
from asgi_oidc.pages.providers import Choice
from asgi_oidc.protocol.step_up import AuthenticationRequest
from asgi_oidc.provider.provider_settings import title_of
from asgi_oidc.web.return_to import shorter_paths

# Characters of all return paths in one list. Anyone can request a long path, and with 300 providers, each link of the
# list would repeat it: 2 kB became 1.8 MB.
MAX_RETURN_PATHS = 65_536


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
        names = self.choice.allowed(authentication)
        return_to = _shortened(return_to, number=len(names))
        choices = []
        urls = self.urls.login_for_each(authentication, return_to, providers=names, form=form)
        for name, url in zip(names, urls, strict=True):
            settings = listed.get(name)
            title, logo = (title_of(name), None) if settings is None else (settings.shown_title, settings.logo)
            choices.append(Choice(name=name, title=title, url=url, logo=logo))
        return choices

    def last_used(self, cookies: Mapping[str, str]) -> str | None:
        """Return the name of the provider at which this browser signed in last."""
        return self.last_provider.read(cookies)


def _shortened(return_to: str | None, *, number: int) -> str | None:
    """Return what of a return path fits into a list with this number of links; None if only the start page does."""
    if return_to is None:
        return None
    paths = (return_to, *shorter_paths(return_to))
    return next((path for path in paths if len(quote_plus(path)) * number <= MAX_RETURN_PATHS), None)
