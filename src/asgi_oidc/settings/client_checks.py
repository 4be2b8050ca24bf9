"""Checks that the settings with which the client authenticates fit together."""

from collections.abc import Iterator, Mapping
from typing import Any

from asgi_oidc.protocol.client_registration import ASSERTION_TYP
from asgi_oidc.protocol.jose_signing import SECRET_BYTES, SigningKey

_SECRET_METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt")
_HMAC = "client_secret_jwt"
_ASSERTION = "private_key_jwt"


def client_problems(values: Mapping[str, Any]) -> list[str]:
    """Return the problems of how the client authenticates; settings that could not be read are missing."""
    problems = [*_missing(values), *_unused(values), *_algorithm_problems(values), *_secret_problems(values)]
    return [*problems, *_typ_problems(values), *_request_object_problems(values), *_shared_key_problems(values)]


def _missing(values: Mapping[str, Any]) -> Iterator[str]:
    method = values.get("client_auth")
    if method in _SECRET_METHODS and values.get("client_secret") is None:
        yield f"client_secret: missing; client_auth={method!r} needs it"
    if method == _ASSERTION and not any(values.get(name) for name in ("client_key", "client_assertion_file")):
        yield f"client_key: missing; client_auth={method!r} needs it, or client_assertion_file"


def _unused(values: Mapping[str, Any]) -> Iterator[str]:
    """Report credentials that nothing uses: the app would seem to be better protected than it is."""
    method, key, file = (values.get(name) for name in ("client_auth", "client_key", "client_assertion_file"))
    key_signs_requests = bool(values.get("request_object"))
    if method == "none" and values.get("client_secret") is not None:
        yield "client_auth: 'none' is for public clients: remove either client_auth or client_secret"
    if method not in (None, _ASSERTION):
        if key and not key_signs_requests:
            yield f"client_key: nothing uses it with client_auth={method!r}: remove either client_key or client_auth"
        if file:
            yield (
                f"client_assertion_file: nothing uses it with client_auth={method!r}: remove either "
                "client_assertion_file or client_auth"
            )
    elif key and file and not key_signs_requests:
        yield "client_assertion_file: the app already signs its assertions with client_key: remove one of them"


def _algorithm_problems(values: Mapping[str, Any]) -> Iterator[str]:
    alg, key = values.get("token_endpoint_auth_signing_alg"), values.get("client_key")
    if alg is None:
        return
    if values.get("client_auth") == _HMAC:
        if alg not in SECRET_BYTES:
            yield f"token_endpoint_auth_signing_alg: {_HMAC} needs one of {', '.join(SECRET_BYTES)}, got {alg}"
    elif not _signs_with_key(values):
        yield "token_endpoint_auth_signing_alg: nothing uses it: the app signs no assertion with client_key"
    elif key and alg not in key[0].algorithms:
        yield f"token_endpoint_auth_signing_alg: {_not_able(key[0], alg)}"


def _not_able(key: SigningKey, alg: str) -> str:
    return f"the first client_key signs with {', '.join(key.algorithms)}, got {alg}"


def _typ_problems(values: Mapping[str, Any]) -> Iterator[str]:
    if values.get("client_assertion_typ", ASSERTION_TYP) == ASSERTION_TYP or values.get("client_auth") == _HMAC:
        return
    if "client_key" in values and not _signs_with_key(values):
        yield f"client_assertion_typ: nothing uses it: the app signs no assertion with client_key or by {_HMAC}"


def _signs_with_key(values: Mapping[str, Any]) -> bool:
    """Whether the app itself signs assertions with `client_key`."""
    is_method = values.get("client_auth") in (None, _ASSERTION)
    return bool(values.get("client_key")) and not values.get("client_assertion_file") and is_method


def _shared_key_problems(values: Mapping[str, Any]) -> Iterator[str]:
    """Report a key that signs and decrypts: what one use shows of it may break the other (RFC 7517 §4.2)."""
    signing = {key.thumbprint for key in values.get("client_key") or ()}
    if any(key.thumbprint in signing for key in values.get("decryption_key") or ()):
        yield "decryption_key: client_key has the same key: make another one for decryption (RFC 7517 §4.2)"


def _request_object_problems(values: Mapping[str, Any]) -> Iterator[str]:
    key, alg = values.get("client_key"), values.get("request_object_signing_alg")
    if values.get("request_object") and "client_key" in values and not key:
        yield "request_object: needs client_key, which signs the request"
    if alg is not None and key and alg not in key[0].algorithms:
        yield f"request_object_signing_alg: {_not_able(key[0], alg)}"
    if alg is not None and "client_key" in values and not key:
        yield "request_object_signing_alg: nothing uses it: set client_key, which signs requests"


def _secret_problems(values: Mapping[str, Any]) -> Iterator[str]:
    secret = values.get("client_secret")
    if values.get("client_auth") != _HMAC or secret is None:
        return
    alg = values.get("token_endpoint_auth_signing_alg") or "HS256"
    needed, length = SECRET_BYTES.get(alg, 0), len(secret.encode())
    if length < needed:
        yield (
            f"client_secret: client_auth={_HMAC!r} with {alg} needs at least {needed} bytes, got {length} "
            "(RFC 7518 §3.2): let the provider make a longer one, or use client_key"
        )
