"""What is called if OpenTelemetry is not installed: nothing is recorded, and functions stay as they are."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from asgi_oidc.telemetry.catalogue import Counter, Histogram, Span

CoroutineFunction = TypeVar("CoroutineFunction", bound=Callable[..., Awaitable[Any]])


class ProviderCall:
    """Does nothing."""

    __slots__ = ()

    def __enter__(self) -> "ProviderCall":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def answered(self, status: int) -> None:
        """Do nothing."""


_CALL = ProviderCall()


def traced(span: Span, *, by: str | None = None) -> Callable[[CoroutineFunction], CoroutineFunction]:
    """Return the function as it is."""
    return lambda function: function


def traced_store_call(function: CoroutineFunction) -> CoroutineFunction:
    """Return the method as it is."""
    return function


def untraced(function: CoroutineFunction) -> CoroutineFunction:
    """Return the function as it is."""
    return function


def provider_call(method: str, url: str, *, endpoint: str, provider: str) -> ProviderCall:
    """Return an object that does nothing."""
    return _CALL


def annotate(*, provider: str | None = None, outcome: str | None = None, code: str | None = None) -> None:
    """Do nothing."""


def count(counter: Counter, **attributes: str | int | None) -> None:
    """Do nothing."""


def observe(histogram: Histogram, seconds: float, **attributes: str | None) -> None:
    """Do nothing."""


def name_provider(name: str) -> None:
    """Do nothing."""


def current_link() -> object:
    """Return None."""
    return None


def current_span_id() -> str:
    """Return an empty text."""
    return ""


def link_earlier(span_id: str) -> None:
    """Do nothing."""


def link(target: object) -> None:
    """Do nothing."""
