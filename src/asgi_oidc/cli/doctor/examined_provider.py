"""One provider while it is checked: its settings, how it is called, and what is known about it so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from asgi_oidc.cli.doctor.calls import RecordingClient
from asgi_oidc.cli.doctor.examined_app import ExaminedApp, name_setting
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.protocol.back_channel import BackChannel
from asgi_oidc.protocol.dpop.make_proof import DPoPKey, make_dpop_key
from asgi_oidc.protocol.metadata import ProviderMetadata, ServerMetadata
from asgi_oidc.protocol.provider_compatibility import supports_dpop
from asgi_oidc.provider.client_calls import ClientCalls
from asgi_oidc.provider.dpop_calls import DPoPCalls
from asgi_oidc.provider.http import Http, HttpClient
from asgi_oidc.provider.oauth2_settings import OAuth2Settings
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.safe_urls import check_url, origin_of


@dataclass(slots=True)
class ExaminedProvider:
    """One provider while it is checked.

    Attributes:
        calls: makes the calls for which the client authenticates; it remembers the nonces for DPoP.
        metadata: None until it is known.
        published: the members that the provider publishes; empty until they are known.
        is_reachable: False once a call has shown that no other one will be answered.
        is_client_accepted: False once a call has shown that no other one with the same credentials will succeed.
        checked: the subjects that were checked.
    """

    site: ExaminedApp
    settings: ProviderSettings
    client: RecordingClient = field(repr=False)
    http: Http = field(repr=False)
    calls: ClientCalls = field(repr=False)
    metadata: ServerMetadata | None = None
    published: Mapping[str, object] = field(default_factory=dict)
    is_reachable: bool = True
    is_client_accepted: bool = True
    checked: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, site: ExaminedApp, settings: ProviderSettings, own: HttpClient) -> "ExaminedProvider":
        """Prepare the checks of a provider.

        Args:
            own: the client for providers without one of their own; it presents the certificate of this one.
        """
        configured = settings.http_client or site.settings.http_client
        client = RecordingClient(configured or own, site.budget, site.clock)
        http = Http(client)
        channel = _back_channel_of(settings)
        dpop = DPoPCalls(http, clock=site.clock, public_url=lambda url: channel.public_url(url, issuer=settings.issuer))
        calls = ClientCalls(http, settings.client, issuer=settings.issuer, clock=site.clock, dpop=dpop)
        return cls(site, settings, client, http, calls)

    @property
    def name(self) -> str:
        """How reports name it: by its name, or by its issuer if it is the only one."""
        if self.settings.name:
            return self.settings.name
        return origin_of(check_url(self.settings.issuer)) if self.openid else self.settings.issuer

    @property
    def openid(self) -> bool:
        """Whether it is an OpenID provider."""
        return not isinstance(self.settings, OAuth2Settings)

    @property
    def back_channel(self) -> BackChannel:
        """How it is called."""
        return _back_channel_of(self.settings)

    def new_dpop_key(self) -> DPoPKey | None:
        """Return the key that a login would have; None if its tokens are not bound to one."""
        setting, metadata = self.settings.dpop, self.openid_metadata
        if metadata is None or setting == "never":
            return None
        # Where the metadata lists other algorithms only, `always` is an error that is reported already.
        is_unlisted = setting == "always" and not metadata.dpop_signing_alg_values_supported
        return make_dpop_key() if is_unlisted or supports_dpop(metadata) else None

    @property
    def openid_metadata(self) -> ProviderMetadata | None:
        """The metadata of an OpenID provider; None until it is known."""
        return self.metadata if isinstance(self.metadata, ProviderMetadata) else None

    @property
    def unchecked(self) -> list[str]:
        """The subjects that should have been checked, and could not be; not every provider tells the time."""
        subjects = ("discovery", "keys", "client", "uris") if self.openid else ("client",)
        return [subject for subject in subjects if subject not in self.checked]

    def setting(self, name: str) -> str:
        """Name a setting of this provider, and its variable."""
        return name_setting(name, self.settings.name)

    def found(self, name: str, problem: str, fix: str = "") -> Finding:
        """Make a finding about this provider."""
        return Finding(name, problem, fix, where=self.name)


def _back_channel_of(settings: ProviderSettings) -> BackChannel:
    exceptions = settings.exceptions
    return BackChannel(exceptions.internal_url, exceptions.allow_http_hosts)
