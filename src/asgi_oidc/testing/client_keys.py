"""A key of a client: it signs the client's assertions (RFC 7523) and its request objects (RFC 9101)."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from .dpop_proofs import thumbprint_of
from .grants import overridden
from .keys import SigningKey, compact_jws, json_bytes, new_key

ASSERTION_LIFETIME = 60  # seconds
REQUEST_LIFETIME = 300  # seconds


class ClientKey:
    """A new key pair of a client, which the fake provider knows by its public half.

        key = ClientKey()
        provider = FakeProvider(clients=[Client("web", client_secret=None, jwks=[key.public_jwk])])
        app = OIDCMiddleware(my_app, client_key=key.pem, ...)

    Args:
        alg: The algorithm of its signatures.
        clock: Returns seconds since the epoch.
    """

    def __init__(self, alg: str = "ES256", *, clock: Callable[[], float] = time.time) -> None:
        key = new_key(alg)
        self.key: SigningKey = replace(key, kid=thumbprint_of(key.public_jwk()))
        self.clock = clock

    def __repr__(self) -> str:
        return f"ClientKey({self.key.alg!r}, kid={self.kid!r})"

    @property
    def kid(self) -> str:
        """The name of the key in the header of what it signs: its thumbprint (RFC 7638)."""
        return self.key.kid

    @property
    def public_jwk(self) -> dict[str, Any]:
        """The public key, as a client registers it."""
        return self.key.public_jwk()

    @property
    def pem(self) -> str:
        """The private key as PEM, without a passphrase."""
        return self.key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def assertion(
        self,
        client_id: str,
        issuer: str,
        *,
        header: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """Return a client assertion for one call (RFC 7523 §3, OpenID Connect Core §9).

        Args:
            client_id: The client that signs.
            issuer: The issuer of the provider, which is the audience.
            header: Members that replace those of the header; the value `...` removes one.
            claims: The same for the claims.
        """
        now = int(self.clock())
        made: dict[str, Any] = {
            "iss": client_id,
            "sub": client_id,
            "aud": issuer,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + ASSERTION_LIFETIME,
        }
        return self.sign(overridden(made, claims or {}), header=header)

    def request_object(
        self,
        params: Mapping[str, Any],
        issuer: str,
        *,
        header: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """Return a signed authorization request (RFC 9101 §4).

        Args:
            params: The parameters of the request, with `client_id`.
            issuer: The issuer of the provider, which is the audience.
            header: Members that replace those of the header; the value `...` removes one.
            claims: The same for the claims.
        """
        now = int(self.clock())
        made = {"iss": params["client_id"], "aud": issuer, "nbf": now, "exp": now + REQUEST_LIFETIME, **params}
        return self.sign(overridden(made, claims or {}), header={"typ": "oauth-authz-req+jwt", **(header or {})})

    def sign(self, claims: Mapping[str, Any], *, header: Mapping[str, Any] | None = None) -> str:
        """Sign any claims, in the compact form."""
        full_header = overridden({"alg": self.key.alg, "kid": self.kid}, header or {})
        return compact_jws(full_header, json_bytes(dict(claims)), self.key)
