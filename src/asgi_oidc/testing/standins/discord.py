"""A stand-in for Discord.

Sources: OAuth2 and Users Resource, at https://discord.com/developers/docs; for PKCE, which they do not mention,
https://github.com/discord/discord-api-docs/pull/7046.
"""

import re
from collections.abc import Mapping
from typing import Any

from ..endpoints import AUTHORIZE, REVOKE, TOKEN, USERINFO
from ..grants import Grant, Token
from ..provider_rules import CodeProblem
from ..wire import Answer, Call, error_answer, json_answer
from .stand_in import OAuth2StandIn, Routes

TOKEN_LIFETIME = 604_800  # seconds: `expires_in` of the documented answer
API_VERSION = re.compile(r"/api/v\d+/")

ROUTES: Routes = {
    ("GET", "https://discord.com/oauth2/authorize"): AUTHORIZE,
    ("POST", "https://discord.com/oauth2/authorize"): AUTHORIZE,
    ("GET", "https://discord.com/api/oauth2/authorize"): AUTHORIZE,
    ("POST", "https://discord.com/api/oauth2/authorize"): AUTHORIZE,
    ("POST", "https://discord.com/api/oauth2/token"): TOKEN,
    ("POST", "https://discord.com/api/oauth2/token/revoke"): REVOKE,
    ("GET", "https://discord.com/api/users/@me"): USERINFO,
}


class DiscordStandIn(OAuth2StandIn):
    """Discord: the user API has `verified`, which is about the e-mail address, and ids as texts of digits.

    Paths below `/api` may have a version, as in `/api/v10/users/@me`.
    """

    real_issuer = "https://discord.com"
    routes = ROUTES
    client_auth_methods = ("client_secret_basic", "client_secret_post")
    token_lifetime = TOKEN_LIFETIME

    def _address_of(self, call: Call) -> str:
        return call.host + API_VERSION.sub("/api/", call.path, count=1)

    def issues_refresh_token(self, _grant: Grant) -> bool:
        """Whether the code exchange of this grant returns a refresh token: always."""
        return True

    def refuse_code(self, call: Call, problem: CodeProblem) -> Answer:
        """Return the answer to a code exchange that has this problem."""
        if problem == "code_verifier":
            return error_answer("invalid_request", 'Invalid "code_verifier"')
        return super().refuse_code(call, problem)

    def refuse_access_token(self, _call: Call) -> Answer:
        """Return the answer to an API call with a bad token."""
        return json_answer({"message": "401: Unauthorized", "code": 0}, 401)

    def why_no_userinfo(self, call: Call, token: Token) -> Answer | None:
        """Return the refusal of an API call without the scope `identify`, else None."""
        return None if "identify" in token.scopes else self.refuse_access_token(call)

    def userinfo(self, _call: Call, token: Token) -> dict[str, Any]:
        """Return the user; `email` and `verified` need the scope `email`."""
        account = self._account_of(token.grant)
        user = {
            "id": account.sub,
            "username": account.user_name,
            "global_name": account.name or None,
            "discriminator": "0",
            "avatar": "8342729096ea3675442027381ff50dfe",
            "mfa_enabled": False,
            "locale": "en-US",
        }
        about_email: Mapping[str, Any] = {"email": account.email or None, "verified": account.email_verified}
        return {**user, **(about_email if "email" in token.scopes else {}), **account.claims}
