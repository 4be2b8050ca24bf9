"""Reads JSON from outside strictly: bounded in depth, no repeated member (RFC 8259 §4, RFC 8725 §2.4)."""

import json

import msgspec

MAX_DEPTH = 32  # levels of nesting; real tokens and metadata have three or four


class InvalidJSON(ValueError):
    """The bytes are not the expected kind of JSON, or not JSON that all parsers would read alike."""


def read_object(data: bytes) -> dict[str, object]:
    """Read one JSON object, strictly.

    Raises:
        InvalidJSON: not UTF-8, not JSON, NaN, a lone surrogate, not an object, a repeated member, or nested too deep.
    """
    value = _read(data)
    if not isinstance(value, dict):
        raise InvalidJSON("not a JSON object")
    if _may_be_deep(data):
        _check_depth(value, MAX_DEPTH)
    return value


def read_array(data: bytes) -> list[object]:
    """Read one JSON array, as strictly as `read_object`.

    Raises:
        InvalidJSON: as in `read_object`.
    """
    value = _read(data)
    if not isinstance(value, list):
        raise InvalidJSON("not a JSON array")
    if _may_be_deep(data):
        _check_depth(value, MAX_DEPTH)
    return value


def _read(data: bytes) -> object:
    try:
        value = msgspec.json.decode(data)
        # Of a repeated member, msgspec takes the last value, and another parser may take the first.
        if not _is_all_of(value, data):
            _REPEATED_MEMBERS.decode(data.decode())
    except InvalidJSON:
        raise
    except (ValueError, OverflowError, RecursionError) as exc:
        raise InvalidJSON("not JSON") from exc
    return value


def _is_all_of(value: object, data: bytes) -> bool:
    """Whether a value is the same JSON again, byte for byte, as of most tokens: then no member was left out.

    It takes a fraction of the time of another parser.
    """
    return msgspec.json.encode(value) == data


def _may_be_deep(data: bytes) -> bool:
    return data.count(b"{") + data.count(b"[") >= MAX_DEPTH


def _refuse_repeated(pairs: list[tuple[str, object]]) -> None:
    found: dict[str, object] = {}
    for name, value in pairs:
        # Keycloak writes `iss` twice into its signed authorization responses; with one value, all parsers agree.
        if name in found and not (name == "iss" and isinstance(value, str) and value == found[name]):
            raise InvalidJSON("a member is repeated")
        found[name] = value


_REPEATED_MEMBERS = json.JSONDecoder(object_pairs_hook=_refuse_repeated)


def _check_depth(value: object, levels_left: int) -> None:
    if levels_left == 0:
        raise InvalidJSON(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for member in value.values():
            _check_depth(member, levels_left - 1)
    elif isinstance(value, list):
        for item in value:
            _check_depth(item, levels_left - 1)
