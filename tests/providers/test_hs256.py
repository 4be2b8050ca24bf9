"""Providers that sign tokens with the client secret (HS256)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest

from asgi_oidc.testing import Client, FakeProvider
from tests.logout_site import LogoutSite, sid_of
from tests.protected_site import Site
from tests.token_site import LIFETIME, TokenSite

LONG_SECRET = "a-client-secret-of-exactly-32-b."


class SecretSigner(FakeProvider):
    """A provider that signs ID Tokens and logout tokens with the secret of the client.

    Args:
        secret: of the client.
        signs_with: another secret to sign with, as an attacker might.
    """

    def __init__(self, secret: str = LONG_SECRET, *, signs_with: str | None = None) -> None:
        super().__init__(clients=[Client("web", client_secret=secret)], alg="ES256")
        self.signing_secret = signs_with or secret
        self.uses_secret = True

    def _signed_again(self, token: str) -> str:
        if not self.uses_secret:
            return token
        header, payload, _ = token.split(".")
        members = {**json.loads(decoded(header)), "alg": "HS256"}
        start = f"{encoded(json.dumps(members).encode())}.{payload}"
        return f"{start}.{encoded(hmac.digest(self.signing_secret.encode(), start.encode(), hashlib.sha256))}"

    def id_token_of(self, *args: Any, **options: Any) -> str:
        """Return the ID Token of a grant."""
        original = super().id_token_of(*args, **options)
        token = self._signed_again(original)
        self.memory.id_tokens[token] = self.memory.id_tokens[original]
        return token

    def logout_token(self, sub: str | None = "alice", **options: Any) -> str:
        """Return a logout token."""
        return self._signed_again(super().logout_token(sub, **options))


def encoded(data: bytes) -> str:
    """Encode base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Decode base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


ALLOWED: Mapping[str, Any] = {"client_secret": LONG_SECRET, "allow_hs256": True}
BOTH: Mapping[str, Any] = {**ALLOWED, "algorithms": ["HS256", "ES256"]}


async def test_hs256_needs_the_exception():
    """By default, knowing the client secret is not enough to forge tokens."""
    refused = await Site(provider=SecretSigner(), client_secret=LONG_SECRET).failed_login()

    site = Site(provider=SecretSigner(), **ALLOWED)
    await site.signed_in()

    assert refused.json()["error"] == "alg_not_allowed"
    assert site.provider.count("/jwks") == 0


async def test_another_secret_does_not_sign():
    """The signature is what counts."""
    site = Site(provider=SecretSigner(signs_with="another-secret-of-more-than-32-bytes"), **ALLOWED)

    response = await site.failed_login()

    assert response.json()["error"] == "signature"


async def test_a_key_of_the_provider_does_not_sign_if_the_secret_does():
    """One provider signs the tokens of one client in one way."""
    provider = SecretSigner()
    provider.uses_secret = False

    response = await Site(provider=provider, **ALLOWED).failed_login()

    assert response.json()["error"] == "alg_not_allowed"


async def test_both_sign_if_both_are_named():
    """For a provider that is about to change from one to the other."""
    provider = SecretSigner()
    site = Site(provider=provider, **BOTH)

    await site.signed_in()
    provider.uses_secret = False
    await site.signed_in("bob")


@pytest.mark.parametrize("fault", ["id_token_hs256_with_public_key", "id_token_hs256_with_oct_key"])
@pytest.mark.parametrize("settings", [ALLOWED, BOTH], ids=["alone", "both"])
async def test_a_key_of_the_jwks_is_never_a_secret(fault, settings):
    """Anyone can read it (RFC 8725 §2.1)."""
    provider = SecretSigner()
    provider.uses_secret = False
    site = Site(provider=provider, **settings)

    response = await site.failed_login(fault, "jwks_junk_keys")

    assert response.json()["error"] == "signature"


@pytest.mark.parametrize("fault", ["id_token_alg_none", "id_token_crit", "id_token_wrong_nonce", "id_token_wrong_aud"])
async def test_all_other_checks_are_as_strict_as_before(fault):
    """The secret only replaces the key."""
    provider = SecretSigner()
    provider.uses_secret = fault != "id_token_alg_none"

    expected = await Site().failed_login(fault)
    response = await Site(provider=provider, **ALLOWED).failed_login(fault)

    assert response.json()["error"] == expected.json()["error"]


async def test_a_refresh_accepts_the_same_signature():
    """The ID Token of a refresh is signed in the same way."""
    site = TokenSite(provider=SecretSigner(), **ALLOWED)
    browser = await site.signed_in()
    site.clock.advance(LIFETIME)

    page = await browser.get("/page")

    assert (page.status_code, site.refreshes) == (200, 1)


@pytest.mark.parametrize(("signs_with", "status"), [(LONG_SECRET, 200), ("another-secret-of-more-than-32-bytes", 400)])
async def test_logout_tokens_are_signed_with_the_secret_too(signs_with, status):
    """Back-Channel Logout 1.0 §2.6."""
    provider = SecretSigner()
    site = LogoutSite(provider=provider, **ALLOWED)
    browser = await site.signed_in()
    sid = await sid_of(browser)
    provider.signing_secret = signs_with

    answer = await site.hear(provider.logout_token("alice", sid=sid))

    assert answer.status == status


async def test_a_secret_counts_by_its_bytes():
    """`ä` is two bytes in UTF-8; the provider signs with the same ones."""
    secret = "ä" * 16
    site = Site(provider=SecretSigner(secret), client_secret=secret, allow_hs256=True)

    await site.signed_in()
