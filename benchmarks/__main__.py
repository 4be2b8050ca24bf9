"""Asks all questions, or those that are named, and writes the report: `python -m benchmarks [QUESTION...]`."""

import shutil
import subprocess
import sys

QUESTIONS = (
    "requests",
    "sealing",
    "policy",
    "logout",
    "sessions",
    "memory",
    "start",
    "logins",
    "servers",
    "growth",
    "soak",
)


def main() -> int:
    """Run one after the other; each has processes of its own."""
    questions = sys.argv[1:] or QUESTIONS
    if shutil.which("wrk") is None:
        print("servers and growth need wrk: apt-get install wrk")
        return 1
    for question in (*questions, "report"):
        print(f"--- {question}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{question}"], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
