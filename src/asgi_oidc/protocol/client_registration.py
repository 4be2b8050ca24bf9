"""The client that this app is at the provider: its id and its credentials."""

from dataclasses import dataclass, field, replace
from typing import Protocol

from asgi_oidc.protocol.certificate_pair import CertificatePair

CERTIFICATE_METHODS = ("tls_client_auth", "self_signed_tls_client_auth")  # of client authentication, RFC 8705 §2


class SecretSigner(Protocol):
    """Makes client secrets that are valid for a short time only."""

    def sign(self, *, now: int) -> str:
        """Return a secret that is valid now, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client.

    Attributes:
        secret: None for a public client.
        auth_method: a name of RFC 7591 §2 (`token_endpoint_auth_method`), or None to choose from metadata.
        secret_signer: makes the secret for each call, instead of a fixed one; see `for_call`.
        certificate: our own HTTP client presents it in the TLS handshake; None for none.
    """

    client_id: str
    secret: str | None = field(default=None, repr=False)
    auth_method: str | None = None
    secret_signer: SecretSigner | None = field(default=None, repr=False)
    certificate: CertificatePair | None = field(default=None, repr=False)

    @property
    def presents_certificate(self) -> bool:
        """Whether the provider gets a certificate in the TLS handshake: ours, or that of the app's own HTTP client."""
        return self.certificate is not None or self.auth_method in CERTIFICATE_METHODS

    def for_call(self, *, now: int, audience: str, jti: str) -> "Client":
        """Return this client with the credentials for one attempt of one call; a fixed secret stays as it is.

        Args:
            now: seconds since the epoch.
            audience: the issuer that gets them.
            jti: random, and new for each attempt.
        """
        return self if self.secret_signer is None else replace(self, secret=self.secret_signer.sign(now=now))
