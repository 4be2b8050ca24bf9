"""Compares what a provider has registered with what was asked for: it may change any member (RFC 7591 §2)."""

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from asgi_oidc.protocol.dynamic_registration import Registration
from asgi_oidc.safe_urls import check_url, origin_of

SECRET_METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt")
# What users read, or what the provider may well extend, such as scopes: no login is weaker or fails because of these.
DESCRIPTIONS = ("client_name", "client_uri", "logo_uri", "scope", "application_type")
ID_TOKEN_ALG = "id_token_signed_response_alg"  # noqa: S105  # the name of a member
DEFAULTS: Mapping[str, object] = {  # RFC 7591 §2, OpenID Connect Registration 1.0 §2
    "application_type": "web",
    "grant_types": ["authorization_code"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "client_secret_basic",
    "id_token_signed_response_alg": "RS256",
}
MAX_QUOTED = 200  # characters
MAX_INSTANT = 253_402_300_799  # end of the year 9999, the last that a date can have
CREATED = 201  # status


class Problem(NamedTuple):
    """What is wrong with a registration.

    Attributes:
        severity: an error makes logins fail, or less secure than the settings ask for.
    """

    severity: Literal["error", "warning"]
    text: str


def find_problems(
    asked: Mapping[str, object],
    registration: Registration,
    *,
    now: int,
    endpoint: str | None,
    issuer: str,
    algorithms: Collection[str],
) -> list[Problem]:
    """Return everything in which a registration differs from what was asked for, or from the specifications.

    Args:
        now: seconds since the epoch.
        endpoint: that of registrations; None if this is not a new one.
        issuer: the provider.
        algorithms: those of ID Tokens that the settings accept.
    """
    return [
        *_changed_members(asked, registration.members),
        *_unasked_algorithms(asked, registration.members, algorithms),
        *_secret_problems(asked, registration, now=now),
        *_access_problems(registration, {issuer, endpoint or issuer}),
        *_status_problems(registration, is_new=endpoint is not None),
    ]


def _changed_members(asked: Mapping[str, object], registered: Mapping[str, object]) -> Iterator[Problem]:
    for name, value in asked.items():
        if name not in registered:
            if name in DESCRIPTIONS or DEFAULTS.get(name) == value:
                continue
            yield Problem("warning", f"{name}: asked for {_quoted(value)}, but the answer does not confirm it")
        elif not _is_same(value, registered[name]):
            severity: Literal["error", "warning"] = "warning" if name in DESCRIPTIONS else "error"
            text = f"{name}: asked for {_quoted(value)}, but the provider has registered {_quoted(registered[name])}"
            yield Problem(severity, text)


def _unasked_algorithms(
    asked: Mapping[str, object], registered: Mapping[str, object], algorithms: Collection[str]
) -> Iterator[Problem]:
    """Find algorithms that nobody asked for, and whose tokens would be refused."""
    for name in registered.keys() - asked.keys():
        value = registered[name]
        is_refused = name == ID_TOKEN_ALG and value is not None and value not in algorithms
        if is_refused or (name.endswith("_encrypted_response_alg") and value is not None):
            text = f"{name}: the provider has registered {_quoted(value)}, which does not fit the settings"
            yield Problem("error", text)


def _is_same(asked: object, registered: object) -> bool:
    """Whether two values mean the same; the order of a list means nothing in these members."""
    if isinstance(asked, list) and isinstance(registered, list):
        return sorted(map(repr, asked)) == sorted(map(repr, registered))
    if isinstance(asked, Mapping) and isinstance(registered, Mapping):
        return _ids_of(asked) == _ids_of(registered)  # providers add members to keys, such as `alg`
    return asked == registered


def _ids_of(jwks: Mapping[str, object]) -> list[str]:
    keys = jwks.get("keys")
    return sorted(str(key.get("kid")) for key in keys if isinstance(key, Mapping)) if isinstance(keys, list) else []


def _secret_problems(asked: Mapping[str, object], registration: Registration, *, now: int) -> Iterator[Problem]:
    method = registration.members.get("token_endpoint_auth_method", asked.get("token_endpoint_auth_method"))
    if method not in SECRET_METHODS:
        return
    if registration.client_secret is None:
        yield Problem("error", f"client_secret: missing, although the method is {method}")
        return
    expires_at = registration.secret_expires_at
    if expires_at is None:
        text = "client_secret_expires_at: missing, so it is not known when the secret expires (RFC 7591 §3.2.1)"
        yield Problem("warning", text)
    elif 0 < expires_at <= now:
        yield Problem("error", "client_secret_expires_at: the secret has expired already")
    elif expires_at:
        day = f"{datetime.fromtimestamp(min(expires_at, MAX_INSTANT), UTC):%Y-%m-%d}"
        yield Problem("warning", f"client_secret_expires_at: the secret expires on {day}: renew it before then")


def _access_problems(registration: Registration, urls: set[str]) -> Iterator[Problem]:
    uri, token = registration.uri, registration.access_token
    if uri is None and token is None:
        return  # the provider has no client configuration endpoint
    if uri is None or token is None:
        missing = "registration_client_uri" if uri is None else "registration_access_token"
        yield Problem("warning", f"{missing}: missing, so the registration cannot be changed later")
        return
    if why := why_not_called(uri, urls):
        yield Problem("error", f"registration_client_uri: {why}: do not send the token there")


def why_not_called(uri: str, urls: set[str]) -> str | None:
    """Return why no token must be sent to a URI; None if it may.

    Args:
        urls: of the provider, whose origins are trusted.
    """
    try:
        origin = origin_of(check_url(uri))
    except ValueError as error:
        return str(error)
    trusted = {origin_of(check_url(url)) for url in urls}
    return None if origin in trusted else f"it is at {origin}, not at {' or '.join(sorted(trusted))}"


def _status_problems(registration: Registration, *, is_new: bool) -> Iterator[Problem]:
    if is_new and registration.status != CREATED:
        text = f"the provider answered with status {registration.status}, not {CREATED} (RFC 7591 §3.2.1)"
        yield Problem("warning", text)


def _quoted(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."
