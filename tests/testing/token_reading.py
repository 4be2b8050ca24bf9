"""Reads JWTs of the fake provider with the signature check alone, whatever else is wrong with them."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from asgi_oidc.testing import FakeProvider


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verified(provider: FakeProvider, token: str) -> tuple[dict[str, Any], bytes]:
    """Check the RSA signature; give header and payload."""
    start, _, signature = token.rpartition(".")
    header, _, payload = start.partition(".")
    private = provider.key.private
    assert isinstance(private, rsa.RSAPrivateKey)
    private.public_key().verify(decoded(signature), start.encode(), padding.PKCS1v15(), hashes.SHA256())
    return json.loads(decoded(header)), decoded(payload)
