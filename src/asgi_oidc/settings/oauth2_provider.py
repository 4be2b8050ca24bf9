"""`OAuth2Provider`, the settings of a provider without OpenID Connect, and their checks."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Unpack

from asgi_oidc.errors import SettingsError, describe_value
from asgi_oidc.errors.sanitized import call_sanitized
from asgi_oidc.protocol.claims import PROTOCOL_CLAIMS
from asgi_oidc.protocol.client_auth import SECRET_METHODS
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.jarm import SIGNED_MODES
from asgi_oidc.protocol.user_api import ClaimSource, UserApi, check_source, read_path
from asgi_oidc.provider.oauth2_settings import OAuth2Settings
from asgi_oidc.safe_urls import check_url
from asgi_oidc.settings.callback_paths import read_callback_path
from asgi_oidc.settings.client_checks import client_problems
from asgi_oidc.settings.oauth2_keywords import OAuth2Keywords
from asgi_oidc.settings.provider import ProviderEntry
from asgi_oidc.settings.provider_readers import MISSING, read_title, read_values
from asgi_oidc.settings.ready_made import oauth2 as ready_made
from asgi_oidc.settings.value_checks import (
    read_authorization_params,
    read_client_id,
    read_client_secret,
    read_http_client,
    read_one_of,
    read_scope_words,
    read_switch,
    read_text,
)

MAX_HEADERS = 16
# What we set ourselves, or must not be set: the access token is that of the login, and the answer is not compressed.
OUR_HEADERS = frozenset({"authorization", "cookie", "accept-encoding", "host", "content-length", "connection"})
NOT_REPORTED = ("acr_values", "max_age")


class OAuth2Provider(ProviderEntry):
    """A provider without OpenID Connect, with plain OAuth 2.0: a value of `providers`.

        providers={
            "github": OAuth2Provider.github(client_id="...", client_secret="..."),
            "hub": OAuth2Provider(
                client_id="...",
                client_secret="...",
                authorization_endpoint="https://hub.example.com/oauth/authorize",
                token_endpoint="https://hub.example.com/oauth/token",
                userinfo_endpoint="https://hub.example.com/api/user",
                claims={"preferred_username": "login", "picture": "avatar_url"},
            ),
        }

    The user's identity comes from the provider's user API, called with the access token of that login; ID Tokens are
    ignored. The user's `issuer` is `oauth2:` and the name of the provider. A sign-out is local. Such a provider does
    not report how or when a user signed in, so pages whose rules have `acr_values` or `max_age` need an OpenID
    provider.

    Args:
        title: the name that users see on the page where they choose a provider; by default, it is made from the name.
        settings: as in `OAuth2Keywords`.

    Raises:
        SettingsError: the settings are invalid; it lists every problem with its fix.
    """

    __slots__ = ()

    def __init__(self, *, title: str | None = None, **settings: Unpack[OAuth2Keywords]) -> None:
        try:
            self.settings: OAuth2Settings = call_sanitized(read_oauth2_provider, {"title": title, **settings})
        finally:
            del settings  # they hold secrets, and error reporters record the variables of this frame

    def __repr__(self) -> str:
        return f"OAuth2Provider(authorization_endpoint={self.settings.authorization_endpoint!r})"

    @classmethod
    def github(cls, *, title: str | None = None, **settings: Unpack[OAuth2Keywords]) -> "OAuth2Provider":
        """Return GitHub, for an OAuth app or a GitHub App.

        `email` is the primary address if GitHub has verified it; that needs the scope `user:email`, or the permission
        "Email addresses" of a GitHub App.

        Args:
            settings: `client_id`, `client_secret`, and settings to override.
        """
        return cls._ready_made("github", title or "GitHub", {**ready_made.GITHUB, **settings})

    @classmethod
    def discord(cls, *, title: str | None = None, **settings: Unpack[OAuth2Keywords]) -> "OAuth2Provider":
        """Return Discord.

        Args:
            settings: `client_id`, `client_secret`, and settings to override.
        """
        return cls._ready_made("discord", title or "Discord", {**ready_made.DISCORD, **settings})

    @classmethod
    def facebook(
        cls,
        *,
        title: str | None = None,
        graph_version: str = ready_made.GRAPH_VERSION,
        **settings: Unpack[OAuth2Keywords],
    ) -> "OAuth2Provider":
        """Return Facebook, which does not say whether it has verified an address, so `email` counts as unverified.

        Args:
            graph_version: of the Graph API; each is available for about two years.
            settings: `client_id`, `client_secret`, and settings to override.
        """
        return cls._ready_made("facebook", title or "Facebook", {**ready_made.facebook(graph_version), **settings})

    @classmethod
    def x(cls, *, title: str | None = None, **settings: Unpack[OAuth2Keywords]) -> "OAuth2Provider":
        """Return X. Add the scope `users.email` for the e-mail address, `offline.access` for a refresh token.

        Args:
            settings: `client_id`, `client_secret`, and settings to override.
        """
        scope = settings.get("scope", ready_made.X["scope"])
        return cls._ready_made("x", title or "X", {**ready_made.X, **ready_made.x_fields(scope), **settings})

    @classmethod
    def _ready_made(cls, logo: str, title: str, settings: Any) -> "OAuth2Provider":
        try:
            provider = cls(title=title, **settings)
        finally:
            del settings
        provider.settings = replace(provider.settings, logo=logo)
        return provider


def read_oauth2_provider(raw: Mapping[str, Any]) -> OAuth2Settings:
    """Check the settings of a provider without OpenID Connect.

    Raises:
        SettingsError: it lists every problem with its fix.
    """
    values, problems = read_values({name: raw[name] for name in raw if name != "profile"}, OAUTH2_READERS)
    if raw.get("profile") is not None:
        problems.append("profile: needs an OpenID provider: use Provider(...)")
    title = None
    try:
        title = read_title(raw.get("title"))
    except ValueError as exc:
        problems.append(f"title: {exc}")
    problems += client_problems(values) + _contradictions(values)
    if problems:
        raise SettingsError([f"OAuth2Provider: {problem}" for problem in problems])
    return _settings(values, title=title)


def _settings(values: Mapping[str, Any], *, title: str | None) -> OAuth2Settings:
    return OAuth2Settings(
        title=title,
        client=Client(values["client_id"], values["client_secret"], values["client_auth"]),
        scope=values["scope"],
        authorization_params=values["authorization_params"],
        another_account_params=values["another_account_params"],
        authorization_endpoint=values["authorization_endpoint"],
        token_endpoint=values["token_endpoint"],
        revocation_endpoint=values["revocation_endpoint"],
        response_issuer=values["response_issuer"],
        callback_path=values["callback_path"],
        http_client=values["http_client"],
        user_api=UserApi(
            endpoint=values["userinfo_endpoint"],
            subject=values["subject"],
            claims=values["claims"],
            headers=values["userinfo_headers"],
            emails_endpoint=values["emails_endpoint"],
            emails_are_verified=values["emails_are_verified"],
            app_secret_proof=values["app_secret_proof"],
        ),
    )


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    problems = []
    if values.get("app_secret_proof") and values.get("client_secret", MISSING) is None:
        problems.append("app_secret_proof: needs client_secret, from which the proof is made")
    if values.get("emails_are_verified") and values.get("emails_endpoint"):
        problems.append("emails_are_verified: remove it: the list of emails_endpoint says which address is verified")
    return problems


def read_endpoint(value: object) -> str:
    """Read the URL of an endpoint."""
    if value is None:
        raise ValueError("missing; set it to the URL in the provider's documentation")
    url = read_text(value)
    check_url(url)
    return url


def read_subject(value: object) -> tuple[str, ...]:
    """Read the path of the user's id."""
    if not isinstance(value, str | tuple | list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f'must be a path such as "id" or "data.id", got {describe_value(value)}')
    return read_path(value)


def read_claims(value: object) -> Mapping[str, ClaimSource]:
    """Read where the standard claims are found."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f"must be a mapping such as {{'picture': 'avatar_url'}}, got {describe_value(value)}")
    if protected := sorted(PROTOCOL_CLAIMS & value.keys()):
        raise ValueError(
            f"{', '.join(protected)}: cannot come from a user API: leave it out; for the user's id, set subject"
        )
    if not value.keys() - {"keep", "drop", "rename"} and any(
        isinstance(each, Mapping | list) for each in value.values()
    ):
        raise ValueError(
            "must be a mapping of claims to where the user API has them, such as {'picture': 'avatar_url'}; keep, drop "
            "and rename belong into the setting claims of OIDCMiddleware"
        )
    claims: dict[str, ClaimSource] = {}
    for name, source in value.items():
        if not isinstance(source, str | tuple | list) or not all(isinstance(part, str) for part in source):
            raise ValueError(f"{name}: must be a path such as 'avatar_url', got {describe_value(source)}")
        check_source(source)
        claims[name] = source if isinstance(source, str) else tuple(source)
    return claims


def read_oauth2_params(value: object) -> Mapping[str, Any]:
    """Read parameters of the authorization request; none that the provider would have to answer in an ID Token."""
    params = read_authorization_params(value)
    if params.get("response_mode") in SIGNED_MODES:
        raise ValueError("response_mode must be query or form_post: without OpenID Connect, no key verifies a JWT")
    if found := [name for name in NOT_REPORTED if name in params]:
        raise ValueError(
            f"{', '.join(found)}: not supported without OpenID Connect: leave it out, or use an OpenID provider"
        )
    return params


def read_headers(value: object) -> Mapping[str, str]:
    """Read the headers of calls to the user API."""
    if not isinstance(value, Mapping) or len(value) > MAX_HEADERS:
        raise ValueError(f"must be a mapping of at most {MAX_HEADERS} headers, got {describe_value(value)}")
    headers = {read_text(name).lower(): read_text(text) for name, text in value.items()}
    if ours := sorted(OUR_HEADERS & headers.keys()):
        raise ValueError(f"{', '.join(ours)}: set by asgi-oidc; leave it out")
    for name, text in headers.items():
        if not name.replace("-", "").replace("_", "").isalnum() or not (name + text).isascii():
            raise ValueError(f"{describe_value(name)}: must be a header of plain ASCII")
    return headers


def _read_client_auth(value: object) -> str:
    return read_one_of(value, (*SECRET_METHODS, "none"))  # none of these providers takes keys


# Name of the setting -> its default (MISSING: it is required), and the function that checks and converts its value.
OAUTH2_READERS: Mapping[str, tuple[Any, Callable[[Any], Any]]] = {
    "client_id": (MISSING, read_client_id),
    "client_secret": (None, read_client_secret),
    "authorization_endpoint": (MISSING, read_endpoint),
    "token_endpoint": (MISSING, read_endpoint),
    "userinfo_endpoint": (MISSING, read_endpoint),
    "subject": (("id",), read_subject),
    "claims": ({}, read_claims),
    "scope": ("", read_scope_words),
    "authorization_params": ({}, read_oauth2_params),
    "another_account_params": ({}, read_oauth2_params),
    "callback_path": (None, read_callback_path),
    "client_auth": (None, _read_client_auth),
    "revocation_endpoint": (None, read_endpoint),
    "response_issuer": (None, read_endpoint),
    "userinfo_headers": ({}, read_headers),
    "emails_endpoint": (None, read_endpoint),
    "emails_are_verified": (False, read_switch),
    "app_secret_proof": (False, read_switch),
    "http_client": (None, read_http_client),
}
