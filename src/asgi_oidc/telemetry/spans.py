"""The spans: one of our own operations, a call to a provider, a call to a store."""

import time
from abc import ABC, abstractmethod
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from asgi_oidc.telemetry import catalogue
from asgi_oidc.telemetry.instruments import (
    Attributes,
    bounded_address,
    bounded_code,
    bounded_provider,
    count,
    observe,
    record,
    version,
)

SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"
OPERATION = context.create_key("asgi_oidc.operation")  # the innermost one that is under way
# Instrumentations of HTTP clients look for this key. They would record our calls a second time, and send the ids of the
# trace, and the app's baggage, to the provider.
_NO_HTTP_INSTRUMENTATION = getattr(context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation")
_PORTS = {"https": 443, "http": 80}
_TRACER = trace.get_tracer("asgi_oidc", version())


def _start(name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes | None = None) -> trace.Span:
    with suppress(Exception):  # an SDK that fails does not harm a request
        return _TRACER.start_span(name, kind=kind, attributes=attributes)
    return trace.INVALID_SPAN


def current_context() -> trace.SpanContext | None:
    """Return the context of the current span, which may be one of the app's; None if there is none."""
    with suppress(Exception):  # as above
        found = trace.get_current_span().get_span_context()
        return found if found.is_valid else None
    return None


class _Recorded(ABC):
    """A span, from `with` to its end; the spans within it are its children, in other tasks as well."""

    __slots__ = ("_code", "_span", "_started_at", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._code: str | None = None
        self._token: Any = None
        self._started_at = 0.0

    def _context(self) -> context.Context:
        return trace.set_span_in_context(self._span)

    def __enter__(self) -> Self:
        self._token = context.attach(self._context())
        self._started_at = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        seconds = time.perf_counter() - self._started_at
        if not isinstance(error, GeneratorExit):  # a coroutine that is thrown away, perhaps in another context
            context.detach(self._token)
        if error is not None and self._code is None:
            self._code = _code_of(error)
        self._finish(seconds, is_cancelled=error is not None and not isinstance(error, Exception))
        with suppress(Exception):  # as at its start
            self._span.end()

    @abstractmethod
    def _finish(self, seconds: float, *, is_cancelled: bool) -> None:
        """Set what is known at the end."""

    def _set(self, name: str, value: str | int) -> None:
        with suppress(Exception):  # as at its start; a metric is counted all the same
            self._span.set_attribute(name, value)

    def _fail(self, code: str) -> None:
        self._set(catalogue.ERROR_TYPE, code)
        with suppress(Exception):
            self._span.set_status(Status(StatusCode.ERROR, code))


class Operation(_Recorded):
    """One of our own operations, such as the callback of a login."""

    __slots__ = ("_by", "_described", "_outcome", "_provider")

    def __init__(self, described: catalogue.Span, by: str | None) -> None:
        super().__init__(_start(described.name))
        self._described = described
        self._by = by
        self._provider: str | None = None
        self._outcome: str | None = None

    def _context(self) -> context.Context:
        return context.set_value(OPERATION, self, super()._context())

    def annotate(self, provider: str | None, outcome: str | None, code: str | None) -> None:
        """Note what has become known; the last word counts."""
        self._provider = provider or self._provider
        self._outcome = outcome or self._outcome
        self._code = code or self._code

    def _finish(self, seconds: float, *, is_cancelled: bool) -> None:
        failed = self._code is not None
        outcome = self._outcome or (CANCELLED if is_cancelled else FAILED if failed else SUCCEEDED)
        code = None if is_cancelled or outcome == SUCCEEDED else self._code
        if self._provider:
            self._set(catalogue.PROVIDER, self._provider)
        if self._by is not None:
            self._set(catalogue.BY, self._by)
        self._set(catalogue.OUTCOME, outcome)
        if code is not None:
            self._set(catalogue.CODE, code)
            if outcome == FAILED:
                self._fail(code)
        known = {"provider": self._provider, "outcome": outcome, "code": code, "by": self._by}
        if self._described.counter is not None:
            count(self._described.counter, **known)
        if self._described.histogram is not None:
            observe(self._described.histogram, seconds, provider=self._provider, outcome=outcome)


class ProviderCall(_Recorded):
    """A call to a provider: an HTTP client span."""

    __slots__ = ("_labels", "_status")

    def __init__(self, method: str, url: str, *, endpoint: str, provider: str) -> None:
        self._labels: Attributes = {catalogue.METHOD: method, catalogue.ENDPOINT: endpoint}
        address, port, plain = _read_url(url)
        named: Attributes = {} if not provider else {catalogue.PROVIDER: provider}
        located: Attributes = {catalogue.ADDRESS: address, catalogue.PORT: port, catalogue.URL: plain}
        attributes = {**self._labels, **named, **located}
        super().__init__(_start(f"{method} {endpoint}", SpanKind.CLIENT, attributes))
        if provider:
            self._labels[catalogue.PROVIDER] = bounded_provider(provider)
        self._labels |= bounded_address(address, port)
        self._status: int | None = None

    def _context(self) -> context.Context:
        return context.set_value(_NO_HTTP_INSTRUMENTATION, True, super()._context())

    def answered(self, status: int) -> None:
        """Note the status of the answer."""
        if 100 <= status <= 599:
            self._status = status
            self._set(catalogue.STATUS, status)

    def _finish(self, seconds: float, *, is_cancelled: bool) -> None:
        labels = self._labels
        if self._status is not None:
            labels[catalogue.STATUS] = self._status
        failure = self._code or (str(self._status) if self._status is not None and self._status >= 400 else None)
        if is_cancelled:
            failure = CANCELLED
        if failure is not None:
            labels[catalogue.ERROR_TYPE] = bounded_code(failure)
            self._fail(failure)
        record(catalogue.PROVIDER_CALLS, seconds, labels)


class StoreCall(_Recorded):
    """A call to a store: a database client span if it is part of a trace.

    Each process reads the revocations of the others every second: that would be a trace of its own every time.
    """

    __slots__ = ("_labels",)

    def __init__(self, system: str, operation: str) -> None:
        self._labels: Attributes = {catalogue.STORE: system, catalogue.OPERATION: operation}
        is_in_trace = current_context() is not None
        super().__init__(_start(operation, SpanKind.CLIENT, self._labels) if is_in_trace else trace.INVALID_SPAN)

    def _finish(self, seconds: float, *, is_cancelled: bool) -> None:
        failure = CANCELLED if is_cancelled else self._code
        if failure is not None:
            self._fail(failure)
            self._labels[catalogue.ERROR_TYPE] = bounded_code(failure)
        record(catalogue.STORE_CALLS, seconds, self._labels)


def _code_of(error: BaseException) -> str:
    # Those of our errors are stable; the class of any other exception says enough, and its text may say too much.
    is_ours = hasattr(type(error), "default_code")
    return str(getattr(error, "code", "error")) if is_ours else type(error).__qualname__


def _read_url(url: str) -> tuple[str, int, str]:
    """Return host, port and the URL without user name, query and fragment."""
    try:
        split = urlsplit(url)
        host, port = split.hostname or "", split.port or _PORTS.get(split.scheme, 0)
    except ValueError:
        return "", 0, ""
    return host, port, f"{split.scheme}://{split.netloc.rpartition('@')[2]}{split.path}"
