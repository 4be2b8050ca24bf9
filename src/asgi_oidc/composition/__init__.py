"""The composition root: builds the objects of one middleware from its settings. Only `middleware.py` imports it."""

from asgi_oidc.composition.directory import ChangeProvider
from asgi_oidc.composition.middleware import Composition, compose
from asgi_oidc.composition.reloading import follow_files

__all__ = ["ChangeProvider", "Composition", "compose", "follow_files"]
