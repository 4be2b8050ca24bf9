"""Reads the settings that pin algorithms, and checks that they fit to each other and to the keys."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from asgi_oidc.protocol.jarm import SIGNED_MODES
from asgi_oidc.protocol.response_algorithms import (
    CONTENT_ALGORITHMS,
    KEYS_OF_ENCRYPTION,
    KINDS,
    NAMED_ALGORITHMS,
    SETTINGS_OF_KIND,
)
from asgi_oidc.protocol.signature_algorithms import KEY_OF_ALGORITHM, SYMMETRIC_ALGORITHM
from asgi_oidc.settings.value_checks import read_one_of


def _read_signed(value: object) -> str:
    return read_one_of(value, (*KEY_OF_ALGORITHM, SYMMETRIC_ALGORITHM))


def _read_encrypted(value: object) -> str:
    return read_one_of(value, NAMED_ALGORITHMS)


def _read_enc(value: object) -> str:
    return read_one_of(value, CONTENT_ALGORITHMS)


# Name of the setting -> its default, and the function that checks and converts its value.
RESPONSE_ALGORITHM_READERS: Mapping[str, tuple[Any, Callable[[Any], Any]]] = {
    f"{kind}_{name}": (None, read)
    for kind in KINDS
    for name, read in zip(SETTINGS_OF_KIND, (_read_signed, _read_encrypted, _read_enc), strict=True)
}


def response_algorithm_problems(values: Mapping[str, Any]) -> list[str]:
    """Return the problems of pinned algorithms; settings that could not be read are missing."""
    return [
        problem
        for kind in KINDS
        for problem in (*_signature_problems(values, kind), *_encryption_problems(values, kind))
    ] + _response_mode_problems(values)


def _signature_problems(values: Mapping[str, Any], kind: str) -> Iterator[str]:
    name = f"{kind}_signed_response_alg"
    alg, algorithms = values.get(name), values.get("algorithms")
    if alg is None:
        return
    if alg == SYMMETRIC_ALGORITHM and not values.get("allow_hs256", True):
        yield f"{name}: {SYMMETRIC_ALGORITHM} needs allow_hs256: anyone who knows the client secret can forge tokens"
    elif algorithms is not None and alg not in algorithms:
        yield f"{name}: {alg} is not in algorithms: add it there, or remove one of them"
    elif algorithms is None and values.get("allow_hs256") and alg != SYMMETRIC_ALGORITHM:
        yield f"{name}: with allow_hs256, only {SYMMETRIC_ALGORITHM} is accepted: add {alg} to algorithms"


def _encryption_problems(values: Mapping[str, Any], kind: str) -> Iterator[str]:
    name, enc_name = f"{kind}_encrypted_response_alg", f"{kind}_encrypted_response_enc"
    alg = values.get(name)
    if alg is None:
        if values.get(enc_name) is not None and name in values:
            yield f"{enc_name}: needs {name}"
        return
    if "decryption_key" not in values:
        return  # it could not be read
    keys = values["decryption_key"] or ()
    if not keys:
        yield f"{name}: needs decryption_key, to whose public half the provider encrypts"
    elif not any((key.kty, key.crv) in KEYS_OF_ENCRYPTION[alg] and key.alg in (None, alg) for key in keys):
        kinds = sorted({kty for kty, _ in KEYS_OF_ENCRYPTION[alg]})
        yield f"decryption_key: has no key for {name}={alg!r}: it needs one of the type {' or '.join(kinds)}"


def _response_mode_problems(values: Mapping[str, Any]) -> list[str]:
    """Report algorithms of authorization responses that nothing signs."""
    if "authorization_params" not in values or values["authorization_params"].get("response_mode") in SIGNED_MODES:
        return []
    names = [f"authorization_{name}" for name in SETTINGS_OF_KIND[:2] if values.get(f"authorization_{name}")]
    return [
        f"{name}: needs response_mode={SIGNED_MODES[0]!r} in authorization_params: other responses are plain"
        for name in names
    ]
