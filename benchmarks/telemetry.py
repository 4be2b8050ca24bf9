"""What do traces and metrics cost: without OpenTelemetry, with its API alone, and with its SDK?

Run it as `python -m benchmarks.telemetry`. Each case is measured in processes of its own, in turn with the others; the
times are CPU times, and those of a login include the fake provider and the browser.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from benchmarks.harness import Figures

CASES = {
    "none": "without OpenTelemetry",
    "api": "its API, no SDK",
    "sdk": "its SDK, a batch processor and a metric reader",
}
ROUNDS = 5
TIMES = {"signed-in request": 20_000, "call to a store": 20_000, "login": 300}


def set_up(case: str) -> None:
    """Prepare this process, before the library is imported."""
    if case == "none":
        sys.modules["opentelemetry"] = None  # type: ignore[assignment]  # as if it were not installed
    elif case == "sdk":
        from opentelemetry import metrics, trace
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
        trace.set_tracer_provider(provider)
        metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))


async def measured() -> dict[str, float]:
    """Measure each operation; return seconds of CPU for one."""
    from benchmarks.sites import OurSite
    from benchmarks.stores import Counting

    from asgi_oidc import MemoryStore
    from asgi_oidc.stores.guarded_store import GuardedStore

    site = OurSite()
    store = GuardedStore(Counting(MemoryStore()))
    operations: Mapping[str, Callable[[], Awaitable[Any]]] = {
        "signed-in request": (await site.signed_in()).request(),
        "call to a store": lambda: store.get("key"),
        "login": site.sign_in,
    }
    return {name: await _time_of(operation, TIMES[name]) for name, operation in operations.items()}


async def _time_of(operation: Callable[[], Awaitable[Any]], times: int) -> float:
    least = float("inf")
    for _ in range(5):
        began = time.process_time()
        for _ in range(times // 5):
            await operation()
        least = min(least, (time.process_time() - began) / (times // 5))
    return least


def main() -> None:
    """Measure the cases in turn, each in new processes."""
    if len(sys.argv) > 1:
        set_up(sys.argv[1])
        print(json.dumps(asyncio.run(measured())))
        return
    runs: list[dict[str, dict[str, float]]] = []
    for _ in range(ROUNDS):
        runs.append({case: _run(case) for case in CASES})
    figures = Figures("telemetry")
    for name in TIMES:
        least = {case: min(run[case][name] for run in runs) for case in CASES}
        for case, text in CASES.items():
            ratio = {} if case == "none" else {"ratio": round(least[case] / least["none"], 2)}
            figures.row(f"{name}, {text}", least[case] * 1e6, "us", **ratio)
    figures.save()


def _run(case: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.telemetry", case]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


if __name__ == "__main__":
    main()
