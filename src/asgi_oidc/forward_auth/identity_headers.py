"""Headers that tell the app behind the proxy who the user is; each of them is in every allowed answer."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from asgi_oidc.principal import AnonymousUser, User

MAX_VALUE_LENGTH = 4096  # bytes of one value
MAX_TOTAL_LENGTH = 12_288  # bytes of all; with a buffer of 16 kB, nginx takes as many

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)+")  # no "_", which many apps take for "-"
_TAKEN = ("x-forwarded-", "x-auth-cookie-", "x-original-", "x-rewrite-", "access-control-", "content-", "set-", "sec-")
_PLAIN = re.compile(r"[!-~]([ -~]*[!-~])?")
_ENCODED = "UTF-8''"  # how a value begins that is percent-encoded (RFC 8187 §3.2)

Names = Mapping[bytes, str]
"""The claim in each header, by its name in lower case."""


class IdentityTooLarge(Exception):
    """The claims of a user do not fit into headers; the message names the header."""


def read_names(headers: Mapping[str, str]) -> Names:
    """Read the claims to pass on, by header name.

    Raises:
        ValueError: a name is not a header name with a dash, is taken, or occurs twice.
    """
    names: dict[bytes, str] = {}
    for header, claim in headers.items():
        name = read_name(header)
        if name in names:
            raise ValueError(f"{header} occurs twice")
        if not claim:
            raise ValueError(f"{header} needs the name of a claim, such as {header}=sub")
        names[name] = claim
    return names


def read_name(header: str) -> bytes:
    """Read a header name; return it in lower case.

    Raises:
        ValueError: it is not a header name with a dash, or is taken.
    """
    if not _NAME.fullmatch(header) or header.lower().startswith(_TAKEN):
        raise ValueError(f"{header!r} cannot be used: expected a header name of its own with a dash, such as X-User")
    return header.lower().encode("ascii")


def identity_headers(names: Names, user: User | AnonymousUser) -> list[tuple[bytes, bytes]]:
    """Return all identity headers; those of an anonymous user, and of a claim that is missing, are empty.

    Raises:
        IdentityTooLarge: they do not fit.
    """
    values = [(name, header_value(claim_of(user, claim))) for name, claim in names.items()]
    for name, value in values:
        if len(value) > MAX_VALUE_LENGTH:
            raise IdentityTooLarge(f"{name.decode()} would have {len(value)} of at most {MAX_VALUE_LENGTH} bytes")
    if sum(len(value) for _, value in values) > MAX_TOTAL_LENGTH:
        raise IdentityTooLarge(f"all headers together would have more than {MAX_TOTAL_LENGTH} bytes")
    return values


def claim_of(user: User | AnonymousUser, claim: str) -> Any:
    """Return a claim; None if it is missing, or is an address or a number that the provider has not verified."""
    if isinstance(user, AnonymousUser):
        return None
    match claim:
        case "sub":
            return user.sub
        case "iss":
            return user.issuer
        case "email":
            return user.email if user.email_verified else None
        case "phone_number" if user.claims.get("phone_number_verified") is not True:
            return None
    return user.claims.get(claim)


def header_value(claim: Any) -> bytes:
    """Write a claim as the value of a header, in printable ASCII.

    Text stays as it is, or is percent-encoded after `UTF-8''` (RFC 8187) if it has other characters. Lists, objects,
    numbers and truth values are JSON, so that no value can contain the separator of a list.
    """
    if claim is None:
        return b""
    if not isinstance(claim, str):
        return json.dumps(claim, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    if claim == "" or (_PLAIN.fullmatch(claim) and not claim.upper().startswith(_ENCODED)):
        return claim.encode("ascii")
    return (_ENCODED + quote(claim.encode("utf-8", "replace"), safe="")).encode("ascii")
