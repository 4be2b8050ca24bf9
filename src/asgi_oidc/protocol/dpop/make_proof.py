"""Makes DPoP proofs for our own calls, and the keys that they prove possession of (RFC 9449 §4.2)."""

from dataclasses import dataclass, field

from asgi_oidc.errors import OIDCError
from asgi_oidc.protocol.dpop.proof_format import PROOF_TYPE, access_token_hash
from asgi_oidc.protocol.jose_signing import (
    SigningKey,
    derive_signing_key,
    make_signing_key,
    private_value,
    sign_proof_with_its_own_key,
)

ALGORITHM = "ES256"  # of all proofs that we make; every provider with DPoP is known to support it


@dataclass(frozen=True, slots=True)
class DPoPKey:
    """The key to which the tokens of one session are bound. Keys are equal if their thumbprints are."""

    signing_key: SigningKey = field(repr=False)

    @property
    def thumbprint(self) -> str:
        """The thumbprint of the public key, which `dpop_jkt` and the tokens have (RFC 9449 §6.1, §10)."""
        return self.signing_key.thumbprint

    @property
    def text(self) -> str:
        """The private key in 43 characters, for `read_dpop_key`; only what is sealed may contain it."""
        return private_value(self.signing_key)

    def proof(
        self, method: str, url: str, *, now: int, jti: str, access_token: str | None = None, nonce: str | None = None
    ) -> str:
        """Return the proof for one request.

        Args:
            url: as the server sees it; its query and fragment are left out.
            now: seconds since the epoch.
            jti: random, and new for each attempt.
            access_token: the one that is sent along, to an API or to userinfo.
            nonce: what the server has asked for.
        """
        claims: dict[str, object] = {"jti": jti, "htm": method, "htu": _without_query(url), "iat": now}
        if access_token is not None:
            claims["ath"] = access_token_hash(access_token)
        if nonce is not None:
            claims["nonce"] = nonce
        return sign_proof_with_its_own_key(claims, self.signing_key, typ=PROOF_TYPE)


def make_dpop_key() -> DPoPKey:
    """Return a new key."""
    return DPoPKey(make_signing_key())


def read_dpop_key(text: str) -> DPoPKey | None:
    """Return the key of a session or a login in progress; None if it has none.

    It takes a fraction of a millisecond, so only what uses the key reads it.

    Raises:
        OIDCError: `dpop_key_unreadable`; the error says nothing about the text.
    """
    if not text:
        return None
    try:
        key = DPoPKey(derive_signing_key(text))
    except ValueError:
        del text
    else:
        return key
    raise OIDCError("dpop_key_unreadable", "the DPoP key of the session cannot be read: the user has to sign in again")


def _without_query(url: str) -> str:
    return url.partition("#")[0].partition("?")[0]
