"""The fake provider as a server for development: users from a file, keys of its own, and CORS for scripts."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from asgi_oidc.cli.provider.personas import PersonasFile
from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.keys import SigningKey, new_key
from asgi_oidc.web.asgi_types import Message, Receive, Scope, Send

ALGORITHM = "RS256"  # the only one that every client has
# Fetch: CORS protocol. Nothing here is decided by a cookie but the login page, which no script may read.
CORS_PATHS = ("/openid-configuration", "/oauth-authorization-server", "/jwks", "/token", "/userinfo", "/revoke")
CORS_HEADERS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-allow-methods", b"GET, POST"),
]


class InvalidKeyFile(Exception):
    """The file of the signing key cannot be used; the message says why."""


class DevelopmentProvider(FakeProvider):
    """A fake provider whose key no other run has, unless a file keeps it.

    Apps cache keys by their id: with an id that is always the same, they would not notice that another run has another
    key, and would refuse its tokens for minutes.
    """

    users: PersonasFile | None = None

    def __init__(self, *args: Any, signing_key: SigningKey, **settings: Any) -> None:
        self._signing_key = signing_key
        super().__init__(*args, alg=ALGORITHM, **settings)

    @property
    def key(self) -> SigningKey:
        """The signing key."""
        return self._signing_key

    @property
    def published_keys(self) -> list[dict[str, Any]]:
        """The keys that the JWKS contains."""
        return [self._signing_key.public_jwk()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request, with the newest users."""
        newest = None if self.users is None else self.users.newest()
        if newest is not None:
            self.personas = dict(newest)
        if scope["type"] != "http" or not str(scope["path"]).endswith(CORS_PATHS):
            await super().__call__(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": CORS_HEADERS})
            await send({"type": "http.response.body", "body": b""})
            return

        async def send_with_cors(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *CORS_HEADERS]}
            await send(message)

        await super().__call__(scope, receive, send_with_cors)


def new_signing_key() -> SigningKey:
    """Make a key that no other run has."""
    return new_key(ALGORITHM)


def kept_signing_key(path: Path) -> SigningKey:
    """Return the key in a file; the first time, make one and write it.

    Raises:
        InvalidKeyFile: the file cannot be read or written, or is not an RSA key.
    """
    try:
        if not path.exists():
            _write(path, new_signing_key())
        private = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise InvalidKeyFile(f"{path}: {error.strerror}") from None
    except (ValueError, TypeError):
        raise InvalidKeyFile(f"{path}: expected an RSA key in PEM, without a passphrase") from None
    if not isinstance(private, RSAPrivateKey):
        raise InvalidKeyFile(f"{path}: expected an RSA key")
    return SigningKey(f"kept-{private.public_key().public_numbers().n % 10**12}", ALGORITHM, private)


def _write(path: Path, key: SigningKey) -> None:
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(pem)
