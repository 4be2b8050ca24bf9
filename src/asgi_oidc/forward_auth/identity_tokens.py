"""A signed header that tells the app behind the proxy who the user is: a JWT that lives for a minute (RFC 7519)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from asgi_oidc.forward_auth.identity_headers import MAX_VALUE_LENGTH, IdentityTooLarge, claim_of
from asgi_oidc.principal import User
from asgi_oidc.protocol.jose_signing import SigningKey, public_jwk, sign_jwt

LIFETIME = 60  # seconds: the app gets it at once, and a copy from a log is soon worth nothing


@dataclass(frozen=True, slots=True)
class IdentityTokens:
    """Makes identity tokens.

    Attributes:
        header: the header that carries them, in lower case.
        issuer: the `base_url`.
        audience: the app, as it names itself when it checks the token; None for the origin of each request.
        claims: the claims of the user to pass on, beside `sub`.
        keys: the first signs; the app may still see tokens of the others after a rotation.
    """

    header: bytes
    issuer: str
    audience: str | None
    claims: Sequence[str]
    keys: Sequence[SigningKey]
    clock: Callable[[], float] = time.time

    def write(self, user: User, *, audience: str) -> bytes:
        """Return the token for a user.

        Args:
            audience: the origin of the request.

        Raises:
            IdentityTooLarge: it does not fit into a header.
        """
        now = int(self.clock())
        members: dict[str, Any] = {name: claim_of(user, name) for name in self.claims}
        members |= {
            "iss": self.issuer,
            "aud": self.audience or audience,
            "sub": user.sub,
            "iat": now,
            "exp": now + LIFETIME,
            "user_issuer": user.issuer,  # with several providers, `sub` alone does not identify a user
            "provider": user.provider,
            "credential": user.credential,
            "is_machine": user.is_machine,
            "client_id": user.client_id,
        }
        if members.get("email") is not None:
            members["email_verified"] = True
        present = {name: value for name, value in members.items() if value is not None}
        key = self.keys[0]
        token = sign_jwt(present, key, kid=key.thumbprint, typ="JWT").encode("ascii")
        if len(token) > MAX_VALUE_LENGTH:
            raise IdentityTooLarge(f"the token would have {len(token)} of at most {MAX_VALUE_LENGTH} bytes")
        return token

    def jwks(self) -> dict[str, Any]:
        """Return the public keys as a JWK Set (RFC 7517 §5)."""
        return {"keys": [public_jwk(key) for key in self.keys]}
