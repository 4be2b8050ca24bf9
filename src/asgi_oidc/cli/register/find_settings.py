"""Finds the settings to register, of an app or in the environment, although the client has no id yet."""

import secrets
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from asgi_oidc.cli.find_app import import_app, no_app
from asgi_oidc.middleware import OIDCMiddleware
from asgi_oidc.provider.oauth2_settings import OAuth2Settings
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.settings.settings import Settings
from asgi_oidc.settings.variable_names import PREFIX, variable_prefix

NOT_REGISTERED = "not-registered-yet"  # stands for the client_id until there is one


class CannotRegister(Exception):
    """There is nothing that can be registered; the message says why, and what to do."""


class RegisteredApp(NamedTuple):
    """The settings of one app, and the provider to register at."""

    settings: Settings
    provider: ProviderSettings


@contextmanager
def provisional_client(environ: MutableMapping[str, str]) -> Iterator[None]:
    """Set variables that are missing because the client is not registered yet; afterwards, remove them again."""
    added = {name: value for name, value in _provisional_variables(environ).items() if not _is_set(environ, name)}
    environ.update(added)
    try:
        yield
    finally:
        for name in added:
            environ.pop(name, None)


def _provisional_variables(environ: MutableMapping[str, str]) -> dict[str, str]:
    names = [name.strip() for name in environ.get(f"{PREFIX}PROVIDERS", "").split(",") if name.strip()]
    prefixes = [f"{PREFIX}{variable_prefix(name)}" for name in names] or [PREFIX]
    variables = {f"{prefix}CLIENT_ID": NOT_REGISTERED for prefix in prefixes}
    for prefix in prefixes:
        if environ.get(f"{prefix}CLIENT_AUTH", "").startswith("client_secret_"):
            variables[f"{prefix}CLIENT_SECRET"] = secrets.token_urlsafe(
                48
            )  # never sent: the provider makes the real one
    return variables


def _is_set(environ: MutableMapping[str, str], name: str) -> bool:
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


def find_settings(
    app: str | None, *, is_factory: bool, provider: str | None, environ: MutableMapping[str, str]
) -> RegisteredApp:
    """Return the settings, and the provider to register at.

    Args:
        app: as in `find_app`; None for the settings of the environment.
        provider: its name; None if there is only one.

    Raises:
        CannotRegister: there is not exactly one middleware, or provider of that name, or it has no registration.
        NoSuchApp, ImportFailed, SettingsError: as in `import_app`.
    """
    with provisional_client(environ):
        middlewares = (
            [OIDCMiddleware.from_env(no_app, environ=environ)]
            if app is None
            else import_app(app, is_factory=is_factory).middlewares
        )
    settings = _only(middlewares)._settings
    return RegisteredApp(settings, _choose_provider(settings, provider))


def _only(middlewares: Sequence[OIDCMiddleware]) -> OIDCMiddleware:
    if len(middlewares) > 1:
        raise CannotRegister("the app has several middlewares: name one of them, such as package.module:guarded_app")
    return middlewares[0]


def _choose_provider(settings: Settings, name: str | None) -> ProviderSettings:
    providers = settings.fixed_providers
    if not providers:
        raise CannotRegister("the setting providers looks them up when they are needed: register each client yourself")
    if name is None and len(providers) > 1:
        raise CannotRegister(f"there are several providers: add --provider with one of {', '.join(providers)}")
    if name is not None and name not in providers:
        known = ", ".join(filter(None, providers)) or "none with a name"
        raise CannotRegister(f"there is no provider {name}; there is {known}")
    provider = next(iter(providers.values())) if name is None else providers[name]
    if isinstance(provider, OAuth2Settings):
        raise CannotRegister(
            "a provider without OpenID Connect has no registration: register the client at its website"
        )
    return provider
