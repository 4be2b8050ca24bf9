"""Stand-ins: fake providers that behave as the documentation of a real one says, one file each."""

from .accounts import Account, EmailAddress
from .github import GitHubStandIn
from .stand_in import OAuth2StandIn, StandIn

__all__ = ["Account", "EmailAddress", "GitHubStandIn", "OAuth2StandIn", "StandIn"]
