"""The composition root: builds the objects of one middleware from its settings. Only `middleware.py` imports it."""

from asgi_oidc.composition.middleware import Composition, compose

__all__ = ["Composition", "compose"]
