"""What you test your signed-in app with: a fake provider, a browser-like client, a server in a thread."""

from .accounts import Client, Persona
from .browser import Browser, NavigationError, Response
from .fake_provider import FakeProvider
from .server import Server, serve

__all__ = ["Browser", "Client", "FakeProvider", "NavigationError", "Persona", "Response", "Server", "serve"]
