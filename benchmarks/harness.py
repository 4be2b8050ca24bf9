"""Runs pyperf for this project: each case in processes of its own, with results that the report can read."""

import asyncio
import json
import math
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyperf
from benchmarks.sites import Site

RESULTS = Path(__file__).parent / "results"
BATCH = 200  # requests of one site before another one has its turn: some milliseconds
TURNS = 6  # of all in one ratio
LEAST = 1e-9  # of a single batch noise makes anything, and pyperf takes nothing below zero

Make = Callable[[], Awaitable[Site]]
Ask = Callable[[], Awaitable[None]]
Row = dict[str, Any]


@dataclass
class Figures:
    """The figures that answer one question."""

    question: str
    rows: list[Row] = field(default_factory=list)

    def row(self, name: str, value: float, unit: str, **more: Any) -> None:
        """Add a figure."""
        self.rows.append({"name": name, "value": value, "unit": unit, **more})
        told = "".join(f"   {key}: {each}" for key, each in more.items())
        print(f"{name:<60}{value:10.3f} {unit}{told}", flush=True)

    def save(self) -> None:
        """Save the figures for the report, next to those of other questions for this version of Python."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{platform.python_version()}.json"
        known = json.loads(path.read_text("utf-8")) if path.exists() else {}
        known[self.question] = {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), "rows": self.rows}
        path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")


class Harness:
    """Measures cases with pyperf.

    Call its methods in the same order in every process: pyperf runs the module again in each process that it measures.

    Args:
        clock: the clock for sites that are measured in turn; `time.process_time` leaves out what other programs do on
            the machine, and everything that a site waits for.
    """

    def __init__(
        self, question: str, *, processes: int = 5, values: int = 5, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.clock = clock
        self.figures = Figures(question)
        self.runner = pyperf.Runner(processes=processes, values=values, program_args=("-m", f"benchmarks.{question}"))
        self.asked: Counter[str] = Counter()
        self.least: dict[str, float] = {}
        self.middle: dict[str, float] = {}

    @property
    def is_main(self) -> bool:
        """Whether this is the process that reports."""
        return not self.runner.parse_args().worker

    def request(self, name: str, make: Make) -> None:
        """Measure one request; if it was measured before, measure it again."""
        ask = lazily(make)
        self._note(name, self.runner.bench_async_func(self._label(name), ask))

    def added(self, name: str, make: Make, make_under: Make) -> None:
        """Measure the cost of a request beyond that of the site below; both are measured in turn.

        A slow moment of the machine affects both alike.
        """

        def spend(batches: int) -> float:
            spent, below = asyncio.run(in_turn(asks, batches, self.clock))
            return max(spent - below, LEAST)

        asks = [lazily(make), lazily(make_under)]
        self._note(name, self.runner.bench_time_func(self._label(name), spend, inner_loops=BATCH))

    def ratio(self, name: str, make: Make, make_under: Make) -> None:
        """Measure how many times as long a request takes as at the site below; both are measured in turn."""
        asks = [lazily(make), lazily(make_under)]
        self._ratio(name, asks, lambda spent: spent[0] / spent[1])

    def ratio_of_added(self, name: str, case: tuple[Make, Make], reference: tuple[Make, Make]) -> None:
        """Measure the ratio of two requests' costs, each beyond that of the site below; all are measured in turn."""
        asks = [lazily(make) for make in (*case, *reference)]
        self._ratio(name, asks, lambda spent: (spent[0] - spent[1]) / (spent[2] - spent[3]))

    def _ratio(self, name: str, asks: Sequence[Ask], ratio: Callable[[Sequence[float]], float]) -> None:
        def spend(times: int) -> float:
            return sum(max(ratio(asyncio.run(in_turn(asks, TURNS, self.clock))), LEAST) for _ in range(times))

        self._note(name, self.runner.bench_time_func(self._label(name), spend, inner_loops=1))

    def difference(self, name: str, case: tuple[Make, Make], reference: tuple[Make, Make]) -> None:
        """Measure how much more a request adds to the site below it than another one; all are measured in turn."""
        asks = [lazily(make) for make in (*case, *reference)]

        def spend(batches: int) -> float:
            spent = asyncio.run(in_turn(asks, batches, self.clock))
            return max((spent[0] - spent[1]) - (spent[2] - spent[3]), LEAST)

        self._note(name, self.runner.bench_time_func(self._label(name), spend, inner_loops=BATCH))

    def work(self, name: str, make: Callable[[], Callable[[], object]]) -> None:
        """Measure the function that `make` returns, in the process that measures it."""
        made: list[Callable[[], object]] = []

        def work() -> None:
            if not made:
                made.append(make())
            made[0]()

        self._note(name, self.runner.bench_func(self._label(name), work))

    def command(self, name: str, *command: str) -> None:
        """Measure a whole process."""
        self._note(name, self.runner.bench_command(name, list(command)))

    def row(self, name: str, value: float, unit: str, **more: Any) -> None:
        """Add a figure."""
        self.figures.row(name, value, unit, **more)

    def save(self) -> None:
        """Save the figures for the report."""
        self.figures.save()

    def more(self, name: str, under: str) -> float:
        """Return how many seconds longer one case takes than another."""
        return self.least[name] - self.least[under]

    def _label(self, name: str) -> str:
        self.asked[name] += 1
        return f"{name} ({self.asked[name]})"

    def _note(self, name: str, measured: Any) -> None:
        if measured is not None and self.is_main:
            # Whatever else the machine does only adds to it.
            self.least[name] = min(self.least.get(name, math.inf), *measured.get_values())
            self.middle[name] = measured.median()


def machine() -> str:
    """Describe the machine that this runs on."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else sys.platform}, {len(os.sched_getaffinity(0))} cores"


def lazily(make: Make) -> Ask:
    """Set a case up, and check its response, when it is first called: pyperf passes all cases, but measures one."""
    ask: Ask | None = None

    async def request() -> None:
        nonlocal ask
        if ask is None:
            site = await make()
            await see_that_it_answers(site)
            ask = site.request()
        await ask()

    return request


async def see_that_it_answers(site: Site) -> None:
    """Make one request, and check its response.

    Raises:
        RuntimeError: the request did not reach the app, or not with the expected user.
    """
    answers: list[Mapping[str, Any]] = []

    async def see(message: Mapping[str, Any]) -> None:
        answers.append(message)

    await site.request(see)()
    if [answer.get("status") for answer in answers] != [200, None]:
        raise RuntimeError(f"no answer of the app: {answers}")


async def in_turn(asks: Sequence[Ask], turns: int, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Request several sites in turn, a batch each; return the seconds that each took in all."""
    spent = [0.0] * len(asks)
    for ask in asks:
        await ask()  # what has to be set up is
    for _ in range(turns):
        for which, ask in enumerate(asks):
            began = clock()
            for _ in range(BATCH):
                await ask()
            spent[which] += clock() - began
    return spent
