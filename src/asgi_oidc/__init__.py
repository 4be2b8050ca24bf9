"""Sign-in with OpenID Connect for any ASGI app, in one line."""

from asgi_oidc.errors import (
    AccessTokenExpired,
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
from asgi_oidc.middleware import OIDCMiddleware
from asgi_oidc.rules import Rule
from asgi_oidc.stores.memory import MemoryStore
from asgi_oidc.stores.redis import RedisStore
from asgi_oidc.stores.store import SessionStore

__all__ = [
    "AccessTokenExpired",
    "LoginRefused",
    "MemoryStore",
    "NotSignedIn",
    "OIDCError",
    "OIDCMiddleware",
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
]
