"""All settings of the middleware: their defaults and checks, also the checks of settings that must fit together."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asgi_oidc import events
from asgi_oidc.errors import OIDCError, SettingsError
from asgi_oidc.pages.translation import read_translation
from asgi_oidc.policy.patterns import Pattern
from asgi_oidc.policy.policy import NONE_OF_ALWAYS, contradictions, lacks_acr, read_public
from asgi_oidc.policy.rules import Rule, read_rules
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.metadata import MEMBERS, REQUIRED, ProviderMetadata, make_metadata
from asgi_oidc.protocol.provider_compatibility import LoginPlan, find_incompatibilities
from asgi_oidc.protocol.step_up import AuthenticationRequest, read_authentication
from asgi_oidc.provider.http import HttpClient
from asgi_oidc.safe_urls import check_url, origin_of
from asgi_oidc.settings.value_checks import (
    MAX_LEEWAY,
    MAX_SPAN,
    OnLogin,
    read_algorithms,
    read_app_name,
    read_auth_path,
    read_authorization_params,
    read_base_url,
    read_client_auth,
    read_client_id,
    read_client_secret,
    read_http_client,
    read_issuer,
    read_metadata,
    read_on_login,
    read_plain_prefixes,
    read_post_logout_redirect_uri,
    read_scope,
    read_secrets,
    read_store,
    read_switch,
    read_texts,
    read_trusted_email_domains,
    read_userinfo,
    span_reader,
)
from asgi_oidc.stores.store import SessionStore

PREFIX = "OIDC_"  # begins the names of all environment variables
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, checked. The repr omits everything that may contain a secret."""

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    base_url: str
    secret: tuple[bytes, ...] = field(repr=False)
    scope: str
    public: tuple[Pattern, ...]
    rules: tuple[Rule, ...]
    plain_prefixes: tuple[str, ...] | None
    auth_path: str
    authorization_params: Mapping[str, str | Sequence[str]] = field(repr=False)
    client_auth: str | None
    store: SessionStore | None = field(repr=False)
    logout_store: SessionStore | None = field(repr=False)
    session_idle: int
    session_lifetime: int
    websocket_activity: bool
    leeway: int
    post_logout_redirect_uri: str | None
    frontchannel_logout: bool
    userinfo: str
    claims_from_access_token: bool
    trusted_audiences: tuple[str, ...]
    trusted_email_domains: frozenset[str]
    algorithms: tuple[str, ...] | None
    metadata: Mapping[str, Any] = field(repr=False)
    http_client: HttpClient | None = field(repr=False)
    on_login: OnLogin | None
    keep_forms: bool
    keep_fragment: bool
    app_name: str | None
    texts: Mapping[str, str] = field(repr=False)

    @property
    def origin(self) -> str:
        """Scheme, host and port of `base_url`, as browsers write it."""
        return origin_of(check_url(self.base_url))

    @property
    def base_path(self) -> str:
        """The path of `base_url`, without a trailing `/`."""
        return check_url(self.base_url).path.rstrip("/")

    @property
    def response_mode(self) -> str | None:
        """The requested `response_mode`; None for the provider's default."""
        mode = self.authorization_params.get("response_mode")
        return None if mode is None else str(mode)

    @property
    def form_post(self) -> bool:
        """Whether the browser brings the authorization response as a form."""
        return self.response_mode == "form_post"

    def strengthen(self, authentication: AuthenticationRequest) -> AuthenticationRequest:
        """Return the requirements of a login, which never fall below those of `authorization_params`."""
        required_always = self.acr_values
        acr_values = (
            tuple(value for value in authentication.acr_values if value in required_always)
            if required_always
            else authentication.acr_values
        )
        ages = [
            int(str(age))
            for age in (authentication.max_age, self.authorization_params.get("max_age"))
            if age is not None
        ]
        return AuthenticationRequest(acr_values or required_always, min(ages, default=None), authentication.prompt)

    def read_authentication(self, acr_values: object, max_age: object) -> AuthenticationRequest:
        """Check and read what the app requires of a login, in `StepUpRequired` for example; None means no requirement.

        Raises:
            ValueError: no login can meet it.
        """
        authentication = read_authentication(acr_values, max_age)
        if lacks_acr(authentication, self.acr_values):
            raise ValueError(f"acr_values: {list(authentication.acr_values)} {NONE_OF_ALWAYS}")
        return authentication

    @property
    def acr_values(self) -> tuple[str, ...]:
        """The authentication contexts that every login requests, from `authorization_params`."""
        return tuple(str(self.authorization_params.get("acr_values", "")).split())

    @property
    def home(self) -> str:
        """The start page of the wrapped app."""
        return self.base_url.rstrip("/") + "/"

    @property
    def landing_url(self) -> str:
        """The URL to which the provider sends the browser after a sign-out."""
        return self.post_logout_redirect_uri or self.base_url

    @property
    def landing_path(self) -> str | None:
        """The path of `landing_url`; None if that is on another site."""
        url = check_url(self.landing_url)
        return (url.path or "/") if origin_of(url) == self.origin else None

    def url_of(self, endpoint: str) -> str:
        """Return the absolute URL of one of the middleware's endpoints."""
        return f"{self.base_url.rstrip('/')}{self.auth_path}/{endpoint}"


def read_settings(
    raw: Mapping[str, Any], *, earlier_problems: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> Settings:
    """Check all settings.

    Args:
        raw: the settings by name, not checked yet.
        earlier_problems: problems found before, to report in the same error.
        variables: the environment variable that each setting comes from; if a setting is missing from `raw`, its
            variable could not be read.

    Raises:
        SettingsError: it lists every problem with its fix.
    """
    variables = variables or {}
    problems = [_unknown(name) for name in raw if name not in READERS]
    values: dict[str, Any] = {}
    for name, (default, read) in READERS.items():
        value = raw.get(name)
        if value is None and default is not MISSING:
            values[name] = default
            continue
        if name in variables and name not in raw:
            continue  # its problem is already in `earlier_problems`
        try:
            values[name] = read(value)
        except ValueError as exc:
            label = f"{name} ({variable_of(name)})" if value is None else name
            problems.append(f"{label}: {exc}")
    problems += _contradictions(values)
    problems = [*earlier_problems, *(_with_variable(problem, variables) for problem in problems)]
    if problems:
        error = SettingsError(problems)
        # Logged here too: if a framework creates the middleware late, the server starts anyway, and answers only 500.
        events.log_text(events.SETTINGS_INVALID, str(error))
        raise error
    return Settings(**values)


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def _with_variable(problem: str, variables: Mapping[str, str]) -> str:
    """Name the variable instead of the setting if the value came from there."""
    name, colon, text = problem.partition(": ")
    return f"{variables.get(name, name)}{colon}{text}"


def _unknown(name: str) -> str:
    similar = difflib.get_close_matches(name, READERS, n=1)
    return f"{name}: unknown setting" + (f"; did you mean {similar[0]}?" if similar else "")


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    problems = _confused_urls(values) if {"base_url", "auth_path"} <= values.keys() else []
    method, secret = values.get("client_auth"), values.get("client_secret")
    if method not in (None, "none") and secret is None:
        problems.append(f"client_auth: {method} needs client_secret ({variable_of('client_secret')})")
    if method == "none" and secret is not None:
        problems.append("client_auth: 'none' is for public clients: remove either client_auth or client_secret")
    if values.get("store") is not None and values.get("logout_store") is not None:
        problems.append("logout_store: remove it: store is set, and shares sign-outs as well")
    if values.get("websocket_activity") and values.get("store", MISSING) is None:
        problems.append(
            f"websocket_activity: needs store ({variable_of('store')}): an open websocket cannot renew session cookies"
        )
    if {"public", "rules", "auth_path", "base_url", "authorization_params"} <= values.keys():
        problems += contradictions(
            values["public"],
            values["rules"],
            auth_path=values["auth_path"],
            base_path=check_url(values["base_url"]).path.rstrip("/"),
            acr_values=str(values["authorization_params"].get("acr_values", "")).split(),
            plain_prefixes=values.get("plain_prefixes") or (),
        )
    if values.get("metadata") and "issuer" in values:
        problems += [f"metadata: {problem}" for problem in _metadata_problems(values)]
    return problems


def _confused_urls(values: Mapping[str, Any]) -> list[str]:
    """Report settings that need a URL of the app, but have one of the middleware's own URLs."""
    base_url, auth_path = values["base_url"].rstrip("/"), values["auth_path"]
    for own in (f"{auth_path}/{name}" for name in ("callback", "login", "logout")):
        if base_url.endswith(own):
            app = base_url.removesuffix(own)
            return [
                f"base_url: must be the URL of the app, not of {own}: write {app}; the redirect URI to register at the "
                f"provider is {app}{auth_path}/callback"
            ]
    landing = values.get("post_logout_redirect_uri") or ""
    if landing.partition("?")[0].rstrip("/") in (f"{base_url}{auth_path}/callback", f"{base_url}{auth_path}/logout"):
        return [
            "post_logout_redirect_uri: must be a page of the app, not a URL of asgi-oidc: leave it out to use base_url"
        ]
    return []


def _metadata_problems(values: Mapping[str, Any]) -> list[str]:
    issuer, members = values["issuer"], values["metadata"]
    if members.get("issuer", issuer) != issuer:
        return ["the member issuer must equal the setting issuer; leave it out"]
    placeholders = dict.fromkeys(REQUIRED, issuer)  # required members that are not set will be discovered
    try:
        metadata = make_metadata(issuer, {**placeholders, **members})
    except OIDCError as exc:
        return [exc.detail]
    problems = []
    for name in members.keys() - MEMBERS:
        if similar := difflib.get_close_matches(name, MEMBERS, n=1, cutoff=0.9):
            problems.append(f"unknown member {name}; did you mean {similar[0]}?")
    if all(name in members for name in REQUIRED):
        problems += _incompatibilities(values, metadata)
    return problems


def _incompatibilities(values: Mapping[str, Any], metadata: ProviderMetadata) -> list[str]:
    """Report what makes every login impossible, given complete metadata that needs no discovery."""
    problems = []
    if values.get("userinfo") == "always" and metadata.userinfo_endpoint is None:
        problems.append("userinfo='always' needs a userinfo_endpoint")
    plan = LoginPlan(
        Client("", "", values.get("client_secret"), values.get("client_auth")),
        response_mode=values.get("authorization_params", {}).get("response_mode"),
        algorithms=ALGORITHMS if values.get("algorithms", ()) is None else None,
    )
    return problems + [obstacle.text for obstacle in find_incompatibilities(metadata, plan)]


MISSING = object()

# Name of the setting -> its default (MISSING: it is required), and the function that checks and converts its value.
READERS: Mapping[str, tuple[Any, Callable[[Any], Any]]] = {
    "issuer": (MISSING, read_issuer),
    "client_id": (MISSING, read_client_id),
    "client_secret": (None, read_client_secret),
    "base_url": (MISSING, read_base_url),
    "secret": (MISSING, read_secrets),
    "scope": ("openid profile email", read_scope),
    "public": ((), read_public),
    "rules": ((), read_rules),
    "plain_prefixes": (None, read_plain_prefixes),
    "auth_path": ("/auth", read_auth_path),
    "authorization_params": ({}, read_authorization_params),
    "client_auth": (None, read_client_auth),
    "store": (None, read_store),
    "logout_store": (None, read_store),
    "session_idle": (3600, span_reader(1, MAX_SPAN, example=3600)),
    "session_lifetime": (12 * 3600, span_reader(1, MAX_SPAN, example=43200)),
    "websocket_activity": (False, read_switch),
    "leeway": (30, span_reader(0, MAX_LEEWAY, example=30)),
    "post_logout_redirect_uri": (None, read_post_logout_redirect_uri),
    "frontchannel_logout": (False, read_switch),
    "userinfo": ("auto", read_userinfo),
    "claims_from_access_token": (False, read_switch),
    "trusted_audiences": ((), read_texts),
    "trusted_email_domains": (frozenset(), read_trusted_email_domains),
    "algorithms": (None, read_algorithms),
    "metadata": ({}, read_metadata),
    "http_client": (None, read_http_client),
    "on_login": (None, read_on_login),
    "keep_forms": (False, read_switch),
    "keep_fragment": (False, read_switch),
    "app_name": (None, read_app_name),
    "texts": ({}, read_translation),
}
