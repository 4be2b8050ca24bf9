"""The trace of a connection that stays open for hours does not grow."""

from typing import Any

import anyio
import pytest
import trio.testing
from opentelemetry import trace

from asgi_oidc import telemetry
from tests.asgi.test_open_websockets import SOON, OpenSockets
from tests.protected_site import Site
from tests.scripted_store import ScriptedStore
from tests.telemetry.recorder import recording


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Use a clock that jumps to the next deadline when all tasks are waiting."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.mark.parametrize("setting", ["store", "logout_store"])
async def test_the_checks_of_an_open_websocket_are_only_counted(setting):
    """Each would be one more span, every second."""
    store = ScriptedStore()
    settings: dict[str, Any] = {setting: store}
    site = Site(**settings)
    browser = await site.signed_in()

    async with anyio.create_task_group() as tasks:
        with recording() as recorded, trace.get_tracer("the server").start_as_current_span("/ws"):
            await OpenSockets(site, tasks).connect(browser)
            spans = len(recorded.spans)
            store.forget_calls()
            for _ in range(10):
                site.clock.advance(SOON)
                await anyio.sleep(SOON)
            found = recorded.metrics()
        tasks.cancel_scope.cancel()

    assert len(store.calls) >= 10
    assert [span.name for span in recorded.spans[spans:]] == ["/ws"]
    assert sum(getattr(each, "count", 0) for each in found["db.client.operation.duration"].values()) >= 10


async def test_what_is_not_traced_leaves_the_trace_of_its_caller_as_it_was():
    """What the request does next belongs to it, and not to nobody."""

    @telemetry.untraced
    async def look() -> bool:
        return trace.get_current_span().get_span_context().is_valid

    with recording(), trace.get_tracer("the server").start_as_current_span("request") as span:
        inside = await look()
        after = trace.get_current_span()

    assert (inside, after is span) == (False, True)
