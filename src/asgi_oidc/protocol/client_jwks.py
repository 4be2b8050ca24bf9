"""The JWK Set of this app as a client: its public keys, for providers to verify and to encrypt with (RFC 7517 §5)."""

from collections.abc import Iterable

from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.jose_signing import public_jwk
from asgi_oidc.protocol.jwk_thumbprint import public_key_thumbprint


def client_jwks(clients: Iterable[Client]) -> dict[str, list[dict[str, str]]]:
    """Return the public keys of all clients; a key that several of them have is listed once."""
    keys: dict[tuple[str, str], dict[str, str]] = {}
    for client in clients:
        for key in client.keys:
            keys.setdefault((key.kid, key.thumbprint), public_jwk(key))
        for jwk in client.encryption_keys:
            keys.setdefault((jwk["kid"], public_key_thumbprint(jwk)), dict(jwk))
    return {"keys": list(keys.values())}
