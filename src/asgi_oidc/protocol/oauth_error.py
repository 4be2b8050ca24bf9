"""Reads OAuth errors and their descriptions, for the log and the developer (RFC 6749 §4.1.2.1, §5.2; RFC 6750 §3).

The description often names the problem ("client secret is expired"). It comes from outside, so it is shortened, put on
one line, and our secrets are removed from it. It is never shown in a response to a browser.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from asgi_oidc.events import clean
from asgi_oidc.protocol.json_objects import InvalidJSON, read_object

MAX_DESCRIPTION_LENGTH = 300  # characters; real providers name the problem within the first 200
MAX_RAW_LENGTH = 2000  # characters that are processed
MAX_HEADER_LENGTH = 4096  # characters
PIECE_LENGTH = 8  # characters; a text that has as many in common with a secret contains a part of it

MAX_DECODINGS = 3  # of a text that was percent-encoded several times

_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_IN_HEADER = re.compile(r'(?:^|[\s,])(error|error_description|error_uri)="((?:[^"\\]|\\.)*)"')


class OAuthError(NamedTuple):
    """An OAuth error; each member may be empty, and is shortened and cleaned.

    Attributes:
        is_in_body: whether it was in the JSON body; otherwise it was in a header, or there was none.
    """

    error: str = ""
    error_description: str = ""
    error_uri: str = ""
    is_in_body: bool = False

    def __str__(self) -> str:
        described = f"{self.error}: {self.error_description}" if self.error_description else self.error
        return f"{described} (see {self.error_uri})" if self.error_uri else described


class _Reading(NamedTuple):
    """A text as received, or percent-decoded once or more.

    Attributes:
        starts: for each byte, and for the end, its position in the text as received.
    """

    data: bytes
    starts: Sequence[int]


def read_oauth_error(headers: Mapping[str, str], body: bytes, secrets: Iterable[str]) -> OAuthError:
    """Read the error of an answer: from its JSON body, else from `WWW-Authenticate`.

    Args:
        secrets: the secrets of the call, which some providers repeat in the error.
    """
    try:
        members = read_object(body)
    except InvalidJSON:
        members = {}
    nested = members.get("error")
    if isinstance(nested, dict):  # Facebook: an object with `type` and `message` (Graph API, "Handle Errors")
        members = {"error": nested.get("type"), "error_description": nested.get("message")}
    if isinstance(members.get("error"), str) and members["error"]:
        return make_oauth_error(members, secrets)._replace(is_in_body=True)
    return make_oauth_error(dict(_IN_HEADER.findall(headers.get("www-authenticate", "")[:MAX_HEADER_LENGTH])), secrets)


def read_message(body: bytes, secrets: Iterable[str]) -> str:
    """Return what an answer without an OAuth error says in plain words; empty if it says nothing.

    That is `message` at GitHub and Discord, and `detail` in problem details (RFC 9457 §3.1.4), which X sends.
    """
    try:
        members = read_object(body)
    except InvalidJSON:
        return ""
    texts = (_one_line(members.get(name), tuple(secrets)) for name in ("message", "detail"))
    return next(filter(None, texts), "")


def make_oauth_error(members: Mapping[str, object], secrets: Iterable[str]) -> OAuthError:
    """Shorten and clean the members of an error; a member that is not text counts as missing."""
    secrets = tuple(secrets)
    return OAuthError(
        _name(members.get("error"), secrets),
        _one_line(members.get("error_description"), secrets),
        _one_line(members.get("error_uri"), secrets),
    )


def _name(value: object, secrets: Iterable[str]) -> str:
    return clean(_without(secrets, value[:MAX_RAW_LENGTH])) if isinstance(value, str) else ""


def _one_line(value: object, secrets: Iterable[str]) -> str:
    if not isinstance(value, str):
        return ""
    printable = "".join(char if char.isprintable() else " " for char in value[:MAX_RAW_LENGTH])
    text = " ".join(_without(secrets, printable).split())
    return text if len(text) <= MAX_DESCRIPTION_LENGTH else f"{text[:MAX_DESCRIPTION_LENGTH]}..."


def _without(secrets: Iterable[str], text: str) -> str:
    """Remove every part of a text that is also part of a secret: some providers repeat the first half of a token.

    Others repeat our form percent-encoded, and proxies may encode it again, so the text is also compared after decoding
    it up to `MAX_DECODINGS` times.
    """
    pieces = [_pieces(_bytes(secret)) for secret in secrets if secret]
    decodings = [_Reading(_bytes(text), range(len(_bytes(text)) + 1))]
    while b"%" in decodings[-1].data and len(decodings) <= MAX_DECODINGS:
        decodings.append(_decoded(decodings[-1]))
    is_secret = [False] * len(decodings[0].data)
    for reading in decodings:
        for size, secret_pieces in pieces:
            for start in range(len(reading.data) - size + 1):
                if reading.data[start : start + size] in secret_pieces:
                    first, end = reading.starts[start], reading.starts[start + size]
                    is_secret[first:end] = [True] * (end - first)
    # A character is hidden if any byte of it is.
    ends = [0, *accumulate(len(_bytes(char)) for char in text)]
    hidden = (any(is_secret[start:end]) for start, end in pairwise(ends))
    return re.sub("\0+", "[...]", "".join("\0" if hide else char for hide, char in zip(hidden, text, strict=True)))


def _bytes(text: str) -> bytes:
    # In a form "+" means a space, so the two count as equal.
    return text.encode("utf-8", "surrogatepass").replace(b"+", b" ")


def _pieces(secret: bytes) -> tuple[int, frozenset[bytes]]:
    size = min(len(secret), PIECE_LENGTH)
    return size, frozenset(secret[start : start + size] for start in range(len(secret) - size + 1))


def _decoded(reading: _Reading) -> _Reading:
    """Percent-decode a text once."""
    data, starts, end = bytearray(), list[int](), 0
    for match in _ENCODED.finditer(reading.data):
        data += reading.data[end : match.start()] + bytes.fromhex(match[1].decode("ascii")).replace(b"+", b" ")
        starts += reading.starts[end : match.start() + 1]
        end = match.end()
    return _Reading(bytes(data + reading.data[end:]), [*starts, *reading.starts[end:]])
