"""How many CPU instructions does each step of a request take, and are they more than in the last release? CI runs this.

Run it as `python -m benchmarks.instructions`; it needs `valgrind`. Instructions are counted, not timed, so other load
on the machine changes nothing. Another build of Python needs more or fewer of them for everything, so they are compared
as multiples of what a fixed piece of work takes in the same run. With `--write`, the counts are saved as those
of the last release.
"""

import argparse
import json
import platform
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from benchmarks.callgrind import counts_of
from benchmarks.counted_requests import AT_ONCE, OTHERS, REFERENCE, REFERENCE_TIMES, STEPS

import asgi_oidc

SAVED = Path(__file__).parent / "results" / "instructions.json"
LIBRARIES = ("anyio", "cryptography", "httpx", "joserfc", "msgspec")
# Seen between runs: 0.2 %. Between two builds of CPython 3.11: 3.3 %.
TOLERANCE, TOLERANCE_ELSEWHERE = 0.02, 0.05
# Steps that may take more than that until the next release: by how much, with the reason beside it.
ACCEPTED: Mapping[str, float] = {
    "callback that finishes a login": 0.20,  # it writes the session compactly, which makes every later request smaller
    "sign-out": 0.06,  # it puts the ID Token together again
}


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Instructions of each step.

    Attributes:
        measured: the release and its commit.
        runs_on: versions of Python and of the libraries, on which the counts depend.
        reference: instructions of a fixed piece of work.
    """

    measured: str
    date: str
    runs_on: Mapping[str, str]
    reference: int
    steps: Mapping[str, int]


def measure() -> tuple[Counts, Mapping[str, int]]:
    """Count the steps, and others for comparison."""
    counted = counts_of("benchmarks.counted_requests")
    all_steps = STEPS | OTHERS
    each = {name: round((counted[name] - counted[AT_ONCE + name]) / it.times) for name, it in all_steps.items()}
    counts = Counts(
        measured=source(),
        date=datetime.now(UTC).date().isoformat(),
        runs_on={"Python": sys.version, **{name: version(name) for name in LIBRARIES}},
        reference=round(counted[REFERENCE] / REFERENCE_TIMES),
        steps={name: each[name] for name in STEPS},
    )
    return counts, {name: each[name] for name in OTHERS}


def source() -> str:
    """Name the version and the commit that are measured."""
    root = Path(str(asgi_oidc.__file__)).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return f"{project['version']} ({commit or 'no commit'})"


def differences(before: Counts, after: Counts) -> dict[str, float]:
    """Return by how much each step has grown: 0.1 for ten per cent more instructions."""
    scale = before.reference / after.reference
    return {name: after.steps[name] * scale / before.steps[name] - 1 for name in before.steps if name in after.steps}


def tolerance(before: Counts, after: Counts) -> float:
    """Return how much a step may grow."""
    return TOLERANCE if before.runs_on == after.runs_on else TOLERANCE_ELSEWHERE


def problems(before: Counts, after: Counts, accepted: Mapping[str, float] = ACCEPTED) -> Iterator[str]:
    """Name each step that takes more instructions than before, and each that cannot be compared."""
    for name, more in differences(before, after).items():
        at_most = max(tolerance(before, after), accepted.get(name, 0))
        if more > at_most:
            yield (
                f"{name}: {after.steps[name]:,} instructions, {more:.1%} more than the {before.steps[name]:,} of "
                f"{before.measured}, where at most {at_most:.0%} more are allowed"
            )
    for name in sorted(before.steps.keys() - after.steps.keys()):
        yield f"{name}: not counted, unlike in {before.measured}"
    for name in sorted(after.steps.keys() - before.steps.keys()):
        yield f"{name}: {before.measured} has no count of it; measure that again with this step"


def saved() -> dict[str, Counts]:
    """Read the counts of the last release, by minor version of Python."""
    return msgspec.json.decode(SAVED.read_bytes(), type=dict[str, Counts]) if SAVED.exists() else {}


def python() -> str:
    """Return the minor version of this Python."""
    return ".".join(platform.python_version_tuple()[:2])


def save(counts: Counts) -> None:
    """Save the counts as those of the last release, for this version of Python."""
    everything: Any = msgspec.to_builtins(saved() | {python(): counts})
    SAVED.write_text(json.dumps(everything, indent=1) + "\n", "utf-8")


def main() -> int:
    """Count; then compare with the last release, or save."""
    parser = argparse.ArgumentParser(description="Count the instructions of a request.")
    parser.add_argument("--write", action="store_true", help="save them as those of the last release")
    is_writing = parser.parse_args().write
    after, others = measure()
    before = after if is_writing else saved().get(python())
    more = {} if before is None else differences(before, after)
    for name, count in {**after.steps, **others}.items():
        told = f"{more[name]:+8.1%}" if name in more else ""
        print(f"{name:<40}{count:12,} instructions{count / after.reference:9.2f} times the reference{told}")
    if is_writing:
        save(after)
        return 0
    if before is None:
        print(f"There are no counts of the last release for Python {python()}.")
        return 1
    found = list(problems(before, after))
    for problem in found:
        print(problem)
    if not found and min(more.values()) < -tolerance(before, after):
        print("Some steps are cheaper than in the last release; its counts are renewed with the next one.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
