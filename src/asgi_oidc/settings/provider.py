"""`Provider`, the settings of one OpenID provider of several, and the ready-made ones."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, Unpack

from asgi_oidc.errors import SettingsError
from asgi_oidc.errors.sanitized import call_sanitized
from asgi_oidc.protocol.entra import AUTHORITIES
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.settings.profile_checks import with_profile
from asgi_oidc.settings.provider_checks import provider_contradictions
from asgi_oidc.settings.provider_keywords import ProviderKeywords
from asgi_oidc.settings.provider_readers import PROVIDER_READERS, provider_settings, read_title, read_values
from asgi_oidc.settings.ready_made.apple import apple
from asgi_oidc.settings.ready_made.entra import entra
from asgi_oidc.settings.ready_made.gitlab import gitlab
from asgi_oidc.settings.ready_made.google import google
from asgi_oidc.settings.ready_made.linkedin import linkedin
from asgi_oidc.settings.ready_made.preset import Preset


class ProviderEntry:
    """A value of `providers`, whichever kind of provider it is."""

    __slots__ = ("settings",)

    settings: ProviderSettings


class Provider(ProviderEntry):
    """One of several OpenID providers: a value of `providers`.

        providers={"google": Provider(issuer="https://accounts.google.com", client_id="...", client_secret="...")}

    Args:
        title: the name that users see on the page where they choose a provider; by default, it is made from the name.
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
            hosted_domains: the domains of the Google Workspace organizations whose users may sign in; by default, any
                Google account may.
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
            url: of a self-managed GitLab.
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

        The client secret is made from the key for each call. Apple sends the user's name only once, at the first login:
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

        A user is identified by `(issuer, sub)`, as always. Each tenant has its own issuer, and a user's `sub` differs
        from client to client: to recognise a user in several apps, use the claims `tid` and `oid`.

        Instead of a secret, `client_certificate` is the PEM with the certificate that is uploaded in the registration
        of the app, and its RSA key (or that is `client_certificate_key`). It is not presented in TLS: the key signs
        client assertions, as Entra documents them.

        Args:
            tenants: ids of the tenants whose users may sign in, or `"organizations"` for those of all tenants, without
                personal accounts.
            trusted_tenants: tenants whose e-mail addresses count as verified, whatever their administrators have
                entered. An address of another tenant counts as verified only if Entra has verified the owner of its
                domain (`xms_edov`).
            authority: the login host of a national cloud, such as `login.microsoftonline.us`.
            title: as in `Provider`; by default, "Microsoft".
            settings: as in `Provider`, without `issuer`, `client_key` and `trusted_email_domains`; the default of
                `userinfo` is `never`, because the ID Token has the same claims.

        Raises:
            SettingsError: the settings are invalid; it lists every problem with its fix.
        """
        try:
            return cls._ready_made(
                call_sanitized(
                    entra, dict(settings), tenants=tenants, trusted_tenants=trusted_tenants, authority=authority
                ),
                {"title": title, **settings},
            )
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
    values, problems = read_values(with_profile(raw), PROVIDER_READERS)
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
