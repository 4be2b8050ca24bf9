"""The test kit for apps with sign-in: fake providers, a browser-like client, a server in a thread."""

from .access_token_styles import AccessTokenStyle
from .accounts import AssertionIssuer, Client, Persona, numbered_personas
from .api_client import TokenAuth, api_client
from .browser import Browser, NavigationError, Response
from .client_certificates import ClientCertificate
from .client_keys import ClientKey
from .dpop import DPoPKey
from .encryption import DecryptionKey
from .fake_provider import FakeProvider
from .gates import Gate
from .grants import TokenInfo
from .logout import LogoutAnswer
from .network import Network
from .server import Server, serve
from .standins import (
    Account,
    AppleStandIn,
    DiscordStandIn,
    EmailAddress,
    EntraAccount,
    EntraStandIn,
    FacebookStandIn,
    GitHubStandIn,
    GitLabStandIn,
    GoogleStandIn,
    LinkedInStandIn,
    OAuth2StandIn,
    OpenIDStandIn,
    StandIn,
    XStandIn,
)
from .store_contract import SessionStoreContract

__all__ = [
    "AccessTokenStyle",
    "Account",
    "AppleStandIn",
    "AssertionIssuer",
    "Browser",
    "Client",
    "ClientCertificate",
    "ClientKey",
    "DPoPKey",
    "DecryptionKey",
    "DiscordStandIn",
    "EmailAddress",
    "EntraAccount",
    "EntraStandIn",
    "FacebookStandIn",
    "FakeProvider",
    "Gate",
    "GitHubStandIn",
    "GitLabStandIn",
    "GoogleStandIn",
    "LinkedInStandIn",
    "LogoutAnswer",
    "NavigationError",
    "Network",
    "OAuth2StandIn",
    "OpenIDStandIn",
    "Persona",
    "Response",
    "Server",
    "SessionStoreContract",
    "StandIn",
    "TokenAuth",
    "TokenInfo",
    "XStandIn",
    "api_client",
    "numbered_personas",
    "serve",
]
