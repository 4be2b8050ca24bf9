"""Measures cases in turn, in processes of their own, with results that the report can read.

Each process is a new run of the same module, which measures one case only. `--quick` measures little and saves nothing.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import subprocess
import sys
import time
import timeit
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.pairs import NO_DIFFERENCE, Spread, format_number, spread_of, there_and_back
from benchmarks.sites import Site

RESULTS = Path(__file__).parent / "results"
BATCH = 100  # requests of one site before another one has its turn: some milliseconds
QUICK = 10  # groups of one process
COMMANDS = 5  # that each process measures
BURST = 0.002  # seconds of a function that is called again and again

Make = Callable[[], Awaitable[Site]]
Ask = Callable[[], Awaitable[None]]
Row = dict[str, Any]


@dataclass
class Figures:
    """The figures that answer one question."""

    question: str
    is_quick: bool = False
    rows: list[Row] = field(default_factory=list)

    def row(self, name: str, value: float | Spread, unit: str, **more: float | str | Spread) -> None:
        """Add a figure, and others beside it."""
        row: Row = {"name": name, **_stored("value", value), "unit": unit}
        for key, each in more.items():
            row |= _stored(key, each)
        self.rows.append(row)
        shown = "".join(f"   {key}: {each}" for key, each in more.items())
        print(f"{name:<60} {value if isinstance(value, Spread) else format_number(value)} {unit}{shown}", flush=True)

    def save(self) -> None:
        """Save the figures for the report, next to those of other questions for this version of Python."""
        if self.is_quick:
            return
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{platform.python_version()}.json"
        known = json.loads(path.read_text("utf-8")) if path.exists() else {}
        known[self.question] = {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), "rows": self.rows}
        path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")


class Harness:
    """Measures cases.

    Call its methods in the same order in every process, with functions that set a case up when it is measured.

    Args:
        processes: how many measure each case, one after the other.
        groups: how many groups of bursts each of them measures.
        clock: what is measured. By default the CPU of this process, which leaves out what other programs do on the
            machine; `time.perf_counter` also counts what a site waits for.
    """

    def __init__(
        self, question: str, *, processes: int = 5, groups: int = 50, clock: Callable[[], float] = time.process_time
    ) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("--quick", action="store_true", help="measure little, and save nothing")
        parser.add_argument("--case", type=int, help=argparse.SUPPRESS)
        self._arguments = parser.parse_args()
        is_quick = self._arguments.quick
        self.figures = Figures(question, is_quick)
        self._processes, self._groups = (1, QUICK) if is_quick else (processes, groups)
        self._clock = clock
        self._cases = 0
        self._runs: dict[str, list[list[float]]] = {}
        self.spread: dict[str, Spread] = {}

    @property
    def is_main(self) -> bool:
        """Whether this is the process that reports."""
        return self._arguments.case is None

    @property
    def least(self) -> Mapping[str, float]:
        """The lowest value of each case: whatever else the machine does only adds to a time."""
        return {name: min(min(run) for run in runs) for name, runs in self._runs.items()}

    @property
    def middle(self) -> Mapping[str, float]:
        """The median of each case."""
        return {name: spread.median for name, spread in self.spread.items()}

    def request(self, name: str, make: Make) -> None:
        """Measure one request by itself; if it was measured before, measure it again."""
        self._in_turn(name, [make], lambda spent: spent[0])

    def added(self, name: str, make: Make, make_under: Make) -> None:
        """Measure the cost of a request beyond that of the site below; both are measured in turn."""
        self._in_turn(name, [make, make_under], lambda spent: spent[0] - spent[1], neutral=0)

    def ratio(self, name: str, make: Make, make_under: Make) -> None:
        """Measure how many times as long a request takes as at the site below; both are measured in turn."""
        self._in_turn(name, [make, make_under], lambda spent: spent[0] / spent[1], neutral=1)

    def ratio_of_added(self, name: str, case: tuple[Make, Make], reference: tuple[Make, Make]) -> None:
        """Measure the ratio of two requests' costs, each beyond that of the site below; all are measured in turn."""
        self._in_turn(name, [*case, *reference], lambda it: (it[0] - it[1]) / (it[2] - it[3]), neutral=1)

    def difference(self, name: str, case: tuple[Make, Make], reference: tuple[Make, Make]) -> None:
        """Measure how much more a request adds to the site below it than another one; all are measured in turn."""
        self._in_turn(name, [*case, *reference], lambda it: (it[0] - it[1]) - (it[2] - it[3]), neutral=0)

    def work(self, name: str, make: Callable[[], Callable[[], object]]) -> None:
        """Measure the function that `make` returns, in an event loop; `make` is called before that runs."""

        async def timed(work: Callable[[], object]) -> list[float]:
            timer = timeit.Timer(work, timer=self._clock)
            calls, took = timer.autorange()
            calls = max(1, round(calls * BURST / took))
            return [timer.timeit(calls) / calls for _ in range(self._groups)]

        self._measure(name, lambda: asyncio.run(timed(make())))

    def command(self, name: str, *command: str) -> None:
        """Measure the CPU of a whole process."""

        def values() -> list[float]:
            timer = timeit.Timer(lambda: subprocess.run(command, check=True), timer=cpu_of_children)
            return [timer.timeit(1) for _ in range(COMMANDS)]

        self._measure(name, values)

    def row(self, name: str, value: float | Spread, unit: str, **more: float | str | Spread) -> None:
        """Add a figure."""
        self.figures.row(name, value, unit, **more)

    def save(self) -> None:
        """Save the figures for the report."""
        self.figures.save()

    def more(self, name: str, under: str) -> float:
        """Return how many seconds longer one case takes than another."""
        return self.least[name] - self.least[under]

    def _in_turn(
        self, name: str, makes: Sequence[Make], of: Callable[[Sequence[float]], float], *, neutral: float | None = None
    ) -> None:
        def values() -> list[float]:
            return [of(spent) for spent in asyncio.run(in_turn(makes, self._groups, self._clock))]

        self._measure(name, values, neutral)

    def _measure(self, name: str, values: Callable[[], list[float]], neutral: float | None = None) -> None:
        case, self._cases = self._cases, self._cases + 1
        if self._arguments.case == case:
            print(json.dumps(values()))
            sys.exit()
        if not self.is_main:
            return
        quick = ["--quick"] if self._arguments.quick else []
        command = [sys.executable, "-m", f"benchmarks.{self.figures.question}", "--case", str(case), *quick]
        runs = self._runs.setdefault(name, [])
        for _ in range(self._processes):
            runs.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1]))
        self.spread[name] = spread_of(runs, neutral)


def cpu_of_children() -> float:
    """Return the seconds of CPU that processes have used which this one started and which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def machine() -> str:
    """Describe the machine that this runs on."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else sys.platform}, {len(os.sched_getaffinity(0))} cores"


def _stored(key: str, value: float | str | Spread) -> Row:
    if not isinstance(value, Spread):
        return {key: value}
    spread: Row = {"low": value.low, "high": value.high, "quartiles": value.quartiles}
    if not value.shows_a_difference:
        spread["verdict"] = NO_DIFFERENCE
    return {key: value.median, f"{key}_spread": spread}


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


async def in_turn(makes: Sequence[Make], groups: int, clock: Callable[[], float]) -> list[list[float]]:
    """Request several sites in turn and back again, a batch each; return the seconds of each, for each such group."""
    asks = [await _prepared(make) for make in makes]
    all_spent = []
    for _ in range(groups):
        spent = [0.0] * len(asks)
        for which in there_and_back(len(asks)):
            ask, began = asks[which], clock()
            for _ in range(BATCH):
                await ask()
            spent[which] += (clock() - began) / (2 * BATCH)
        all_spent.append(spent)
    return all_spent


async def _prepared(make: Make) -> Ask:
    site = await make()
    await see_that_it_answers(site)
    return site.request()
