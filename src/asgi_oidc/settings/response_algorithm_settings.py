"""The settings that pin algorithms, as a part of `Settings`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseAlgorithmSettings:
    """The algorithms that the client has registered for, checked; see `ResponseAlgorithmKeywords`."""

    id_token_signed_response_alg: str | None
    id_token_encrypted_response_alg: str | None
    id_token_encrypted_response_enc: str | None
    userinfo_signed_response_alg: str | None
    userinfo_encrypted_response_alg: str | None
    userinfo_encrypted_response_enc: str | None
    authorization_signed_response_alg: str | None
    authorization_encrypted_response_alg: str | None
    authorization_encrypted_response_enc: str | None
    introspection_signed_response_alg: str | None
    introspection_encrypted_response_alg: str | None
    introspection_encrypted_response_enc: str | None
