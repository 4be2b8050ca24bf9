"""Is this process one of several that serve the app? Then what it keeps in memory is not all that there is."""

import itertools
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence

_VARIABLES = ("WEB_CONCURRENCY", "GRANIAN_WORKERS")
_OPTIONS = ("-w", "--workers")  # of uvicorn, gunicorn, hypercorn and granian alike


def is_one_of_several() -> bool:
    """Guess from how the server was started; False where nothing tells."""
    return says_several(sys.argv, os.environ, multiprocessing.current_process().name)


def says_several(arguments: Sequence[str], environ: Mapping[str, str], name: str) -> bool:
    """Judge a process by its command line, its environment and its name.

    Args:
        name: as multiprocessing gives it: `SpawnProcess-2` is the second of a server, or the next after a reload.
    """
    if "--reload" in arguments:
        return False
    if counts := [*_workers(arguments), *_workers(environ.get("GUNICORN_CMD_ARGS", "").split())]:
        return _is_several(counts[0])  # an option counts more than a variable
    number = name.rpartition("Process-")[2]
    return any(_is_several(count) for count in (*(environ.get(it, "") for it in _VARIABLES), number * (number != name)))


def _is_several(count: str) -> bool:
    return count.isdecimal() and int(count) > 1


def _workers(arguments: Sequence[str]) -> list[str]:
    following = [value for option, value in itertools.pairwise(arguments) if option in _OPTIONS]
    joined = [argument.partition("=")[2] for argument in arguments if argument.startswith("--workers=")]
    short = [argument.removeprefix("-w") for argument in arguments if argument.startswith("-w")]
    return [count for count in (*following, *joined, *short) if count.isdecimal()]
