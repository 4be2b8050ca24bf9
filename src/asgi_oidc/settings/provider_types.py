"""The types of providers that the environment can name (`OIDC_GITHUB_TYPE`), and the settings that each takes."""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from asgi_oidc.errors import SettingsError
from asgi_oidc.settings.oauth2_provider import OAUTH2_READERS, OAuth2Provider
from asgi_oidc.settings.provider import Provider, ProviderEntry
from asgi_oidc.settings.provider_readers import PROVIDER_READERS

TYPE = "type"
OPENID = "openid"
OAUTH2 = "oauth2"


class ProviderType(NamedTuple):
    """One type of provider.

    Attributes:
        maker: what makes such a provider from keywords.
        settings: the keywords that it takes.
    """

    maker: Callable[..., ProviderEntry]
    settings: frozenset[str]

    def make(self, settings: Mapping[str, Any]) -> ProviderEntry:
        """Make a provider.

        Raises:
            SettingsError: the settings are invalid; it lists every problem with its fix.
        """
        parameters = inspect.signature(self.maker).parameters.values()
        required = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY and each.default is each.empty]
        missing = [name for name in required if name not in settings]
        if missing:
            raise SettingsError([f"{name}: missing; a provider of this type needs it" for name in missing])
        return self.maker(**settings)


_EVERY = frozenset({"title", *PROVIDER_READERS})
_OAUTH2 = frozenset({"title", *OAUTH2_READERS})

PROVIDER_TYPES: Mapping[str, ProviderType] = {
    OPENID: ProviderType(Provider, _EVERY),
    "google": ProviderType(Provider.google, _EVERY - {"issuer"} | {"hosted_domains", "offline_access"}),
    "gitlab": ProviderType(Provider.gitlab, _EVERY - {"issuer"} | {"url"}),
    "linkedin": ProviderType(Provider.linkedin, _EVERY - {"issuer", "client_auth"}),
    "apple": ProviderType(
        Provider.apple,
        _EVERY - {"issuer", "client_secret", "client_auth"} | {"team_id", "key_id", "private_key"},
    ),
    "entra": ProviderType(
        Provider.entra,
        _EVERY - {"issuer", "trusted_email_domains"} | {"tenants", "trusted_tenants", "authority"},
    ),
    OAUTH2: ProviderType(OAuth2Provider, _OAUTH2),
    "github": ProviderType(OAuth2Provider.github, _OAUTH2),
    "discord": ProviderType(OAuth2Provider.discord, _OAUTH2),
    "facebook": ProviderType(OAuth2Provider.facebook, _OAUTH2 | {"graph_version"}),
    "x": ProviderType(OAuth2Provider.x, _OAUTH2),
}


def type_of(name: str, given: Collection[str]) -> str:
    """Return the type of a provider whose settings do not name one.

    Args:
        given: the settings that it has.
    """
    if "issuer" in given:
        return OPENID
    if "authorization_endpoint" in given:
        return OAUTH2
    return name if name in PROVIDER_TYPES else OPENID
