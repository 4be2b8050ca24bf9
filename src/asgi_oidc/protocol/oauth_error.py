"""The words of an OAuth error, for the log and the developer (RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3).

Most often they hold the answer: "client secret is expired". They come from outside, so they are bounded, stand on one
line, and lose what they repeat of our secrets. No page and no answer to a browser ever shows them.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from asgi_oidc.events import clean
from asgi_oidc.protocol.wire import NotAnObject, read_object

LONGEST_DESCRIPTION = 300  # characters; those of real providers say what is wrong in the first 200
LONGEST_RAW = 2000  # characters that are looked at
LONGEST_HEADER = 4096  # characters
SHARED = 8  # characters that a text and a secret must have in common to be taken for a part of it

_IN_HEADER = re.compile(r'(?:^|[\s,])(error|error_description|error_uri)="((?:[^"\\]|\\.)*)"')


class OAuthError(NamedTuple):
    """What an answer says went wrong; each may be empty, and is bounded and clean."""

    error: str = ""
    error_description: str = ""
    error_uri: str = ""
    is_in_body: bool = False

    def __str__(self) -> str:
        described = f"{self.error}: {self.error_description}" if self.error_description else self.error
        return f"{described} (see {self.error_uri})" if self.error_uri else described


def read_oauth_error(headers: Mapping[str, str], body: bytes, secrets: Iterable[str]) -> OAuthError:
    """Read the error of an answer: from its JSON body, else from `WWW-Authenticate`.

    Args:
        secrets: what we sent, which some providers repeat.
    """
    try:
        members = read_object(body)
    except NotAnObject:
        members = {}
    if isinstance(members.get("error"), str) and members["error"]:
        return make_oauth_error(members, secrets)._replace(is_in_body=True)
    return make_oauth_error(dict(_IN_HEADER.findall(headers.get("www-authenticate", "")[:LONGEST_HEADER])), secrets)


def make_oauth_error(members: Mapping[str, object], secrets: Iterable[str]) -> OAuthError:
    """Bound and clean the members of an error; what is no text counts as not there."""
    secrets = tuple(secrets)
    return OAuthError(
        _name(members.get("error"), secrets),
        _one_line(members.get("error_description"), secrets),
        _one_line(members.get("error_uri"), secrets),
    )


def _name(value: object, secrets: Iterable[str]) -> str:
    return clean(_without(secrets, value[:LONGEST_RAW])) if isinstance(value, str) else ""


def _one_line(value: object, secrets: Iterable[str]) -> str:
    if not isinstance(value, str):
        return ""
    printable = "".join(char if char.isprintable() else " " for char in value[:LONGEST_RAW])
    text = " ".join(_without(secrets, printable).split())
    return text if len(text) <= LONGEST_DESCRIPTION else f"{text[:LONGEST_DESCRIPTION]}..."


def _without(secrets: Iterable[str], text: str) -> str:
    """Take out every part of a text that is also a part of a secret; some providers show the first half of a token."""
    is_secret = [False] * len(text)
    for secret in secrets:
        size = min(len(secret), SHARED)
        for start in range(len(text) - size + 1 if size else 0):
            if text[start : start + size] in secret:
                is_secret[start : start + size] = [True] * size
    shown = "".join("\0" if hidden else char for char, hidden in zip(text, is_secret, strict=True))
    return re.sub("\0+", "[...]", shown)
