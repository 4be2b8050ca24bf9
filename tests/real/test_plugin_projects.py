"""A project of each framework, from `pip install` to green: the examples of the guide in environments of their own."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.examples.guides import ROOT
from tests.real import programs
from tests.security.sizes import IS_FULL, size

pytestmark = pytest.mark.real

PROJECTS = ROOT / "examples" / "testing"
FRAMEWORKS = ("starlette", "fastapi", "quart", "litestar", "django", "playwright")
A_MINUTE = 60.0  # seconds, as the guide promises; the download of the packages counts
LONGEST = 600  # seconds; an environment that hangs should end


@pytest.fixture(scope="session")
def uv() -> str:
    """What makes environments and installs into them: `uv run` says where it is."""
    found = os.environ.get("UV") or shutil.which("uv")
    return programs.require(found, "uv", "pip install uv")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What people install."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    run(command, ROOT)
    (built,) = folder.glob("*.whl")
    return built


def run(command: list[str], folder: Path) -> str:
    """Run a command in a folder, without the settings and the environment of these tests; return what it said."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("OIDC_", "VIRTUAL_ENV", "COV"))
    }
    environ |= {"CHROMIUM": shutil.which("chromium") or ""}
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(uv: str, python: Path, packages: list[str], folder: Path) -> None:
    """Install packages; the sample takes what is on this machine already if it can, the full form never."""
    command = [uv, "pip", "install", "--quiet", "--python", str(python), *packages]
    offline = [] if IS_FULL else ["--offline"]
    if offline and subprocess.run([*command, *offline], cwd=folder, capture_output=True, check=False).returncode == 0:
        return
    run(command, folder)


@pytest.mark.long
@pytest.mark.parametrize("framework", size(("starlette",), FRAMEWORKS))
def test_from_install_to_green_in_a_minute(framework: str, uv: str, wheel: Path, tmp_path: Path):
    """Copy the files, install what they list, run pytest: nothing has to be configured or imported."""
    if framework == "playwright":
        programs.chromium()
    project = shutil.copytree(PROJECTS / framework, tmp_path / framework, ignore=shutil.ignore_patterns("__pycache__"))
    python = project / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    listed = (project / "requirements.txt").read_text().split()
    began = time.monotonic()

    run([uv, "venv", "--quiet", "--python", sys.executable, str(python.parents[1])], project)
    others = [name for name in listed if name != "asgi-oidc"]
    install(uv, python, [str(wheel), *others], project)
    said = run([str(python), "-m", "pytest"], project)

    took = time.monotonic() - began
    print(f"{framework}: {took:.1f} s from install to green")
    assert listed[0] == "asgi-oidc"
    assert "asgi-oidc: filled in for the tests: OIDC_ISSUER=https://id.test" in said
    assert " passed" in said
    assert took < A_MINUTE
