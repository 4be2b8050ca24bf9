"""Finds settings that contradict each other."""

from collections.abc import Mapping, Sequence
from typing import Any

from asgi_oidc.policy.policy import contradictions
from asgi_oidc.policy.requirements import SESSION
from asgi_oidc.policy.rules import Rule
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.safe_urls import check_url, origin_of
from asgi_oidc.settings.bearer_checks import bearer_problems
from asgi_oidc.settings.callback_paths import callback_paths_in, callback_problems, landing_problems
from asgi_oidc.settings.certificate_checks import unapplied_certificates
from asgi_oidc.settings.claims import claims_problems
from asgi_oidc.settings.client_document_checks import client_document_problems
from asgi_oidc.settings.health_path import health_problems
from asgi_oidc.settings.kept_tokens import tokens_problems
from asgi_oidc.settings.profile_checks import redirect_problems
from asgi_oidc.settings.provider_checks import provider_contradictions
from asgi_oidc.settings.provider_readers import MISSING, PROVIDER_READERS
from asgi_oidc.settings.variable_names import PREFIX, variable_of

FOR_ALL_PROVIDERS = ("http_client",)  # settings of a provider that may be set once for all of `providers`


def find_contradictions(values: Mapping[str, Any]) -> list[str]:
    """Return the problems of settings that do not fit together; those that could not be read are missing."""
    problems = _confused_urls(values) if {"base_url", "auth_path"} <= values.keys() else []
    if values.get("providers", MISSING) is None:
        problems += provider_contradictions(values)
    problems += redirect_problems(_profiles(values), values.get("base_urls"))
    problems += _provider_problems(values)
    problems += bearer_problems(values)
    problems += claims_problems(values)
    problems += tokens_problems(values)
    problems += _credential_problems(values)
    problems += client_document_problems(values)
    problems += _callback_problems(values) if {"base_url", "auth_path"} <= values.keys() else []
    if values.get("store") is not None and values.get("logout_store") is not None:
        problems.append("logout_store: remove it: store is set, and shares sign-outs as well")
    if values.get("embedded_in") and not all(url.startswith("https:") for url in values.get("base_urls", ())):
        problems.append("embedded_in: needs an https base_url: browsers keep the cookies of frames only with https")
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


def flat_problems(values: Mapping[str, Any], variables: Mapping[str, str]) -> list[str]:
    """Report settings of a single provider that are set together with `providers`."""
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


def acr_values_of_all(providers: Mapping[str, ProviderSettings]) -> tuple[str, ...]:
    """Return the authentication contexts one of which every login has; empty if some logins need none."""
    requested = [provider.acr_values for provider in providers.values()]
    return tuple(acr for values in requested for acr in values) if all(requested) else ()


def _profiles(values: Mapping[str, Any]) -> Mapping[str, str | None]:
    """Return the security profile of each provider by its name; that of the flat keywords under an empty one."""
    providers = values.get("providers")
    if isinstance(providers, Mapping):
        return {name: provider.profile for name, provider in providers.items()}
    return {"": values.get("profile")}


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
    if isinstance(providers, Mapping):
        problems += _step_up_problems(values.get("rules", ()), providers)
        problems += unapplied_certificates(providers, values.get("http_client"))
    return problems


def _credential_problems(values: Mapping[str, Any]) -> list[str]:
    """Report rules that no session meets, if no tokens are accepted."""
    if values.get("bearer", MISSING) is not None:
        return []
    return [
        f"rules: {rule!r} accepts only access tokens: set bearer=Bearer(audience=...), so that the app takes any"
        for rule in values.get("rules", ())
        if not rule.requirements.takes(SESSION)
    ]


def _step_up_problems(rules: Sequence[Rule], providers: Mapping[str, ProviderSettings]) -> list[str]:
    """Report rules that no login can satisfy, because none of their providers reports how and when users sign in."""
    problems = []
    for rule in rules:
        names = [name for name in rule.requirements.providers or providers if name in providers]
        if rule.authentication.names and names and not any(providers[name].can_step_up for name in names):
            problems.append(
                f"rules: {rule!r} needs {' and '.join(rule.authentication.names)}, but {', '.join(names)} cannot "
                "report it without OpenID Connect: use an OpenID provider for this page"
            )
    return problems


def _callback_problems(values: Mapping[str, Any]) -> list[str]:
    paths, base_url = callback_paths_in(values), values["base_url"]
    base_path = check_url(base_url).path.rstrip("/")
    return [
        *callback_problems(paths, auth_path=values["auth_path"], base_path=base_path),
        *landing_problems(paths, base_url=base_url, landing=values.get("post_logout_redirect_uri")),
        *health_problems(values, paths.values()),
    ]


def _required_acr_values(values: Mapping[str, Any]) -> Sequence[str]:
    providers = values.get("providers")
    if providers is None:
        return str(values["authorization_params"].get("acr_values", "")).split()
    return acr_values_of_all(providers) if isinstance(providers, Mapping) else ()


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
