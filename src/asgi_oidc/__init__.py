"""Sign-in with OpenID Connect for any ASGI app, in one line."""

from importlib import import_module
from typing import TYPE_CHECKING

# Type checkers read this. At run time, a name is imported when it is first used: `asgi_oidc.testing` and the version
# do not need the rest.
if TYPE_CHECKING:
    from asgi_oidc.asgi.scope_oidc import OIDC
    from asgi_oidc.errors import (
        AccessTokenExpired,
        InsufficientScope,
        LoginRefused,
        NotSignedIn,
        OIDCError,
        RefreshFailed,
        SessionEnded,
        SettingsError,
        StepUpRequired,
        StoreUnavailable,
        TokenNotGranted,
        UnsupportedScope,
    )
    from asgi_oidc.health import Health, HealthCheck
    from asgi_oidc.middleware import OIDCMiddleware
    from asgi_oidc.policy.rules import Rule
    from asgi_oidc.principal import AnonymousUser, User
    from asgi_oidc.settings.bearer import Bearer
    from asgi_oidc.settings.oauth2_provider import OAuth2Provider
    from asgi_oidc.settings.provider import Provider
    from asgi_oidc.stores.memory import MemoryStore
    from asgi_oidc.stores.postgres import PostgresStore
    from asgi_oidc.stores.redis import RedisStore
    from asgi_oidc.stores.store import SessionStore

    __version__: str

__all__ = [
    "OIDC",
    "AccessTokenExpired",
    "AnonymousUser",
    "Bearer",
    "Health",
    "HealthCheck",
    "InsufficientScope",
    "LoginRefused",
    "MemoryStore",
    "NotSignedIn",
    "OAuth2Provider",
    "OIDCError",
    "OIDCMiddleware",
    "PostgresStore",
    "Provider",
    "RedisStore",
    "RefreshFailed",
    "Rule",
    "SessionEnded",
    "SessionStore",
    "SettingsError",
    "StepUpRequired",
    "StoreUnavailable",
    "TokenNotGranted",
    "UnsupportedScope",
    "User",
]

_ELSEWHERE = {
    "OIDCMiddleware": "middleware",
    "OIDC": "asgi.scope_oidc",
    "User": "principal",
    "AnonymousUser": "principal",
    "Rule": "policy.rules",
    "Bearer": "settings.bearer",
    "Provider": "settings.provider",
    "OAuth2Provider": "settings.oauth2_provider",
    "Health": "health",
    "HealthCheck": "health",
    "MemoryStore": "stores.memory",
    "PostgresStore": "stores.postgres",
    "RedisStore": "stores.redis",
    "SessionStore": "stores.store",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        return _version()
    if name not in __all__:
        raise AttributeError(f"module 'asgi_oidc' has no attribute {name!r}")
    found: object = getattr(import_module(f"asgi_oidc.{_ELSEWHERE.get(name, 'errors')}"), name)
    globals()[name] = found
    return found


def _version() -> str:
    from importlib import metadata  # milliseconds, for those who ask

    try:
        found = metadata.version("asgi-oidc")
    except metadata.PackageNotFoundError:  # copied from somewhere, and not installed
        raise AttributeError("module 'asgi_oidc' has no version: asgi-oidc is not installed as a package") from None
    globals()["__version__"] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
