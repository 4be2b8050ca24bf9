"""All settings of the middleware: their defaults and checks, also the checks of settings that must fit together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from asgi_oidc import events
from asgi_oidc.errors import OIDCError, SettingsError
from asgi_oidc.login.login_parameters import read_login_params
from asgi_oidc.login.provider_choice import ChooseProvider
from asgi_oidc.pages.translation import read_translation
from asgi_oidc.policy.endpoint_paths import OwnUrl
from asgi_oidc.policy.patterns import Pattern
from asgi_oidc.policy.policy import NONE_OF_ALWAYS, contradictions, lacks_acr, read_public
from asgi_oidc.policy.rules import Rule, read_rules
from asgi_oidc.protocol.step_up import AuthenticationRequest, read_authentication
from asgi_oidc.provider.http import HttpClient
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.safe_urls import check_url, origin_of
from asgi_oidc.settings.callback_paths import (
    callback_aliases,
    callback_paths_in,
    callback_problems,
    landing_problems,
)
from asgi_oidc.settings.provider_checks import provider_contradictions
from asgi_oidc.settings.provider_readers import MISSING, PROVIDER_READERS, provider_settings, unknown_setting
from asgi_oidc.settings.several_providers import ProviderSource, read_choose_provider, read_providers
from asgi_oidc.settings.value_checks import (
    MAX_LEEWAY,
    MAX_SPAN,
    OnLogin,
    read_app_name,
    read_auth_path,
    read_base_urls,
    read_on_login,
    read_plain_prefixes,
    read_post_logout_redirect_uri,
    read_secrets,
    read_store,
    read_switch,
    span_reader,
)
from asgi_oidc.stores.store import SessionStore

FOR_ALL_PROVIDERS = ("http_client",)  # settings of a provider that may be set once for all of `providers`
PREFIX = "OIDC_"  # begins the names of all environment variables


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, checked. The repr omits everything that may contain a secret."""

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scope: str
    authorization_params: Mapping[str, str | Sequence[str]] = field(repr=False)
    callback_path: str | None
    client_auth: str | None
    frontchannel_logout: bool
    userinfo: str
    claims_from_access_token: bool
    trusted_audiences: tuple[str, ...]
    trusted_email_domains: frozenset[str]
    algorithms: tuple[str, ...] | None
    metadata: Mapping[str, Any] = field(repr=False)
    http_client: HttpClient | None = field(repr=False)
    metadata_url: str | None
    internal_url: str | None
    end_session_parameters: str
    allow_http_hosts: frozenset[str]
    allow_missing_nonce: bool
    allow_missing_pkce: bool
    allow_code_injection: bool
    allow_missing_access_token: bool
    allow_hs256: bool
    allow_azp_audiences: bool
    providers: Mapping[str, ProviderSettings] | ProviderSource | None = field(repr=False)
    choose_provider: ChooseProvider | None
    login_params: frozenset[str]
    base_url: str
    secret: tuple[bytes, ...] = field(repr=False)
    public: tuple[Pattern, ...]
    rules: tuple[Rule, ...]
    plain_prefixes: tuple[str, ...] | None
    auth_path: str
    store: SessionStore | None = field(repr=False)
    logout_store: SessionStore | None = field(repr=False)
    session_idle: int
    session_lifetime: int
    websocket_activity: bool
    leeway: int
    post_logout_redirect_uri: str | None
    on_login: OnLogin | None
    keep_forms: bool
    keep_fragment: bool
    app_name: str | None
    texts: Mapping[str, str] = field(repr=False)
    # The whole setting `base_url`; the field of that name is the URL of the host that these settings are for.
    base_urls: tuple[str, ...]

    def for_each_host(self) -> list[Self]:
        """Return the settings of each host."""
        return [replace(self, base_url=base_url) for base_url in self.base_urls]

    @property
    def origins(self) -> Sequence[str]:
        """The origins of all hosts."""
        return [origin_of(check_url(base_url)) for base_url in self.base_urls]

    @property
    def origin(self) -> str:
        """Scheme, host and port of `base_url`, as browsers write it."""
        return origin_of(check_url(self.base_url))

    @property
    def base_path(self) -> str:
        """The path of `base_url`, without a trailing `/`."""
        return check_url(self.base_url).path.rstrip("/")

    @property
    def is_flat(self) -> bool:
        """Whether the flat keywords describe the only provider, instead of `providers`."""
        return self.providers is None

    @property
    def fixed_providers(self) -> Mapping[str, ProviderSettings]:
        """The providers by name, that of the flat keywords under an empty name; none if they are looked up."""
        if self.providers is None:
            return {"": provider_settings({name: getattr(self, name) for name in PROVIDER_READERS})}
        return self.providers if isinstance(self.providers, Mapping) else {}

    def authentication_reader(self) -> Callable[[object, object], AuthenticationRequest]:
        """Return what checks and reads the `acr_values` and `max_age` that the app requires of a login.

        None means no requirement. The function raises ValueError if no login can meet them.
        """
        always = _acr_values_of_all(self.fixed_providers)

        def read(acr_values: object, max_age: object) -> AuthenticationRequest:
            authentication = read_authentication(acr_values, max_age)
            if lacks_acr(authentication, always):
                raise ValueError(f"acr_values: {list(authentication.acr_values)} {NONE_OF_ALWAYS}")
            return authentication

        return read

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

    def provider_url(self, endpoint: str, provider: str) -> str:
        """Return the absolute URL of an endpoint that belongs to one provider."""
        return f"{self.url_of(endpoint)}/{provider}" if provider else self.url_of(endpoint)

    def redirect_uri(self, provider: ProviderSettings) -> str:
        """Return the URL to which a provider sends the browser back.

        Raises:
            OIDCError: a provider that was looked up has a path of its own, which was not known when the app started.
        """
        if provider.callback_path is not None:
            if provider.name not in self.fixed_providers:
                raise OIDCError("callback_path_looked_up", f"{provider.name}: remove callback_path")
            return f"{self.base_url.rstrip('/')}{provider.callback_path}"
        return self.provider_url("callback", provider.name)

    @property
    def callback_aliases(self) -> Mapping[str, OwnUrl]:
        """The callbacks that are not where they are by default, by path below `base_url`."""
        return callback_aliases(self.auth_path, self.fixed_providers)

    @property
    def callback_paths(self) -> Sequence[str]:
        """The settings `callback_path` of all providers."""
        return [provider.callback_path for provider in self.fixed_providers.values() if provider.callback_path]

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
    problems = [unknown_setting(name, READERS) for name in raw if name not in READERS]
    values: dict[str, Any] = {}
    for name, (default, read) in READERS.items():
        value = raw.get(name)
        if name in variables and name not in raw:
            continue  # its problem is already in `earlier_problems`
        if value is None and default is not MISSING:
            values[name] = default
            continue
        if value is None and name in NEEDED_WITHOUT_PROVIDERS and ("providers" in raw or "providers" in variables):
            values[name] = ""
            continue
        try:
            values[name] = read(value)
        except ValueError as exc:
            label = f"{name} ({variable_of(name)})" if value is None else name
            problems.append(f"{label}: {exc}")
    if "base_url" in values:
        values["base_urls"] = values["base_url"]
        values["base_url"] = values["base_urls"][0]
    problems += _contradictions(values)
    problems += _flat_problems(values, variables)
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


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    problems = _confused_urls(values) if {"base_url", "auth_path"} <= values.keys() else []
    if values.get("providers", MISSING) is None:
        problems += provider_contradictions(values)
    problems += _provider_problems(values)
    problems += _callback_problems(values) if {"base_url", "auth_path"} <= values.keys() else []
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
            acr_values=_required_acr_values(values),
            plain_prefixes=values.get("plain_prefixes") or (),
        )
    return problems


def _provider_problems(values: Mapping[str, Any]) -> list[str]:
    """Report settings that need several providers, or name one that does not exist."""
    if "providers" not in values:
        return []
    providers = values["providers"]
    problems = []
    if providers is None and values.get("choose_provider") is not None:
        problems.append("choose_provider: needs providers: with a single provider there is nothing to choose")
    for rule in values.get("rules", ()):
        if providers is None and rule.requirements.providers:
            problems.append(
                f"rules: {rule!r} needs the setting providers: with the flat keywords, providers have no name"
            )
        elif isinstance(providers, Mapping):
            unknown = [name for name in rule.requirements.providers if name not in providers]
            problems += [
                f"rules: {rule!r}: there is no provider {name!r}; providers has {', '.join(providers)}"
                for name in unknown
            ]
    problems += _step_up_problems(values.get("rules", ()), providers) if isinstance(providers, Mapping) else []
    return problems


def _step_up_problems(rules: Sequence[Rule], providers: Mapping[str, ProviderSettings]) -> list[str]:
    """Report rules that no login can satisfy, because none of their providers reports how and when users sign in."""
    problems = []
    for rule in rules:
        names = [name for name in rule.requirements.providers or providers if name in providers]
        if rule.authentication.parameters and names and not any(providers[name].can_step_up for name in names):
            problems.append(
                f"rules: {rule!r} needs {' and '.join(rule.authentication.parameters)}, but {', '.join(names)} cannot "
                "report it without OpenID Connect: use an OpenID provider for this page"
            )
    return problems


def _callback_problems(values: Mapping[str, Any]) -> list[str]:
    paths, base_url = callback_paths_in(values), values["base_url"]
    base_path = check_url(base_url).path.rstrip("/")
    return [
        *callback_problems(paths, auth_path=values["auth_path"], base_path=base_path),
        *landing_problems(paths, base_url=base_url, landing=values.get("post_logout_redirect_uri")),
    ]


def _flat_problems(values: Mapping[str, Any], variables: Mapping[str, str]) -> list[str]:
    """Report settings of a single provider beside `providers`."""
    if values.get("providers") is None and "providers" not in variables:
        return []
    flat = [
        name
        for name, (default, _) in PROVIDER_READERS.items()
        if name not in FOR_ALL_PROVIDERS and values.get(name) not in (default, "", None)
    ]
    if "providers" not in variables:
        return [f"{name}: remove it: with providers, each Provider has its own" for name in flat]
    return [
        f"{name}: remove it: with {variables['providers']}, each provider has its own ({PREFIX}NAME_{name.upper()})"
        for name in flat
    ]


def _required_acr_values(values: Mapping[str, Any]) -> Sequence[str]:
    providers = values.get("providers")
    if providers is None:
        return str(values["authorization_params"].get("acr_values", "")).split()
    return _acr_values_of_all(providers) if isinstance(providers, Mapping) else ()


def _acr_values_of_all(providers: Mapping[str, ProviderSettings]) -> tuple[str, ...]:
    """Return the authentication contexts one of which every login has; empty if some logins need none."""
    requested = [provider.acr_values for provider in providers.values()]
    return tuple(acr for values in requested for acr in values) if all(requested) else ()


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
    if landing and len(values["base_urls"]) > 1 and _is_on_a_host(landing, values["base_urls"]):
        return [
            "post_logout_redirect_uri: leave it out: with a list as base_url, users return to the base_url of the host "
            "that they use; only a page of another site is allowed"
        ]
    if landing.partition("?")[0].rstrip("/") in (f"{base_url}{auth_path}/callback", f"{base_url}{auth_path}/logout"):
        return [
            "post_logout_redirect_uri: must be a page of the app, not a URL of asgi-oidc: leave it out to use base_url"
        ]
    return []


def _is_on_a_host(url: str, base_urls: Sequence[str]) -> bool:
    return origin_of(check_url(url)) in [origin_of(check_url(base_url)) for base_url in base_urls]


# Name of the setting -> its default (MISSING: it is required), and the function that checks and converts its value.
READERS: Mapping[str, tuple[Any, Callable[[Any], Any]]] = {
    **PROVIDER_READERS,
    "providers": (None, read_providers),
    "choose_provider": (None, read_choose_provider),
    "login_params": (frozenset(), read_login_params),
    "base_url": (MISSING, read_base_urls),
    "secret": (MISSING, read_secrets),
    "public": ((), read_public),
    "rules": ((), read_rules),
    "plain_prefixes": (None, read_plain_prefixes),
    "auth_path": ("/auth", read_auth_path),
    "store": (None, read_store),
    "logout_store": (None, read_store),
    "session_idle": (3600, span_reader(1, MAX_SPAN, example=3600)),
    "session_lifetime": (12 * 3600, span_reader(1, MAX_SPAN, example=43200)),
    "websocket_activity": (False, read_switch),
    "leeway": (30, span_reader(0, MAX_LEEWAY, example=30)),
    "post_logout_redirect_uri": (None, read_post_logout_redirect_uri),
    "on_login": (None, read_on_login),
    "keep_forms": (False, read_switch),
    "keep_fragment": (False, read_switch),
    "app_name": (None, read_app_name),
    "texts": ({}, read_translation),
}
NEEDED_WITHOUT_PROVIDERS = ("issuer", "client_id")
