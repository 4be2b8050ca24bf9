"""Which AEAD should encrypt our cookies, and what does decrypting one cost?

Run it as `python -m benchmarks.sealing`.
"""

import os
from collections.abc import Callable
from typing import Any

from benchmarks.harness import Harness
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV, AESOCB3, ChaCha20Poly1305

from asgi_oidc.sessions.sealing import Sealer

SIZES = (300, 1250)  # bytes: who signed in, and tokens with claims
CANDIDATES: dict[str, type[Any]] = {
    "AES-256-GCM": AESGCM,
    "AES-256-OCB3": AESOCB3,
    "ChaCha20-Poly1305": ChaCha20Poly1305,
    "AES-256-GCM-SIV": AESGCMSIV,
}
BOUND = b"x" * 150  # bytes: kind, name, issuer, client and base URL


def decrypt(name: str, size: int) -> Callable[[], Callable[[], object]]:
    """Decrypt a value with one of the candidates alone."""

    def make() -> Callable[[], object]:
        key, nonce = CANDIDATES[name](os.urandom(32)), os.urandom(12)
        sealed = key.encrypt(nonce, os.urandom(size), BOUND)
        return lambda: key.decrypt(nonce, sealed, BOUND)

    return make


def open_sealed(size: int) -> Callable[[], Callable[[], object]]:
    """Decrypt a value in the form that a cookie has."""

    def make() -> Callable[[], object]:
        sealer = Sealer([b"s" * 32], context=("https://id.example.com", "web", "https://app.example.com"))
        text = sealer.seal("session", "__Host-oidc", os.urandom(size))
        return lambda: sealer.open("session", "__Host-oidc", text)

    return make


def main() -> None:
    """Measure the candidates, then the complete decryption of a cookie's text."""
    harness = Harness("sealing")
    for size in SIZES:
        for name in CANDIDATES:
            harness.work(f"{name}, {size} bytes", decrypt(name, size))
        harness.work(f"a cookie of ours, {size} bytes", open_sealed(size))
    if not harness.is_main:
        return
    for size in SIZES:
        for name in (*CANDIDATES, "a cookie of ours"):
            least = harness.least[f"{name}, {size} bytes"]
            ratio = least / harness.least[f"AES-256-GCM-SIV, {size} bytes"]
            harness.row(f"{name}, {size} bytes", least * 1e6, "us", ratio=round(ratio, 2))
    harness.save()


if __name__ == "__main__":
    main()
