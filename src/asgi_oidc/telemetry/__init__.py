"""Traces and metrics with OpenTelemetry; nothing is recorded, and nothing slowed down, if it is not installed.

What is recorded: `catalogue.py`. Which of the two modules is used is decided once, at import.
"""

from typing import TYPE_CHECKING

from asgi_oidc.telemetry import catalogue

if TYPE_CHECKING:
    from asgi_oidc.telemetry import recording as _chosen
else:
    try:
        from asgi_oidc.telemetry import recording as _chosen
    except (ImportError, TypeError):  # not installed, or older than 1.30, whose functions take fewer arguments
        from asgi_oidc.telemetry import off as _chosen

annotate = _chosen.annotate
count = _chosen.count
current_link = _chosen.current_link
current_span_id = _chosen.current_span_id
link = _chosen.link
link_earlier = _chosen.link_earlier
name_provider = _chosen.name_provider
observe = _chosen.observe
provider_call = _chosen.provider_call
traced = _chosen.traced
traced_store_call = _chosen.traced_store_call
untraced = _chosen.untraced

__all__ = [
    "annotate",
    "catalogue",
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
