"""A stand-in for LinkedIn as an OpenID provider.

Sources: Sign In with LinkedIn using OpenID Connect, at
https://learn.microsoft.com/en-us/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2; Authorization Code
Flow, at https://learn.microsoft.com/en-us/linkedin/shared/authentication/authorization-code-flow; for the issuer,
https://github.com/keycloak/keycloak/issues/28686; for the missing nonce,
https://github.com/authlib/authlib/issues/763; for PKCE, https://github.com/teamhanko/hanko/pull/2405 and
https://github.com/nextauthjs/next-auth/issues/8831; for `email_verified` as a text,
https://github.com/logto-io/logto/issues/6843; for `locale`, https://github.com/pennersr/django-allauth/issues/3391.
"""

from typing import Any

from ..endpoints import AUTHORIZE, DISCOVERY, JWKS, TOKEN, USERINFO
from ..grants import Grant, Token, overridden
from ..provider_rules import CodeProblem, Pkce
from ..wire import Answer, Call, error_answer
from .openid import OpenIDStandIn
from .stand_in import Routes

TOKEN_LIFETIME = 5_184_000  # seconds: sixty days

ROUTES: Routes = {
    ("GET", "https://www.linkedin.com/oauth/.well-known/openid-configuration"): DISCOVERY,
    ("GET", "https://www.linkedin.com/oauth/openid/jwks"): JWKS,
    ("GET", "https://www.linkedin.com/oauth/v2/authorization"): AUTHORIZE,
    ("POST", "https://www.linkedin.com/oauth/v2/authorization"): AUTHORIZE,
    ("POST", "https://www.linkedin.com/oauth/v2/accessToken"): TOKEN,
    ("GET", "https://api.linkedin.com/v2/userinfo"): USERINFO,
}


class LinkedInStandIn(OpenIDStandIn):
    """LinkedIn: no nonce in the ID Token, no PKCE, `email_verified` as a text there, and `locale` as an object.

    A token call with a `code_verifier` is refused with `invalid_client`, whatever the authorization request had.
    """

    real_issuer = "https://www.linkedin.com/oauth"
    routes = ROUTES
    pkce: Pkce = "refused"
    has_nonce = False
    cancel_error = "user_cancelled_authorize"
    token_lifetime = TOKEN_LIFETIME

    def refuse_code(self, call: Call, problem: CodeProblem) -> Answer:
        """Return the answer to a code exchange that has this problem."""
        if problem == "code_verifier":
            return error_answer("invalid_client", "Client authentication failed", 401)
        return super().refuse_code(call, problem)

    def _id_token_changes(self, grant: Grant) -> dict[str, Any]:
        account = self._account_of(grant)
        changes = {**super()._id_token_changes(grant), "auth_time": ..., "at_hash": ..., "preferred_username": ...}
        if account.email and "email" in grant.scopes:
            changes["email_verified"] = "true" if account.email_verified else "false"
        return changes

    def userinfo(self, call: Call, token: Token) -> dict[str, Any]:
        """Return the claims of userinfo."""
        claims = super().userinfo(call, token)
        if "profile" not in token.scopes:
            return claims
        picture = f"https://media.licdn.com/dms/image/{claims['sub']}"
        profile = {"locale": {"country": "US", "language": "en"}, "picture": picture, **claims}
        return overridden(profile, {"preferred_username": ...})
