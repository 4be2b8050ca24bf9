"""`asgi-oidc provider`: a fake provider for the development of an app, on this machine."""
