"""Signed authorization requests: JWT-Secured Authorization Requests (RFC 9101; FAPI 2.0 Message Signing §5.3)."""

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.authorization_endpoint import Params
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.jose_signing import SigningKey, sign_jwt
from asgi_oidc.protocol.json_objects import InvalidJSON, read_array, read_object
from asgi_oidc.protocol.metadata import ProviderMetadata

TYPE = "oauth-authz-req+jwt"  # §10.8
LIFETIME = 300  # seconds from `nbf`; providers that follow FAPI 2.0 accept up to an hour
# Parameters that OpenID Connect wants beside the object in the URL (OIDC Core §6.1); those in the object count.
BESIDE_OBJECT = ("client_id", "response_type", "scope")


def choose_request_key(metadata: ProviderMetadata, client: Client, alg: str | None) -> SigningKey:
    """Return the key that signs requests, with its algorithm: as set, else the first that both sides support.

    Args:
        alg: the setting `request_object_signing_alg`.

    Raises:
        AnswerRejected: `request_object_required` without a key; `request_object_unsupported` without an algorithm in
            common.
    """
    if not client.keys:
        raise AnswerRejected("request_object_required", "the request has to be signed, but there is no client_key")
    key, supported = client.keys[0], metadata.request_object_signing_alg_values_supported
    if alg is not None:
        return key.with_algorithm(alg)
    if not isinstance(supported, list) or not supported:
        return key
    for able in key.algorithms:
        if able in supported:
            return key.with_algorithm(able)
    listed = ", ".join(str(name) for name in supported[:10])
    detail = f"the provider accepts {listed}, but client_key signs with {', '.join(key.algorithms)}"
    raise AnswerRejected("request_object_unsupported", detail)


def sign_request(parameters: Params, key: SigningKey, *, issuer: str, now: int, jti: str) -> str:
    """Return the request object.

    Args:
        parameters: those of the authorization request, with `client_id`.
        issuer: the provider, the only audience.
        now: seconds since the epoch.
        jti: random.
    """
    claims: dict[str, object] = {name: _claim(name, value) for name, value in parameters.items()}
    # These come last: no parameter may replace them.
    claims |= {
        "iss": parameters["client_id"],
        "aud": issuer,
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
        "jti": jti,
    }
    return sign_jwt(claims, key, typ=TYPE)


def _claim(name: str, value: object) -> object:
    """Return the value of a parameter as JSON: a number is a number there, and JSON is no text (§4)."""
    if not isinstance(value, str):
        return list(value) if isinstance(value, tuple) else value
    if name == "max_age" and value.isascii() and value.isdigit():
        return int(value)
    try:
        if name == "authorization_details":
            return read_array(value.encode())
        return read_object(value.encode()) if name == "claims" else value
    except InvalidJSON:  # a mistake of the app, which the provider reports
        return value
