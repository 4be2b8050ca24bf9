"""What each setting of one provider means: keywords of `OIDCMiddleware`, and of `Provider` if there are several.

The texts have the same form as those of `keywords.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from asgi_oidc.settings.response_algorithm_keywords import ResponseAlgorithmKeywords
from asgi_oidc.settings.strong_client_keywords import StrongClientKeywords


class PlainProviderKeywords(TypedDict, total=False):
    """The settings of one provider, except those of strong clients."""

    issuer: str
    """The provider's issuer URL, exactly as its metadata spells it.

    Example: `"https://id.example.com"`. The endpoints and keys are discovered from
    `https://id.example.com/.well-known/openid-configuration`; do not include that path.

    Required unless `providers` is set. Variable: `OIDC_ISSUER`. Since 0.1.
    """

    client_id: str
    """The client id that the provider shows for your app.

    At a provider that supports client id metadata documents, it may be the URL of `/auth/client-metadata.json` below
    `base_url`, where the app describes itself; nothing is registered then.

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
    every login is checked against them. `response_mode` may be `query` or `form_post`; or `jwt`,
    `query.jwt` or `form_post.jwt`, which request a signed response (JARM): a plain one is then refused, and no login
    can start in a frame. Parameters that the middleware sets itself, such as `state`, are rejected.

    Default: `{}`. Variable: `OIDC_AUTHORIZATION_PARAMS`. Since 0.1.
    """

    callback_path: str | None
    """The path below `base_url` of a redirect URI that is registered already, instead of `/auth/callback`.

    Example: `"/login/oidc/return"`, for `base_url` + `/login/oidc/return`. Keep the trailing `/` if it was registered
    with one. The middleware then serves this path, regardless of `public` and `rules`, and the default path no longer
    finishes logins of this provider. No two providers can share a path. Providers that are looked up cannot set it.

    Default: `None`. Variable: `OIDC_CALLBACK_PATH`. Since 0.1.
    """

    client_auth: str | None
    """How the app authenticates to the provider.

    `tls_client_auth` or `self_signed_tls_client_auth` with `client_certificate`; `private_key_jwt` with `client_key` or
    `client_assertion_file`; `client_secret_basic`, `client_secret_post` or `client_secret_jwt` with `client_secret`;
    `none` for a public client. `client_secret_jwt` is only used if it is set here.

    Default: `None`, which takes the first of these that the settings allow and the metadata lists. Variable:
    `OIDC_CLIENT_AUTH`. Since 0.1.
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
    `on_login` sets `email_verified` too. In `providers`, each provider has its own; they are applied at a login and
    at each refresh.

    Default: `()`. Variable: `OIDC_TRUSTED_EMAIL_DOMAINS`. Since 0.1.
    """

    algorithms: Sequence[str] | None
    """The signature algorithms that tokens may use, if the defaults do not fit.

    RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA and Ed25519 are known; HS256 only with
    `allow_hs256`. Those you name are accepted even if the provider's metadata does not list them.

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

    Use it for a proxy, a private CA or a client certificate. The middleware does not close it. Next to `providers`, it
    is for all providers that have none of their own.

    Default: `None`, which creates one. Keyword only. Since 0.1.
    """

    metadata_url: str | None
    """The URL of the provider's metadata, if it is not below the issuer.

    Example: `"https://TENANT.b2clogin.com/TENANT.onmicrosoft.com/POLICY/v2.0/.well-known/openid-configuration"` for
    Azure AD B2C. The metadata must still name exactly the setting `issuer`. It is logged at start-up: whoever controls
    this URL decides where users sign in.

    Default: `None`, which is below the issuer. Variable: `OIDC_METADATA_URL`. Since 0.1.
    """

    internal_url: str | None
    """The address at which the app reaches the provider, if browsers use another one.

    Example: `"http://keycloak:8080"` while the issuer is `https://id.example.com/realms/staff`. Calls to the issuer's
    scheme, host and port (metadata, keys, tokens, userinfo, revocation) go there; tokens must still name the issuer,
    and browsers are still sent to the URLs in the metadata. For http, `allow_http_hosts` has to contain the host. It is
    logged at start-up.

    Default: `None`, which is the address of the issuer. Variable: `OIDC_INTERNAL_URL`. Since 0.1.
    """

    end_session_parameters: str
    """How a logout is sent to the provider: `standard`, or `cognito` for Amazon Cognito's own parameters.

    `cognito` sends `client_id` and `logout_uri`, which is `post_logout_redirect_uri` or `base_url`. Cognito returns no
    `state`, so users always return to that page, never to the `return_to` of the logout. It is logged at start-up.

    Default: `"standard"`. Variable: `OIDC_END_SESSION_PARAMETERS`. Since 0.1.
    """

    allow_http_hosts: Sequence[str]
    """Hosts of the provider that the app may call by plain http, inside a network that only trusted programs can read.

    Example: `["keycloak"]`, with an `internal_url` of `"http://keycloak:8080"`, or with a provider whose metadata
    contains such URLs. Names are compared exactly, without the port. Browsers are never sent to http, except on
    loopback. It is logged at start-up: anyone who can read that network sees the client secret and tokens.

    Default: `()`. Variable: `OIDC_ALLOW_HTTP_HOSTS`. Since 0.1.
    """

    allow_missing_nonce: bool
    """Whether an ID Token may lack the `nonce` of the login, for a provider that does not return it.

    The login still sends one, and a nonce that is present must match. PKCE then detects an injected code. It is logged
    at start-up.

    Default: `False`. Variable: `OIDC_ALLOW_MISSING_NONCE`. Since 0.1.
    """

    allow_missing_pkce: bool
    """Whether logins do without PKCE, for a provider that refuses a `code_verifier`.

    Only with a `client_secret`. The nonce then detects an injected code. It is logged at start-up.

    Default: `False`. Variable: `OIDC_ALLOW_MISSING_PKCE`. Since 0.1.
    """

    allow_code_injection: bool
    """Whether `allow_missing_nonce` and `allow_missing_pkce` may be set together, as LinkedIn requires.

    Nothing then detects an injected code: anyone who gets hold of another user's unused authorization code can sign in
    as that user (RFC 9700 §4.5). It is logged at start-up.

    Default: `False`. Variable: `OIDC_ALLOW_CODE_INJECTION`. Since 0.1.
    """

    allow_missing_access_token: bool
    """Whether a login may return an ID Token only, as Azure AD B2C does if the scopes name no API.

    Without an access token, userinfo is not called, and `access_token()` raises an error. It is logged at start-up.

    Default: `False`. Variable: `OIDC_ALLOW_MISSING_ACCESS_TOKEN`. Since 0.1.
    """

    allow_hs256: bool
    """Whether the provider signs tokens with the client secret (HS256) instead of a key of its own.

    The secret must have at least 32 bytes. HS256 is then the only accepted algorithm, unless `algorithms` lists others
    as well; keys of the provider are never used for HS256. It is logged at start-up: anyone who knows the client secret
    can forge tokens for any user.

    Default: `False`. Variable: `OIDC_ALLOW_HS256`. Since 0.1.
    """

    allow_azp_audiences: bool
    """Whether an ID Token whose `azp` is this client may have any further audiences, as Zitadel's have.

    `client_id` must still be one of the audiences. If you know all the others, list them in `trusted_audiences`
    instead. It is logged at start-up.

    Default: `False`. Variable: `OIDC_ALLOW_AZP_AUDIENCES`. Since 0.1.
    """


class ProviderKeywords(PlainProviderKeywords, StrongClientKeywords, ResponseAlgorithmKeywords, total=False):
    """The settings of one provider."""
