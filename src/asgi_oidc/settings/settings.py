"""All settings of the middleware: their defaults, and how they are read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from asgi_oidc import events
from asgi_oidc.audit.listener import OnEvent
from asgi_oidc.errors import OIDCError, SettingsError
from asgi_oidc.login.login_parameters import ReadAuthentication, read_login_params
from asgi_oidc.login.provider_choice import ChooseProvider
from asgi_oidc.pages.languages import read_texts_setting
from asgi_oidc.pages.page import RenderPages
from asgi_oidc.pages.theme import Colors, read_app_colors
from asgi_oidc.policy.endpoint_paths import OwnUrl
from asgi_oidc.policy.patterns import Pattern
from asgi_oidc.policy.policy import NONE_OF_ALWAYS, lacks_acr, read_public
from asgi_oidc.policy.rules import Rule, read_rules
from asgi_oidc.protocol.claim_mapping import ALL_CLAIMS, ClaimMapping
from asgi_oidc.protocol.jose_signing import SigningKey
from asgi_oidc.protocol.private_keys import PrivateKey
from asgi_oidc.protocol.step_up import AuthenticationRequest, read_authentication
from asgi_oidc.provider.http import HttpClient
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.safe_urls import check_url, origin_of
from asgi_oidc.settings.bearer import Bearer, field_hint, read_bearer
from asgi_oidc.settings.callback_paths import callback_aliases
from asgi_oidc.settings.claims import read_claims_setting
from asgi_oidc.settings.contradictions import acr_values_of_all, find_contradictions, flat_problems
from asgi_oidc.settings.health_path import health_urls, read_health_path
from asgi_oidc.settings.kept_tokens import read_tokens_setting
from asgi_oidc.settings.page_readers import read_app_logo, read_pages
from asgi_oidc.settings.profile_checks import with_profile
from asgi_oidc.settings.provider_readers import MISSING, PROVIDER_READERS, provider_settings, unknown_setting
from asgi_oidc.settings.response_algorithm_settings import ResponseAlgorithmSettings
from asgi_oidc.settings.several_providers import ProviderSource, read_choose_provider, read_providers
from asgi_oidc.settings.value_checks import (
    MAX_LEEWAY,
    MAX_SPAN,
    MIN_RECHECK,
    OnLogin,
    number_reader,
    read_app_name,
    read_auth_path,
    read_base_urls,
    read_embedded_in,
    read_on_event,
    read_on_login,
    read_plain_prefixes,
    read_post_logout_redirect_uri,
    read_secrets,
    read_store,
    read_switch,
)
from asgi_oidc.settings.variable_names import variable_of
from asgi_oidc.stores.memory import MemoryStore
from asgi_oidc.stores.store import SessionStore
from asgi_oidc.web.cookie_size import COOKIE_HEADER_RANGE, MAX_COOKIE_HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ResponseAlgorithmSettings):
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
    client_key: tuple[SigningKey, ...] | None = field(repr=False)
    client_certificate: str | None = field(repr=False)
    client_certificate_key: str | None = field(repr=False)
    client_assertion_file: str | None
    token_endpoint_auth_signing_alg: str | None
    client_assertion_typ: str
    par: str
    request_object: bool
    request_object_signing_alg: str | None
    dpop: str
    decryption_key: tuple[PrivateKey, ...] | None = field(repr=False)
    authorization_details: tuple[str, ...] = field(repr=False)
    profile: str | None
    providers: Mapping[str, ProviderSettings] | ProviderSource | None = field(repr=False)
    choose_provider: ChooseProvider | None
    login_params: frozenset[str]
    base_url: str
    secret: tuple[bytes, ...] = field(repr=False)
    public: tuple[Pattern, ...]
    rules: tuple[Rule, ...]
    plain_prefixes: tuple[str, ...] | None
    auth_path: str
    health_path: str | None
    store: SessionStore | None = field(repr=False)
    logout_store: SessionStore | None = field(repr=False)
    session_idle: int
    session_lifetime: int
    tokens: frozenset[str]
    max_cookie_header: int
    recheck: int | None
    websocket_activity: bool
    leeway: int
    post_logout_redirect_uri: str | None
    claims: ClaimMapping | None
    on_login: OnLogin | None
    on_event: OnEvent | None
    bearer: Bearer | None
    keep_forms: bool
    keep_fragment: bool
    app_name: str | None
    app_logo: str | None
    app_colors: Colors | None
    texts: Mapping[str, Any] = field(repr=False)
    pages: RenderPages | None = field(repr=False)
    hide_cookies: bool
    embedded_in: tuple[str, ...]
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
    def is_shared(self) -> bool:
        """Whether sign-outs are in a store, where other processes find them, and this one does after a restart."""
        stores = (self.store, self.logout_store)
        return any(store is not None and not isinstance(store, MemoryStore) for store in stores)

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

    @property
    def claim_mapping(self) -> ClaimMapping:
        """Which claims are stored, and under which names."""
        return ALL_CLAIMS if self.claims is None else self.claims

    def authentication_reader(self) -> ReadAuthentication:
        """Return what checks and reads what the app requires of a login.

        None means no requirement. The function raises ValueError if no login can meet them.
        """
        always = acr_values_of_all(self.fixed_providers)

        def read(acr_values: object, max_age: object, authorization_details: object = None) -> AuthenticationRequest:
            authentication = read_authentication(acr_values, max_age, authorization_details)
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

    @property
    def health_urls(self) -> Mapping[str, OwnUrl]:
        """The URLs of the setting `health_path`, by path below `base_url`."""
        return health_urls(self.health_path)

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
    try:
        return check_settings(raw, earlier_problems=earlier_problems, variables=variables)
    except SettingsError as error:
        # Logged here too: if a framework creates the middleware late, the server starts anyway, and answers only 500.
        events.log_text(events.SETTINGS_INVALID, str(error))
        raise


def check_settings(
    raw: Mapping[str, Any], *, earlier_problems: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> Settings:
    """Check all settings as `read_settings` does, without a log line."""
    variables = variables or {}
    raw = with_profile(raw)
    problems = [field_hint(name) or unknown_setting(name, READERS) for name in raw if name not in READERS]
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
    problems += find_contradictions(values)
    problems += flat_problems(values, variables)
    problems = [*earlier_problems, *(_with_variable(problem, variables) for problem in problems)]
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def _with_variable(problem: str, variables: Mapping[str, str]) -> str:
    """Name the variable instead of the setting if the value came from there."""
    name, colon, text = problem.partition(": ")
    if name == "bearer" and name in variables:
        field, _, rest = text.partition(": ")
        return f"{variables[f'bearer_{field}']}: {rest}" if f"bearer_{field}" in variables else problem
    return f"{variables.get(name, name)}{colon}{text}"


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
    "health_path": (None, read_health_path),
    "store": (None, read_store),
    "logout_store": (None, read_store),
    "session_idle": (3600, number_reader(1, MAX_SPAN, example=3600)),
    "session_lifetime": (12 * 3600, number_reader(1, MAX_SPAN, example=43200)),
    "tokens": (read_tokens_setting("all"), read_tokens_setting),
    "max_cookie_header": (MAX_COOKIE_HEADER, number_reader(*COOKIE_HEADER_RANGE, unit="bytes", example=12_000)),
    "recheck": (None, number_reader(MIN_RECHECK, MAX_SPAN, example=300)),
    "websocket_activity": (False, read_switch),
    "leeway": (30, number_reader(0, MAX_LEEWAY, example=30)),
    "post_logout_redirect_uri": (None, read_post_logout_redirect_uri),
    "claims": (None, read_claims_setting),
    "on_login": (None, read_on_login),
    "on_event": (None, read_on_event),
    "bearer": (None, read_bearer),
    "keep_forms": (False, read_switch),
    "keep_fragment": (False, read_switch),
    "app_name": (None, read_app_name),
    "app_logo": (None, read_app_logo),
    "app_colors": (None, read_app_colors),
    "texts": ({}, read_texts_setting),
    "pages": (None, read_pages),
    "hide_cookies": (False, read_switch),
    "embedded_in": ((), read_embedded_in),
}
NEEDED_WITHOUT_PROVIDERS = ("issuer", "client_id")
