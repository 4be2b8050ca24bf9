"""The settings of well-known providers without OpenID Connect; the guide on providers has the source of each fact."""

from collections.abc import Mapping, Sequence
from typing import Any

GRAPH_VERSION = "v25.0"  # of Facebook's Graph API; without one, the oldest that the app may call is used

GITHUB: Mapping[str, Any] = {
    "authorization_endpoint": "https://github.com/login/oauth/authorize",
    "token_endpoint": "https://github.com/login/oauth/access_token",
    "userinfo_endpoint": "https://api.github.com/user",
    "emails_endpoint": "https://api.github.com/user/emails?per_page=100",
    "response_issuer": "https://github.com/login/oauth",
    "scope": "read:user user:email",
    "claims": {"preferred_username": "login", "picture": "avatar_url", "profile": "html_url"},
    "client_auth": "client_secret_post",
    "another_account_params": {"prompt": "select_account"},
    "userinfo_headers": {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"},
}
DISCORD: Mapping[str, Any] = {
    "authorization_endpoint": "https://discord.com/oauth2/authorize",
    "token_endpoint": "https://discord.com/api/oauth2/token",
    "revocation_endpoint": "https://discord.com/api/oauth2/token/revoke",
    "userinfo_endpoint": "https://discord.com/api/users/@me",
    "scope": "identify email",
    "claims": {
        "name": "global_name",
        "preferred_username": "username",
        "picture": "https://cdn.discordapp.com/avatars/{id}/{avatar}.png",
        "email": "email",
        "email_verified": "verified",
    },
    "client_auth": "client_secret_basic",
    "another_account_params": {"prompt": "consent"},
}
X: Mapping[str, Any] = {
    "authorization_endpoint": "https://x.com/i/oauth2/authorize",
    "token_endpoint": "https://api.x.com/2/oauth2/token",
    "revocation_endpoint": "https://api.x.com/2/oauth2/revoke",
    "scope": "tweet.read users.read",
    "subject": "data.id",
    "claims": {
        "name": "data.name",
        "preferred_username": "data.username",
        "picture": "data.profile_image_url",
        "email": "data.confirmed_email",
    },
    "emails_are_verified": True,
}


def x_fields(scope: str | Sequence[str]) -> dict[str, str]:
    """Return the URL of X's user API with the fields that these scopes allow."""
    words = scope.split() if isinstance(scope, str) else scope
    fields = ["profile_image_url", *(["confirmed_email"] if "users.email" in words else [])]
    return {"userinfo_endpoint": f"https://api.x.com/2/users/me?user.fields={','.join(fields)}"}


def facebook(version: str) -> dict[str, Any]:
    """Return the settings of Facebook for a version of its Graph API."""
    api = f"https://graph.facebook.com/{version}"
    return {
        "authorization_endpoint": f"https://www.facebook.com/{version}/dialog/oauth",
        "token_endpoint": f"{api}/oauth/access_token",
        "userinfo_endpoint": f"{api}/me?fields=id,name,email,picture",
        "scope": "public_profile email",
        "claims": {"picture": "picture.data.url"},
        "client_auth": "client_secret_post",
        "app_secret_proof": True,
        "another_account_params": {"auth_type": "reauthenticate"},
    }
