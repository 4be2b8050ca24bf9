"""Run all checks and tests: `python -m tests`; `python -m tests --quick` is what a minute is enough for.

Other arguments go to pytest, and nothing else is run.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import STDOUT
from typing import Any

TESTS = Path(__file__).parent
ROOT = TESTS.parent
MIN_BRANCHES = 95.0  # per cent, over all
# Rooms and modules where every line and every branch is tested.
WHOLE = (
    "protocol/",
    "web/",
    "pages/",
    "sessions/",
    "logout/",
    "bearer/active_token.py",
    "bearer/authorization_header.py",
    "bearer/challenges.py",
    "bearer/known_tokens.py",
    "login/authentication_requests.py",
    "login/cookie_budget.py",
    "login/interrupted_forms.py",
    "login/login_links.py",
    "login/login_loops.py",
    "login/login_parameters.py",
    "login/login_transactions.py",
    "login/silent_login.py",
    "login/third_party_logins.py",
    "settings/callback_paths.py",
    "stores/replay_cache.py",
    "tokens/refresh_result.py",
    "tokens/token_cache.py",
)
LONGEST = 1800  # seconds for one step; a run that hangs should end
AT_ONCE = 4  # lanes: on two processors, two of them mostly wait

WAITING = ("real",)  # folders of tests of which most wait for servers and browsers
EXAMPLES = ("examples",)
ATTACKS = ("security",)
ALONE = ("cli", "pytest_plugin")  # the fixture `oidc` looks at every middleware there is, and others make hundreds
LONG_WAITS = (
    "tests/real/test_instructions.py",
    "tests/real/test_fleet*.py",
    "tests/real/test_postgres*.py",
    "tests/real/test_redis*.py",
    "tests/real/test_rolling_update.py",
    "tests/real/test_store_failures.py",
)
HALF = ("asgi", "endpoints", "login", "logout", "providers", "sessions", "tokens")  # the others take as long
MEASURED = ("-m", "coverage", "run")
# Hundreds of processes import the same modules: none but the first should compile them, not even in a container whose
# image switches that off, or whose checkout is new.
COMPILED = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(ROOT / "__pycache__")}

Check = tuple[str, Sequence[str]]

TYPES = ("-m", "mypy")
STYLE: Sequence[Check] = (
    ("ruff check", ("-m", "ruff", "check", ".")),
    ("ruff format", ("-m", "ruff", "format", "--check", ".")),
    ("import contracts", ("-c", "from importlinter.cli import lint_imports_command as run; run()")),
)


def main(arguments: Sequence[str]) -> int:
    """Run each step and stop at the first that fails; of the tests, all that fail are shown.

    Returns:
        What the shell gets: 0 only when all went well.
    """
    is_quick = list(arguments) == ["--quick"]
    if arguments and not is_quick:
        return 0 if passes("pytest", ("-m", "pytest", *arguments)) else 1
    if not all(passes(name, command) for name, command in STYLE):
        return 1
    if not is_quick:
        return run_with_coverage()
    os.environ["TEST_SIZE"] = "quick"
    return run_in_lanes(quick_lanes())


def run_in_lanes(lanes: Sequence[Sequence[str]]) -> int:
    """Check types and run tests, some at the same time."""
    with ThreadPoolExecutor(AT_ONCE) as at_once:
        went_well = list(at_once.map(passes_with_output, lanes))
    if all(went_well):
        say("all passed")
    return 0 if all(went_well) else 1


def run_with_coverage() -> int:
    """Run all tests, and say which lines they do not reach."""
    if not passes("forget old coverage", ("-m", "coverage", "erase")) or run_in_lanes(all_lanes()):
        return 1
    if not passes("combine coverage", ("-m", "coverage", "combine", "--quiet")):
        return 1
    figures = coverage_figures()
    gaps = list(coverage_gaps(figures))
    for line in (*not_reached(figures), *gaps):
        say(line)
    say("FAILED: coverage" if gaps else "covered")
    return 1 if gaps else 0


def passes(name: str, command: Sequence[str]) -> bool:
    """Run one step with this very Python and say how it went."""
    say(f"--- {name}")
    began = time.monotonic()
    try:
        code = subprocess.run([sys.executable, *command], cwd=ROOT, timeout=LONGEST, check=False).returncode
    except subprocess.TimeoutExpired:
        say(f"FAILED: {name} took more than {LONGEST} s")
        return False
    if code:
        say(f"FAILED: {name} (exit code {code})")
    else:
        say(f"    {name}: {time.monotonic() - began:.1f} s")
    return code == 0


def all_lanes() -> list[Sequence[str]]:
    """Return what Python is told in each lane; those that take longest come first.

    Measuring takes as long as testing. What generated attacks happen to run is no sign that a line is tested, and most
    of a real app runs in a process of its own, where nothing is measured.
    """
    rest = [name for name in others() if name not in HALF]
    long_waits = sorted(str(path.relative_to(ROOT)) for pattern in LONG_WAITS for path in ROOT.glob(pattern))
    return [
        (*MEASURED, *pytest(*long_waits)),
        pytest("tests/real", *(f"--ignore={path}" for path in long_waits)),
        (*MEASURED, *pytest(*folders(HALF))),
        (*MEASURED, *pytest(*folders(rest))),
        pytest(*folders(ATTACKS)),
        pytest(*folders(EXAMPLES)),
        (*MEASURED, *pytest(*folders(ALONE))),
        TYPES,
    ]


def quick_lanes() -> list[Sequence[str]]:
    """Return the same for a sample of the tests that need nothing but Python, on asyncio alone."""
    few = ("-m", "not real and not long", "-k", "not trio")
    rest = [name for name in others() if name not in HALF]
    return [TYPES, *(pytest(*few, *folders(names)) for names in (HALF, rest, ("pytest_plugin",)))]


def others() -> list[str]:
    """Name the folders of tests that neither wait nor attack, and need no process of their own."""
    apart = {*WAITING, *EXAMPLES, *ATTACKS, *ALONE}
    return sorted({path.parent.name for path in TESTS.glob("*/__init__.py")} - apart)


def pytest(*arguments: str) -> Sequence[str]:
    """Return what Python is told for some tests."""
    return ("-m", "pytest", "-rs", *arguments)


def folders(names: Iterable[str]) -> Sequence[str]:
    """Return where tests are."""
    return [f"tests/{name}" for name in names]


def passes_with_output(command: Sequence[str]) -> bool:
    """Run a lane, and show what it says when it is over."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        try:
            code = subprocess.run(
                [sys.executable, *command], cwd=ROOT, timeout=LONGEST, check=False, stdout=output, stderr=STDOUT
            ).returncode
            verdict = f"FAILED (exit code {code})" if code else f"{time.monotonic() - began:.1f} s"
        except subprocess.TimeoutExpired:
            code, verdict = 1, f"FAILED: more than {LONGEST} s"
        output.seek(0)
        say(f"--- python {' '.join(command)}\n{output.read()}    lane: {verdict}")
    return code == 0


def coverage_figures() -> Any:
    """Read what was measured, in the form of `coverage json`."""
    command = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", "-"]
    written = subprocess.run(command, cwd=ROOT, timeout=LONGEST, check=True, capture_output=True).stdout
    return json.loads(written)


def not_reached(figures: Any) -> Iterator[str]:
    """Name the lines and branches that no measured test has run, file by file."""
    for path, file in figures["files"].items():
        lines = [str(line) for line in file["missing_lines"]]
        branches = [f"{start}->{end if end > 0 else 'exit'}" for start, end in file["missing_branches"]]
        if lines or branches:
            yield f"{path}  {file['summary']['percent_covered']:.0f} %  {', '.join([*lines, *branches])}"


def coverage_gaps(figures: Any) -> Iterator[str]:
    """Say in a sentence each what is not tested enough."""
    totals = figures["totals"]
    branches = 100 * totals["covered_branches"] / max(totals["num_branches"], 1)
    if branches < MIN_BRANCHES:
        yield f"{branches:.2f} % of all branches are tested; at least {MIN_BRANCHES:g} % are asked for"
    for path, file in figures["files"].items():
        missing = file["summary"]["missing_lines"] + file["summary"]["missing_branches"]
        if missing and module_of(path).startswith(WHOLE):
            lines, arrows = file["missing_lines"], file["missing_branches"]
            yield f"{path} has to be tested whole; missing are lines {lines}, branches {arrows}"


def module_of(path: str) -> str:
    """Name a measured file by its place in the package: `web/cookies.py` for `src/asgi_oidc/web/cookies.py`."""
    return path.rpartition("src/asgi_oidc/")[2]


def say(text: str) -> None:
    """Print at once, so that our lines and those of the steps keep their order."""
    print(text, flush=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    os.environ.update(COMPILED)
    sys.exit(main(sys.argv[1:]))
