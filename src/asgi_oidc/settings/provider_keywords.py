"""What each setting of one provider means: keywords of `OIDCMiddleware`, and of `Provider` if there are several.

The texts have the same form as those of `keywords.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class ProviderKeywords(TypedDict, total=False):
    """The settings of one provider."""

    issuer: str
    """The provider's issuer URL, exactly as its metadata spells it.

    Example: `"https://id.example.com"`. The endpoints and keys are discovered from
    `https://id.example.com/.well-known/openid-configuration`; do not include that path.

    Required unless `providers` is set. Variable: `OIDC_ISSUER`. Since 0.1.
    """

    client_id: str
    """The client id that the provider shows for your app.

    Required unless `providers` is set. Variable: `OIDC_CLIENT_ID`. Since 0.1.
    """

    client_secret: str | None
    """The client secret from the provider; leave it out for a public client.

    Default: `None`. Variable: `OIDC_CLIENT_SECRET`. Since 0.1.
    """

    scope: str | Sequence[str]
    """The scopes that every login requests; `openid` must be one of them.

    Example: `"openid profile email offline_access"`. The variable uses spaces too.

    Default: `"openid profile email"`. Variable: `OIDC_SCOPE`. Since 0.1.
    """

    authorization_params: Mapping[str, Any]
    """Additional parameters of the authorization request.

    Example: `{"prompt": "select_account", "ui_locales": ["de", "en"]}`. If they include `max_age` or `acr_values`,
    every login is checked against them. `response_mode` may be `query` or `form_post`. Parameters that the
    middleware sets itself, such as `state`, are rejected.

    Default: `{}`. Variable: `OIDC_AUTHORIZATION_PARAMS`. Since 0.1.
    """

    callback_path: str | None
    """The path of a redirect URI that was registered long ago, below `base_url`, in place of `/auth/callback`.

    Example: `"/login/oidc/return"`, for `base_url` + `/login/oidc/return`. Keep the trailing `/` if it was registered
    with one. The middleware then serves this path, whatever `public` and `rules` say, and the default path takes no
    logins of this provider. No two providers can have the same path.

    Default: `None`. Variable: `OIDC_CALLBACK_PATH`. Since 0.1.
    """

    client_auth: str | None
    """How the app authenticates to the provider: `client_secret_basic`, `client_secret_post` or `none`.

    Default: `None`, which takes the first of these that the metadata lists. Variable: `OIDC_CLIENT_AUTH`. Since
    0.1.
    """

    frontchannel_logout: bool
    """Whether pages of the provider may sign the user out through a frame (Front-Channel Logout 1.0).

    Back-channel logout needs no setting and is more reliable; use this only if the provider has nothing else.

    Default: `False`. Variable: `OIDC_FRONTCHANNEL_LOGOUT`. Since 0.1.
    """

    userinfo: str
    """When a login calls the provider's userinfo endpoint: `auto`, `always` or `never`.

    `auto` calls it if the scopes or rules need claims that the ID Token lacks; if the provider refuses the call
    with 401 or 403, the login continues without them.

    Default: `"auto"`. Variable: `OIDC_USERINFO`. Since 0.1.
    """

    claims_from_access_token: bool
    """Whether to add the claims of the access token to those of the user, for example Keycloak's roles.

    The access token must be a JWT from this provider: its signature, `iss`, `exp`, `sub` and client are checked.
    Claims of the ID Token and of userinfo take precedence. If the token cannot be used, the login fails; if that
    happens at a refresh, the session continues without these claims.

    Default: `False`. Variable: `OIDC_CLAIMS_FROM_ACCESS_TOKEN`. Since 0.1.
    """

    trusted_audiences: Sequence[str]
    """Audiences that an ID Token may contain in addition to `client_id`.

    Default: `()`. Variable: `OIDC_TRUSTED_AUDIENCES`. Since 0.1.
    """

    trusted_email_domains: Sequence[str]
    """Domains whose addresses count as verified if the provider does not say whether they are.

    Example: `["example.com"]`. It applies only if `email_verified` is missing or null. Safe only if the domain's
    administrators alone can assign addresses there. An address that `on_login` replaces counts as verified only if
    `on_login` sets `email_verified` too.

    Default: `()`. Variable: `OIDC_TRUSTED_EMAIL_DOMAINS`. Since 0.1.
    """

    algorithms: Sequence[str] | None
    """The signature algorithms that tokens may use, if the defaults do not fit.

    RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA and Ed25519 are known. Those you name are
    accepted even if the provider's metadata does not list them.

    Default: `None`, which is RS256, PS256, ES256 and EdDSA. Variable: `OIDC_ALGORITHMS`. Since 0.1.
    """

    metadata: Mapping[str, Any]
    """Provider metadata that adds to, or replaces, what is discovered, by its standard names.

    Example: `{"require_pushed_authorization_requests": False}`. If it contains `authorization_endpoint`,
    `token_endpoint` and `jwks_uri`, nothing is discovered.

    Default: `{}`. Variable: `OIDC_METADATA`. Since 0.1.
    """

    http_client: Any
    """Your own `httpx.AsyncClient` or `httpx2.AsyncClient` for calls to the provider.

    Use it for a proxy, a private CA or a client certificate. The middleware does not close it.

    Default: `None`, which creates one. Keyword only. Since 0.1.
    """
