"""Takes UUIDs out of a text, to store each in 16 bytes: providers name groups, users and sessions by them.

In the text, a placeholder takes the place of each UUID. A table contains each of the UUIDs once.
"""

import re
from collections.abc import Iterator, Sequence

NEXT = b"\x01"  # stands for the UUID that follows the previous one in the table; a repeated list takes almost no space
AT = b"\x02"  # stands for the UUID whose index follows in two bytes
LOWEST = 3  # value of those bytes, so that neither looks like a placeholder
BASE = 256 - LOWEST
MAX_UUIDS = BASE * BASE  # in one table
SIZE = 16  # bytes of a UUID

_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def take_uuids(text: bytes) -> tuple[bytes, bytes]:
    """Return a text without its UUIDs, and the table of them.

    Args:
        text: contains neither `NEXT` nor `AT`.
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
        return NEXT if is_next else AT + bytes(LOWEST + digit for digit in divmod(index, BASE))

    return _UUID.sub(placeholder, text), b"".join(indexes)


def put_uuids(text: bytes, table: bytes) -> bytes:
    """Return the text that `take_uuids` was called with.

    Raises:
        ValueError: the table lacks a UUID.
    """
    if not table:
        return text
    uuids = [format_uuid(table[start : start + SIZE]).encode("ascii") for start in range(0, len(table), SIZE)]
    first, *others = text.split(AT)
    try:
        pieces = [*_with_uuids(first, uuids, 0)]
        for other in others:
            index = (other[0] - LOWEST) * BASE + other[1] - LOWEST
            pieces += [uuids[index], *_with_uuids(other[2:], uuids, index + 1)]
    except IndexError:
        raise ValueError("a UUID is missing") from None
    return b"".join(pieces)


def format_uuid(uuid: bytes) -> str:
    """Write a UUID as RFC 9562 §4 does; the standard library's class takes several times as long."""
    digits = uuid.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def read_uuid(text: str) -> bytes | None:
    """Return the bytes of a UUID; None for any other text, and for another spelling."""
    return bytes.fromhex(text.replace("-", "")) if _UUID.fullmatch(text.encode("utf-8", "replace")) else None


def _with_uuids(text: bytes, uuids: Sequence[bytes], following: int) -> Iterator[bytes]:
    """Yield the pieces of a text, and between them the UUIDs from an index on."""
    first, *others = text.split(NEXT)
    yield first
    for index, other in enumerate(others, start=following):
        yield uuids[index]
        yield other
