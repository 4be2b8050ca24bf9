"""Packs values for cookies into few bytes: base64url text, such as tokens, is stored as the bytes that it encodes.

The sealed value is written in base64url in any case, and a cookie has little room.
"""

import zlib
from typing import Any, TypeVar

import msgspec

from asgi_oidc.sessions.sealing import base64url, decode_base64url

MAX_UNPACKED_SIZE = 9000  # bytes that are compressed; how much a cookie holds should not be a matter of luck alone
MIN_LENGTH = 16  # characters of a text that is looked at
DOTTED = 1  # extension of msgpack: texts that dots join, as in a JWT
RAW = 2  # the same: JSON text

Value = TypeVar("Value", bound=msgspec.Struct)


def pack(value: msgspec.Struct) -> bytes:
    """Write an `array_like` struct."""
    return msgspec.msgpack.encode([_packed(member) for member in msgspec.structs.astuple(value)])


def unpack(data: bytes, kind: type[Value]) -> Value:
    """Read what `pack` wrote.

    Raises:
        ValueError, RecursionError: the bytes are of another kind or format.
    """
    return msgspec.convert(_unpacked(msgspec.msgpack.decode(data)), kind)


def compress(data: bytes) -> bytes | None:
    """Compress what `pack` wrote; None if it is too large for that.

    The length tells nobody anything: one user's tokens and claims are in it, and nobody else's choice of words.
    """
    return zlib.compress(data, 9) if len(data) <= MAX_UNPACKED_SIZE else None


def decompress(data: bytes) -> bytes:
    """Read what `compress` wrote.

    Raises:
        ValueError: it is something else, or too large.
    """
    stream = zlib.decompressobj()
    try:
        whole = stream.decompress(data, MAX_UNPACKED_SIZE)
    except zlib.error as exc:
        raise ValueError("not a zlib stream") from exc
    if not stream.eof:
        raise ValueError("longer than any that we write")
    return whole


def _packed(value: Any) -> Any:
    match value:
        case msgspec.Raw():
            return msgspec.msgpack.Ext(RAW, bytes(value))
        case msgspec.Struct():
            return [_packed(member) for member in msgspec.structs.astuple(value)]
        case list() | tuple():
            return [_packed(member) for member in value]
        case str() if "." in value:
            return msgspec.msgpack.Ext(DOTTED, msgspec.msgpack.encode([_shorter(part) for part in value.split(".")]))
        case str():
            return _shorter(value)
        case _:
            return value


def _shorter(text: str) -> str | bytes:
    data = decode_base64url(text) if len(text) >= MIN_LENGTH else None
    return text if data is None else data


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
