"""Packs structs into few bytes: base64url text, such as in tokens, is stored as the bytes that it encodes.

A cookie has little room, and the sealed value is encoded in base64url again.
"""

from typing import Any, TypeVar

import msgspec

from asgi_oidc.sessions.packing.short_texts import as_bytes
from asgi_oidc.sessions.sealing import base64url

DOTTED = 1  # msgpack extension type: texts joined by dots, as in a JWT
RAW = 2  # msgpack extension type: JSON text, which only earlier releases wrote

Value = TypeVar("Value", bound=msgspec.Struct)


def pack(value: msgspec.Struct) -> bytes:
    """Encode an `array_like` struct; fields at its end that have their default are left out."""
    return msgspec.msgpack.encode([_packed(member) for member in members_of(value)])


def unpack(data: bytes, kind: type[Value]) -> Value:
    """Decode what `pack` returned.

    Raises:
        ValueError, RecursionError: the bytes are of another kind or format.
    """
    return msgspec.convert(_unpacked(msgspec.msgpack.decode(data)), kind)


def members_of(value: msgspec.Struct) -> list[Any]:
    """Return the values of the fields, without those at the end that have their default."""
    members, defaults = list(msgspec.structs.astuple(value)), list(value.__struct_defaults__)
    while defaults and members[-1] == defaults[-1]:
        members.pop()
        defaults.pop()
    return members


def _packed(value: Any) -> Any:
    match value:
        case msgspec.Struct():
            return [_packed(member) for member in msgspec.structs.astuple(value)]
        case list() | tuple():
            return [_packed(member) for member in value]
        case str() if "." in value:
            return msgspec.msgpack.Ext(DOTTED, msgspec.msgpack.encode([as_bytes(part) for part in value.split(".")]))
        case str():
            return as_bytes(value)
        case _:
            return value


def _unpacked(value: Any) -> Any:
    match value:
        case bytes():
            return base64url(value)
        case list():
            return [_unpacked(member) for member in value]
        case msgspec.msgpack.Ext(code=code, data=data):
            return msgspec.Raw(data) if code == RAW else ".".join(_unpacked(msgspec.msgpack.decode(data)))
        case _:
            return value
