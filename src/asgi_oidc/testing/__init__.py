"""The test kit for apps with sign-in: a fake provider, a browser-like client, a server in a thread."""

from .accounts import Client, Persona, numbered_personas
from .browser import Browser, NavigationError, Response
from .fake_provider import FakeProvider
from .gates import Gate
from .grants import TokenInfo
from .logout import LogoutAnswer
from .server import Server, serve
from .store_contract import SessionStoreContract

__all__ = [
    "Browser",
    "Client",
    "FakeProvider",
    "Gate",
    "LogoutAnswer",
    "NavigationError",
    "Persona",
    "Response",
    "Server",
    "SessionStoreContract",
    "TokenInfo",
    "numbered_personas",
    "serve",
]
