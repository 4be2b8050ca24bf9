"""Stand-ins: fake providers that behave as the documentation of a real one says, one file each."""

from .accounts import Account, EmailAddress
from .apple import AppleStandIn
from .discord import DiscordStandIn
from .entra import EntraStandIn
from .entra_accounts import EntraAccount
from .facebook import FacebookStandIn
from .github import GitHubStandIn
from .gitlab import GitLabStandIn
from .google import GoogleStandIn
from .linkedin import LinkedInStandIn
from .openid import OpenIDStandIn
from .stand_in import OAuth2StandIn, StandIn
from .x import XStandIn

__all__ = [
    "Account",
    "AppleStandIn",
    "DiscordStandIn",
    "EmailAddress",
    "EntraAccount",
    "EntraStandIn",
    "FacebookStandIn",
    "GitHubStandIn",
    "GitLabStandIn",
    "GoogleStandIn",
    "LinkedInStandIn",
    "OAuth2StandIn",
    "OpenIDStandIn",
    "StandIn",
    "XStandIn",
]
