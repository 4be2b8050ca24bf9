"""A stand-in for Facebook.

Sources: Manually Build a Login Flow, at
https://developers.facebook.com/documentation/facebook-login/guides/advanced/manual-flow; OIDC Code Flow with PKCE, at
https://developers.facebook.com/documentation/facebook-login/guides/advanced/oidc-token; Secure Graph API Calls, at
https://developers.facebook.com/docs/graph-api/guides/secure-requests.
"""

import hashlib
import hmac
import re
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..accounts import Client
from ..endpoints import AUTHORIZE, TOKEN, USERINFO, Endpoint
from ..endpoints.token_call import token
from ..grants import Grant, Token
from ..logout import ProviderLogout
from ..provider_rules import CODE_PROBLEMS, CodeProblem
from ..wire import Answer, Call, json_answer
from .accounts import Account
from .stand_in import OAuth2StandIn, Routes

TOKEN_LIFETIME = 5_184_000  # seconds: about 60 days
DEFAULT_FIELDS = "id,name"
VERSION = re.compile(r"^/v\d+\.\d+/")
FORM = {"content-type": "application/x-www-form-urlencoded"}


def token_by_query(provider: ProviderLogout, call: Call) -> Answer:
    """Exchange a code with a GET, as the documentation does."""
    body = urllib.parse.urlencode(call.query).encode()
    return token(provider, replace(call, body=body, headers=type(call.headers)({**call.headers, **FORM})))


ROUTES: Routes = {
    ("GET", "https://www.facebook.com/dialog/oauth"): AUTHORIZE,
    ("POST", "https://www.facebook.com/dialog/oauth"): AUTHORIZE,
    ("POST", "https://graph.facebook.com/oauth/access_token"): TOKEN,
    ("GET", "https://graph.facebook.com/oauth/access_token"): Endpoint("token", token_by_query),
    ("GET", "https://graph.facebook.com/me"): USERINFO,
}


class FacebookStandIn(OAuth2StandIn):
    """Facebook: the user API returns only what `fields` names, and does not say whether the address is verified.

    All paths may begin with a version, as in `/v25.0/me`. There is an `email` only for accounts with a verified one.

    Args:
        url: An origin at which all endpoints answer instead of at the real hosts, for a server on loopback.
        accounts: Who can sign in; by default alice, bob, and mallory, whose e-mail address is not verified.
        clients: Registered applications; by default `web` (with a secret) and `spa` (public).
        clock: Returns seconds since the epoch.
        requires_app_secret_proof: Whether the user API refuses calls without `appsecret_proof`: the app's setting
            "Require App Secret".
    """

    real_issuer = "https://www.facebook.com"
    routes = ROUTES
    default_grant_type = "authorization_code"
    token_lifetime = TOKEN_LIFETIME

    def __init__(
        self,
        *,
        url: str | None = None,
        accounts: Iterable[Account] | None = None,
        clients: Iterable[Client] | None = None,
        clock: Callable[[], float] = time.time,
        requires_app_secret_proof: bool = False,
    ) -> None:
        super().__init__(url=url, accounts=accounts, clients=clients, clock=clock)
        self.requires_app_secret_proof = requires_app_secret_proof

    def _address_of(self, call: Call) -> str:
        return call.host + VERSION.sub("/", call.path)

    def why_refused(self, params: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the OAuth error of an authorization request; `response_type` is `code` by default."""
        return super().why_refused({"response_type": "code", **params})

    def requested_scopes(self, params: Mapping[str, str]) -> tuple[str, ...]:
        """Return the scopes of an authorization request, separated by commas or spaces."""
        return tuple(params.get("scope", "").replace(",", " ").split())

    def token_members(self, access_token: str, _grant: Grant) -> dict[str, Any]:
        """Return the members of the token answer, which has no scope."""
        return {"access_token": access_token, "token_type": "bearer", "expires_in": self.access_token_lifetime}

    def refuse_client(self, _call: Call) -> Answer:
        """Return the answer to wrong client credentials."""
        return _refusal("Error validating client secret.", 1)

    def refuse_code(self, _call: Call, problem: CodeProblem) -> Answer:
        """Return the answer to a code exchange that has this problem."""
        return _refusal(CODE_PROBLEMS[problem], 100)

    def refuse_access_token(self, _call: Call) -> Answer:
        """Return the answer to an API call with a bad token."""
        return _refusal("Invalid OAuth access token.", 190, status=401)

    def why_no_userinfo(self, call: Call, token: Token) -> Answer | None:
        """Return the refusal of an API call whose `appsecret_proof` is wrong, or missing although it is required."""
        proof = call.params.get("appsecret_proof")
        if proof is None:
            missing = "API calls from the server require an appsecret_proof argument"
            return _refusal(missing, 100) if self.requires_app_secret_proof else None
        client = self.clients.get(token.grant.client_id)
        access_token = call.headers.get("authorization", "").partition(" ")[2]
        secret = (client.client_secret if client else None) or ""
        expected = hmac.new(secret.encode(), access_token.encode(), hashlib.sha256).hexdigest()
        if hmac.compare_digest(proof.encode(), expected.encode()):
            return None
        return _refusal("Invalid appsecret_proof provided in the API argument", 100)

    def userinfo(self, call: Call, token: Token) -> dict[str, Any]:
        """Return the fields that the call names; `email` needs the permission for it."""
        account = self._account_of(token.grant)
        first_name, _, last_name = account.name.partition(" ")
        picture = f"https://platform-lookaside.fbsbx.com/platform/profilepic/?asid={account.sub}"
        user: dict[str, Any] = {
            "id": account.sub,
            "name": account.name,
            "first_name": first_name,
            "last_name": last_name,
            "picture": {"data": {"url": picture, "is_silhouette": False, "height": 50, "width": 50}},
            **account.claims,
        }
        if account.email and account.email_verified and "email" in token.scopes:
            user["email"] = account.email
        named = call.params.get("fields", DEFAULT_FIELDS).split(",")
        return {name: value for name, value in user.items() if name in named or name == "id"}


def _refusal(message: str, code: int, *, status: int = 400) -> Answer:
    error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "AbCdEfGhIjK"}
    return json_answer({"error": error}, status)
