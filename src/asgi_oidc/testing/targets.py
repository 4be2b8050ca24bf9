"""Which other APIs an access token is for: `resource` (RFC 8707) and `audience` (RFC 8693 §2.1)."""

import urllib.parse
from collections.abc import Collection, Sequence

from .wire import Call


def named_in_query(call: Call, name: str) -> tuple[str, ...]:
    """Give every value of a parameter that may come more than once."""
    return tuple(value for it, value in call.query if it == name)


def named_in_form(call: Call, name: str) -> tuple[str, ...]:
    """Give every value of a form field that may come more than once."""
    pairs = urllib.parse.parse_qsl(call.body.decode("latin-1"), keep_blank_values=True)
    return tuple(value for it, value in pairs if it == name)


def why_no_resource(resources: Sequence[str], known: Collection[str] | None) -> str:
    """Say why a token cannot be for these resources; empty when it can.

    Args:
        known: The resources that there are; `None` stands for any.

    Source: RFC 8707 §2: an absolute URI without a fragment.
    """
    for resource in resources:
        split = urllib.parse.urlsplit(resource)
        if not split.scheme or "#" in resource:
            return "a resource is an absolute URI without a fragment"
    return why_not_known(resources, known)


def why_not_known(targets: Sequence[str], known: Collection[str] | None) -> str:
    """Say why a token cannot be for these targets; empty when it can."""
    return "there is no such target" if known is not None and not set(targets) <= set(known) else ""


def why_not_granted(resources: Sequence[str], issued: Collection[str]) -> str:
    """Say why the login does not cover these resources; empty when it does (RFC 8707 §2.2)."""
    return "the login named other resources" if issued and not set(resources) <= set(issued) else ""
