"""A stand-in for X.

Sources: OAuth 2.0 Authorization Code Flow with PKCE, at
https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code; Authenticated user lookup, at
https://docs.x.com/x-api/users/lookup/quickstart/authenticated-lookup.
"""

from collections.abc import Mapping
from typing import Any

from ..endpoints import AUTHORIZE, REVOKE, TOKEN, USERINFO
from ..grants import Grant, Token
from ..wire import Answer, Call, json_answer
from .stand_in import OAuth2StandIn, Routes

CODE_LIFETIME = 30  # seconds; "The auth_code has a time limit of 30 seconds"
TOKEN_LIFETIME = 7200  # seconds; "will only stay valid for two hours"
MAX_STATE = 500  # characters; "The length of this string can be up to 500 characters"
NEEDED_SCOPES = {"tweet.read", "users.read"}

ROUTES: Routes = {
    ("GET", "https://x.com/i/oauth2/authorize"): AUTHORIZE,
    ("POST", "https://x.com/i/oauth2/authorize"): AUTHORIZE,
    ("POST", "https://api.x.com/2/oauth2/token"): TOKEN,
    ("POST", "https://api.x.com/2/oauth2/revoke"): REVOKE,
    ("GET", "https://api.x.com/2/users/me"): USERINFO,
}


class XStandIn(OAuth2StandIn):
    """X: PKCE is required, codes are valid for 30 seconds, and the user is inside `data`.

    Besides `id`, `name` and `username`, it has only the members that `user.fields` names. `confirmed_email` needs the
    scope `users.email` and a verified address.
    """

    real_issuer = "https://x.com"
    routes = ROUTES
    client_auth_methods = ("client_secret_basic",)
    pkce = "required"
    subject_path = ("data", "id")
    code_lifetime = CODE_LIFETIME
    token_lifetime = TOKEN_LIFETIME

    def why_refused(self, params: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the OAuth error of an authorization request; `state` has a limited length."""
        if len(params.get("state", "")) > MAX_STATE:
            return ("invalid_request", f"state can be up to {MAX_STATE} characters")
        return super().why_refused(params)

    def issues_refresh_token(self, grant: Grant) -> bool:
        """Whether the code exchange of this grant returns a refresh token."""
        return "offline.access" in grant.scopes

    def token_members(self, access_token: str, grant: Grant) -> dict[str, Any]:
        """Return the members of the token answer."""
        return {**super().token_members(access_token, grant), "token_type": "bearer"}

    def refuse_access_token(self, _call: Call) -> Answer:
        """Return the answer to an API call with a bad token."""
        return _problem("Unauthorized", 401)

    def why_no_userinfo(self, _call: Call, token: Token) -> Answer | None:
        """Return the refusal of an API call without the scopes for it, else None."""
        return None if set(token.scopes) >= NEEDED_SCOPES else _problem("Forbidden", 403)

    def userinfo(self, call: Call, token: Token) -> dict[str, Any]:
        """Return the user, with the fields that the call names."""
        account = self._account_of(token.grant)
        optional: dict[str, Any] = {
            "profile_image_url": f"https://pbs.twimg.com/profile_images/{account.sub}/normal.png",
            "verified": False,
            **account.claims,
        }
        if account.email and account.email_verified and "users.email" in token.scopes:
            optional["confirmed_email"] = account.email
        named = call.params.get("user.fields", "").split(",")
        user = {"id": account.sub, "name": account.name, "username": account.user_name}
        return {"data": {**user, **{name: value for name, value in optional.items() if name in named}}}


def _problem(title: str, status: int) -> Answer:
    return json_answer({"title": title, "type": "about:blank", "status": status, "detail": title}, status)
