"""An app whose settings are wrong."""

from asgi_oidc import OIDCMiddleware

app = OIDCMiddleware(None, issuer="x")  # type: ignore[arg-type, call-arg]
