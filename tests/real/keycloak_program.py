"""Find Keycloak where Maven put it, unpack it, and prepare it once so that it starts in seconds."""

import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from tests.real.programs import require

VERSION = "26.7.3"
NAME = "keycloak-quarkus-dist"
ARCHIVE = Path.home() / f".m2/repository/org/keycloak/{NAME}/{VERSION}/{NAME}-{VERSION}.zip"
GET = f"mvn dependency:get -Dartifact=org.keycloak:{NAME}:{VERSION}:zip -Dtransitive=false"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "asgi-oidc-tests"
BUILD = ("build", "--db=dev-mem", "--https-client-auth=request")
BUILT_WITHIN = 600  # seconds; 16 of an idle processor
START = ("start", "--optimized", "--cache=local", "--hostname-strict=false")


def keycloak_command() -> list[str]:
    """Return the command that runs a Keycloak whose data are in memory, without its address."""
    require(shutil.which("java"), "Java", "apt-get install openjdk-17-jre-headless")
    archive = require(str(ARCHIVE) if ARCHIVE.exists() else None, "Keycloak", GET)
    home = CACHE / f"keycloak-{VERSION}-asks-for-certificates"
    if not home.exists():
        _install(Path(archive), home)
    return ["sh", str(home / "bin" / "kc.sh"), *START]


def _install(archive: Path, home: Path) -> None:
    """Unpack and build beside the final place: a run that is stopped half-way leaves nothing there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="keycloak-", dir=CACHE) as folder:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
        unpacked = Path(folder) / f"keycloak-{VERSION}"
        build = ["sh", str(unpacked / "bin" / "kc.sh"), *BUILD]
        done = subprocess.run(build, timeout=BUILT_WITHIN, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"`kc.sh build` failed:\n{done.stdout}{done.stderr}")
        unpacked.rename(home)
