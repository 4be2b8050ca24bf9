"""The typed keywords of `OIDCMiddleware`."""

from collections.abc import Mapping, Sequence
from typing import Any, Required, TypedDict

from asgi_oidc.policy.rules import Rule
from asgi_oidc.settings.values import OnLogin
from asgi_oidc.stores.store import SessionStore


class Keywords(TypedDict, total=False):
    """The keywords of `OIDCMiddleware`; README.md has the table."""

    issuer: Required[str]
    client_id: Required[str]
    client_secret: str | None
    base_url: Required[str]
    secret: Required[str | bytes | Sequence[str | bytes]]
    scope: str | Sequence[str]
    public: Sequence[str]
    rules: Sequence[Rule]
    plain_prefixes: Sequence[str] | None
    auth_path: str
    authorization_params: Mapping[str, Any]
    client_auth: str | None
    store: SessionStore | str | None
    logout_store: SessionStore | str | None
    session_idle: int
    session_lifetime: int
    websocket_activity: bool
    leeway: int
    post_logout_redirect_uri: str | None
    frontchannel_logout: bool
    userinfo: str
    claims_from_access_token: bool
    trusted_audiences: Sequence[str]
    trusted_email_domains: Sequence[str]
    algorithms: Sequence[str]
    metadata: Mapping[str, Any]
    http_client: Any
    on_login: OnLogin | None
    keep_forms: bool
    keep_fragment: bool
    app_name: str | None
