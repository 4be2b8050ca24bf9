"""An app with a FAPI 2.0 profile: a user signs in, and the app then calls an API with the user's token."""

from dataclasses import dataclass
from typing import Any

import httpx

from asgi_oidc.testing import Client, ClientCertificate, ClientKey, FakeProvider
from tests.protected_site import Scope, Site

ISSUER = "https://id.example.com"
MTLS_ISSUER = "https://mtls.id.example.com"
CLIENT_KEY = ClientKey("ES256")
CERTIFICATE = ClientCertificate("web")


@dataclass(frozen=True)
class Variant:
    """A choice of the plan: how the client authenticates, and what its tokens are bound to."""

    profile: str
    client_auth: str
    binding: str

    def __str__(self) -> str:
        return f"{self.client_auth} and {self.binding}"

    @property
    def uses_dpop(self) -> bool:
        """Whether tokens are bound to a key of the session, and not to the client's certificate."""
        return self.binding == "dpop"

    @property
    def presents_certificate(self) -> bool:
        """Whether the client has a certificate."""
        return self.client_auth == "mtls" or not self.uses_dpop

    @property
    def signs(self) -> bool:
        """Whether request and response are signed."""
        return self.profile == "fapi2-message-signing"


def variants_of(profile: str) -> list[Variant]:
    """Return the choices that one process can try; a key with tokens bound to a certificate needs real TLS."""
    return [Variant(profile, *chosen) for chosen in (("private_key_jwt", "dpop"), ("mtls", "dpop"), ("mtls", "mtls"))]


class InvertedScheme(httpx.AsyncBaseTransport):
    """The way to an API that spells the scheme of its challenges in another case."""

    def __init__(self, api: FakeProvider) -> None:
        self._api = httpx.ASGITransport(app=api)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on, and change the challenge."""
        answer = await self._api.handle_async_request(request)
        if challenge := answer.headers.get("www-authenticate"):
            answer.headers["www-authenticate"] = challenge.replace("DPoP", "dPOP", 1)
        return answer


class StrongSite(Site):
    """A site with a profile, whose app answers each page with what an API says.

    The API is the provider's userinfo endpoint, which demands what a FAPI 2.0 resource server demands.
    """

    def __init__(self, variant: Variant, **settings: Any) -> None:
        self.variant = variant
        self.api_statuses: list[int] = []
        """What the API has answered, oldest first."""
        self.inverts_scheme = False
        provider = strong_provider(variant)
        super().__init__(**{**strong_settings(variant, provider), "provider": provider, **settings})
        self.app.at_work = self.call_the_api

    async def call_the_api(self, scope: Scope) -> None:
        """Be a page that calls an API for its user."""
        auth = scope["oidc"].httpx_auth(ISSUER if self.variant.uses_dpop else MTLS_ISSUER)
        async with self._api_client() as client:
            answer = await client.get(self.api_url, auth=auth)
        self.api_statuses.append(answer.status_code)

    @property
    def api_url(self) -> str:
        """The URL of the API; a token that is bound to a certificate needs one where certificates are presented."""
        return f"{ISSUER if self.variant.uses_dpop else MTLS_ISSUER}/userinfo"

    def _api_client(self) -> httpx.AsyncClient:
        if self.inverts_scheme:
            return httpx.AsyncClient(transport=InvertedScheme(self.provider))
        return self.provider.http_client(None if self.variant.uses_dpop else CERTIFICATE)


def strong_provider(variant: Variant) -> FakeProvider:
    """Return a provider as the suite has it: what it demands, and no endpoint that the plan does not name."""
    client = Client(
        "web",
        client_secret=None,
        jwks=[CLIENT_KEY.public_jwk],
        auth_methods=["tls_client_auth" if variant.client_auth == "mtls" else "private_key_jwt"],
        tls_client_auth_subject_dn=CERTIFICATE.subject_dn if variant.presents_certificate else None,
        tls_client_certificate_bound_access_tokens=not variant.uses_dpop,
    )
    provider = FakeProvider(ISSUER, alg="PS256", clients=[client])
    provider.further_algs = ("RS256",)
    provider.requires_par = True
    provider.requires_signed_requests = variant.signs
    provider.requires_dpop = variant.uses_dpop
    provider.dpop_nonces = "every_answer" if variant.uses_dpop else "never"
    provider.mtls_url = MTLS_ISSUER if variant.presents_certificate else None
    for endpoint in ("revocation_endpoint", "introspection_endpoint", "end_session_endpoint"):
        provider.metadata.pop(endpoint, None)
    return provider


def strong_settings(variant: Variant, provider: FakeProvider) -> dict[str, Any]:
    """Return what the app sets: the profile, its credentials, and nothing that the profile implies."""
    settings: dict[str, Any] = {"profile": variant.profile, "client_secret": ...}
    certificate = CERTIFICATE if variant.presents_certificate else None
    settings["http_client"] = provider.http_client(certificate)
    if variant.client_auth == "mtls":
        settings |= {"client_auth": "tls_client_auth", "dpop": "always" if variant.uses_dpop else "never"}
    if variant.client_auth == "private_key_jwt" or variant.signs:
        settings["client_key"] = CLIENT_KEY.pem
    return settings
