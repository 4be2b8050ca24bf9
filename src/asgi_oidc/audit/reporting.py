"""Reports audit events from wherever they happen; the request that is served adds where it came from.

Without the setting `on_event`, there is no reporter, and reporting an event does nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, ParamSpec, Protocol

import msgspec

from asgi_oidc.audit.audit_event import AuditEvent
from asgi_oidc.audit.trail import AuditTrail

MAX_TEXT_LENGTH = 500  # characters; a longer path or the like is cut
CLIENT_ADDRESS = "asgi_oidc.client_address"  # in a scope: an address that events have in place of `scope["client"]`

Fields = ParamSpec("Fields")


class LoginFacts(Protocol):
    """Whose session an event is about; `id` is the secret id of the session."""

    @property
    def id(self) -> str: ...
    @property
    def issuer(self) -> str: ...
    @property
    def sub(self) -> str: ...
    @property
    def provider(self) -> str: ...


class Reporter:
    """Adds what is known about the request that is served, and passes events on to the trail."""

    __slots__ = ("_base_url", "_handle", "_scope", "_trail")

    def __init__(
        self,
        trail: AuditTrail,
        handle: Callable[[str], str],
        *,
        base_url: str | None = None,
        scope: Mapping[str, Any] | None = None,
    ) -> None:
        """Set up a reporter.

        Args:
            handle: makes the public name of a session from its secret id.
            base_url: of the host.
            scope: of the request; None outside of requests.
        """
        self._trail = trail
        self._handle = handle
        self._base_url = base_url
        self._scope = scope

    def of_request(self, base_url: str, scope: Mapping[str, Any]) -> "Reporter":
        """Return the reporter of one request."""
        return Reporter(self._trail, self._handle, base_url=base_url, scope=scope)

    def handle(self, session_id: str) -> str:
        """Return the public name of a session."""
        return self._handle(session_id)

    def start_delivery(self) -> None:
        """Start the delivery of events that were reported in other threads, if there are any."""
        self._trail.start()

    def add(self, event: AuditEvent, login: LoginFacts | None) -> None:
        """Pass an event on, with the facts about its request and its session."""
        facts: dict[str, Any] = {"base_url": self._base_url}
        if login is not None:
            facts |= {"issuer": login.issuer, "sub": login.sub, "provider": login.provider or None}
            facts["session_id"] = self._handle(login.id)
        if self._scope is not None:
            facts |= _request_facts(self._scope)
        stated = msgspec.structs.asdict(event)
        known = {name: fact for name, fact in facts.items() if stated[name] is None}
        texts = {name: _clean(text) for name, text in {**stated, **known}.items() if isinstance(text, str)}
        self._trail.add(msgspec.structs.replace(event, **{**known, **texts}))


_current: ContextVar[Reporter | None] = ContextVar("asgi_oidc_audit_reporter", default=None)


def report(make: Callable[Fields, AuditEvent], *fields: Fields.args, **named: Fields.kwargs) -> None:
    """Report an event, if somebody listens.

    Args:
        make: the class of the event, called with the fields that follow.
    """
    reporter = _current.get()
    if reporter is not None:
        reporter.add(make(*fields, **named), None)


def report_session(
    login: LoginFacts | None, make: Callable[Fields, AuditEvent], *fields: Fields.args, **named: Fields.kwargs
) -> None:
    """Report an event about a session: whose it is, and its public name; as `report` if there is none."""
    reporter = _current.get()
    if reporter is not None:
        reporter.add(make(*fields, **named), login)


def public_name(session_id: str | None) -> str | None:
    """Return the public name of a session for an event; None if nobody listens."""
    reporter = _current.get()
    return None if reporter is None or session_id is None else reporter.handle(session_id)


def begin_reporting(reporter: Reporter) -> Token[Reporter | None]:
    """Report to this reporter from now on; quicker than `reporting`, for every request."""
    return _current.set(reporter)


def end_reporting(token: Token[Reporter | None]) -> None:
    """Report again to the reporter before."""
    _current.reset(token)


@contextmanager
def reporting(reporter: Reporter | None, *, replaces: bool = True) -> Iterator[None]:
    """Report to this reporter within the block.

    Args:
        replaces: whether it replaces the reporter of a request that is being served.
    """
    if reporter is None or (not replaces and _current.get() is not None):
        yield
        return
    token = begin_reporting(reporter)
    try:
        yield
    finally:
        end_reporting(token)


def _request_facts(scope: Mapping[str, Any]) -> dict[str, Any]:
    is_websocket, client = scope.get("type") == "websocket", scope.get("client")
    return {
        "client_address": scope.get(CLIENT_ADDRESS) or (str(client[0]) if client else None),
        "method": "WEBSOCKET" if is_websocket else str(scope.get("method")),
        "path": str(scope.get("path")),
    }


def _clean(text: str) -> str:
    """Return a text that any encoder accepts, cut to `MAX_TEXT_LENGTH`."""
    if len(text) > MAX_TEXT_LENGTH:
        text = text[:MAX_TEXT_LENGTH] + "..."
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
