"""Runs all benchmarks, or those that are named, and writes the report: `python -m benchmarks [QUESTION...]`.

With `--quick`, they measure little, and neither figures nor the report are written.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fleet import program

QUESTIONS = (
    "requests",
    "anatomy",
    "sealing",
    "policy",
    "bearer",
    "logout",
    "sessions",
    "memory",
    "start",
    "logins",
    "strong_clients",
    "refresh",
    "telemetry",
    "servers",
    "redis_clients",
    "growth",
    "soak",
)


NEEDS = {  # Debian's packages have the same names
    "servers": ("wrk", "redis-server"),
    "growth": ("wrk",),
    "soak": ("wrk",),
    "refresh": ("redis-server",),
    "redis_clients": ("redis-server",),
}


ALWAYS_WHOLE = ("memory", "logins", "strong_clients", "refresh", "telemetry", "soak", "cookies")  # without `--quick`
HERE = Path(__file__).parent


def chosen(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Return the questions that were chosen, and whether to measure little. Exit if there is no such question."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help="the name of a file; all of them by default")
    parser.add_argument("--quick", action="store_true", help="measure little, and save nothing")
    options = parser.parse_args(arguments)
    whole = ALWAYS_WHOLE if options.quick else ()
    for question in options.questions:
        if not (HERE / f"{question}.py").exists():
            parser.error(f"there is no benchmark {question}; choose from {', '.join(QUESTIONS)}")
        if question in whole:
            parser.error(f"{question} always measures everything: run it without --quick")
    return options.questions or [question for question in QUESTIONS if question not in whole], options.quick


def commands(questions: Sequence[str], *, is_quick: bool) -> list[list[str]]:
    """Return a command for each question, and for the report of what they saved."""
    runs = [(question, ["--quick"] if is_quick else []) for question in questions]
    if not is_quick:
        runs.append(("report", []))
    return [[sys.executable, "-m", f"benchmarks.{name}", *more] for name, more in runs]


def main() -> None:
    """Run the benchmarks one after the other, each in processes of its own."""
    questions, is_quick = chosen(sys.argv[1:])
    for name in {name for question in questions for name in NEEDS.get(question, ())}:
        program(name)
    for command in commands(questions, is_quick=is_quick):
        print("---", *command[2:], flush=True)
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
