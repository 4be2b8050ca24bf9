"""The base class of all audit events: when, who, from where, and which request."""

import re
from typing import ClassVar

import msgspec

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def name_of(class_name: str) -> str:
    """Return the stable name of an event: `CSRFRefused` is `csrf_refused`."""
    return _WORDS.sub("_", class_name).lower()


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True, tag=name_of, tag_field="name"):
    """What happened, for an audit trail. `msgspec.json.encode(event)` makes JSON of it.

    No field contains a token, a secret, a code or a cookie. `sub`, `issuer` and `client_id` are verified facts; they
    are None if nothing verified tells them. Texts from outside are cut to 500 characters; `path`, `method` and
    `client_address` are as the request and the server state them.

    Attributes:
        at: seconds since the epoch, with milliseconds.
        provider: the name of the provider in the setting `providers`; None for a single provider.
        issuer: the issuer of the provider; together with `sub`, it identifies the user.
        sub: the user.
        session_id: as in `scope["oidc"].session_id` and `middleware.sessions`; it is not the cookie, and not a secret.
        client_address: of the client, as the server gives it in `scope["client"]`; behind a proxy, the server has to be
            told to trust the proxy's headers. With `asgi-oidc serve`, the one that a trusted proxy names.
        base_url: the `base_url` of the host that served the request.
        method: of the request; None if no request caused the event.
        path: of the request, without the query.
        reference: what the user sees on the page, and what the log line has.
        code: what went wrong, as in the log.
    """

    at: float = 0.0
    provider: str | None = None
    issuer: str | None = None
    sub: str | None = None
    session_id: str | None = None
    client_address: str | None = None
    base_url: str | None = None
    method: str | None = None
    path: str | None = None
    reference: str | None = None
    code: str | None = None

    is_repeatable: ClassVar[bool] = False
    """Whether clients can cause the event as often as they like; such events have a queue of their own, which may
    overflow without harm to the others."""

    @property
    def name(self) -> str:
        """The stable name of the event, such as `signed_in`."""
        return str(self.__struct_config__.tag)
