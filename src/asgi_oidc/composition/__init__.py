"""The composition root: puts one middleware together from its settings. Nothing but the middleware imports it."""

from asgi_oidc.composition.middleware import Composition, compose

__all__ = ["Composition", "compose"]
