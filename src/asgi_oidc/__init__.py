"""Sign-in with OpenID Connect for any ASGI app, in one line."""

from asgi_oidc.errors import (
    AccessTokenExpired,
    LoginRefused,
    NotSignedIn,
    OIDCError,
    SettingsError,
    UnsupportedScope,
)
from asgi_oidc.middleware import OIDCMiddleware

__all__ = [
    "AccessTokenExpired",
    "LoginRefused",
    "NotSignedIn",
    "OIDCError",
    "OIDCMiddleware",
    "SettingsError",
    "UnsupportedScope",
]
