"""A stand-in for Google.

Sources: OpenID Connect, at https://developers.google.com/identity/openid-connect/openid-connect; its reference, at
https://developers.google.com/identity/openid-connect/reference.
"""

from typing import Any

from ..endpoints import AUTHORIZE, DISCOVERY, JWKS, REVOKE, TOKEN, USERINFO
from ..grants import Grant, Token, overridden
from ..provider_rules import Pkce
from ..wire import Call
from .openid import OpenIDStandIn
from .stand_in import Routes

ROUTES: Routes = {
    ("GET", "https://accounts.google.com/.well-known/openid-configuration"): DISCOVERY,
    ("GET", "https://www.googleapis.com/oauth2/v3/certs"): JWKS,
    ("GET", "https://accounts.google.com/o/oauth2/v2/auth"): AUTHORIZE,
    ("POST", "https://accounts.google.com/o/oauth2/v2/auth"): AUTHORIZE,
    ("POST", "https://oauth2.googleapis.com/token"): TOKEN,
    ("POST", "https://oauth2.googleapis.com/revoke"): REVOKE,
    ("GET", "https://openidconnect.googleapis.com/v1/userinfo"): USERINFO,
}


class GoogleStandIn(OpenIDStandIn):
    """Google: endpoints on four hosts, and a refresh token only with `access_type=offline`.

    Such a refresh token comes when a user consents: the first time, or with `prompt=consent`. The claim `hd` comes from
    the account: `Account(..., claims={"hd": "example.com"})`.
    """

    real_issuer = "https://accounts.google.com"
    routes = ROUTES
    client_auth_methods = ("client_secret_post", "client_secret_basic")
    pkce: Pkce = "optional"
    code_challenge_methods = ("plain", "S256")
    keeps_refresh_tokens = True

    def issues_refresh_token(self, grant: Grant) -> bool:
        """Whether the code exchange of this grant returns a refresh token."""
        if grant.params.get("access_type") != "offline":
            return False
        return grant.params.get("prompt") == "consent" or not self._has_consented_before(grant)

    def _has_consented_before(self, grant: Grant) -> bool:
        known = (token.grant for token in self.memory.access_tokens.values() if token.grant.id != grant.id)
        consent = (grant.client_id, grant.sign_in.persona.sub)
        return any((other.client_id, other.sign_in.persona.sub) == consent for other in known)

    def _id_token_changes(self, grant: Grant) -> dict[str, Any]:
        named = {"azp": grant.client_id, "auth_time": ..., "preferred_username": ...}
        return {**super()._id_token_changes(grant), **named}

    def userinfo(self, call: Call, token: Token) -> dict[str, Any]:
        """Return the claims of userinfo."""
        return overridden(super().userinfo(call, token), {"preferred_username": ...})
