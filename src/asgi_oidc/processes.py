"""Is this process one of several that serve the app? Then what it keeps in memory is not all that there is."""

import itertools
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence

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
    number = name.rpartition("Process-")[2]
    counts = [environ.get("WEB_CONCURRENCY", ""), number if number != name else "", *_workers(arguments)]
    return any(count.isdecimal() and int(count) > 1 for count in counts)


def _workers(arguments: Sequence[str]) -> list[str]:
    following = [value for option, value in itertools.pairwise(arguments) if option in _OPTIONS]
    joined = [argument.partition("=")[2] for argument in arguments if argument.startswith("--workers=")]
    short = [argument.removeprefix("-w") for argument in arguments if argument.startswith("-w")]
    return [*following, *joined, *short]
