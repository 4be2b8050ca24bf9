"""Reads the settings that are private keys: one key, a list of them, or a JWK Set (RFC 7517 §5)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from asgi_oidc.errors import describe_value
from asgi_oidc.protocol.jose_signing import SigningKey, read_signing_key

MAX_KEYS = 10  # a rotation needs two or three
ONE_OF_THEM = "a private key as PEM or as JWK, a list of them, or a JWK Set"


class NamedKey(Protocol):
    """A key that is published under a name."""

    @property
    def kid(self) -> str:
        """Its name."""

    @property
    def thumbprint(self) -> str:
        """The thumbprint of the public key (RFC 7638)."""


Key = TypeVar("Key", bound=NamedKey)


def read_signing_keys(value: object) -> tuple[SigningKey, ...]:
    """Read keys that sign; the first one does."""
    return read_keys(value, read_signing_key)


def read_keys(value: object, read_key: Callable[[str | Mapping[str, Any]], Key]) -> tuple[Key, ...]:
    """Read keys of any kind.

    Args:
        read_key: imports one from PEM or JWK, or raises ValueError without a cause: its frames hold the key.
    """
    listed = _listed(value)
    if not 1 <= len(listed) <= MAX_KEYS:
        raise ValueError(f"must be 1 to {MAX_KEYS} keys, got {len(listed)}")
    keys: list[Key] = []
    for number, item in enumerate(listed, 1):
        if not isinstance(item, str | Mapping) or not item:
            raise ValueError(f"must be {ONE_OF_THEM}, got {describe_value(item)}")
        try:
            keys.append(read_key(item))
        except ValueError as error:
            problem = f"number {number} of the list: {error}" if len(listed) > 1 else str(error)
        else:
            continue
        raise ValueError(problem)
    _check_names(keys)
    return tuple(keys)


def _listed(value: object) -> Sequence[object]:
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        value = _read_json(value)
    if isinstance(value, Mapping) and isinstance(value.get("keys"), list):
        value = value["keys"]
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]


def _read_json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        pass
    raise ValueError(f"must be {ONE_OF_THEM}, got text that begins like JSON but is none")


def _check_names(keys: Sequence[NamedKey]) -> None:
    """Refuse names that do not tell the keys apart: the provider would verify with the wrong one."""
    numbers: dict[str, int] = {}
    for number, key in enumerate(keys, 1):
        for name, what in ((key.thumbprint, "are the same key"), (key.kid, "have the same kid")):
            other = numbers.setdefault(name, number)
            if other != number:
                raise ValueError(f"numbers {other} and {number} of the list {what}: remove or rename one of them")
