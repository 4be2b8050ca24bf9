"""Reads the settings `providers`, a mapping or an object that looks providers up, and `choose_provider`."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from asgi_oidc.errors import describe_value
from asgi_oidc.login.provider_choice import ChooseProvider, is_provider_name
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.settings.provider import ProviderEntry


class ProviderSource(Protocol):
    """Looks up providers that are not known at start-up, such as the tenants in a database: a value of `providers`.

        class Tenants:
            async def get(self, name):
                row = await database.find_tenant(name)
                return row and Provider(issuer=row.issuer, client_id=row.client_id, client_secret=row.secret)

        OIDCMiddleware(app, providers=Tenants(), ...)

    Any object with such a method will do; it need not inherit from this class.
    """

    async def get(self, name: str) -> ProviderEntry | None:
        """Return the provider with this name; None if it does not exist.

        It is called when a provider is first needed, and again after 30 seconds in use; requests do not wait for that.
        A provider with equal settings keeps its metadata and keys, so an `http_client` has to be the same object each
        time.

        Args:
            name: 1 to 64 lower-case letters, digits, `-` and `_`; it may come from a URL.
        """


def read_providers(value: object) -> Mapping[str, ProviderSettings] | ProviderSource:
    """Read the setting `providers`: a mapping of names to providers, or an object that looks them up."""
    if not isinstance(value, Mapping):
        if isinstance(value, type) or not _is_look_up(getattr(value, "get", None)):
            raise ValueError(
                "must be a mapping such as {'google': Provider(...)}, or an object with `async def get(self, name)`, "
                f"got {describe_value(value)}"
            )
        return value  # type: ignore[return-value]  # its method was checked
    if not value:
        raise ValueError("is empty: name at least one provider")
    for name, provider in value.items():
        if not is_provider_name(name):
            raise ValueError(bad_provider_name(name))
        if not isinstance(provider, ProviderEntry):
            raise ValueError(f"{name}: expected Provider(...) or OAuth2Provider(...), got {describe_value(provider)}")
    providers = {name: replace(provider.settings, name=name) for name, provider in value.items()}
    if problem := _same_client_twice(providers) or _same_title_twice(providers):
        raise ValueError(problem)
    return providers


def read_found_provider(name: str, value: object) -> ProviderSettings:
    """Read what the `get` of `providers` has returned for a name."""
    if not isinstance(value, ProviderEntry):
        raise ValueError(f"expected Provider(...), OAuth2Provider(...) or None, got {describe_value(value)}")
    if value.settings.callback_path is not None:
        raise ValueError("callback_path: only for providers that are known at start-up; leave it out")
    return replace(value.settings, name=name)


def read_choose_provider(value: object) -> ChooseProvider:
    """Accept the app's function that chooses the provider of a request."""
    if isinstance(value, type) or not callable(value):
        raise ValueError(f"must be a function of the ASGI scope, async or not, got {describe_value(value)}")
    return value


def bad_provider_name(name: object) -> str:
    """Return the problem of a name that no provider can have."""
    return (
        f"{describe_value(name)} is not a valid name of a provider: names are part of URLs, so use 1 to 64 lower-case "
        "letters, digits, '-' and '_', such as 'google'"
    )


def _is_look_up(get: object) -> bool:
    """Return whether this may be the `get` of a source; what a decorator made of it is seen only when it is called."""
    return inspect.iscoroutinefunction(get) or (callable(get) and not inspect.isroutine(get))


def _same_title_twice(providers: Mapping[str, ProviderSettings]) -> str | None:
    """Report providers that users could not tell apart on the page where they choose."""
    names: dict[str, str] = {}
    for name, settings in providers.items():
        other = names.setdefault(settings.shown_title.casefold(), name)
        if other != name:
            return f"{other} and {name} are both shown as {settings.shown_title!r}: give one of them another title"
    return None


def _same_client_twice(providers: Mapping[str, ProviderSettings]) -> str | None:
    names: dict[tuple[str, str], str] = {}
    for name, settings in providers.items():
        other = names.setdefault((settings.issuer, settings.client.client_id), name)
        if other != name:
            return f"{other} and {name} are the same client of {settings.issuer}: remove one of them"
    return None
