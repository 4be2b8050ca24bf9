"""Records spans and metrics with the API of OpenTelemetry; no other module imports it.

The global providers decide what becomes of them: without an SDK, nothing. No attribute, name, event or status ever
holds a secret, a token, a code, a state, a subject, an address of a user or the text of an exception.
"""

import sys
import time
from abc import ABC, abstractmethod
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from importlib import metadata
from types import TracebackType
from typing import Any, Self, TypeVar, cast
from urllib.parse import urlsplit

from opentelemetry import context, metrics, trace
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode

from asgi_oidc.telemetry import catalogue
from asgi_oidc.telemetry.bounded import OTHER, BoundedValues

MAX_PROVIDERS = 100  # names of providers in metrics; tenants beyond that are `other`
MAX_ADDRESSES = 100  # hosts of providers with their ports, in metrics
MAX_CODES = 500  # our own codes, and those of exceptions that an app derives from ours
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"
_PORTS = {"https": 443, "http": 80}
_NAMES = {
    "provider": catalogue.PROVIDER,
    "outcome": catalogue.OUTCOME,
    "code": catalogue.CODE,
    "by": catalogue.BY,
    "status": catalogue.STATUS,
}

CoroutineFunction = TypeVar("CoroutineFunction", bound=Callable[..., Awaitable[Any]])
Attributes = dict[str, str | int]


def _version() -> str:
    try:
        return metadata.version("asgi-oidc")
    except metadata.PackageNotFoundError:  # copied from somewhere, and not installed
        return ""


_TRACER = trace.get_tracer("asgi_oidc", _version())
_METER = metrics.get_meter("asgi_oidc", _version())
_COUNTERS = {
    each: _METER.create_counter(each.name, unit=each.unit, description=each.description) for each in catalogue.COUNTERS
}
_HISTOGRAMS = {
    each: _METER.create_histogram(
        each.name, unit="s", description=each.description, explicit_bucket_boundaries_advisory=each.buckets
    )
    for each in catalogue.HISTOGRAMS
}
_OPERATION = context.create_key("asgi_oidc.operation")
# Instrumentations of HTTP clients look for this key. They would record our calls a second time, and send the ids of the
# trace, and the app's baggage, to the provider.
_NO_HTTP_INSTRUMENTATION = getattr(context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation")
_providers = BoundedValues(MAX_PROVIDERS)
_addresses = BoundedValues(MAX_ADDRESSES)
_codes = BoundedValues(MAX_CODES)


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
        self._span.end()

    @abstractmethod
    def _finish(self, seconds: float, *, is_cancelled: bool) -> None:
        """Set what is known at the end."""

    def _fail(self, code: str) -> None:
        self._span.set_attribute(catalogue.ERROR_TYPE, code)
        self._span.set_status(Status(StatusCode.ERROR, code))


class _Operation(_Recorded):
    """One of our own operations, such as the callback of a login."""

    __slots__ = ("_by", "_described", "_outcome", "_provider")

    def __init__(self, described: catalogue.Span, by: str | None) -> None:
        super().__init__(_TRACER.start_span(described.name))
        self._described = described
        self._by = by
        self._provider: str | None = None
        self._outcome: str | None = None

    def _context(self) -> context.Context:
        return context.set_value(_OPERATION, self, super()._context())

    def annotate(self, provider: str | None, outcome: str | None, code: str | None) -> None:
        """Note what has become known; the last word counts."""
        self._provider = provider or self._provider
        self._outcome = outcome or self._outcome
        self._code = code or self._code

    def _finish(self, seconds: float, *, is_cancelled: bool) -> None:
        failed = self._code is not None
        outcome = self._outcome or (CANCELLED if is_cancelled else FAILED if failed else SUCCEEDED)
        code = self._code if outcome != SUCCEEDED else None
        if self._provider:
            self._span.set_attribute(catalogue.PROVIDER, self._provider)
        if self._by is not None:
            self._span.set_attribute(catalogue.BY, self._by)
        self._span.set_attribute(catalogue.OUTCOME, outcome)
        if code is not None and not is_cancelled:
            self._span.set_attribute(catalogue.CODE, code)
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
        super().__init__(_TRACER.start_span(f"{method} {endpoint}", kind=SpanKind.CLIENT, attributes=attributes))
        if provider:
            self._labels[catalogue.PROVIDER] = _providers.get(provider)
        if _addresses.add(f"{address}:{port}") == OTHER:
            self._labels[catalogue.ADDRESS] = OTHER
        else:
            self._labels |= {catalogue.ADDRESS: address, catalogue.PORT: port}
        self._status: int | None = None

    def _context(self) -> context.Context:
        return context.set_value(_NO_HTTP_INSTRUMENTATION, True, super()._context())

    def answered(self, status: int) -> None:
        """Note the status of the answer."""
        if 100 <= status <= 599:
            self._status = status
            self._span.set_attribute(catalogue.STATUS, status)

    def _finish(self, seconds: float, *, is_cancelled: bool) -> None:
        labels = self._labels
        if self._status is not None:
            labels[catalogue.STATUS] = self._status
        failure = self._code or (str(self._status) if self._status is not None and self._status >= 400 else None)
        if is_cancelled:
            failure = CANCELLED
        if failure is not None:
            labels[catalogue.ERROR_TYPE] = _codes.add(failure)
            self._fail(failure)
        _HISTOGRAMS[catalogue.PROVIDER_CALLS].record(seconds, labels)


class _StoreCall(_Recorded):
    """A call to a store: a database client span if it is part of a trace.

    Each process reads the revocations of the others every second: that would be a trace of its own every time.
    """

    __slots__ = ("_labels",)

    def __init__(self, system: str, operation: str) -> None:
        self._labels: Attributes = {catalogue.STORE: system, catalogue.OPERATION: operation}
        is_in_trace = trace.get_current_span().get_span_context().is_valid
        super().__init__(
            _TRACER.start_span(operation, kind=SpanKind.CLIENT, attributes=self._labels)
            if is_in_trace
            else trace.INVALID_SPAN
        )

    def _finish(self, seconds: float, *, is_cancelled: bool) -> None:
        failure = CANCELLED if is_cancelled else self._code
        if failure is not None:
            self._fail(failure)
            self._labels[catalogue.ERROR_TYPE] = _codes.add(failure)
        _HISTOGRAMS[catalogue.STORE_CALLS].record(seconds, self._labels)


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
            with _Operation(span, by):
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
        with _StoreCall(guarded.system, operation):
            return await function(guarded, operation, call)

    return cast(CoroutineFunction, traced_method)


def untraced(function: CoroutineFunction) -> CoroutineFunction:
    """Take a coroutine function out of the trace of the request in which it runs.

    For what is done every few seconds as long as a connection is open: its trace would grow and grow.
    """

    @wraps(function)
    async def untraced_function(*args: Any, **kwargs: Any) -> Any:
        outside = context.set_value(_OPERATION, None, trace.set_span_in_context(trace.INVALID_SPAN))
        token = context.attach(outside)
        try:
            return await function(*args, **kwargs)
        finally:
            if not isinstance(sys.exception(), GeneratorExit):
                context.detach(token)

    return cast(CoroutineFunction, untraced_function)


def annotate(*, provider: str | None = None, outcome: str | None = None, code: str | None = None) -> None:
    """Say what has become known about the innermost operation of ours that is under way; nothing if there is none."""
    operation = context.get_value(_OPERATION)
    if isinstance(operation, _Operation):
        operation.annotate(provider, outcome, code)


def count(counter: catalogue.Counter, **attributes: str | int | None) -> None:
    """Add one to a counter.

    Args:
        attributes: `provider`, `outcome`, `code`, `by` and `status`; None and empty texts are left out.
    """
    _COUNTERS[counter].add(1, _labels(attributes))


def observe(histogram: catalogue.Histogram, seconds: float, **attributes: str | None) -> None:
    """Add a duration to a histogram; `attributes` as in `count`."""
    _HISTOGRAMS[histogram].record(seconds, _labels(attributes))


def name_provider(name: str) -> None:
    """Let a name appear in metrics; those of looked-up providers are made up by anyone until they are found."""
    _providers.add(name)


def forget_values() -> None:
    """Forget which names, hosts and codes have been seen, for tests."""
    for values in (_providers, _addresses, _codes):
        values.clear()


def current_link() -> SpanContext | None:
    """Return what `link` needs to point to the current span; None if there is none."""
    found = trace.get_current_span().get_span_context()
    return found if found.is_valid else None


def link(target: object) -> None:
    """Link the current span to another one, which does the work that this one waits for."""
    if isinstance(target, SpanContext):
        current = trace.get_current_span()
        if current.get_span_context() != target:
            current.add_link(target)


def current_span_id() -> str:
    """Return the ids of the current span as base64url text, to keep until a later request; empty if there is none."""
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return ""
    ids = found.trace_id.to_bytes(16), found.span_id.to_bytes(8), bytes([found.trace_flags])
    return urlsafe_b64encode(b"".join(ids)).rstrip(b"=").decode("ascii")


def link_earlier(span_id: str) -> None:
    """Link the current span to one of an earlier request, by its `current_span_id`, which only we have written."""
    if span_id:
        ids = urlsafe_b64decode(f"{span_id}==")
        trace_id, own_id = int.from_bytes(ids[:16]), int.from_bytes(ids[16:24])
        link(SpanContext(trace_id, own_id, is_remote=True, trace_flags=trace.TraceFlags(ids[24])))


def _labels(attributes: Mapping[str, str | int | None]) -> Attributes:
    labels: Attributes = {_NAMES[name]: value for name, value in attributes.items() if value}
    if isinstance(name := labels.get(catalogue.PROVIDER), str):
        labels[catalogue.PROVIDER] = _providers.get(name)
    if isinstance(code := labels.get(catalogue.CODE), str):
        labels[catalogue.CODE] = _codes.add(code)
    return labels


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
