"""The command `asgi-oidc` (extra `cli`)."""
