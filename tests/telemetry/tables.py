"""Writes the tables of the guide to traces and metrics: `uv run python -m tests.telemetry.tables`."""

from collections.abc import Iterable

from asgi_oidc.telemetry import catalogue


def metric_rows() -> Iterable[str]:
    """Write a row for each metric."""
    for metric in (*catalogue.COUNTERS, *catalogue.HISTOGRAMS):
        kind = metric.unit if isinstance(metric, catalogue.Counter) else "s"
        attributes = ", ".join(f"`{name}`" for name in metric.attributes)
        yield f"| `{metric.name}` | {kind} | {metric.description} | {attributes} |"


def span_rows() -> Iterable[str]:
    """Write a row for each span of our own operations."""
    for span in catalogue.SPANS:
        yield f"| `{span.name}` | internal | {span.description} | {_attributes(span)} |"


def _attributes(span: catalogue.Span) -> str:
    names = [name for name in (catalogue.PROVIDER, catalogue.BY, catalogue.OUTCOME, catalogue.CODE) if _has(span, name)]
    return ", ".join(f"`{name}`" for name in (*names, catalogue.ERROR_TYPE))


def _has(span: catalogue.Span, name: str) -> bool:
    return span.counter is None or name in span.counter.attributes


if __name__ == "__main__":
    print("\n".join((*span_rows(), "", *metric_rows())))
