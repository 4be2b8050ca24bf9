"""Takes UUIDs out of a text: providers name groups, users and sessions by them, and 16 bytes say what 36 characters do.

In the text, a placeholder takes the place of each UUID. A table contains each of the UUIDs once.
"""

import re

NEXT = 1  # stands for the UUID that follows the previous one in the table; a list that is repeated takes no space
AT = 2  # stands for the UUID whose index follows in two bytes
MAX_UUIDS = 0xFFFF  # in one table
SIZE = 16  # bytes of a UUID
PLACEHOLDERS = frozenset({NEXT, AT})

_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PLACEHOLDER = re.compile(rb"\x01|\x02..", re.DOTALL)


def take_uuids(text: bytes) -> tuple[bytes, bytes]:
    """Return a text without its UUIDs, and the table of them.

    Args:
        text: contains neither of `PLACEHOLDERS`.
    """
    indexes: dict[bytes, int] = {}
    following = 0

    def placeholder(match: re.Match[bytes]) -> bytes:
        nonlocal following
        uuid = bytes.fromhex(match[0].replace(b"-", b"").decode("ascii"))
        index = indexes.get(uuid, len(indexes))
        if index >= MAX_UUIDS:
            return match[0]
        indexes[uuid] = index
        is_next, following = index == following, index + 1
        return bytes((NEXT,)) if is_next else bytes((AT,)) + index.to_bytes(2, "big")

    return _UUID.sub(placeholder, text), b"".join(indexes)


def put_uuids(text: bytes, table: bytes) -> bytes:
    """Return the text that `take_uuids` was called with.

    Raises:
        ValueError: the table lacks a UUID.
    """
    if not table:
        return text
    uuids = [format_uuid(table[start : start + SIZE]).encode("ascii") for start in range(0, len(table), SIZE)]
    following = 0

    def uuid_of(match: re.Match[bytes]) -> bytes:
        nonlocal following
        index = following if match[0][0] == NEXT else int.from_bytes(match[0][1:], "big")
        if index >= len(uuids):
            raise ValueError("a UUID is missing")
        following = index + 1
        return uuids[index]

    return _PLACEHOLDER.sub(uuid_of, text)


def format_uuid(uuid: bytes) -> str:
    """Write a UUID as RFC 9562 §4 does; the standard library's class takes several times as long."""
    digits = uuid.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def read_uuid(text: str) -> bytes | None:
    """Return the bytes of a UUID; None for any other text, and for another spelling."""
    return bytes.fromhex(text.replace("-", "")) if _UUID.fullmatch(text.encode("utf-8", "replace")) else None
