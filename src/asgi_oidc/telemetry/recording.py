"""Records spans and metrics with the API of OpenTelemetry.

The global providers decide what becomes of them: without an SDK, nothing. No attribute, name, event or status ever
holds a secret, a token, a code, a state, a subject, an address of a user or the text of an exception.
"""

import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from typing import Any, TypeVar, cast

from opentelemetry import context, trace
from opentelemetry.trace import SpanContext

from asgi_oidc.telemetry import catalogue
from asgi_oidc.telemetry.instruments import count, name_provider, observe
from asgi_oidc.telemetry.spans import OPERATION, Operation, ProviderCall, StoreCall, current_context

__all__ = [
    "annotate",
    "count",
    "current_link",
    "current_span_id",
    "link",
    "link_earlier",
    "name_provider",
    "observe",
    "provider_call",
    "traced",
    "traced_store_call",
    "untraced",
]

CoroutineFunction = TypeVar("CoroutineFunction", bound=Callable[..., Awaitable[Any]])


def provider_call(method: str, url: str, *, endpoint: str, provider: str) -> ProviderCall:
    """Return a span around one call to a provider.

    Args:
        url: its query and user name are left out.
        endpoint: which endpoint is called, such as `token`.
        provider: its name; empty for the flat keywords.
    """
    return ProviderCall(method, url, endpoint=endpoint, provider=provider)


def traced(span: catalogue.Span, *, by: str | None = None) -> Callable[[CoroutineFunction], CoroutineFunction]:
    """Put a span around a coroutine function, and count its calls.

    Args:
        by: who has caused it, for `asgi_oidc.by`.
    """

    def around(function: CoroutineFunction) -> CoroutineFunction:
        @wraps(function)
        async def traced_function(*args: Any, **kwargs: Any) -> Any:
            with Operation(span, by):
                return await function(*args, **kwargs)

        return cast(CoroutineFunction, traced_function)

    return around


def traced_store_call(function: CoroutineFunction) -> CoroutineFunction:
    """Put a span around a method that makes one call to a store.

    Its object has an attribute `system`, the name of the database, or None for memory, which is not recorded; its first
    argument is the name of the operation.
    """

    @wraps(function)
    async def traced_method(guarded: Any, operation: str, call: Any) -> Any:
        if guarded.system is None:
            return await function(guarded, operation, call)
        with StoreCall(guarded.system, operation):
            return await function(guarded, operation, call)

    return cast(CoroutineFunction, traced_method)


def untraced(function: CoroutineFunction) -> CoroutineFunction:
    """Take a coroutine function out of the trace of the request in which it runs.

    For what is done every few seconds as long as a connection is open: its trace would grow and grow.
    """

    @wraps(function)
    async def untraced_function(*args: Any, **kwargs: Any) -> Any:
        outside = context.set_value(OPERATION, None, trace.set_span_in_context(trace.INVALID_SPAN))
        token = context.attach(outside)
        try:
            return await function(*args, **kwargs)
        finally:
            if not isinstance(sys.exception(), GeneratorExit):
                context.detach(token)

    return cast(CoroutineFunction, untraced_function)


def annotate(*, provider: str | None = None, outcome: str | None = None, code: str | None = None) -> None:
    """Say what has become known about the innermost operation of ours that is under way; nothing if there is none."""
    operation = context.get_value(OPERATION)
    if isinstance(operation, Operation):
        operation.annotate(provider, outcome, code)


def current_link() -> SpanContext | None:
    """Return what `link` needs to point to the current span; None if there is none."""
    return current_context()


def link(target: object) -> None:
    """Link the current span to another one, which does the work that this one waits for."""
    if isinstance(target, SpanContext) and current_context() != target:
        with suppress(Exception):  # an SDK that fails does not harm a request
            trace.get_current_span().add_link(target)


def current_span_id() -> str:
    """Return the ids of the current span as base64url text, to keep until a later request; empty if there is none."""
    found = current_context()
    if found is None:
        return ""
    ids = found.trace_id.to_bytes(16), found.span_id.to_bytes(8), bytes([found.trace_flags])
    return urlsafe_b64encode(b"".join(ids)).rstrip(b"=").decode("ascii")


def link_earlier(span_id: str) -> None:
    """Link the current span to one of an earlier request, by its `current_span_id`, which only we have written."""
    if span_id:
        ids = urlsafe_b64decode(f"{span_id}==")
        trace_id, own_id = int.from_bytes(ids[:16]), int.from_bytes(ids[16:24])
        link(SpanContext(trace_id, own_id, is_remote=True, trace_flags=trace.TraceFlags(ids[24])))
