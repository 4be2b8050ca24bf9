"""JSON that came from outside: one object, bounded in depth, no member twice (RFC 8259 §4, RFC 8725 §2.4)."""

import json

import msgspec

MAX_DEPTH = 32  # levels of nesting; real tokens and metadata have three or four


class NotAnObject(ValueError):
    """The bytes are not one JSON object that everybody would read alike."""


def read_object(data: bytes) -> dict[str, object]:
    """Read one JSON object, strictly.

    Raises:
        NotAnObject: not UTF-8, not JSON, NaN, lone surrogates, no object, a member twice, too deep.
    """
    try:
        value = msgspec.json.decode(data)
        # msgspec lets the last of two members win; another reader may take the first.
        json.loads(data, object_pairs_hook=_refuse_doubled)
    except NotAnObject:
        raise
    except (ValueError, RecursionError) as exc:
        raise NotAnObject("not JSON") from exc
    if not isinstance(value, dict):
        raise NotAnObject("not a JSON object")
    _check_depth(value, MAX_DEPTH)
    return value


def _refuse_doubled(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise NotAnObject("a member stands twice")


def _check_depth(value: object, left: int) -> None:
    if left == 0:
        raise NotAnObject(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for member in value.values():
            _check_depth(member, left - 1)
    elif isinstance(value, list):
        for item in value:
            _check_depth(item, left - 1)
