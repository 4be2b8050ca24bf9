"""Authorization details, which say more than scopes: Rich Authorization Requests (RFC 9396).

The required ones are kept as JSON texts, one for each object, which can be compared and sealed; the granted ones are
kept as the provider has sent them.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any

import msgspec

from asgi_oidc.errors import AnswerRejected, describe_value

MAX_REQUIRED = 8  # objects that one login asks for; together with their length, because a URL carries them
MAX_REQUIRED_LENGTH = 1500  # characters of JSON
MAX_GRANTED = 64  # objects
MAX_GRANTED_LENGTH = 16_384  # bytes of JSON; cookies hold less, and a session that does not fit fails on its own
MAX_DEPTH = 6  # levels of nesting below an object; examples of the specification have two

Required = tuple[str, ...]
"""Objects that a login has to be granted, each as JSON with sorted members."""
NOTHING = msgspec.Raw(b"[]")

_EXAMPLE = '[{"type": "payment", "actions": ["initiate"]}]'


def read_required(value: object) -> Required:
    """Check and read the objects that a setting, a rule or an app requires; None means none.

    Raises:
        ValueError: the text tells the developer what is wrong; it never quotes an object.
    """
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ValueError(f"must be a list of objects such as {_EXAMPLE}, got {describe_value(value)}")
    if len(value) > MAX_REQUIRED:
        raise ValueError(f"must have at most {MAX_REQUIRED} objects, because a URL carries them")
    required = tuple(dict.fromkeys(_read_object(item) for item in value))
    if sum(map(len, required)) > MAX_REQUIRED_LENGTH:
        raise ValueError(f"must have at most {MAX_REQUIRED_LENGTH} characters as JSON, because a URL carries them")
    return required


def _read_object(value: object) -> str:
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a list of objects such as {_EXAMPLE}, got {describe_value(value)}")
    if not isinstance(value.get("type"), str) or not value["type"]:
        raise ValueError("each object must have a type, which is text (RFC 9396 section 2)")
    if _is_json(value, MAX_DEPTH):
        with suppress(ValueError):  # a lone surrogate, or a number of thousands of digits
            return msgspec.json.encode(value, enc_hook=dict, order="sorted").decode()  # of other mappings than dict
    raise ValueError(f"each object must be JSON, nested at most {MAX_DEPTH} levels deep")


def _is_json(value: object, levels_left: int) -> bool:
    if isinstance(value, Mapping):
        named = all(isinstance(name, str) for name in value)
        return named and levels_left > 0 and all(_is_json(item, levels_left - 1) for item in value.values())
    if isinstance(value, list | tuple):
        return levels_left > 0 and all(_is_json(item, levels_left - 1) for item in value)
    is_finite = not isinstance(value, float) or value - value == 0  # JSON has neither NaN nor infinity
    return value is None or (isinstance(value, str | bool | int | float) and is_finite)


def joined(*required: Required) -> Required:
    """Return all objects of these, each once."""
    return tuple(dict.fromkeys(text for texts in required for text in texts))


def parameter_of(required: Required) -> str:
    """Return the parameter of the authorization request (RFC 9396 §2)."""
    return f"[{','.join(required)}]"


def digest(text: str) -> str:
    """Return a short name of a required object, to recognize it again."""
    return urlsafe_b64encode(sha256(text.encode()).digest()[:9]).decode("ascii")


def types_of(required: Required) -> list[str]:
    """Return the types of the objects, each once."""
    return list(dict.fromkeys(str(msgspec.json.decode(text)["type"]) for text in required))


def find_missing(required: Required, details: object) -> Required:
    """Return the required objects that no granted one covers.

    Args:
        details: what was granted, a list of objects; anything else, as in the claim of a token, grants nothing.
    """
    objects = [item for item in details if isinstance(item, dict)] if isinstance(details, list) else []
    return tuple(text for text in required if not any(_covers(item, msgspec.json.decode(text)) for item in objects))


def _covers(details: object, required: object) -> bool:
    """Whether a value says at least what another does: a granted object or list may say more."""
    if isinstance(required, dict):
        if not isinstance(details, dict):
            return False
        return all(name in details and _covers(details[name], value) for name, value in required.items())
    if isinstance(required, list):
        return isinstance(details, list) and all(any(_covers(item, it) for item in details) for it in required)
    is_same_kind = isinstance(details, bool) == isinstance(required, bool)  # in Python True == 1
    return is_same_kind and details == required


def read_granted(members: Mapping[str, object]) -> msgspec.Raw | None:
    """Read what a token answer grants (RFC 9396 §7); None if it does not say.

    Raises:
        AnswerRejected: `authorization_details_malformed`: it is not a list of objects with a `type`, or too long.
    """
    if "authorization_details" not in members:
        return None
    details = members["authorization_details"]
    if not isinstance(details, list) or len(details) > MAX_GRANTED:
        raise _malformed(f"expected a list of at most {MAX_GRANTED} objects")
    if not all(isinstance(item, dict) and isinstance(item.get("type"), str) for item in details):
        raise _malformed("expected objects, each with a type that is text")
    written = msgspec.json.encode(details)
    if len(written) > MAX_GRANTED_LENGTH:
        raise _malformed(f"expected at most {MAX_GRANTED_LENGTH} bytes")
    return msgspec.Raw(written)


def _malformed(detail: str) -> AnswerRejected:
    return AnswerRejected("authorization_details_malformed", f"authorization_details of the token answer: {detail}")


def granted_objects(written: msgspec.Raw) -> list[dict[str, Any]]:
    """Return what was granted, as new objects each time."""
    return msgspec.json.decode(written, type=list[dict[str, Any]])
