"""What each setting of a provider without OpenID Connect means: the keywords of `OAuth2Provider`."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class OAuth2Keywords(TypedDict, total=False):
    """The settings of `OAuth2Provider`. Those that `Provider` has as well mean the same."""

    client_id: str
    """The client id that the provider shows for your app. Required."""

    client_secret: str | None
    """The client secret; leave it out for a public client."""

    authorization_endpoint: str
    """The URL to which browsers are sent to sign in. Required."""

    token_endpoint: str
    """The URL that exchanges a code for an access token. Required."""

    userinfo_endpoint: str
    """The URL of the API that returns the user. Required."""

    subject: str | Sequence[str]
    """Where the answer of the user API has the user's id, which must never change and never be reused.

    A path such as `"data.id"`, or a tuple of names if one contains a dot. The id must be text or a whole number. User
    names and e-mail addresses are not suitable. Default: `"id"`.
    """

    claims: Mapping[str, str | Sequence[str]]
    """Where the answer of the user API has the standard claims, such as `{"picture": "avatar_url"}`.

    A path as for `subject`, or a text with paths in braces: `"https://cdn.example.com/{id}/{avatar}.png"`. All other
    members of the answer become claims under their own names. The setting `claims` of `OIDCMiddleware` is another one:
    it keeps, drops and renames claims afterwards. Default: `{}`.
    """

    scope: str | Sequence[str]
    """The scopes that every login requests. Default: none."""

    authorization_params: Mapping[str, Any]
    """Additional parameters of the authorization request. Default: none."""

    another_account_params: Mapping[str, Any]
    """Parameters with which the provider lets the user choose another account. Default: none."""

    callback_path: str | None
    """The path of the redirect URI below `base_url`, if it is not the default one."""

    client_auth: str | None
    """`client_secret_basic` (the default with a secret), `client_secret_post` or `none`."""

    revocation_endpoint: str | None
    """The URL at which refresh tokens are revoked (RFC 7009), if there is one."""

    response_issuer: str | None
    """The `iss` of the provider's authorization responses (RFC 9207), which is then checked wherever it is sent."""

    userinfo_headers: Mapping[str, str]
    """Headers that the user API needs besides the access token, such as an API version."""

    emails_endpoint: str | None
    """A URL that lists the user's e-mail addresses as GitHub does: objects with `email`, `primary` and `verified`.

    Then `email` is the primary address if it is verified, and is missing otherwise. If the provider refuses the list
    with 403 or 404, because a scope is missing, the login continues without an address.
    """

    emails_are_verified: bool
    """Whether the user API returns only e-mail addresses that the provider has verified. Default: `False`."""

    app_secret_proof: bool
    """Whether calls to the user API contain `appsecret_proof`, as Facebook requires of some apps. Default: `False`."""

    http_client: Any
    """Your own `httpx.AsyncClient` or `httpx2.AsyncClient` for calls to the provider."""
