"""A DPoP key of a client: it proves that a request comes from the client that has the token (RFC 9449)."""

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from .keys import SigningKey, base64url, compact_jws, json_bytes, new_key, public_parts


class DPoPKey:
    """A new key pair, which signs proofs.

        key = DPoPKey()
        token = provider.access_token("alice", audience="https://api.example.com", dpop_key=key)
        async with api_client(app, token=token, dpop_key=key) as api:
            orders = await api.get("/orders")

    Args:
        alg: The algorithm of its proofs.
        clock: Returns seconds since the epoch.
    """

    def __init__(self, alg: str = "ES256", *, clock: Callable[[], float] = time.time) -> None:
        self.key: SigningKey = new_key(alg)
        self.clock = clock

    @property
    def alg(self) -> str:
        """The algorithm of its proofs."""
        return self.key.alg

    @property
    def public_jwk(self) -> dict[str, Any]:
        """The public key, as it is in the header of a proof."""
        return public_parts(self.key.private, self.alg)

    @property
    def thumbprint(self) -> str:
        """The thumbprint of the key (RFC 7638), which a token has in `cnf` as `jkt`."""
        canonical = json_bytes(dict(sorted(self.public_jwk.items())))
        return base64url(hashlib.sha256(canonical).digest())

    def proof(
        self,
        method: str,
        url: str,
        *,
        access_token: str | None = None,
        nonce: str | None = None,
        header: Mapping[str, Any] | None = None,
        signed_by: "DPoPKey | None" = None,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """Return a proof for one request (RFC 9449 §4.2).

        Args:
            method: The method of the request.
            url: Its URL; query and fragment are left out.
            access_token: The token that is sent along, for `ath`.
            nonce: What the server asked for.
            header: Members that replace those of the header; the value `...` removes one.
            signed_by: Another key that signs in place of this one, which makes the proof wrong.
            claims: The same for the claims.
        """
        made: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": url.partition("?")[0].partition("#")[0],
            "iat": int(self.clock()),
        }
        if access_token is not None:
            made["ath"] = base64url(hashlib.sha256(access_token.encode()).digest())
        if nonce is not None:
            made["nonce"] = nonce
        made = _replaced(made, claims or {})
        full_header = _replaced({"typ": "dpop+jwt", "alg": self.alg, "jwk": self.public_jwk}, header or {})
        return compact_jws(full_header, json_bytes(made), (signed_by or self).key)


def _replaced(members: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changes}.items() if value is not ...}
