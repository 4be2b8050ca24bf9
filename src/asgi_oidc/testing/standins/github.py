"""A stand-in for GitHub: OAuth apps and GitHub Apps.

Sources: Authorizing OAuth apps, Refreshing user access tokens, GitHub authentication discovery endpoints, REST API
endpoints for users and for emails, at https://docs.github.com/en/apps and https://docs.github.com/en/rest.
"""

import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from ..accounts import Client
from ..endpoints import AUTHORIZE, TOKEN, USERINFO, Endpoint
from ..endpoints.userinfo import token_of
from ..faults import Params
from ..grants import Grant, SignIn, Token
from ..logout import ProviderLogout
from ..provider_rules import CodeProblem
from ..wire import Answer, Call, json_answer
from .accounts import Account, EmailAddress, as_account
from .stand_in import OAuth2StandIn, Routes

ISSUER = "https://github.com/login/oauth"
App = Literal["oauth", "github"]

CODE_LIFETIME = 600  # seconds; "The temporary code will expire after 10 minutes"
APP_TOKEN_LIFETIME = 28_800  # seconds; user access tokens of GitHub Apps "expire after eight hours"
APP_REFRESH_TOKEN_LIFETIME = 15_897_600  # seconds: six months
NO_EXPIRY = 10**9  # seconds; tokens of OAuth apps do not expire
EMAILS_PER_PAGE = 30  # "The number of results per page (max 100)"
MAX_EMAILS_PER_PAGE = 100
HELP = "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/"


def emails_answer(provider: ProviderLogout, call: Call) -> Answer:
    """List the e-mail addresses of a user, page by page; without the scope for it, there is no such page."""
    token = token_of(provider, call)
    if token is None:
        return provider.refuse_access_token(call)
    refusal = provider.why_no_userinfo(call, token)
    if refusal is not None:
        return refusal
    if not may_read_emails(provider, token):
        return _message("Not Found", 404)
    account = as_account(token.grant.sign_in.persona)
    size = min(_number(call.params.get("per_page"), EMAILS_PER_PAGE), MAX_EMAILS_PER_PAGE)
    start = (_number(call.params.get("page"), 1) - 1) * size
    return json_answer(emails_of(account)[start : start + size])


ROUTES: Routes = {
    ("GET", "https://github.com/login/oauth/authorize"): AUTHORIZE,
    ("POST", "https://github.com/login/oauth/authorize"): AUTHORIZE,
    ("POST", "https://github.com/login/oauth/access_token"): TOKEN,
    ("GET", "https://api.github.com/user"): USERINFO,
    ("GET", "https://api.github.com/user/emails"): Endpoint("emails", emails_answer),
}


class GitHubStandIn(OAuth2StandIn):
    """GitHub: its token answer is a form unless JSON is asked for, its errors have status 200.

    The user API and the e-mail addresses need a `User-Agent`. Accounts have numbers as `sub`.

    Args:
        url: An origin at which all endpoints answer instead of at the real hosts, for a server on loopback.
        accounts: Who can sign in; by default alice, bob, and mallory, whose e-mail address is not verified.
        clients: Registered applications; by default `web` (with a secret) and `spa` (public).
        clock: Returns seconds since the epoch.
        app: `oauth` for an OAuth app; `github` for a GitHub App, whose tokens expire and have no scopes.
    """

    real_issuer = "https://github.com"
    routes = ROUTES
    code_lifetime = CODE_LIFETIME
    default_grant_type = "authorization_code"

    def __init__(
        self,
        *,
        url: str | None = None,
        accounts: Iterable[Account] | None = None,
        clients: Iterable[Client] | None = None,
        clock: Callable[[], float] = time.time,
        app: App = "oauth",
    ) -> None:
        super().__init__(url=url, accounts=accounts, clients=clients, clock=clock)
        self.is_github_app = app == "github"
        self.always_refresh_tokens = self.is_github_app
        self.access_token_lifetime = APP_TOKEN_LIFETIME if self.is_github_app else NO_EXPIRY
        self.refresh_token_lifetime = APP_REFRESH_TOKEN_LIFETIME if self.is_github_app else None

    def why_refused(self, params: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the OAuth error of an authorization request, which has no `response_type` here."""
        return super().why_refused({**params, "response_type": "code"})

    def response_mode(self, _params: Mapping[str, str]) -> str:
        """Return `query`: GitHub supports no other."""
        return "query"

    def authorization_response(self, _sign_in: SignIn, _params: Mapping[str, str]) -> Params:
        """Return GitHub's `iss` (RFC 9207)."""
        return [("iss", self.at(ISSUER))]

    def token_members(self, access_token: str, grant: Grant) -> dict[str, Any]:
        """Return the members of the token answer: scopes are separated by commas, and only apps' tokens expire."""
        members = super().token_members(access_token, grant)
        kept = {"access_token": access_token, "token_type": "bearer", "scope": ",".join(grant.scopes)}
        if not self.is_github_app:
            return kept
        expiry = {"expires_in": members["expires_in"], "refresh_token_expires_in": self.refresh_token_lifetime}
        return {**kept, "scope": "", **expiry}

    def token_answer(self, call: Call, members: Mapping[str, Any]) -> Answer:
        """Return the token answer: a form, unless the call accepts JSON."""
        if "application/json" in call.headers.get("accept", ""):
            return json_answer(members)
        form = urllib.parse.urlencode(members)
        return Answer(200, form.encode(), {"content-type": "application/x-www-form-urlencoded; charset=utf-8"})

    def refuse_client(self, call: Call) -> Answer:
        """Return the answer to wrong client credentials."""
        wrong = "The client_id and/or client_secret passed are incorrect."
        return self._refusal(call, "incorrect_client_credentials", wrong)

    def refuse_code(self, call: Call, problem: CodeProblem) -> Answer:
        """Return the answer to a code exchange that has this problem."""
        if problem == "redirect_uri":
            wrong = "The redirect_uri MUST match the registered callback URL for this application."
            return self._refusal(call, "redirect_uri_mismatch", wrong)
        return self._refusal(call, "bad_verification_code", "The code passed is incorrect or expired.")

    def refuse_refresh_token(self, call: Call, _reason: str) -> Answer:
        """Return the answer to a refresh with a token that is no longer valid."""
        return self._refusal(call, "bad_refresh_token", "The refresh token passed is incorrect or expired.")

    def _refusal(self, call: Call, error: str, description: str) -> Answer:
        uri = f"{HELP}#{error.replace('_', '-')}"
        return self.token_answer(call, {"error": error, "error_description": description, "error_uri": uri})

    def refuse_access_token(self, call: Call) -> Answer:
        """Return the answer to an API call with a bad token."""
        return _message("Bad credentials" if "authorization" in call.headers else "Requires authentication", 401)

    def why_no_userinfo(self, call: Call, _token: Token) -> Answer | None:
        """Return the refusal of an API call without a `User-Agent`, else None."""
        if call.headers.get("user-agent"):
            return None
        text = b"Request forbidden by administrative rules. Please make sure your request has a User-Agent header"
        return Answer(403, text, {"content-type": "text/plain"})

    def userinfo(self, _call: Call, token: Token) -> dict[str, Any]:
        """Return the user: the id is a number, and `email` is the public address, which most users hide."""
        account = self._account_of(token.grant)
        return {
            "login": account.user_name,
            "id": int(account.sub),
            "node_id": f"MDQ6VXNlcj{account.sub}",
            "avatar_url": f"https://avatars.githubusercontent.com/u/{account.sub}?v=4",
            "html_url": f"https://github.com/{account.user_name}",
            "type": "User",
            "site_admin": False,
            "name": account.name or None,
            "email": None,
            **account.claims,
        }


def may_read_emails(provider: ProviderLogout, token: Token) -> bool:
    """Whether the scopes of a token, or the permissions of a GitHub App, are enough for the addresses."""
    is_github_app = isinstance(provider, GitHubStandIn) and provider.is_github_app
    return is_github_app or not {"user", "user:email"}.isdisjoint(token.scopes)


def emails_of(account: Account) -> list[dict[str, Any]]:
    """Return the addresses of an account as the API has them, the primary one first."""
    primary = [EmailAddress(account.email, account.email_verified)] if account.email else []
    return [
        {
            "email": email.address,
            "primary": number < len(primary),
            "verified": email.is_verified,
            "visibility": "private" if number < len(primary) else None,
        }
        for number, email in enumerate([*primary, *account.other_emails])
    ]


def _message(message: str, status: int) -> Answer:
    return json_answer({"message": message, "documentation_url": "https://docs.github.com/rest"}, status)


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdigit() and int(text) else default
