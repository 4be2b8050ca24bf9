"""What `asgi-oidc register` does, step by step."""
