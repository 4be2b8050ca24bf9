"""Encrypts what a client gets to the client's key (RFC 7516, RFC 7518 §4 and §5), and makes such keys."""

import base64
import contextlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from joserfc import jwe
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, RSAKey, import_key

RSA_ALGS = ("RSA-OAEP-256", "RSA-OAEP", "RSA1_5")
ECDH_ALGS = ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
ENCRYPTION_ALGS = ("RSA-OAEP-256", "RSA-OAEP", *ECDH_ALGS)
"""What the metadata offers; a client can register `RSA1_5` too, to see that it is refused."""
ENCRYPTION_ENCS = ("A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM")
DEFAULT_ENC = "A128CBC-HS256"  # OpenID Connect Registration §2
KEY_TYPES = {**dict.fromkeys(RSA_ALGS, "RSA"), **dict.fromkeys(ECDH_ALGS, "EC")}


class DecryptionKey:
    """A new key pair of a client, which decrypts what the fake provider encrypts to its public half.

        key = DecryptionKey()
        web = Client("web", jwks=[key.public_jwk], id_token_encrypted_response_alg=key.alg)
        app = OIDCMiddleware(my_app, decryption_key=key.pem, ...)

    Args:
        alg: The algorithm that it is used with: `RSA-OAEP-256`, `ECDH-ES+A256KW`, ...

    Raises:
        ValueError: The fake provider does not have this algorithm.
    """

    def __init__(self, alg: str = "RSA-OAEP-256") -> None:
        if alg not in KEY_TYPES:
            raise ValueError(f"alg {alg!r} is not one of {', '.join(KEY_TYPES)}")
        self.alg = alg
        self._key = RSAKey.generate_key(2048) if KEY_TYPES[alg] == "RSA" else ECKey.generate_key("P-256")

    def __repr__(self) -> str:
        return f"DecryptionKey({self.alg!r}, kid={self.kid!r})"

    @property
    def kid(self) -> str:
        """The thumbprint of the key (RFC 7638)."""
        return self._key.thumbprint()

    @property
    def public_jwk(self) -> dict[str, Any]:
        """The public key, as a client registers it."""
        return {**self._key.as_dict(private=False), **self._members()}

    @property
    def private_jwk(self) -> dict[str, Any]:
        """The private key as a JWK."""
        return {**self._key.as_dict(private=True), **self._members()}

    @property
    def pem(self) -> str:
        """The private key as PEM, without a passphrase."""
        return self._key.as_pem(private=True).decode()

    def decrypt(self, token: str) -> tuple[dict[str, Any], str]:
        """Return the header of a JWE and what is inside, as text.

        Raises:
            joserfc.errors.JoseError: It cannot be decrypted with this key.
        """
        header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
        with _without_warnings():
            decrypted = jwe.decrypt_compact(token, self._key, registry=_registry(header))
        return dict(decrypted.protected), (decrypted.plaintext or b"").decode()

    def _members(self) -> dict[str, Any]:
        return {"kid": self.kid, "use": "enc", "alg": self.alg}


def encryption_key(keys: Sequence[Mapping[str, Any]], alg: str) -> Mapping[str, Any] | None:
    """Return the first of a client's public keys that can be encrypted to with this algorithm."""
    fitting = (key for key in keys if key.get("kty") == KEY_TYPES.get(alg) and key.get("use", "enc") == "enc")
    return next((key for key in fitting if key.get("alg", alg) == alg), None)


def compact_jwe(header: Mapping[str, Any], plaintext: bytes, key: Mapping[str, Any]) -> str:
    """Return an encrypted token in the compact form.

    Args:
        header: With `alg` and `enc`; other members are deliberately not checked.
        key: The public JWK of the client, or a secret one (`oct`) for `dir`.
    """
    bare = {name: value for name, value in key.items() if name not in ("alg", "use", "kid")}
    imported = OctKey.import_key(bare) if key["kty"] == "oct" else import_key(bare)
    with _without_warnings():
        return jwe.encrypt_compact(dict(header), plaintext, imported, registry=_registry(header))


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Hide the warning about RSA1_5, with which a test finds out that it is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        yield


def _registry(header: Mapping[str, Any]) -> jwe.JWERegistry:
    names = [str(header[name]) for name in ("alg", "enc", "zip") if name in header]
    return jwe.JWERegistry(algorithms=names, strict_check_header=False)
