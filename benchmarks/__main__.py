"""Runs all benchmarks, or those that are named, and writes the report: `python -m benchmarks [QUESTION...]`."""

import subprocess
import sys

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


def main() -> None:
    """Run the benchmarks one after the other, each in processes of its own."""
    questions = sys.argv[1:] or QUESTIONS
    for name in {name for question in questions for name in NEEDS.get(question, ())}:
        program(name)
    for question in (*questions, "report"):
        print(f"--- {question}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{question}"], check=True)


if __name__ == "__main__":
    main()
