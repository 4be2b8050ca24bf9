"""`Provider`, the settings of one of several providers, and their checks."""

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol, Self, Unpack

from asgi_oidc.errors import OIDCError, SettingsError, describe_value
from asgi_oidc.errors.sanitized import call_sanitized
from asgi_oidc.login.provider_choice import ChooseProvider, is_provider_name
from asgi_oidc.protocol.back_channel import BackChannel
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.entra import AUTHORITIES
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
from asgi_oidc.settings.ready_made.apple import apple
from asgi_oidc.settings.ready_made.entra import entra
from asgi_oidc.settings.ready_made.gitlab import gitlab
from asgi_oidc.settings.ready_made.google import google
from asgi_oidc.settings.ready_made.linkedin import linkedin
from asgi_oidc.settings.ready_made.preset import Preset
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


class ProviderEntry:
    """A value of `providers`, whichever kind of provider it is."""

    __slots__ = ("settings",)

    settings: ProviderSettings


class Provider(ProviderEntry):
    """One of several OpenID providers: a value of `providers`.

        providers={"google": Provider(issuer="https://accounts.google.com", client_id="...", client_secret="...")}

    Args:
        title: the name that users see on the page where they choose; by default, it is made from the name.
        settings: the settings of one provider, as for `OIDCMiddleware`.

    Raises:
        SettingsError: the settings are invalid; it lists every problem with its fix.
    """

    __slots__ = ()

    def __init__(self, *, title: str | None = None, **settings: Unpack[ProviderKeywords]) -> None:
        try:
            self.settings = call_sanitized(read_provider, {"title": title, **settings})
        finally:
            del settings  # they hold secrets, and error reporters record the variables of this frame

    @classmethod
    def google(
        cls,
        *,
        hosted_domains: Sequence[str] | None = None,
        offline_access: bool = False,
        title: str | None = None,
        **settings: Unpack[ProviderKeywords],
    ) -> Self:
        """Return Google; `client_id` and `client_secret` are required.

        Args:
            hosted_domains: the domains of the Google Workspace organizations whose users may sign in; by default,
                everybody with a Google account may.
            offline_access: whether to request a refresh token; Google then asks for consent at every login.
            title: as in `Provider`.
            settings: as in `Provider`, except `issuer`.
        """
        try:
            preset = google(hosted_domains=hosted_domains, offline_access=offline_access)
            return cls._ready_made(preset, {"title": title, **settings})
        finally:
            del settings

    @classmethod
    def gitlab(
        cls, *, url: str = "https://gitlab.com", title: str | None = None, **settings: Unpack[ProviderKeywords]
    ) -> Self:
        """Return GitLab; `client_id` is required, and `client_secret` unless the application is public.

        Args:
            url: of a GitLab that an organization runs itself.
            title: as in `Provider`.
            settings: as in `Provider`, except `issuer`.
        """
        try:
            return cls._ready_made(gitlab(url=url), {"title": title, **settings})
        finally:
            del settings

    @classmethod
    def linkedin(cls, *, title: str | None = None, **settings: Unpack[ProviderKeywords]) -> Self:
        """Return LinkedIn; `client_id` and `client_secret` are required.

        Args:
            title: as in `Provider`.
            settings: as in `Provider`, except `issuer` and `client_auth`.
        """
        try:
            return cls._ready_made(linkedin(), {"title": title, **settings})
        finally:
            del settings

    @classmethod
    def apple(
        cls,
        *,
        team_id: str,
        key_id: str,
        private_key: str,
        title: str | None = None,
        **settings: Unpack[ProviderKeywords],
    ) -> Self:
        """Return Apple; `client_id`, the Services ID, is required.

        The client secret is made from the key for each call. Apple tells the user's name only once, at the first login:
        store the claims `name`, `given_name` and `family_name` in `on_login`. They are not signed.

        Args:
            team_id: the id of the developer team, 10 characters.
            key_id: the id of the private key, 10 characters.
            private_key: the text of the `.p8` file.
            title: as in `Provider`.
            settings: as in `Provider`, except `issuer`, `client_secret` and `client_auth`.
        """
        try:
            return cls._ready_made(
                call_sanitized(apple, dict(settings), team_id=team_id, key_id=key_id, private_key=private_key),
                {"title": title, **settings},
            )
        finally:
            del private_key, settings

    @classmethod
    def entra(
        cls,
        *,
        tenants: Sequence[str] | Literal["organizations"],
        trusted_tenants: Sequence[str] = (),
        authority: str = AUTHORITIES[0],
        title: str | None = None,
        **settings: Unpack[ProviderKeywords],
    ) -> Self:
        """Return Microsoft Entra ID, for one tenant, for several, or for all organizations.

            Provider.entra(tenants=["8eaef023-2b34-4da1-9baa-8bc8c9d6a490"], client_id="...", client_secret="...")

        A user is `(issuer, sub)`, as always. Each tenant has its own issuer, and each client knows a user under another
        `sub`: to recognise a user in several apps, use the claims `tid` and `oid`.

        Args:
            tenants: ids of the tenants whose users may sign in, or `"organizations"` for those of all tenants, without
                personal accounts.
            trusted_tenants: tenants whose administrators may vouch for any e-mail address of their users. An address of
                another tenant counts as verified only if Entra has verified the owner of its domain (`xms_edov`).
            authority: the host of a national cloud, such as `login.microsoftonline.us`.
            title: as in `Provider`; by default, "Microsoft".
            settings: as in `Provider`, without `issuer` and `trusted_email_domains`; the default of `userinfo` is
                `never`, because the ID Token has the same claims.

        Raises:
            SettingsError: the settings are invalid; it lists every problem with its fix.
        """
        try:
            preset = entra(tenants=tenants, trusted_tenants=trusted_tenants, authority=authority)
            return cls._ready_made(preset, {"title": title, **settings})
        finally:
            del settings

    @classmethod
    def _ready_made(cls, preset: Preset, given: Mapping[str, Any]) -> Self:
        try:
            settings = call_sanitized(read_ready_made, preset, given)
        finally:
            del given, preset
        provider = cls.__new__(cls)
        provider.settings = settings
        return provider

    def __repr__(self) -> str:
        return f"Provider(issuer={self.settings.issuer!r})"


class ProviderSource(Protocol):
    """Looks up providers that are not known at start-up, such as the tenants in a database: a value of `providers`.

        class Tenants:
            async def get(self, name):
                row = await database.find_tenant(name)
                return row and Provider(issuer=row.issuer, client_id=row.client_id, client_secret=row.secret)

        OIDCMiddleware(app, providers=Tenants(), ...)

    Any object with such a method will do; it need not inherit from this class.
    """

    async def get(self, name: str) -> ProviderEntry | None:
        """Return the provider of this name, None if there is none.

        It is called when a provider is first needed, and again after 30 seconds in use; requests do not wait for that.
        A provider with equal settings keeps its metadata and keys, so an `http_client` has to be the same object each
        time.

        Args:
            name: 1 to 64 lower-case letters, digits, `-` and `_`; it may come from a URL.
        """


def read_ready_made(preset: Preset, given: Mapping[str, Any]) -> ProviderSettings:
    """Check the settings that the app has given for a ready-made provider, and combine them with its own.

    Raises:
        SettingsError: it lists every problem with its fix.
    """
    raw, problems = preset.combine(given)
    return preset.complete(read_provider(raw, call=preset.call, earlier_problems=problems))


def read_provider(
    raw: Mapping[str, Any], *, call: str = "Provider", earlier_problems: Sequence[str] = ()
) -> ProviderSettings:
    """Check the settings of one provider.

    Args:
        call: how the app has written it, for errors.
        earlier_problems: problems found before, to report in the same error.

    Raises:
        SettingsError: it lists every problem with its fix.
    """
    values, problems = read_values(raw, PROVIDER_READERS)
    problems = [*earlier_problems, *problems]
    title = None
    try:
        title = read_title(raw.get("title"))
    except ValueError as exc:
        problems.append(f"title: {exc}")
    problems += provider_contradictions(values)
    if problems:
        raise SettingsError([f"{call}: {problem}" for problem in problems])
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
        if isinstance(value, type) or not _is_look_up(getattr(value, "get", None)):
            raise ValueError(
                "must be a mapping such as {'google': Provider(...)}, or an object with `async def get(self, name)`, "
                f"got {describe_value(value)}"
            )
        return value  # type: ignore[return-value]  # its method was checked
    if not value:
        raise ValueError("is empty: name at least one provider")
    for name, provider in value.items():
        if not is_provider_name(name):
            raise ValueError(bad_provider_name(name))
        if not isinstance(provider, ProviderEntry):
            raise ValueError(f"{name}: expected Provider(...) or OAuth2Provider(...), got {describe_value(provider)}")
    providers = {name: replace(provider.settings, name=name) for name, provider in value.items()}
    if problem := _same_client_twice(providers) or _same_title_twice(providers):
        raise ValueError(problem)
    return providers


def bad_provider_name(name: object) -> str:
    """Return the problem of a name that no provider can have."""
    return (
        f"{describe_value(name)} is no name for a provider: it is part of URLs, so use 1 to 64 lower-case letters, "
        "digits, '-' and '_', such as 'google'"
    )


def _is_look_up(get: object) -> bool:
    """Return whether this may be the `get` of a source; what a decorator made of it is seen only when it is called."""
    return inspect.iscoroutinefunction(get) or (callable(get) and not inspect.isroutine(get))


def read_found_provider(name: str, value: object) -> ProviderSettings:
    """Read what the `get` of `providers` has returned for a name."""
    if not isinstance(value, ProviderEntry):
        raise ValueError(f"expected Provider(...), OAuth2Provider(...) or None, got {describe_value(value)}")
    if value.settings.callback_path is not None:
        raise ValueError("callback_path is for providers that are known at start-up: leave it out")
    return replace(value.settings, name=name)


def _same_title_twice(providers: Mapping[str, ProviderSettings]) -> str | None:
    """Report providers that users could not tell apart on the page where they choose."""
    names: dict[str, str] = {}
    for name, settings in providers.items():
        other = names.setdefault(settings.shown_title.casefold(), name)
        if other != name:
            return f"{other} and {name} are both shown as {settings.shown_title!r}: give one of them another title"
    return None


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
    problems = client_problems(values) + exception_contradictions(values)
    if values.get("metadata") and "issuer" in values:
        problems += [f"metadata: {problem}" for problem in _metadata_problems(values)]
    return problems


def client_problems(values: Mapping[str, Any]) -> list[str]:
    """Return the problems of how the client authenticates."""
    problems = []
    method, secret = values.get("client_auth"), values.get("client_secret")
    if method not in (None, "none") and secret is None:
        problems.append(f"client_secret: missing; client_auth={method!r} needs it")
    if method == "none" and secret is not None:
        problems.append("client_auth: 'none' is for public clients: remove either client_auth or client_secret")
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
