"""`Provider`, the settings of one of several providers, and their checks."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol, Unpack

from asgi_oidc.errors import OIDCError, SettingsError, describe_value
from asgi_oidc.errors.sanitized import call_sanitized
from asgi_oidc.login.provider_choice import ChooseProvider, is_provider_name
from asgi_oidc.protocol.back_channel import BackChannel
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.jose import SYMMETRIC_ALGORITHM
from asgi_oidc.protocol.metadata import MEMBERS, REQUIRED, ProviderMetadata, make_metadata
from asgi_oidc.protocol.provider_compatibility import LoginPlan, find_incompatibilities
from asgi_oidc.provider.provider_exceptions import STANDARD_LOGOUT
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.settings.callback_paths import read_callback_path
from asgi_oidc.settings.provider_exception_checks import (
    exception_contradictions,
    provider_exceptions,
    read_end_session_parameters,
    read_http_hosts,
    read_internal_url,
    read_metadata_url,
)
from asgi_oidc.settings.provider_keywords import ProviderKeywords
from asgi_oidc.settings.value_checks import (
    read_algorithms,
    read_authorization_params,
    read_client_auth,
    read_client_id,
    read_client_secret,
    read_http_client,
    read_issuer,
    read_metadata,
    read_scope,
    read_switch,
    read_texts,
    read_trusted_email_domains,
    read_userinfo,
)

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
MISSING = object()

# Name of the setting -> its default (MISSING: it is required), and the function that checks and converts its value.
PROVIDER_READERS: Mapping[str, tuple[Any, Callable[[Any], Any]]] = {
    "issuer": (MISSING, read_issuer),
    "client_id": (MISSING, read_client_id),
    "client_secret": (None, read_client_secret),
    "scope": ("openid profile email", read_scope),
    "authorization_params": ({}, read_authorization_params),
    "callback_path": (None, read_callback_path),
    "client_auth": (None, read_client_auth),
    "frontchannel_logout": (False, read_switch),
    "userinfo": ("auto", read_userinfo),
    "claims_from_access_token": (False, read_switch),
    "trusted_audiences": ((), read_texts),
    "trusted_email_domains": (frozenset(), read_trusted_email_domains),
    "algorithms": (None, read_algorithms),
    "metadata": ({}, read_metadata),
    "http_client": (None, read_http_client),
    "metadata_url": (None, read_metadata_url),
    "internal_url": (None, read_internal_url),
    "end_session_parameters": (STANDARD_LOGOUT, read_end_session_parameters),
    "allow_http_hosts": (frozenset(), read_http_hosts),
    "allow_missing_nonce": (False, read_switch),
    "allow_missing_pkce": (False, read_switch),
    "allow_code_injection": (False, read_switch),
    "allow_missing_access_token": (False, read_switch),
    "allow_hs256": (False, read_switch),
    "allow_azp_audiences": (False, read_switch),
}


class Provider:
    """One of several OpenID providers: a value of `providers`.

        providers={"google": Provider(issuer="https://accounts.google.com", client_id="...", client_secret="...")}

    Args:
        title: the name that users see on the page where they choose; by default, it is made from the name.
        settings: the settings of one provider, as for `OIDCMiddleware`.

    Raises:
        SettingsError: the settings are invalid; it lists every problem with its fix.
    """

    __slots__ = ("settings",)

    def __init__(self, *, title: str | None = None, **settings: Unpack[ProviderKeywords]) -> None:
        try:
            self.settings: ProviderSettings = call_sanitized(read_provider, {"title": title, **settings})
        finally:
            del settings  # they hold secrets, and error reporters record the variables of this frame

    def __repr__(self) -> str:
        return f"Provider(issuer={self.settings.issuer!r})"


class ProviderSource(Protocol):
    """Looks up providers that are not known at start-up, such as the tenants in a database."""

    async def get(self, name: str) -> Provider | None:
        """Return the provider of this name, None if there is none."""


def read_provider(raw: Mapping[str, Any]) -> ProviderSettings:
    """Check the settings of one provider.

    Raises:
        SettingsError: it lists every problem with its fix.
    """
    values, problems = read_values(raw, PROVIDER_READERS)
    title = None
    try:
        title = read_title(raw.get("title"))
    except ValueError as exc:
        problems.append(f"title: {exc}")
    problems += provider_contradictions(values)
    if problems:
        raise SettingsError([f"Provider: {problem}" for problem in problems])
    return provider_settings(values, title=title)


def read_values(
    raw: Mapping[str, Any], readers: Mapping[str, tuple[Any, Callable[[Any], Any]]]
) -> tuple[dict[str, Any], list[str]]:
    """Check values by their readers; return those that are valid, and the problems of the others."""
    problems = [unknown_setting(name, readers) for name in raw if name not in readers and name != "title"]
    values: dict[str, Any] = {}
    for name, (default, read) in readers.items():
        value = raw.get(name)
        if value is None and default is not MISSING:
            values[name] = default
            continue
        try:
            values[name] = read(value)
        except ValueError as exc:
            problems.append(f"{name}: {exc}")
    return values, problems


def provider_settings(values: Mapping[str, Any], *, title: str | None = None) -> ProviderSettings:
    """Return the settings of one provider from checked values."""
    algorithms = values["algorithms"] or ((SYMMETRIC_ALGORITHM,) if values["allow_hs256"] else None)
    return ProviderSettings(
        title=title,
        issuer=values["issuer"],
        client=Client(values["client_id"], values["client_secret"], values["client_auth"]),
        scope=values["scope"],
        authorization_params=values["authorization_params"],
        metadata=values["metadata"],
        algorithms=algorithms or ALGORITHMS,
        algorithms_named=algorithms is not None,
        trusted_audiences=values["trusted_audiences"],
        trusted_email_domains=values["trusted_email_domains"],
        userinfo=values["userinfo"],
        claims_from_access_token=values["claims_from_access_token"],
        frontchannel_logout=values["frontchannel_logout"],
        http_client=values["http_client"],
        callback_path=values["callback_path"],
        exceptions=provider_exceptions(values),
    )


def unknown_setting(name: str, known: Mapping[str, object]) -> str:
    """Return the problem of a setting that does not exist."""
    similar = difflib.get_close_matches(name, known, n=1)
    return f"{name}: unknown setting" + (f"; did you mean {similar[0]}?" if similar else "")


def read_title(value: object) -> str | None:
    """Read the title of a provider."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > MAX_TITLE_LENGTH:
        raise ValueError(f"must be one line of at most {MAX_TITLE_LENGTH} characters, got {describe_value(value)}")
    return value.strip()


MAX_TITLE_LENGTH = 80  # characters


def read_providers(value: object) -> Mapping[str, ProviderSettings] | ProviderSource:
    """Read the setting `providers`: a mapping of names to providers, or an object that looks them up."""
    if not isinstance(value, Mapping):
        if isinstance(value, type) or not inspect.iscoroutinefunction(getattr(value, "get", None)):
            raise ValueError(
                "must be a mapping such as {'google': Provider(...)}, or an object with `async def get(self, name)`, "
                f"got {describe_value(value)}"
            )
        return value  # type: ignore[return-value]  # its method was checked
    if not value:
        raise ValueError("is empty: name at least one provider")
    for name, provider in value.items():
        if not is_provider_name(name):
            raise ValueError(
                f"{describe_value(name)} is no name for a provider: it is part of URLs, so use 1 to 64 lower-case "
                "letters, digits, '-' and '_', such as 'google'"
            )
        if not isinstance(provider, Provider):
            raise ValueError(f"{name}: expected Provider(...), got {describe_value(provider)}")
    providers = {name: replace(provider.settings, name=name) for name, provider in value.items()}
    if problem := _same_client_twice(providers):
        raise ValueError(problem)
    return providers


def _same_client_twice(providers: Mapping[str, ProviderSettings]) -> str | None:
    names: dict[tuple[str, str], str] = {}
    for name, settings in providers.items():
        other = names.setdefault((settings.issuer, settings.client.client_id), name)
        if other != name:
            return f"{other} and {name} are the same client of {settings.issuer}: remove one of them"
    return None


def read_choose_provider(value: object) -> ChooseProvider:
    """Accept the app's function that chooses the provider of a request."""
    if isinstance(value, type) or not callable(value):
        raise ValueError(f"must be a function of the ASGI scope, async or not, got {describe_value(value)}")
    return value


def provider_contradictions(values: Mapping[str, Any]) -> list[str]:
    """Return the problems of settings that do not fit together."""
    problems = []
    method, secret = values.get("client_auth"), values.get("client_secret")
    if method not in (None, "none") and secret is None:
        problems.append(f"client_auth: {method} needs client_secret (OIDC_CLIENT_SECRET)")
    if method == "none" and secret is not None:
        problems.append("client_auth: 'none' is for public clients: remove either client_auth or client_secret")
    problems += exception_contradictions(values)
    if values.get("metadata") and "issuer" in values:
        problems += [f"metadata: {problem}" for problem in _metadata_problems(values)]
    return problems


def _metadata_problems(values: Mapping[str, Any]) -> list[str]:
    issuer, members = values["issuer"], values["metadata"]
    if members.get("issuer", issuer) != issuer:
        return ["the member issuer must equal the setting issuer; leave it out"]
    placeholders = dict.fromkeys(REQUIRED, issuer)  # required members that are not set will be discovered
    try:
        metadata = make_metadata(issuer, {**placeholders, **members}, back_channel=_back_channel(values))
    except OIDCError as exc:
        return [exc.detail]
    problems = []
    for name in members.keys() - MEMBERS:
        if similar := difflib.get_close_matches(name, MEMBERS, n=1, cutoff=0.9):
            problems.append(f"unknown member {name}; did you mean {similar[0]}?")
    if all(name in members for name in REQUIRED):
        problems += _incompatibilities(values, metadata)
    return problems


def _back_channel(values: Mapping[str, Any]) -> BackChannel:
    return BackChannel(values.get("internal_url"), values.get("allow_http_hosts", ()))


def _incompatibilities(values: Mapping[str, Any], metadata: ProviderMetadata) -> list[str]:
    """Report what makes every login impossible, given complete metadata that needs no discovery."""
    problems = []
    if values.get("userinfo") == "always" and metadata.userinfo_endpoint is None:
        problems.append("userinfo='always' needs a userinfo_endpoint")
    plan = LoginPlan(
        Client("", values.get("client_secret"), values.get("client_auth")),
        response_mode=values.get("authorization_params", {}).get("response_mode"),
        algorithms=ALGORITHMS if values.get("algorithms", ()) is None and not values.get("allow_hs256") else None,
        uses_pkce=not values.get("allow_missing_pkce"),
    )
    return problems + [obstacle.text for obstacle in find_incompatibilities(metadata, plan)]
