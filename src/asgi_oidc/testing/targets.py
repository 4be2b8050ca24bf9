"""Checks which other APIs an access token is for: `resource` (RFC 8707) and `audience` (RFC 8693 §2.1)."""

import urllib.parse
from collections.abc import Collection, Sequence

from .wire import Call


def named_in_query(call: Call, name: str) -> tuple[str, ...]:
    """Return all values of a query parameter that may be repeated."""
    return tuple(value for parameter, value in call.query if parameter == name)


def named_in_form(call: Call, name: str) -> tuple[str, ...]:
    """Return all values of a form field that may be repeated."""
    pairs = urllib.parse.parse_qsl(call.body.decode("latin-1"), keep_blank_values=True)
    return tuple(value for field, value in pairs if field == name)


def why_no_resource(resources: Sequence[str], known: Collection[str] | None) -> str:
    """Return why no token can be issued for these resources; empty if it can.

    Args:
        known: The resources that exist; `None` accepts any.

    Source: RFC 8707 §2: an absolute URI without a fragment.
    """
    for resource in resources:
        split = urllib.parse.urlsplit(resource)
        if not split.scheme or "#" in resource:
            return "a resource must be an absolute URI without a fragment"
    return why_not_known(resources, known)


def why_not_known(targets: Sequence[str], known: Collection[str] | None) -> str:
    """Return why no token can be issued for these targets; empty if it can."""
    return "the target is unknown" if known is not None and not set(targets) <= set(known) else ""


def why_not_granted(resources: Sequence[str], issued: Collection[str]) -> str:
    """Return why the login does not cover these resources; empty if it does (RFC 8707 §2.2)."""
    return "the login named other resources" if issued and not set(resources) <= set(issued) else ""
