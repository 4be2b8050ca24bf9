"""Counters and histograms, by the API of OpenTelemetry; the values of their attributes are bounded in number."""

from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata

from opentelemetry import metrics

from asgi_oidc.telemetry import catalogue
from asgi_oidc.telemetry.bounded import OTHER, BoundedValues

MAX_PROVIDERS = 100  # names of providers in metrics; tenants beyond that are `other`
MAX_ADDRESSES = 100  # hosts of providers with their ports, in metrics
MAX_CODES = 500  # our own codes, and those of exceptions that an app derives from ours
_NAMES = {
    "provider": catalogue.PROVIDER,
    "outcome": catalogue.OUTCOME,
    "code": catalogue.CODE,
    "by": catalogue.BY,
    "status": catalogue.STATUS,
}

Attributes = dict[str, str | int]


def version() -> str:
    """Return the version of asgi-oidc; empty if it was copied from somewhere, and not installed."""
    with suppress(metadata.PackageNotFoundError):
        return metadata.version("asgi-oidc")
    return ""


_METER = metrics.get_meter("asgi_oidc", version())
_COUNTERS = {
    each: _METER.create_counter(each.name, unit=each.unit, description=each.description) for each in catalogue.COUNTERS
}
_HISTOGRAMS = {
    each: _METER.create_histogram(
        each.name, unit="s", description=each.description, explicit_bucket_boundaries_advisory=each.buckets
    )
    for each in catalogue.HISTOGRAMS
}
_providers = BoundedValues(MAX_PROVIDERS)
_addresses = BoundedValues(MAX_ADDRESSES)
_codes = BoundedValues(MAX_CODES)


def count(counter: catalogue.Counter, **attributes: str | int | None) -> None:
    """Add one to a counter.

    Args:
        attributes: `provider`, `outcome`, `code`, `by` and `status`; None and empty texts are left out.
    """
    with suppress(Exception):  # an SDK that fails does not harm a request
        _COUNTERS[counter].add(1, _labels(attributes))


def observe(histogram: catalogue.Histogram, seconds: float, **attributes: str | None) -> None:
    """Add a duration to a histogram; `attributes` as in `count`."""
    record(histogram, seconds, _labels(attributes))


def record(histogram: catalogue.Histogram, seconds: float, labels: Attributes) -> None:
    """Add a duration to a histogram.

    Args:
        labels: attributes by their full names, with values that are bounded.
    """
    with suppress(Exception):  # an SDK that fails does not harm a request
        _HISTOGRAMS[histogram].record(seconds, labels)


def bounded_code(code: str) -> str:
    """Return a code for a metric."""
    return _codes.add(code)


def bounded_provider(name: str) -> str:
    """Return the name of a provider for a metric."""
    return _providers.get(name)


def bounded_address(host: str, port: int) -> Attributes:
    """Return the address of a provider for a metric."""
    if _addresses.add(f"{host}:{port}") == OTHER:
        return {catalogue.ADDRESS: OTHER}
    return {catalogue.ADDRESS: host, catalogue.PORT: port}


def name_provider(name: str) -> None:
    """Let a name appear in metrics; those of looked-up providers are made up by anyone until they are found."""
    _providers.add(name)


def forget_values() -> None:
    """Forget which names, hosts and codes have been seen, for tests."""
    for values in (_providers, _addresses, _codes):
        values.clear()


def _labels(attributes: Mapping[str, str | int | None]) -> Attributes:
    labels: Attributes = {_NAMES[name]: value for name, value in attributes.items() if value}
    if isinstance(name := labels.get(catalogue.PROVIDER), str):
        labels[catalogue.PROVIDER] = _providers.get(name)
    if isinstance(code := labels.get(catalogue.CODE), str):
        labels[catalogue.CODE] = _codes.add(code)
    return labels
