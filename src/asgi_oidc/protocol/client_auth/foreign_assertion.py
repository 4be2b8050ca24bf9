"""Checks an assertion that somebody else has signed, such as a Kubernetes cluster, before it is sent (RFC 7523 §3).

Only its form: the provider verifies it, with keys that this app does not have.
"""

from base64 import urlsafe_b64decode

from asgi_oidc.protocol.json_objects import InvalidJSON, read_object

MAX_LENGTH = 16_384  # characters; those of Kubernetes and GitHub have one or two thousand


class MalformedAssertion(ValueError):
    """The text is no JWT; it may be incomplete."""


class ExpiredAssertion(ValueError):
    """The assertion has expired; whatever writes it has not renewed it."""


def check_foreign_assertion(text: str, *, now: int) -> None:
    """Refuse what no provider would accept.

    Args:
        now: seconds since the epoch.

    Raises:
        MalformedAssertion, ExpiredAssertion: the text says what was found, without quoting it.
    """
    if not text:
        raise MalformedAssertion("it is empty")
    if len(text) > MAX_LENGTH:
        raise MalformedAssertion(f"it has more than {MAX_LENGTH} characters")
    claims = _claims_in(text)
    if claims is None:
        raise MalformedAssertion(f"expected a signed JWT, got text of {len(text)} characters that is none")
    expires_at = claims.get("exp")
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float):
        return
    if expires_at <= now:
        raise ExpiredAssertion(f"it expired {_age(now - expires_at)} ago")


def _claims_in(text: str) -> dict[str, object] | None:
    segments = text.split(".")
    if len(segments) != 3 or not all(segments) or not text.isascii():
        return None
    try:
        read_object(_decoded(segments[0]))
        return read_object(_decoded(segments[1]))
    except (InvalidJSON, ValueError):
        return None


def _decoded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _age(seconds: float) -> str:
    return f"{int(seconds)} s" if seconds < 1e9 else "long"
