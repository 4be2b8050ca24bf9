"""The algorithms of the JWTs that a provider makes for this client (OIDC Registration §2, JARM §3, RFC 9701 §6)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

# `RSA-OAEP` rests on SHA-1 and `RSA1_5` leaks keys, so the first has to be named, and the second does not exist here;
# nor does anything with a shared key.
ENCRYPTION_ALGORITHMS = ("RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
NAMED_ALGORITHMS = (*ENCRYPTION_ALGORITHMS, "RSA-OAEP")
CONTENT_ALGORITHMS = ("A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM")
# The types and curves of the keys that each of them needs (RFC 7518 §4.3, §4.6; RFC 8037 §3.2).
_CURVES = (("EC", "P-256"), ("EC", "P-384"), ("EC", "P-521"), ("OKP", "X25519"))
KEYS_OF_ENCRYPTION = {
    **dict.fromkeys(("RSA-OAEP-256", "RSA-OAEP"), (("RSA", None),)),
    **dict.fromkeys(("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"), _CURVES),
}


@dataclass(frozen=True, slots=True)
class ResponseAlgorithms:
    """The algorithms of one kind of JWT; None for what the settings leave open.

    Attributes:
        signed: of its signature (`..._signed_response_alg`).
        encrypted: that encrypts the key of the content (`..._encrypted_response_alg`).
        enc: that encrypts the content (`..._encrypted_response_enc`).
    """

    signed: str | None = None
    encrypted: str | None = None
    enc: str | None = None

    @property
    def requires_jwt(self) -> bool:
        """Whether plain JSON is refused."""
        return self.signed is not None or self.encrypted is not None

    @property
    def encryption_algorithms(self) -> tuple[str, ...]:
        """The accepted ones."""
        return ENCRYPTION_ALGORITHMS if self.encrypted is None else (self.encrypted,)

    @property
    def content_algorithms(self) -> tuple[str, ...]:
        """The accepted ones."""
        return CONTENT_ALGORITHMS if self.enc is None else (self.enc,)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedAlgorithms:
    """The algorithms that the settings name for each kind of JWT; logout tokens have those of ID Tokens."""

    id_token: ResponseAlgorithms = ResponseAlgorithms()
    userinfo: ResponseAlgorithms = ResponseAlgorithms()
    authorization: ResponseAlgorithms = ResponseAlgorithms()
    introspection: ResponseAlgorithms = ResponseAlgorithms()

    def encrypted_with(self, kty: str, crv: str | None) -> frozenset[str]:
        """Return the named algorithms that a key of this type decrypts."""
        named = (self.id_token, self.userinfo, self.authorization, self.introspection)
        return frozenset(
            each.encrypted for each in named if each.encrypted and (kty, crv) in KEYS_OF_ENCRYPTION[each.encrypted]
        )

    def named(self) -> Iterator[tuple[str, str, str]]:
        """Return each named algorithm: the setting, the member of the metadata that has to list it, and itself."""
        for kind in KINDS:
            pinned: ResponseAlgorithms = getattr(self, kind)
            values = (pinned.signed, pinned.encrypted, pinned.enc)
            for setting, member, value in zip(SETTINGS_OF_KIND, MEMBERS_OF_KIND, values, strict=True):
                if value is not None:
                    yield f"{kind}_{setting}", f"{kind}_{member}", value


KINDS = tuple(field.name for field in fields(PinnedAlgorithms))
SETTINGS_OF_KIND = ("signed_response_alg", "encrypted_response_alg", "encrypted_response_enc")
MEMBERS_OF_KIND = (
    "signing_alg_values_supported",
    "encryption_alg_values_supported",
    "encryption_enc_values_supported",
)


def pinned_algorithms(values: Mapping[str, Any]) -> PinnedAlgorithms:
    """Return what the settings name, from checked values."""
    return PinnedAlgorithms(
        **{kind: ResponseAlgorithms(*(values.get(f"{kind}_{name}") for name in SETTINGS_OF_KIND)) for kind in KINDS}
    )
