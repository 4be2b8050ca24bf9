"""`asgi-oidc init`: asks five questions, and writes an app with its settings."""
