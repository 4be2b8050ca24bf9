"""A client secret that is a signed JWT, made anew for each call, as Sign in with Apple requires.

It is not `private_key_jwt` (RFC 7523 §2.2): the JWT is sent as `client_secret`, and its `iss` is the team, not the
client.

Source: Apple, "Creating a client secret" (Sign in with Apple, REST API).
"""

from dataclasses import dataclass, field

from asgi_oidc.protocol.jose_signing import SigningKey, sign_jwt

LIFETIME = 300  # seconds; a secret is for one call
MAX_LIFETIME = 15_777_000  # seconds, six months; Apple refuses secrets that are valid for longer
APPLE = "https://appleid.apple.com"


@dataclass(frozen=True, slots=True)
class SignedSecret:
    """Makes client secrets; it is the `secret_signer` of a `Client`.

    Attributes:
        issuer: at Apple, the team id.
        subject: the client id.
        key_id: the id of the key at the provider.
        lifetime: seconds that a secret is valid.

    Raises:
        ValueError: the lifetime is not positive, or longer than `MAX_LIFETIME`.
    """

    issuer: str
    subject: str
    key_id: str
    key: SigningKey = field(repr=False)
    audience: str = APPLE
    lifetime: int = LIFETIME

    def __post_init__(self) -> None:
        if not 0 < self.lifetime <= MAX_LIFETIME:
            raise ValueError(f"expected a lifetime of 1 to {MAX_LIFETIME} seconds, got {self.lifetime}")

    def sign(self, *, now: int) -> str:
        """Return a secret that is valid from now on.

        Args:
            now: seconds since the epoch.
        """
        claims = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": self.audience,
            "iat": now,
            "exp": now + self.lifetime,
        }
        return sign_jwt(claims, self.key, kid=self.key_id)
