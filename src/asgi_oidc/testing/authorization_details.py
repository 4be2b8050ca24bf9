"""What a client may do, in more detail than by scopes, at the fake provider: Rich Authorization Requests (RFC 9396)."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

Detail = Mapping[str, Any]
"""One object of `authorization_details`."""
GrantDetails = Callable[[Sequence[Detail]], Sequence[Detail]]
"""Returns what is granted of the details that a client has asked for."""


class DetailsRefused(Exception):
    """What a client has asked for cannot be granted; the message says why."""

    error = "invalid_authorization_details"


def read_details(text: str | None, types: Collection[str]) -> tuple[Detail, ...]:
    """Return the details that a client asks for; none without the parameter.

    Args:
        text: The parameter `authorization_details`.
        types: The types that the provider supports.

    Raises:
        DetailsRefused: It is not a list of objects of these types (§5).
    """
    if text is None:
        return ()
    try:
        details = json.loads(text)
    except (ValueError, RecursionError):
        raise DetailsRefused("authorization_details must be JSON") from None
    if not isinstance(details, list) or not all(isinstance(detail, dict) for detail in details):
        raise DetailsRefused("authorization_details must be a list of objects")
    for detail in details:
        if not isinstance(detail.get("type"), str) or detail["type"] not in types:
            raise DetailsRefused("each of the authorization_details must have a type that is supported")
    return tuple(details)


def narrowed_details(details: Sequence[Detail], text: str | None, types: Collection[str]) -> tuple[Detail, ...]:
    """Return the details of a token: all that were granted, or those of them that the token call names (§6).

    Args:
        details: What was granted.
        text: The parameter of the token call.
        types: The types that the provider supports.

    Raises:
        DetailsRefused: The call names something that was not granted.
    """
    named = read_details(text, types)
    if any(detail not in details for detail in named):
        raise DetailsRefused("the login granted other authorization_details")
    return named or tuple(details)


def with_details(members: Mapping[str, Any], details: Sequence[Detail]) -> dict[str, Any]:
    """Return the members of a token answer, or the claims of a token, with its details if it has some (§7, §9)."""
    return dict(members) | ({"authorization_details": [dict(detail) for detail in details]} if details else {})
