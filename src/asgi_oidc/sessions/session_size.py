"""Keeps sessions within the size of cookies, and explains what makes one large, and what would make it smaller."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from asgi_oidc import events
from asgi_oidc.errors import SessionTooLarge
from asgi_oidc.protocol.json_objects import InvalidJSON, read_object
from asgi_oidc.sessions.kept_tokens import ID_TOKEN, REFRESH_TOKEN, SHORT_FORMS, TOKEN_NAMES, keep
from asgi_oidc.sessions.sealing import base64url, decode_base64url
from asgi_oidc.sessions.session import Session, Tokens, with_changes, write_claims
from asgi_oidc.web.cookie_size import COOKIE_HEADER_RANGE, session_share

# Bytes of claims and tokens before they are packed, for each byte of `max_cookie_header`. So what fits does not depend
# only on how well they compress, and packing takes little time, and opened cookies little memory. The ids of
# groups that are in both tokens take a seventh of their bytes in cookies; signatures do not get smaller.
UNPACKED_RATIO = 6
CLAIMS_RATIO = 2  # the same for claims alone
LARGE = 0.75  # of `max_cookie_header`: from then on, the log says so; 6 kB of 8
LARGE_LOG_PAUSE = 60.0  # seconds; many sessions of a site are alike
MAX_NAMED = 3  # claims and tokens that a log line names
MIN_NAMED = 100  # bytes of cookies; smaller ones are not worth naming
SPARE = 50  # bytes: the next session of the same user compresses a little better or worse

Measure = Callable[[Tokens], int]
Fits = Callable[[Tokens], bool]


class SizeCheck:
    """Refuses sessions that proxies would not accept, and logs those that are about to become too large."""

    def __init__(
        self,
        size_of: Callable[[Session, Tokens], int],
        *,
        kept_tokens: Collection[str],
        max_cookie_header: int,
        ticks: Callable[[], float],
    ) -> None:
        """Check sessions.

        Args:
            size_of: returns how many bytes of cookies a session takes with some tokens.
            kept_tokens: names of the tokens that sessions keep.
            max_cookie_header: bytes of all our cookies.
            ticks: seconds of a monotonic clock.
        """
        self._size_of = size_of
        self._kept_tokens = kept_tokens
        self._max_cookie_header = max_cookie_header
        self._max_size = session_share(max_cookie_header)
        self._large_logged_at = -math.inf
        self._ticks = ticks

    def check(self, session: Session, *, other_size: int = 0) -> None:
        """Check the size of a session.

        Args:
            other_size: bytes of further cookies that belong to the session.

        Raises:
            SessionTooLarge: the detail names what is large, and what would suffice.
        """
        tokens, measure = session.tokens, partial(self._size_of, session)
        # First of all, as packing takes time.
        _check_unpacked_size(tokens, max_cookie_header=self._max_cookie_header)
        size, most = measure(tokens), self._max_size - other_size
        if size > most:
            raise too_large(
                tokens, measure, most=most, kept=self._kept_tokens, max_cookie_header=self._max_cookie_header
            )
        if size >= LARGE * self._max_cookie_header and self._ticks() >= self._large_logged_at + LARGE_LOG_PAUSE:
            self._large_logged_at = self._ticks()
            events.log(events.SESSION_LARGE, size=size, most=self._max_size, largest=largest_parts(tokens, measure))


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


def _check_unpacked_size(tokens: Tokens, *, max_cookie_header: int) -> None:
    limits = (
        ("claims", len(tokens.written_claims), CLAIMS_RATIO, "request fewer claims"),
        ("claims and tokens", tokens.texts.size, UNPACKED_RATIO, "request fewer claims, keep fewer tokens"),
    )
    for what, size, ratio, ways in limits:
        most = ratio * max_cookie_header
        if size > most:
            raise SessionTooLarge(
                detail=f"{ways}, or set store: {what} take {size} bytes before they are compressed, and at most {most} "
                f"fit; largest: {largest_parts(tokens, lambda fewer: fewer.texts.size)}"
            )


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
            # Where sessions keep no refresh token, a scope that asks for a long-lived one is an error at start-up.
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
