"""The settings of one provider, checked."""

from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from asgi_oidc.protocol.authorization_details import Required, joined
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.entra import EntraRules
from asgi_oidc.protocol.issuer_template import PLACEHOLDER, Issuer
from asgi_oidc.protocol.jarm import SIGNED_MODES
from asgi_oidc.protocol.private_keys import PrivateKey
from asgi_oidc.protocol.provider_compatibility import LoginPlan
from asgi_oidc.protocol.response_algorithms import PinnedAlgorithms
from asgi_oidc.protocol.security_profile import find_profile
from asgi_oidc.protocol.step_up import SILENT, AuthenticationRequest, joined_prompt
from asgi_oidc.provider.http import HttpClient
from asgi_oidc.provider.provider_exceptions import ProviderExceptions
from asgi_oidc.provider.tls_contexts import TlsOptions
from asgi_oidc.safe_urls import check_url, origin_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """What the app has configured for one provider. The repr omits everything that may contain a secret.

    Attributes:
        title: the name that users see, None for one that is made from `name`.
        logo: id of one of our drawings; None for initials.
        name: as in `providers`, in URLs and in `user.provider`; empty for the one provider of the flat keywords.
        scope: requested scopes, separated by spaces; they count as granted if the provider does not return any
            (RFC 6749 §5.1).
        authorization_params: further parameters of the authorization request.
        metadata: members that replace those of the provider's metadata.
        algorithms: accepted for tokens.
        algorithms_named: whether the setting `algorithms` names them; otherwise they are the default.
        userinfo: `auto`, `always` or `never`.
        entra: what is special about Microsoft Entra; None for any other provider.
        exceptions: where the provider deviates from the specifications.
        hosted_domains: Google's organizations whose users may sign in, in lower case; empty for any account.
        reads_user_field: whether the form of the first login has the user's name in a field `user`, as Apple's has.
        http_client: the app's own; None for ours.
        callback_path: path of the redirect URI below `base_url`; None for the default one.
        par: `auto`, `always` or `never`.
        request_object: whether the authorization request is signed.
        request_object_signing_alg: the algorithm of that signature; None to choose from metadata.
        dpop: `never`, `auto` or `always`.
        authorization_details: what every login asks the user to authorize.
        profile: the security profile that everything has to meet; None for none.
        decryption_keys: of this client, for encrypted tokens.
        pinned: the algorithms that the client has registered for.
    """

    name: str = ""
    title: str | None = None
    logo: str | None = None
    issuer: str
    client: Client
    scope: str
    authorization_params: Mapping[str, str | Sequence[str]] = field(default_factory=dict, repr=False)
    metadata: Mapping[str, object] = field(default_factory=dict, repr=False)
    algorithms: Collection[str]
    algorithms_named: bool = False
    trusted_audiences: Collection[str] = ()
    trusted_email_domains: frozenset[str] = frozenset()
    userinfo: str = "auto"
    claims_from_access_token: bool = False
    frontchannel_logout: bool = False
    entra: EntraRules | None = None
    exceptions: ProviderExceptions = field(default_factory=ProviderExceptions)
    hosted_domains: frozenset[str] = frozenset()
    reads_user_field: bool = False
    http_client: HttpClient | None = field(default=None, repr=False)
    callback_path: str | None = None
    par: str = "auto"
    request_object: bool = False
    request_object_signing_alg: str | None = None
    dpop: str = "never"
    authorization_details: Required = field(default=(), repr=False)
    profile: str | None = None
    decryption_keys: Sequence[PrivateKey] = field(default=(), repr=False)
    pinned: PinnedAlgorithms = field(default_factory=PinnedAlgorithms)

    @property
    def tls(self) -> TlsOptions:
        """How our own HTTP client behaves in the TLS handshake with this provider."""
        return TlsOptions(self.client.certificate, only_recommended_ciphers=self.profile is not None)

    @property
    def issuers(self) -> Issuer:
        """The issuer of all tokens; the template of their issuers if `issuer` has a placeholder for the tenant."""
        return self.issuer if self.entra is None or PLACEHOLDER not in self.issuer else self.entra.template

    @property
    def origin(self) -> str:
        """The origin of the issuer, or of all issuers."""
        return origin_of(check_url(self.issuer.replace(PLACEHOLDER, "tenant")))

    @property
    def metadata_url(self) -> str | None:
        """Where the metadata is, None if it is below the issuer."""
        return self.exceptions.metadata_url or (None if self.entra is None else self.entra.metadata_url)

    @property
    def shown_title(self) -> str:
        """The name that users see."""
        return self.title or title_of(self.name)

    def has_issuer(self, issuer: str) -> bool:
        """Whether this is an issuer of the provider, exactly; other sites name it to start a login (OIDC Core §4)."""
        issuers = self.issuers
        return issuer == issuers if isinstance(issuers, str) else issuers.has_issuer(issuer)

    @property
    def label(self) -> str:
        """Identifies the provider in the cookie of a login; it changes if another provider gets the same name."""
        if not self.name:
            return ""
        identity = sha256(f"{self.issuer}\n{self.client.client_id}\n{self.endpoints_digest}".encode()).digest()[:6]
        return f"{self.name} {urlsafe_b64encode(identity).decode('ascii')}"

    @property
    def endpoints_digest(self) -> str:
        """Digest of the endpoints if only they tell this provider from a later one of the same name; else empty."""
        return ""

    @property
    def domains_trusted_at_login(self) -> frozenset[str]:
        """The trusted e-mail domains if they are applied to the claims of a session.

        With the flat keywords, they are applied to each request instead.
        """
        return self.trusted_email_domains if self.name else frozenset()

    @property
    def can_step_up(self) -> bool:
        """Whether a login can be asked to satisfy `acr_values` and `max_age`."""
        return True

    @property
    def response_mode(self) -> str | None:
        """The requested `response_mode`; None for the provider's default."""
        mode = self.authorization_params.get("response_mode")
        return None if mode is None else str(mode)

    @property
    def form_post(self) -> bool:
        """Whether the browser brings the authorization response as a form."""
        return self.response_mode in ("form_post", "form_post.jwt")

    @property
    def signed_response(self) -> bool:
        """Whether the authorization response is requested as a signed JWT (JARM §2.3)."""
        return self.response_mode in SIGNED_MODES

    @property
    def acr_values(self) -> tuple[str, ...]:
        """The authentication contexts that every login requests, from `authorization_params`."""
        return tuple(str(self.authorization_params.get("acr_values", "")).split())

    @property
    def requires_response_issuer(self) -> bool:
        """Whether a plain authorization response must have `iss`, an error too (FAPI 2.0 Security Profile §5.3.3.2)."""
        return self.profile is not None

    @property
    def restarts_logins(self) -> bool:
        """Whether a callback without a login in progress starts a fresh login, without a click of the user.

        With a profile, it does not: a response that fits no login ends there (FAPI 2.0 Security Profile §5.3.3.1).
        """
        return self.profile is None

    @property
    def login_plan(self) -> LoginPlan:
        """What logins need from the provider."""
        return LoginPlan(
            self.client,
            self.response_mode,
            None if self.algorithms_named else self.algorithms,
            uses_pkce=not self.exceptions.allow_missing_pkce,
            par=self.par,
            request_object=self.request_object,
            request_object_signing_alg=self.request_object_signing_alg,
            dpop=self.dpop,
            authorization_details=self.authorization_details,
            pinned=self.pinned,
            profile=find_profile(self.profile),
        )

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
        return AuthenticationRequest(
            acr_values or required_always,
            min(ages, default=None),
            authentication.prompt,
            params=authentication.params,
            authorization_details=joined(self.authorization_details, authentication.authorization_details),
        )

    def is_silent(self, authentication: AuthenticationRequest) -> bool:
        """Whether a login asks the provider to show no page; `prompt` of `authorization_params` may ask for one."""
        always = str(self.authorization_params.get("prompt", ""))
        return authentication.prompt == SILENT and joined_prompt(always, SILENT) == SILENT


def title_of(name: str) -> str:
    """Return the default title of a provider of this name."""
    return name.replace("-", " ").replace("_", " ").title()
