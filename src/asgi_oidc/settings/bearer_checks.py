"""Checks that `bearer` fits the providers."""

from collections.abc import Mapping
from typing import Any

from asgi_oidc.provider.oauth2_settings import OAuth2Settings
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.settings.bearer import Bearer, not_counted
from asgi_oidc.settings.provider_readers import MISSING

NEEDS_CREDENTIALS = "needs client_secret or client_key: providers introspect only for clients that authenticate"
SET_INTROSPECT = "introspect_jwt: set introspect to the name of a provider at which this client has a secret"
OPENID = "only tokens of OpenID providers count"


def bearer_problems(values: Mapping[str, Any]) -> list[str]:
    """Return the problems of `bearer` beside checked values of the other settings."""
    bearer = values.get("bearer")
    if bearer is None:
        return []
    providers = values.get("providers", MISSING)
    if providers is None:
        problems = _flat_problems(bearer, values)
    elif isinstance(providers, Mapping):
        problems = _named_problems(bearer, providers)
    else:
        problems = [] if providers is MISSING else _source_problems(bearer)
    return [f"bearer: {problem}" for problem in problems]


def providers_that_count(bearer: Bearer, providers: Mapping[str, ProviderSettings]) -> dict[str, ProviderSettings]:
    """Return the providers whose tokens count, by name."""
    return {
        name: provider
        for name, provider in providers.items()
        if not isinstance(provider, OAuth2Settings) and (bearer.providers is None or name in bearer.providers)
    }


def introspecting_provider(bearer: Bearer, providers: Mapping[str, ProviderSettings]) -> str | None:
    """Return the name of the provider that introspects tokens; None if there is none.

    Whether its metadata has an `introspection_endpoint` is known only later.
    """
    counted = providers_that_count(bearer, providers)
    if bearer.introspect is False:
        return None
    if bearer.introspect is not None:
        return bearer.introspect
    # An opaque token does not say who has issued it, so it is shown to nobody unless there is only one.
    (name, *others) = counted or ("",)
    return name if not others and name in counted and can_authenticate(counted[name]) else None


def why_none_introspects(bearer: Bearer, providers: Mapping[str, ProviderSettings]) -> str:
    """Return why opaque tokens are shown to no provider, if `introspecting_provider` finds none."""
    if bearer.introspect is False:
        return "introspect is False"
    if len(providers_that_count(bearer, providers)) == 1:
        return "introspection needs client_secret or client_key"
    return "it does not say whose it is: set introspect to the name of the one to ask"


def can_authenticate(provider: ProviderSettings) -> bool:
    """Return whether this app has credentials as a client; introspection needs them (RFC 7662 §2.1)."""
    return provider.client.is_confidential


def _flat_problems(bearer: Bearer, values: Mapping[str, Any]) -> list[str]:
    problems = []
    for name in ("providers", "introspect"):
        if getattr(bearer, name):
            fix = "with the flat keywords, providers have no name: leave it out"
            problems.append(f"{name}: needs the setting providers; {fix}")
    credentials = ("client_secret", "client_key", "client_assertion_file")
    has_any = any(values.get(name, MISSING) is not None for name in credentials)
    if bearer.introspect_jwt and not (has_any and values.get("client_auth") != "none"):
        problems.append(f"introspect_jwt: {NEEDS_CREDENTIALS}")
    return problems


def _named_problems(bearer: Bearer, providers: Mapping[str, ProviderSettings]) -> list[str]:
    problems = []
    for name in bearer.providers or ():
        if name not in providers:
            problems.append(f"providers: there is no provider {name!r}; providers has {', '.join(providers)}")
        elif isinstance(providers[name], OAuth2Settings):
            problems.append(f"providers: {name} is an OAuth2Provider, and {OPENID}: remove it")
    counted = providers_that_count(bearer, providers)
    if not problems and not counted:
        problems.append(f"providers has no OpenID provider, and {OPENID}: add one, or remove bearer")
    return problems + _introspection_problems(bearer, providers, counted)


def _introspection_problems(
    bearer: Bearer, providers: Mapping[str, ProviderSettings], counted: Mapping[str, ProviderSettings]
) -> list[str]:
    name = bearer.introspect
    if not name:
        if bearer.introspect_jwt and introspecting_provider(bearer, providers) is None:
            return [SET_INTROSPECT]
        return []
    if name not in providers:
        return [f"introspect: there is no provider {name!r}; providers has {', '.join(providers)}"]
    if isinstance(providers[name], OAuth2Settings):
        return [f"introspect: {name} is an OAuth2Provider, and {OPENID}: name another one"]
    if name not in counted:
        return [not_counted(name)]
    if not can_authenticate(providers[name]):
        return [f"introspect: {name} {NEEDS_CREDENTIALS}"]
    return []


def _source_problems(bearer: Bearer) -> list[str]:
    """Report what is missing if providers are looked up by name: a token names its issuer, not its provider."""
    if bearer.providers is None:
        return [
            "providers: name the providers whose tokens count: the setting providers looks them up by name, which a "
            "token does not have"
        ]
    if bearer.introspect_jwt and not bearer.introspect:
        return [SET_INTROSPECT]
    return []
