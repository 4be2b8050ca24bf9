"""What the real SDK of OpenTelemetry records during a test; its global providers can be set only once in a process."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    InMemoryMetricReader,
    NumberDataPoint,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from prometheus_client import REGISTRY, generate_latest

Labels = frozenset[tuple[str, Any]]


class _Kept(SpanProcessor):
    """Keeps the spans that end while a test records."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] | None = None
        self.is_broken = False
        self.makes_broken_spans = False

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if self.is_broken:
            raise ZeroDivisionError("at the start of a span")

    def on_end(self, span: ReadableSpan) -> None:
        if self.is_broken:
            raise ZeroDivisionError("at the end of a span")
        if self.spans is not None:
            self.spans.append(span)


class BrokenSpan(trace.NonRecordingSpan):
    """A span that raises whatever is asked of it.

    Args:
        working: names of what works.
    """

    def __init__(self, span_context: trace.SpanContext = trace.INVALID_SPAN_CONTEXT, *working: str) -> None:
        super().__init__(span_context)
        self._working = ("_context", *working)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") or name in super().__getattribute__("_working"):
            return super().__getattribute__(name)
        raise ZeroDivisionError(name)


class _WhileRecording(trace.TracerProvider):
    """Makes spans of the SDK while a test records, and none otherwise: other tests run as without an SDK."""

    def __init__(self, real: TracerProvider, kept: _Kept) -> None:
        self._real = real
        self._kept = kept

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        real, kept = self._real.get_tracer(*args, **kwargs), self._kept

        class Switch(trace.NoOpTracer):
            def start_span(self, *args: Any, **kwargs: Any) -> trace.Span:
                if kept.spans is None:
                    return super().start_span(*args, **kwargs)
                if kept.makes_broken_spans:
                    return BrokenSpan()
                return real.start_span(*args, **kwargs)

            def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
                return real.start_as_current_span(*args, **kwargs)

        return Switch()


@cache
def _providers() -> tuple[_Kept, InMemoryMetricReader]:
    delta = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}
    kept, reader = _Kept(), InMemoryMetricReader(preferred_temporality=delta)  # type: ignore[arg-type]  # as documented
    resource = Resource({"service.name": "web"})
    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(kept)
    trace.set_tracer_provider(_WhileRecording(tracer_provider, kept))
    metrics.set_meter_provider(MeterProvider([reader, PrometheusMetricReader()], resource=resource))
    return kept, reader


@dataclass
class Recording:
    """What was recorded.

    Attributes:
        spans: in the order in which they ended.
    """

    spans: list[ReadableSpan] = field(default_factory=list)
    reader: InMemoryMetricReader = field(default_factory=lambda: _providers()[1])

    def named(self, name: str) -> list[ReadableSpan]:
        """Return the spans of a name."""
        return [span for span in self.spans if span.name == name]

    def only(self, name: str) -> ReadableSpan:
        """Return the one span of a name."""
        (span,) = self.named(name)
        return span

    def children(self, span: ReadableSpan) -> list[str]:
        """Return the names of the spans directly below one."""
        return [each.name for each in self.spans if each.parent is not None and each.parent == span.context]

    def metrics(self) -> Mapping[str, Mapping[Labels, NumberDataPoint | HistogramDataPoint]]:
        """Return what was counted since the last call, by metric and attributes."""
        found: dict[str, dict[Labels, Any]] = {}
        data = self.reader.get_metrics_data()
        for resource in [] if data is None else data.resource_metrics:
            for metric in (each for scope in resource.scope_metrics for each in scope.metrics):
                points = {frozenset((point.attributes or {}).items()): point for point in metric.data.data_points}
                found.setdefault(metric.name, {}).update(points)
        return found


@contextmanager
def broken_recording(*, makes_spans: bool = False) -> Iterator[Recording]:
    """Let every span raise an exception.

    Args:
        makes_spans: whether there are spans at all, of which then every method raises one.
    """
    kept, reader = _providers()
    reader.get_metrics_data()  # what was counted before
    kept.spans, kept.is_broken, kept.makes_broken_spans = [], not makes_spans, makes_spans
    try:
        yield Recording()
    finally:
        kept.spans, kept.is_broken, kept.makes_broken_spans = None, False, False


@contextmanager
def recording() -> Iterator[Recording]:
    """Record spans and metrics with the real SDK."""
    kept, reader = _providers()
    reader.get_metrics_data()  # what was counted before
    recorded = Recording()
    kept.spans = recorded.spans
    try:
        yield recorded
    finally:
        kept.spans = None


def scraped() -> str:
    """Return what Prometheus reads from this process."""
    _providers()
    return generate_latest(REGISTRY).decode("utf-8")


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes of a span."""
    return dict(span.attributes or {})
