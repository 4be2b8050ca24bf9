"""The settings that pin the algorithms of the JWTs that a provider issues to this client.

Their names are those of the client metadata (OIDC Registration §2, JARM §3, RFC 9701 §6); the texts have the same form
as those of `keywords.py`.
"""

from typing import TypedDict


class ResponseAlgorithmKeywords(TypedDict, total=False):
    """The algorithms that the client is registered for, at one provider."""

    id_token_signed_response_alg: str | None
    """The only signature algorithm that ID Tokens and logout tokens may have.

    Example: `"PS256"`. If `algorithms` is set, it has to be one of those.

    Default: `None`, which accepts all of `algorithms`. Variable: `OIDC_ID_TOKEN_SIGNED_RESPONSE_ALG`. Since 0.2.
    """

    id_token_encrypted_response_alg: str | None
    """The algorithm with which ID Tokens must be encrypted; ones that are only signed are then refused.

    One of `RSA-OAEP-256`, `ECDH-ES`, `ECDH-ES+A128KW` and `ECDH-ES+A256KW`; or `RSA-OAEP`, which is accepted only if it
    is set here. It needs a `decryption_key` of a matching type. Logout tokens may be encrypted with it as well.

    Default: `None`, which accepts encrypted ID Tokens too if there is a `decryption_key`. Variable:
    `OIDC_ID_TOKEN_ENCRYPTED_RESPONSE_ALG`. Since 0.2.
    """

    id_token_encrypted_response_enc: str | None
    """The algorithm that encrypts the content of ID Tokens.

    One of `A128CBC-HS256`, `A256CBC-HS512`, `A128GCM` and `A256GCM`.

    Default: `None`, which accepts all four. Variable: `OIDC_ID_TOKEN_ENCRYPTED_RESPONSE_ENC`. Since 0.2.
    """

    userinfo_signed_response_alg: str | None
    """The only signature algorithm that userinfo may have; plain JSON is then refused.

    Default: `None`, which accepts plain JSON too. Variable: `OIDC_USERINFO_SIGNED_RESPONSE_ALG`. Since 0.2.
    """

    userinfo_encrypted_response_alg: str | None
    """The algorithm with which userinfo must be encrypted, as in `id_token_encrypted_response_alg`.

    Default: `None`. Variable: `OIDC_USERINFO_ENCRYPTED_RESPONSE_ALG`. Since 0.2.
    """

    userinfo_encrypted_response_enc: str | None
    """The algorithm that encrypts the content of userinfo, as in `id_token_encrypted_response_enc`.

    Default: `None`. Variable: `OIDC_USERINFO_ENCRYPTED_RESPONSE_ENC`. Since 0.2.
    """

    authorization_signed_response_alg: str | None
    """The only signature algorithm that authorization responses may have (JARM).

    It needs a `response_mode` of `jwt`, `query.jwt` or `form_post.jwt` in `authorization_params`.

    Default: `None`, which accepts all of `algorithms`. Variable: `OIDC_AUTHORIZATION_SIGNED_RESPONSE_ALG`. Since 0.2.
    """

    authorization_encrypted_response_alg: str | None
    """The algorithm with which authorization responses must be encrypted, as in `id_token_encrypted_response_alg`.

    Default: `None`. Variable: `OIDC_AUTHORIZATION_ENCRYPTED_RESPONSE_ALG`. Since 0.2.
    """

    authorization_encrypted_response_enc: str | None
    """The algorithm that encrypts the content of authorization responses, as in `id_token_encrypted_response_enc`.

    Default: `None`. Variable: `OIDC_AUTHORIZATION_ENCRYPTED_RESPONSE_ENC`. Since 0.2.
    """

    introspection_signed_response_alg: str | None
    """The only signature algorithm that introspection answers may have (RFC 9701); plain JSON is then refused.

    Default: `None`, which accepts plain JSON too. Variable: `OIDC_INTROSPECTION_SIGNED_RESPONSE_ALG`. Since 0.2.
    """

    introspection_encrypted_response_alg: str | None
    """The algorithm with which introspection answers must be encrypted, as in `id_token_encrypted_response_alg`.

    Default: `None`. Variable: `OIDC_INTROSPECTION_ENCRYPTED_RESPONSE_ALG`. Since 0.2.
    """

    introspection_encrypted_response_enc: str | None
    """The algorithm that encrypts the content of introspection answers, as in `id_token_encrypted_response_enc`.

    Default: `None`. Variable: `OIDC_INTROSPECTION_ENCRYPTED_RESPONSE_ENC`. Since 0.2.
    """
