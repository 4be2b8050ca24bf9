"""What the settings of strong clients mean: keys instead of secrets, pushed and signed requests, bound tokens.

The texts have the same form as those of `keywords.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class StrongClientKeywords(TypedDict, total=False):
    """The settings of one provider with which a client protects itself better than with a secret."""

    client_key: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] | None
    """The private key with which the app authenticates to the provider (`private_key_jwt`), instead of a secret.

    As PEM without a passphrase or as JWK: RSA of 2048 to 8192 bits, EC on P-256, P-384 or P-521, or Ed25519. A list or
    a JWK Set rotates: the first key signs, and `/auth/jwks` publishes the public halves of all of them, each with the
    `kid` of the JWK, else its thumbprint (RFC 7638). To rotate, append the new key, move it to the front after ten
    minutes, and remove the old one later. A file is read again when it changes.

    Default: `None`. Variable: `OIDC_CLIENT_KEY`. Since 0.2.
    """

    client_certificate: str | None
    """The certificate with which the app authenticates in the TLS handshake (RFC 8705), as PEM.

    It begins with the certificate of this client; those of its issuers may follow in order. The private key belongs
    after them, or into `client_certificate_key`. The provider's token, userinfo and other endpoints are then called at
    `mtls_endpoint_aliases`, if its metadata has these. A file (`OIDC_CLIENT_CERTIFICATE_FILE`) is read again when it
    changes.

    Default: `None`. Variable: `OIDC_CLIENT_CERTIFICATE`. Since 0.2.
    """

    client_certificate_key: str | None
    """The private key of `client_certificate` if it is in a file of its own, as PEM.

    cert-manager mounts the two as `tls.crt` and `tls.key`: set `OIDC_CLIENT_CERTIFICATE_FILE` and
    `OIDC_CLIENT_CERTIFICATE_KEY_FILE`. While a renewal has changed only one of them, the old pair stays in use.

    Default: `None`. Variable: `OIDC_CLIENT_CERTIFICATE_KEY`. Since 0.2.
    """

    client_assertion_file: str | None
    """The path of a file with a signed assertion that another system renews: workload identity, without any secret.

    Such as the projected token of a Kubernetes service account, the token that a GitHub job has written, or the file
    that Entra names in `AZURE_FEDERATED_TOKEN_FILE`. It is read for each call, and sent as `client_assertion`.

    Default: `None`. Variable: `OIDC_CLIENT_ASSERTION_FILE`. Since 0.2.
    """

    token_endpoint_auth_signing_alg: str | None
    """The algorithm of the app's assertions, such as `PS256`, `ES256` or `EdDSA`; `HS256` with `client_secret_jwt`.

    Default: `None`, which takes the best one that the key allows and the metadata lists. Variable:
    `OIDC_TOKEN_ENDPOINT_AUTH_SIGNING_ALG`. Since 0.2.
    """

    client_assertion_typ: str
    """The `typ` in the header of the app's assertions: `client-authentication+jwt` or `JWT`.

    Set it to `JWT` for providers that refuse the standard's own type with `invalid_client`, such as Spring
    Authorization Server on Spring Security 6, and others that are made with Nimbus. It counts with `client_key` and
    with `client_secret_jwt`.

    Default: `"client-authentication+jwt"`. Variable: `OIDC_CLIENT_ASSERTION_TYP`. Since 0.2.
    """

    par: str
    """When the authorization request is pushed to the provider (RFC 9126): `auto`, `always` or `never`.

    The app then sends the parameters of a login to the provider itself, with its client authentication, and the browser
    carries only a reference to them. Each login that starts costs a call. `always` is also for a provider that requires
    it of this client only.

    Default: `"auto"`, which is where the provider's metadata requires it. Variable: `OIDC_PAR`. Since 0.2.
    """

    request_object: bool
    """Whether to sign the authorization request with `client_key` (RFC 9101).

    The provider then notices if anybody has changed it on its way through the browser. The request becomes long; with
    `par="always"`, the URL stays short. If the provider's metadata requires signed requests, they are signed anyway.

    Default: `False`. Variable: `OIDC_REQUEST_OBJECT`. Since 0.2.
    """

    request_object_signing_alg: str | None
    """The algorithm of signed requests, such as `PS256`, `ES256` or `EdDSA`.

    Default: `None`, which takes the best one that the key allows and the metadata lists. Variable:
    `OIDC_REQUEST_OBJECT_SIGNING_ALG`. Since 0.2.
    """

    dpop: str
    """When the tokens of a session are bound to a key of its own (DPoP, RFC 9449): `never`, `auto` or `always`.

    A stolen token is worth nothing then without the key, whose private half is kept with the session, encrypted with
    `secret`. `auto` binds them where the provider's metadata lists ES256 in `dpop_signing_alg_values_supported`;
    `always` also where the metadata does not say. If a key was sent and the provider answers with a bearer token, the
    login fails. APIs have to get such tokens with a proof: see `scope["oidc"].httpx_auth`. A change counts for the next
    logins: sessions go on as they started.

    Default: `"never"`. Variable: `OIDC_DPOP`. Since 0.2.
    """

    decryption_key: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] | None
    """The private key that decrypts ID Tokens, logout tokens, userinfo, introspection answers and signed responses.

    As PEM or as JWK: RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or X25519. A list rotates: all of its keys
    decrypt, at most 4. Only tokens that are signed inside are accepted, never `RSA1_5`, shared keys or compression; the
    settings below, such as `id_token_encrypted_response_alg`, refuse tokens that are not encrypted. Sessions keep the
    decrypted ID Token. Public halves are published with `use: enc`.

    Default: `None`. Variable: `OIDC_DECRYPTION_KEY`. Since 0.2.
    """

    authorization_details: Sequence[Mapping[str, Any]]
    """What the app asks the user to authorize at every login (RFC 9396), a list of objects with a `type`.

    `Rule(authorization_details=...)` asks for more where it is needed, and `login_url(authorization_details=...)` for
    one login. What was granted is in `scope["oidc"].authorization_details`.

    Default: `()`. Variable: `OIDC_AUTHORIZATION_DETAILS`. Since 0.2.
    """

    profile: str | None
    """A security profile that everything has to meet: `fapi2` or `fapi2-message-signing`.

    `fapi2` is the FAPI 2.0 Security Profile. It switches on `par` and `dpop`, unless `client_certificate` binds the
    tokens; permits `private_key_jwt` and certificates only, signatures by PS256, ES256 or EdDSA only, https and the
    recommended TLS ciphers only; and requires `iss` in each authorization response. `fapi2-message-signing` also signs
    requests (`request_object`), and requires signed responses (`response_mode=jwt`). What contradicts the profile is
    refused at start-up, in one error; what the provider lacks, before a login starts.
    An `http_client` of the app has TLS settings of its own: limit it to TLS 1.2 and these ciphers yourself. The profile
    is about this app as a client; as an API, let it refuse unbound tokens too: `Bearer(dpop="require")`, or `mtls`.
    With a profile, a callback that fits no login ends there: no fresh login starts without a click.

    Default: `None`. Variable: `OIDC_PROFILE`. Since 0.2.
    """
