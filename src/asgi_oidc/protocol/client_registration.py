"""The client that this app is at the provider: its id and its credentials."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from asgi_oidc.protocol.certificate_pair import CertificatePair
from asgi_oidc.protocol.jose_signing import SigningKey

CERTIFICATE_METHODS = ("tls_client_auth", "self_signed_tls_client_auth")  # of client authentication, RFC 8705 §2
ASSERTION_TYP = "client-authentication+jwt"  # draft-ietf-oauth-rfc7523bis §4; some providers require it
ASSERTION_TYPS = (ASSERTION_TYP, "JWT")


class SecretSigner(Protocol):
    """Makes client secrets that are valid for a short time only."""

    def sign(self, *, now: int) -> str:
        """Return a secret that is valid now, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of one call, which gets credentials of its own.

    Attributes:
        now: seconds since the epoch.
        audience: the issuer that gets them.
        jti: random, and new for each attempt.
        assertion: what the assertion file contains, if the client has one.
    """

    now: int
    audience: str
    jti: str
    assertion: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AssertionForm:
    """What distinguishes the assertions that a client makes from those for other providers.

    Attributes:
        typ: one of `ASSERTION_TYPS`, as `typ` in the header.
        audience: `aud`, None for the issuer.
        certificate_thumbprint: of the certificate by which the provider finds the key (`x5t#S256`, RFC 7515 §4.1.8);
            None where it knows the key by its `kid`.
    """

    typ: str = ASSERTION_TYP
    audience: str | None = None
    certificate_thumbprint: str | None = None


STANDARD_FORM = AssertionForm()


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client.

    Attributes:
        secret: None for a public client, and for one that has keys instead.
        auth_method: a name of RFC 7591 §2 (`token_endpoint_auth_method`), or None to choose from metadata.
        secret_signer: makes the secret for each call, instead of a fixed one; see `for_call`.
        certificate: our own HTTP client presents it in the TLS handshake; None for none.
        keys: the private keys; the first one signs.
        signing_alg: the algorithm of its assertions, or None to choose from metadata.
        assertion_form: what else the provider expects of them.
        encryption_keys: the public keys, as JWKs, to which the provider may encrypt.
        assertion_file: path of the file with an assertion that somebody else has signed.
        attempt: the call that is about to be made; None in between.
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

    keys: tuple[SigningKey, ...] = ()
    signing_alg: str | None = None
    assertion_form: AssertionForm = STANDARD_FORM
    encryption_keys: tuple[Mapping[str, str], ...] = field(default=(), compare=False)
    assertion_file: str | None = None
    attempt: Attempt | None = None

    @property
    def has_assertion(self) -> bool:
        """Whether the client can authenticate by an assertion that is signed with a private key."""
        return bool(self.keys) or self.assertion_file is not None

    @property
    def has_secret(self) -> bool:
        """Whether the client has a secret, or something that makes one."""
        return self.secret is not None or self.secret_signer is not None

    @property
    def is_confidential(self) -> bool:
        """Whether the client authenticates at all (RFC 6749 §2.1)."""
        return self.auth_method != "none" and (self.has_secret or self.has_assertion or self.presents_certificate)

    def for_call(self, *, now: int, audience: str, jti: str, assertion: str | None = None) -> "Client":
        """Return this client with the credentials for one attempt of one call; a fixed secret stays as it is.

        The arguments are those of `Attempt`.
        """
        secret = self.secret if self.secret_signer is None else self.secret_signer.sign(now=now)
        return replace(self, secret=secret, attempt=Attempt(now, audience, jti, assertion))
