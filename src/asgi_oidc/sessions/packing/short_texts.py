"""Stores short texts, such as ids, in fewer bytes: UUIDs, and what is base64url."""

from asgi_oidc.sessions.packing.uuids import format_uuid, read_uuid
from asgi_oidc.sessions.sealing import base64url, decode_base64url

MIN_LENGTH = 16  # characters; shorter texts are stored as they are
UUID_LENGTH = 36  # characters
UUID_SIZE = 16  # bytes


def shorten(text: str) -> bytes | str:
    """Return the bytes that a text encodes, or the text."""
    if len(text) == UUID_LENGTH and (uuid := read_uuid(text)) is not None:
        return uuid
    data = as_bytes(text)
    return text if len(data) == UUID_SIZE else data


def as_bytes(text: str) -> bytes | str:
    """Return the bytes that a base64url text encodes; any other text, and a short one, as it is."""
    data = decode_base64url(text) if len(text) >= MIN_LENGTH else None
    return text if data is None else data


def restore(value: object) -> str:
    """Return the text that `shorten` was called with.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(value, bytes):
        return format_uuid(value) if len(value) == UUID_SIZE else base64url(value)
    if not isinstance(value, str):
        raise ValueError("neither text nor bytes")
    return value
