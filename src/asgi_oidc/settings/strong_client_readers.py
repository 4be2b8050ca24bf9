"""Reads the values of the settings of strong clients: the default of each, and what it accepts."""

from collections.abc import Callable, Mapping
from typing import Any

from asgi_oidc.protocol.authorization_details import read_required
from asgi_oidc.protocol.client_registration import ASSERTION_TYP, ASSERTION_TYPS
from asgi_oidc.protocol.jose_decryption import MAX_KEYS, read_decryption_key
from asgi_oidc.protocol.jose_signing import SECRET_BYTES, SIGNING_ALGORITHMS
from asgi_oidc.protocol.private_keys import PrivateKey
from asgi_oidc.protocol.security_profile import PROFILES
from asgi_oidc.settings.certificate_checks import read_pem
from asgi_oidc.settings.key_readers import read_keys, read_signing_keys
from asgi_oidc.settings.value_checks import read_one_of, read_switch, read_text


def read_decryption_keys(value: object) -> tuple[PrivateKey, ...]:
    """Read keys that decrypt."""
    keys = read_keys(value, read_decryption_key)
    if len(keys) > MAX_KEYS:
        raise ValueError(f"must have at most {MAX_KEYS} keys, got {len(keys)}: remove those that are not used any more")
    return keys


def _read_assertion_alg(value: object) -> str:
    return read_one_of(value, (*SIGNING_ALGORITHMS, *SECRET_BYTES))


def _read_assertion_typ(value: object) -> str:
    return read_one_of(value, ASSERTION_TYPS)


def _read_request_alg(value: object) -> str:
    return read_one_of(value, SIGNING_ALGORITHMS)


def _read_par(value: object) -> str:
    return read_one_of(value, ("auto", "always", "never"))


def _read_dpop(value: object) -> str:
    return read_one_of(value, ("never", "auto", "always"))


def _read_profile(value: object) -> str:
    return read_one_of(value, tuple(PROFILES))


# Name of the setting -> its default, and the function that checks and converts its value.
STRONG_CLIENT_READERS: Mapping[str, tuple[Any, Callable[[Any], Any]]] = {
    "client_key": (None, read_signing_keys),
    "client_certificate": (None, read_pem),
    "client_certificate_key": (None, read_pem),
    "client_assertion_file": (None, read_text),
    "token_endpoint_auth_signing_alg": (None, _read_assertion_alg),
    "client_assertion_typ": (ASSERTION_TYP, _read_assertion_typ),
    "par": ("auto", _read_par),
    "request_object": (False, read_switch),
    "request_object_signing_alg": (None, _read_request_alg),
    "dpop": ("never", _read_dpop),
    "decryption_key": (None, read_decryption_keys),
    "authorization_details": ((), read_required),
    "profile": (None, _read_profile),
}
