"""The settings of one provider with plain OAuth 2.0, checked."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from asgi_oidc.protocol.user_api import ISSUER_PREFIX, UserApi
from asgi_oidc.provider.provider_settings import ProviderSettings

DIGEST = 12  # bytes: nobody can make up endpoints with the digest of others


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2Settings(ProviderSettings):
    """What the app has configured for a provider without OpenID Connect.

    Attributes:
        issuer: a text that no other provider has; it follows from `name`.
        response_issuer: the `iss` of its authorization responses (RFC 9207); None if they have none.
        another_account_params: parameters of an authorization request that lets the user choose another account.
    """

    issuer: str = field(init=False, default="")
    algorithms: Sequence[str] = ()
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str | None = None
    user_api: UserApi
    response_issuer: str | None = None
    another_account_params: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "issuer", f"{ISSUER_PREFIX}{self.name}")

    def has_issuer(self, issuer: str) -> bool:
        """False: its `issuer` is a text of ours, so no other site knows it (OIDC Core §4)."""
        return False

    @property
    def endpoints_digest(self) -> str:
        """Digest of the endpoints that get codes and tokens, and say who the user is.

        `issuer` follows from `name`, which may be given to another company, whose client may have the same id.
        """
        urls = [url.partition("?")[0] for url in (self.token_endpoint, self.user_api.endpoint)]
        return urlsafe_b64encode(sha256("\n".join(urls).encode()).digest()[:DIGEST]).decode("ascii")

    @property
    def can_step_up(self) -> bool:
        """False: OAuth 2.0 says neither how nor when a user has signed in."""
        return False
