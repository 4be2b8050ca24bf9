"""`asgi-oidc init`: what it writes, and that it works."""
