"""`asgi-oidc doctor`: broken set-ups, and good ones."""
