"""A stand-in for GitLab as an OpenID provider.

Sources: GitLab as OpenID Connect identity provider, at https://docs.gitlab.com/integration/openid_connect_provider/;
OAuth 2.0 identity provider API, at https://docs.gitlab.com/api/oauth2/; the metadata and the claims of the ID Token, at
https://github.com/doorkeeper-gem/doorkeeper-openid_connect, which GitLab uses.
"""

from collections.abc import Mapping
from typing import Any

from ..endpoints import AUTHORIZE, DISCOVERY, JWKS, REVOKE, TOKEN, USERINFO
from ..grants import Grant, Token
from ..provider_rules import Pkce
from ..wire import Call
from .openid import OpenIDStandIn
from .stand_in import Routes

TOKEN_LIFETIME = 7200  # seconds: `expires_in` of the documented answer

ROUTES: Routes = {
    ("GET", "https://gitlab.com/.well-known/openid-configuration"): DISCOVERY,
    ("GET", "https://gitlab.com/oauth/discovery/keys"): JWKS,
    ("GET", "https://gitlab.com/oauth/authorize"): AUTHORIZE,
    ("POST", "https://gitlab.com/oauth/authorize"): AUTHORIZE,
    ("POST", "https://gitlab.com/oauth/token"): TOKEN,
    ("POST", "https://gitlab.com/oauth/revoke"): REVOKE,
    ("GET", "https://gitlab.com/oauth/userinfo"): USERINFO,
    ("POST", "https://gitlab.com/oauth/userinfo"): USERINFO,
}


class GitLabStandIn(OpenIDStandIn):
    """GitLab: an ID Token with little in it, the rest at userinfo, and a refresh token that was not requested.

    An account's claim `groups` is the list of its groups, by path; the ID Token has them as `groups_direct`.
    """

    real_issuer = "https://gitlab.com"
    routes = ROUTES
    client_auth_methods = ("client_secret_basic", "client_secret_post")
    pkce: Pkce = "optional"
    token_lifetime = TOKEN_LIFETIME
    code_challenge_methods = ("plain", "S256")

    def issues_refresh_token(self, _grant: Grant) -> bool:
        """Whether the code exchange of this grant returns a refresh token: always."""
        return True

    def token_members(self, access_token: str, grant: Grant) -> dict[str, Any]:
        """Return the members of the token answer."""
        members = super().token_members(access_token, grant)
        return {**members, "token_type": "bearer", "created_at": self.now()}

    def _id_token_changes(self, grant: Grant) -> dict[str, Any]:
        claims: Mapping[str, Any] = grant.sign_in.persona.claims_for(grant.scopes)
        hidden = dict.fromkeys(claims, ...)
        shown = {name: claims[name] for name in ("email", "email_verified") if name in claims}
        groups = {"groups_direct": claims["groups"]} if "groups" in claims else {}
        return {**super()._id_token_changes(grant), "at_hash": ..., **hidden, **shown, **groups}

    def userinfo(self, call: Call, token: Token) -> dict[str, Any]:
        """Return the claims of userinfo, with `nickname` for the user name."""
        account = self._account_of(token.grant)
        claims = super().userinfo(call, token)
        if "profile" not in token.scopes:
            return claims
        profile = {
            "nickname": account.user_name,
            "profile": f"https://gitlab.com/{account.user_name}",
            "picture": f"https://gitlab.com/uploads/-/system/user/avatar/{account.sub}/avatar.png",
        }
        return {**profile, **claims}
