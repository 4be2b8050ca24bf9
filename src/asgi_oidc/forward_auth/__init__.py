"""Answers the authentication requests of nginx, Traefik and Caddy, for apps that are not ASGI: `ForwardAuth`."""

from asgi_oidc.forward_auth.app import ForwardAuth

__all__ = ["ForwardAuth"]
