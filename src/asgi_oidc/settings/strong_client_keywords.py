"""What the settings of strong clients mean: keys instead of secrets, pushed and signed requests, bound tokens.

The texts have the same form as those of `keywords.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class StrongClientKeywords(TypedDict, total=False):
    """The settings of one provider that protect a client better than a secret does."""

    client_key: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] | None
    """The private key with which the app authenticates to the provider (`private_key_jwt`), instead of a secret.

    As PEM without a passphrase or as JWK: RSA of 2048 to 8192 bits, EC on P-256, P-384 or P-521, or Ed25519. A list or
    a JWK Set allows rotation: the first key signs, and `/auth/jwks` publishes the public halves of all of them, each
    with the `kid` of the JWK, else its thumbprint (RFC 7638). To rotate, append the new key, move it to the front after
    ten minutes, and remove the old one later. A file is read again when it changes.

    Default: `None`. Variable: `OIDC_CLIENT_KEY`. Since 0.2.
    """

    client_certificate: str | None
    """The certificate with which the app authenticates in the TLS handshake (RFC 8705), as PEM.

    The certificate of this client comes first; those of its issuers may follow in order. The private key comes after
    them, or is set as `client_certificate_key`. The provider's token, userinfo and other endpoints are then called at
    its `mtls_endpoint_aliases`, if the metadata has them. A file (`OIDC_CLIENT_CERTIFICATE_FILE`) is read again when it
    changes.

    Default: `None`. Variable: `OIDC_CLIENT_CERTIFICATE`. Since 0.2.
    """

    client_certificate_key: str | None
    """The private key of `client_certificate`, as PEM, if it is kept separately.

    cert-manager mounts the two as `tls.crt` and `tls.key`: set `OIDC_CLIENT_CERTIFICATE_FILE` and
    `OIDC_CLIENT_CERTIFICATE_KEY_FILE`. While a renewal has changed only one of them, the old pair stays in use.

    Default: `None`. Variable: `OIDC_CLIENT_CERTIFICATE_KEY`. Since 0.2.
    """

    client_assertion_file: str | None
    """The path of a file with a client assertion that another system signs and renews (workload identity).

    Examples: the projected token of a Kubernetes service account, a token that a GitHub job has written, the file that
    `AZURE_FEDERATED_TOKEN_FILE` names for Entra. The file is read for each call, and sent as `client_assertion`; the
    app needs no secret and no key.

    Default: `None`. Variable: `OIDC_CLIENT_ASSERTION_FILE`. Since 0.2.
    """

    token_endpoint_auth_signing_alg: str | None
    """The algorithm of client assertions, such as `PS256`, `ES256` or `EdDSA`; `HS256` with `client_secret_jwt`.

    Default: `None`, which takes the best one that the key allows and the metadata lists. Variable:
    `OIDC_TOKEN_ENDPOINT_AUTH_SIGNING_ALG`. Since 0.2.
    """

    client_assertion_typ: str
    """The `typ` in the header of client assertions: `client-authentication+jwt` or `JWT`.

    Set it to `JWT` for providers that refuse the standard type with `invalid_client`, such as Spring Authorization
    Server on Spring Security 6, and others built on Nimbus. It applies to assertions signed with `client_key`, and to
    `client_secret_jwt`.

    Default: `"client-authentication+jwt"`. Variable: `OIDC_CLIENT_ASSERTION_TYP`. Since 0.2.
    """

    par: str
    """When to push authorization requests to the provider (PAR, RFC 9126): `auto`, `always` or `never`.

    The app then sends the parameters of a login to the provider itself, with its client authentication, and the browser
    carries only a reference to them. This costs one call per login. Use `always` too if the provider requires pushed
    requests of this client without saying so in its metadata.

    Default: `"auto"`, which pushes requests if the provider's metadata requires it. Variable: `OIDC_PAR`. Since 0.2.
    """

    request_object: bool
    """Whether to sign authorization requests with `client_key`, as request objects (JAR, RFC 9101).

    The provider then rejects a request that was changed on its way through the browser. The URL becomes long, unless
    the request is pushed (`par="always"`). If the provider's metadata requires request objects, they are signed anyway.

    Default: `False`. Variable: `OIDC_REQUEST_OBJECT`. Since 0.2.
    """

    request_object_signing_alg: str | None
    """The algorithm that signs request objects, such as `PS256`, `ES256` or `EdDSA`.

    Default: `None`, which takes the best one that the key allows and the metadata lists. Variable:
    `OIDC_REQUEST_OBJECT_SIGNING_ALG`. Since 0.2.
    """

    dpop: str
    """When to bind the tokens of a session to a key of its own (DPoP, RFC 9449): `never`, `auto` or `always`.

    A stolen token is then useless without the private key, which is kept in the session, encrypted with `secret`.
    `auto` binds tokens if the provider's metadata lists ES256 in `dpop_signing_alg_values_supported`; `always` does so
    even if the metadata does not say. If a proof was sent and the provider issues a bearer token, the login fails. APIs
    accept bound tokens only with a proof: see `scope["oidc"].httpx_auth`. A change of this setting applies to new
    logins; existing sessions continue as they started.

    Default: `"never"`. Variable: `OIDC_DPOP`. Since 0.2.
    """

    decryption_key: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] | None
    """The private key that decrypts ID Tokens, logout tokens, userinfo, introspection answers and signed responses.

    As PEM or as JWK: RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or X25519. A list allows rotation: all
    of its keys decrypt, at most 4. The token inside has to be signed; `RSA1_5`, shared keys and compression are never
    accepted. To refuse tokens that are not encrypted, set `id_token_encrypted_response_alg` and its like. Sessions keep
    the decrypted ID Token. `/auth/jwks` publishes the public halves with `use: enc`.

    Default: `None`. Variable: `OIDC_DECRYPTION_KEY`. Since 0.2.
    """

    authorization_details: Sequence[Mapping[str, Any]]
    """The authorization details that every login requests (RAR, RFC 9396): a list of objects with a `type`.

    `Rule(authorization_details=...)` requires more for some pages, and `login_url(authorization_details=...)` requests
    more at one login. `scope["oidc"].authorization_details` has what was granted.

    Default: `()`. Variable: `OIDC_AUTHORIZATION_DETAILS`. Since 0.2.
    """

    profile: str | None
    """A security profile that everything has to meet: `fapi2` or `fapi2-message-signing`.

    `fapi2` is the FAPI 2.0 Security Profile. It switches on `par` and `dpop`, unless `client_certificate` binds the
    tokens; permits only `private_key_jwt` and certificates, only signatures with PS256, ES256 or EdDSA, only https, and
    only the recommended TLS ciphers; and requires `iss` in each authorization response. `fapi2-message-signing` also
    signs requests (`request_object`), and requires signed responses (`response_mode=jwt`). All settings that contradict
    the profile are listed in one error at start-up; what the provider lacks is an error before a login starts. A
    callback that belongs to no login in progress shows an error page instead of starting a fresh login.

    An `http_client` of the app has TLS settings of its own: limit it to TLS 1.2 and these ciphers yourself. The profile
    is about this app as a client; as an API, let it refuse unbound tokens too: `Bearer(dpop="require")`, or `mtls`.

    Default: `None`. Variable: `OIDC_PROFILE`. Since 0.2.
    """
