"""pyperf, for questions of this project: each case in processes of its own, and figures that the report can read."""

import json
import math
import platform
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyperf
from benchmarks.sites import Site

RESULTS = Path(__file__).parent / "results"

Make = Callable[[], Awaitable[Site]]
Row = dict[str, Any]


class Harness:
    """Measures cases, and writes down what came of them.

    Call its methods in the same order in every process: pyperf runs the module again for each that it measures in.
    """

    def __init__(self, question: str, *, processes: int = 5, values: int = 5) -> None:
        self.question = question
        self.runner = pyperf.Runner(processes=processes, values=values, program_args=("-m", f"benchmarks.{question}"))
        self.asked: Counter[str] = Counter()
        self.rows: list[Row] = []
        self.least: dict[str, float] = {}

    @property
    def is_main(self) -> bool:
        """Whether this is the process that reports."""
        return not self.runner.parse_args().worker

    def request(self, name: str, make: Make) -> None:
        """Measure one request; again, when it was measured before."""
        self.asked[name] += 1
        label = f"{name} ({self.asked[name]})"
        self._note(name, self.runner.bench_async_func(label, lazily(make)))

    def work(self, name: str, make: Callable[[], Callable[[], object]]) -> None:
        """Measure a function that `make` gives, in the process that measures it."""
        made: list[Callable[[], object]] = []

        def work() -> None:
            if not made:
                made.append(make())
            made[0]()

        self._note(name, self.runner.bench_func(name, work))

    def command(self, name: str, *command: str) -> None:
        """Measure a whole process."""
        self._note(name, self.runner.bench_command(name, list(command)))

    def row(self, name: str, value: float, unit: str, **more: Any) -> None:
        """Write a figure down."""
        if self.is_main:
            self.rows.append({"name": name, "value": value, "unit": unit, **more})
            told = "".join(f"   {key}: {each}" for key, each in more.items())
            print(f"{name:<60}{value:10.3f} {unit}{told}")

    def save(self) -> None:
        """Keep the figures for the report."""
        if self.is_main:
            save(self.question, self.rows)

    def added(self, name: str, under: str) -> float:
        """Seconds that one takes more than another."""
        return self.least[name] - self.least[under]

    def _note(self, name: str, measured: Any) -> None:
        if measured is not None and self.is_main:
            # Whatever else the machine does only adds to it.
            self.least[name] = min(self.least.get(name, math.inf), *measured.get_values())


def save(question: str, rows: list[Row]) -> None:
    """Keep the figures of a question, beside those of others that this Python has answered."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{platform.python_version()}.json"
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    known[question] = rows
    known["machine"], known["date"] = machine(), datetime.now(UTC).date().isoformat()
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")


def machine() -> str:
    """Say what this runs on."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0]}, {len(models)} cores" if models else sys.platform


def lazily(make: Make) -> Callable[[], Awaitable[None]]:
    """Set a case up when it is first asked: pyperf calls all in each process, and measures one."""
    ask: Callable[[], Awaitable[None]] | None = None

    async def request() -> None:
        nonlocal ask
        if ask is None:
            ask = (await make()).request()
        await ask()

    return request
