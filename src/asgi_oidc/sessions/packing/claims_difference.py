"""Stores the claims of a session as what differs from its ID Token: what userinfo, settings and `on_login` changed."""

from typing import Any

import msgspec

_objects = msgspec.json.Decoder(dict[str, Any])


class _Difference(msgspec.Struct, frozen=True, array_like=True):
    """How claims differ from those of an ID Token.

    Attributes:
        removed: names of claims of the ID Token that the session does not have.
        others: claims that the ID Token lacks, or has with another value.
    """

    removed: list[str]
    others: dict[str, Any]


_differences = msgspec.json.Decoder(_Difference)


def difference(claims: bytes, id_token_claims: bytes) -> bytes:
    """Return the JSON text from which `apply_difference` makes the claims: an array, or the claims themselves.

    Args:
        claims: JSON object, as `write_claims` writes it.
        id_token_claims: JSON object, as it is in the ID Token; empty if there is none.
    """
    if not id_token_claims:
        return claims
    stated, wanted = _objects.decode(id_token_claims), _objects.decode(claims)
    others = {name: value for name, value in wanted.items() if name not in stated or not _is_same(value, stated[name])}
    written = msgspec.json.encode(_Difference([name for name in stated if name not in wanted], others))
    # An app may have put the claims into another order, and a number may have several spellings.
    return written if apply_difference(written, id_token_claims) == claims else claims


def apply_difference(written: bytes, id_token_claims: bytes) -> bytes:
    """Return the claims of which this is the difference to the claims of the ID Token.

    Raises:
        ValueError: this is not such a difference.
    """
    if not written.startswith(b"["):
        return written
    stored = _differences.decode(written)
    claims = _objects.decode(id_token_claims)
    for name in stored.removed:
        claims.pop(name, None)
    return msgspec.json.encode(claims | stored.others)


def _is_same(value: object, other: object) -> bool:
    """Return whether two values are the same JSON; in Python, 1 equals true."""
    if isinstance(value, str) and isinstance(other, str):
        return value == other
    return msgspec.json.encode(value) == msgspec.json.encode(other)
