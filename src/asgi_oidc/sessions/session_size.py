"""Explains what makes a session large, and what would make it small enough for cookies."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import msgspec

from asgi_oidc.errors import SessionTooLarge
from asgi_oidc.protocol.json_objects import InvalidJSON, read_object
from asgi_oidc.sessions.kept_tokens import ID_TOKEN, REFRESH_TOKEN, SHORT_FORMS, TOKEN_NAMES, keep
from asgi_oidc.sessions.sealing import base64url, decode_base64url
from asgi_oidc.sessions.session import Tokens, with_changes, write_claims
from asgi_oidc.web.cookie_size import COOKIE_HEADER_RANGE

MAX_NAMED = 3  # claims and tokens that a log line names
MIN_NAMED = 100  # bytes of cookies; smaller ones are not worth naming
SPARE = 50  # bytes: the next session of the same user compresses a little better or worse

Measure = Callable[[Tokens], int]
Fits = Callable[[Tokens], bool]


def largest_parts(tokens: Tokens, measure: Measure) -> str:
    """Name the claims and tokens that take most of the cookies, each with the bytes that it takes.

    A claim counts wherever it is: in the claims of the session, and in all tokens.

    Args:
        measure: returns how many bytes of cookies a session with these tokens takes.
    """
    size = measure(tokens)
    sizes = {f"claim {name}": size - measure(without_claims(tokens, [name])) for name in _longest_claims(tokens)}
    for name in TOKEN_NAMES:
        sizes[name] = size - measure(with_changes(tokens, **{name: "" if name == ID_TOKEN else None}))
    largest = sorted(sizes, key=lambda name: -sizes[name])[:MAX_NAMED]
    return ", ".join(f"{name} ({sizes[name]})" for name in largest if sizes[name] >= MIN_NAMED)


def too_large(
    tokens: Tokens, measure: Measure, *, most: int, kept: Collection[str], max_cookie_header: int
) -> SessionTooLarge:
    """Return the error for a session that does not fit into cookies: what is large, and what would suffice.

    Args:
        measure: returns how many bytes of cookies a session with these tokens takes.
        most: bytes that it may need.
        kept: names of the tokens that sessions keep; no way out is to keep others.
        max_cookie_header: bytes of all our cookies.
    """

    def fits(smaller: Tokens) -> bool:
        return measure(smaller) + SPARE <= most

    size = measure(tokens)
    ways = [*_fewer_claims(tokens, measure, fits), *_fewer_tokens(tokens, measure, fits, kept=kept), "set store"]
    enough = _in_hundreds(max_cookie_header + size - most + SPARE)
    if enough <= COOKIE_HEADER_RANGE[1]:
        ways.append(f"set max_cookie_header={enough}, if all proxies accept that")
    return SessionTooLarge(  # the fix comes first, as logs cut long details
        detail=f"{'; or '.join(ways)}: the session needs {size} bytes of cookies, and at most {most} fit; "
        f"largest: {largest_parts(tokens, measure)}"
    )


def without_claims(tokens: Tokens, names: Collection[str]) -> Tokens:
    """Return the tokens as they would be if the provider did not state these claims."""
    changes: dict[str, Any] = {
        name: _without_claims(token, names) for name in TOKEN_NAMES if (token := getattr(tokens, name))
    }
    return with_changes(tokens, written_claims=write_claims(_without(tokens.claims, names)), **changes)


def _fewer_claims(tokens: Tokens, measure: Measure, fits: Fits) -> Iterator[str]:
    """Propose to drop as few of the largest claims as suffice."""
    longest = _longest_claims(tokens)
    for count in range(1, len(longest) + 1):
        dropped = longest[:count]
        smaller = without_claims(tokens, dropped)
        if fits(smaller):
            yield f"request fewer claims at the provider (without {' and '.join(dropped)}, {measure(smaller)} bytes)"
            return


def _fewer_tokens(tokens: Tokens, measure: Measure, fits: Fits, *, kept: Collection[str]) -> Iterator[str]:
    """Propose the value of the setting `tokens` that keeps most, but no token that is not kept now, of unknown size."""
    for value, names in SHORT_FORMS.items():
        smaller = keep(tokens, names)
        if names < frozenset(kept) and fits(smaller):
            # Without refresh tokens in sessions, the setting `scope` must not ask for them.
            is_refused = REFRESH_TOKEN not in names and "offline_access" in tokens.scopes
            also = " and remove offline_access from scope" if is_refused else ""
            yield f'set tokens="{value}"{also} ({measure(smaller)} bytes)'
            return


def _longest_claims(tokens: Tokens) -> list[str]:
    claims = tokens.claims
    return sorted(claims, key=lambda name: -len(write_claims({name: claims[name]})))[:MAX_NAMED]


def _in_hundreds(number: int) -> int:
    return math.ceil(number / 100) * 100


def _without_claims(token: str, names: Collection[str]) -> str:
    """Return a JWT without claims, and any other token as it is; its signature is not valid any more."""
    header, dot, rest = token.partition(".")
    payload, end, signature = rest.partition(".")
    data = decode_base64url(payload)
    try:
        claims = read_object(data or b"")
    except InvalidJSON:
        return token
    return f"{header}{dot}{base64url(msgspec.json.encode(_without(claims, names)))}{end}{signature}"


def _without(claims: Mapping[str, object], names: Collection[str]) -> dict[str, object]:
    return {name: value for name, value in claims.items() if name not in names}
