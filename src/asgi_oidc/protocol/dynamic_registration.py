"""Registers a client at the provider (RFC 7591, OpenID Connect Registration 1.0), and manages that (RFC 7592)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from asgi_oidc.errors import AnswerRejected, describe_value
from asgi_oidc.protocol.messages import Answer, Call, check_status, read_json_answer

CREATED = (201, 200)  # the specification has 201 only; some providers answer 200, and have registered the client
MAX_TEXT = 4096  # characters of an id, a secret or a token
# Members that the provider alone decides; an update must not send them (RFC 7592 §2.2).
DECIDED_BY_PROVIDER = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a provider has registered.

    Attributes:
        client_secret: None if the provider gave none.
        secret_expires_at: seconds since the epoch; 0 for never, None if the provider does not say.
        access_token: with which the registration is read and changed; None if the provider does not offer that.
        uri: of the registration; None as for `access_token`.
        members: all members of the answer, the secrets included.
        status: of the answer.
    """

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    secret_expires_at: int | None = None
    access_token: str | None = field(default=None, repr=False)
    uri: str | None = None
    members: Mapping[str, object] = field(default_factory=dict, repr=False)
    status: int = 201


@dataclass(frozen=True, slots=True)
class RegistrationAccess:
    """Where a registration is managed, and the token for that (RFC 7592 §3)."""

    uri: str
    access_token: str = field(repr=False)


def registration_call(url: str, metadata: Mapping[str, object], *, initial_access_token: str | None) -> Call:
    """Return the call that registers a client (RFC 7591 §3.1).

    Args:
        initial_access_token: None if anybody may register.
    """
    return _call("POST", url, metadata, token=initial_access_token)


def read_call(access: RegistrationAccess) -> Call:
    """Return the call that reads a registration (RFC 7592 §2.1)."""
    return _call("GET", access.uri, None, token=access.access_token)


def update_call(access: RegistrationAccess, current: Registration, metadata: Mapping[str, object]) -> Call:
    """Return the call that replaces the metadata of a registration (RFC 7592 §2.2).

    Args:
        current: what is registered now; the id, and the secret if there is one, have to be repeated.
    """
    secret = {} if current.client_secret is None else {"client_secret": current.client_secret}
    return _call("PUT", access.uri, {**metadata, "client_id": current.client_id, **secret}, token=access.access_token)


def delete_call(access: RegistrationAccess) -> Call:
    """Return the call that removes a client (RFC 7592 §2.3)."""
    return _call("DELETE", access.uri, None, token=access.access_token)


def _call(method: str, url: str, body: Mapping[str, object] | None, *, token: str | None) -> Call:
    headers = {"accept": "application/json"}
    if body is not None:
        headers["content-type"] = "application/json"
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    secret = None if body is None else body.get("client_secret")
    secrets = tuple(str(value) for value in (token, secret) if value is not None)
    return Call(method, url, headers, None if body is None else json.dumps(body).encode("ascii"), secrets)


def check_deletion_answer(answer: Answer) -> None:
    """Refuse any answer but the one that says that the client is removed.

    Raises:
        ProviderError: it was not, or not for certain.
    """
    check_status(answer, endpoint="registration", expected=204)


def read_registration_answer(answer: Answer, *, is_new: bool) -> Registration:
    """Read the client information response (RFC 7591 §3.2.1, RFC 7592 §3).

    Args:
        is_new: whether the call was to register a client, not to read or change one.

    Raises:
        ProviderRefused: the provider refuses; `error` is as in RFC 7591 §3.2.2.
        ProviderError: it is down, or the answer is none that can be used.
    """
    expected = answer.status if is_new and answer.status in CREATED else CREATED[0] if is_new else 200
    members = read_json_answer(answer, endpoint="registration", expected_status=expected)
    client_id = _read_text(members, "client_id")
    if client_id is None:
        raise _malformed("client_id is missing")
    expires_at = members.get("client_secret_expires_at")
    if expires_at is not None and (not isinstance(expires_at, int) or isinstance(expires_at, bool) or expires_at < 0):
        raise _malformed(
            f"client_secret_expires_at: expected seconds since the epoch, got {describe_value(expires_at)}"
        )
    return Registration(
        client_id=client_id,
        client_secret=_read_text(members, "client_secret"),
        secret_expires_at=expires_at,
        access_token=_read_text(members, "registration_access_token"),
        uri=_read_text(members, "registration_client_uri"),
        members=members,
        status=answer.status,
    )


def _read_text(members: Mapping[str, object], name: str) -> str | None:
    """Return a text that fits on one line, where it will be written; None without the member."""
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value or not value.isprintable() or len(value) > MAX_TEXT:
        raise _malformed(f"{name}: expected text of 1 to {MAX_TEXT} characters")
    return value


def _malformed(detail: str) -> AnswerRejected:
    return AnswerRejected("registration_malformed", detail)
