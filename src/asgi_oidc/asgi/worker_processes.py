"""Guesses whether this process is one of several workers, which do not see what it keeps in memory."""

import itertools
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence

_VARIABLES = ("WEB_CONCURRENCY", "GRANIAN_WORKERS")
_OPTIONS = ("-w", "--workers")  # the same for uvicorn, gunicorn, hypercorn and granian


def is_one_of_several() -> bool:
    """Return whether the way the server was started suggests several workers; False if it gives no hint."""
    return suggests_several_workers(sys.argv, os.environ, multiprocessing.current_process().name)


def suggests_several_workers(arguments: Sequence[str], environ: Mapping[str, str], process_name: str) -> bool:
    """Return whether a command line, an environment or a process name suggests several workers.

    Args:
        process_name: from multiprocessing: `SpawnProcess-2` is the second worker of a server, or the one that
            replaced the first at a reload.
    """
    if "--reload" in arguments:
        return False
    if counts := [*_worker_counts(arguments), *_worker_counts(environ.get("GUNICORN_CMD_ARGS", "").split())]:
        return _is_several(counts[0])  # an option takes precedence over a variable
    number = process_name.rpartition("Process-")[2]
    numbers = [*(environ.get(variable, "") for variable in _VARIABLES), number if number != process_name else ""]
    return any(_is_several(count) for count in numbers)


def _is_several(count: str) -> bool:
    return count.isdecimal() and int(count) > 1


def _worker_counts(arguments: Sequence[str]) -> list[str]:
    separate = [value for option, value in itertools.pairwise(arguments) if option in _OPTIONS]
    joined = [argument.partition("=")[2] for argument in arguments if argument.startswith("--workers=")]
    short = [argument.removeprefix("-w") for argument in arguments if argument.startswith("-w")]
    return [count for count in (*separate, *joined, *short) if count.isdecimal()]
