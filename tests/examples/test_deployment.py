"""The guide to deployment: its files are what they seem, and the app starts with exactly what they say."""

import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from asgi_oidc import OIDCMiddleware
from asgi_oidc.asgi.lifespan import FINISH_DEADLINE
from asgi_oidc.settings.value_checks import read_secrets
from asgi_oidc.settings.variable_values import read_list
from tests.examples.guides import EXAMPLES, blocks, nothing, read_guide, section
from tests.real.processes import answers, free_port, running, wait_until
from tests.real.servers import PYTHON

FOLDER = EXAMPLES / "deployment"
GUIDE = read_guide("deployment")
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
MANIFESTS = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")))
SECRETS = {
    "OIDC_CLIENT_SECRET_FILE": "the-secret-of-the-client\n",
    "OIDC_SECRET_FILE": f"{secrets.token_urlsafe(32)}\n",
    "OIDC_STORE_FILE": "redis://:password@redis.invalid:6379\n",
}


def of_kind(kind: str) -> Any:
    """Give the one manifest of a kind."""
    (found,) = (each for each in MANIFESTS if each["kind"] == kind)
    return found


def container() -> Any:
    """Give the container that runs the app."""
    (found,) = of_kind("Deployment")["spec"]["template"]["spec"]["containers"]
    return found


ENVIRONMENTS: Mapping[str, dict[str, str]] = {
    "compose.yaml": COMPOSE["services"]["app"]["environment"],
    "kubernetes.yaml": of_kind("ConfigMap")["data"],
}
each_environment = pytest.mark.parametrize("file", ENVIRONMENTS)


def with_secrets_in(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Write the files that an environment names, elsewhere."""
    given = dict(environ)
    for variable in [each for each in given if each.endswith("_FILE")]:
        path = folder / variable.lower()
        path.write_text(SECRETS[variable], encoding="utf-8")
        given[variable] = str(path)
    return given


def command_of_the_image(port: int) -> list[str]:
    """Give what the Dockerfile starts, on a port of the loopback."""
    written = re.findall(r"^CMD (\[.*\])$", (FOLDER / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    words = [{"0.0.0.0": "127.0.0.1", "8000": str(port)}.get(word, word) for word in json.loads(written[0])]
    return [*PYTHON, *words, "--app-dir", str(FOLDER)]


@each_environment
def test_every_setting_of_a_file_is_valid_and_the_probes_are_let_in(file, tmp_path):
    """An unknown or contradictory one would be refused at start-up."""
    environ = with_secrets_in(tmp_path, ENVIRONMENTS[file])

    middleware = OIDCMiddleware.from_env(nothing, environ=environ)

    assert [middleware.explain(path).is_public for path in ("/", "/me")] == [True, False]
    assert ENVIRONMENTS[file]["OIDC_HEALTH_PATH"] == "/healthz"


@each_environment
def test_the_app_starts_with_exactly_that_environment(file, tmp_path):
    """Provider and store cannot be reached here, as on a bad day."""
    port = free_port()
    environ = with_secrets_in(tmp_path, ENVIRONMENTS[file])

    with running(command_of_the_image(port), environ) as process:
        process.wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz/live"), "the app answers its probe")
        said = process.said

    assert '"GET /healthz/live HTTP/1.1" 200' in said
    assert "settings_invalid" not in said


def test_every_manifest_is_valid():
    """Against the schemas of Kubernetes, with no unknown field."""
    versions = kubernetes_validate.latest_version()

    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, versions, strict=True)

    assert [manifest["kind"] for manifest in MANIFESTS] == [
        "ConfigMap",
        "Deployment",
        "PodDisruptionBudget",
        "Service",
        "Ingress",
    ]


def test_a_manifest_with_a_mistake_is_not_valid():
    """Else the test above would say nothing."""
    wrong = {**of_kind("Service"), "spec": {**of_kind("Service")["spec"], "selectors": {}}}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def test_the_manifests_fit_together():
    """Names are written in one of them and looked for in another."""
    pod = of_kind("Deployment")["spec"]["template"]
    (volume,), (mount,), (port,) = pod["spec"]["volumes"], container()["volumeMounts"], container()["ports"]
    (service_port,) = of_kind("Service")["spec"]["ports"]
    rule = of_kind("Ingress")["spec"]["rules"][0]
    files = [path for name, path in ENVIRONMENTS["kubernetes.yaml"].items() if name.endswith("_FILE")]

    assert container()["envFrom"] == [{"configMapRef": {"name": of_kind("ConfigMap")["metadata"]["name"]}}]
    assert of_kind("Service")["spec"]["selector"] == pod["metadata"]["labels"]
    assert (service_port["targetPort"], volume["name"]) == (port["name"], mount["name"])
    assert rule["http"]["paths"][0]["backend"]["service"]["name"] == of_kind("Service")["metadata"]["name"]
    assert ENVIRONMENTS["kubernetes.yaml"]["OIDC_BASE_URL"] == f"https://{rule['host']}"
    health_path = ENVIRONMENTS["kubernetes.yaml"]["OIDC_HEALTH_PATH"]
    for probe, path in {"readinessProbe": health_path, "livenessProbe": f"{health_path}/live"}.items():
        assert container()[probe]["httpGet"] == {"path": path, "port": port["name"]}
    assert of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    assert "subPath" not in mount, "kubelet never updates such a file"
    keys = re.findall(r"--from-(?:literal|file)=([\w-]+)=", section(GUIDE, "Kubernetes"))
    assert sorted(files) == sorted(f"{mount['mountPath']}/{key}" for key in keys)
    assert f"secret generic {volume['secret']['secretName']}" in GUIDE


def test_the_compose_file_fits_together():
    """What it mounts is there, and what it names is defined."""
    services, app = COMPOSE["services"], COMPOSE["services"]["app"]
    files = {name: each["file"] for name, each in COMPOSE["secrets"].items()}
    used = {path for name, path in app["environment"].items() if name.endswith("_FILE")}
    mounted = [volume.split(":")[0] for volume in services["nginx"]["volumes"]]

    assert set(app["secrets"]) == set(files)
    assert used == {f"/run/secrets/{name}" for name in app["secrets"]}
    assert {each for service in services.values() for each in service.get("depends_on", [])} <= set(services)
    assert app["environment"]["OIDC_HEALTH_PATH"] in app["healthcheck"]["test"][-1]
    assert [path for path in mounted if path.endswith(".conf")] == ["./nginx.conf"]
    assert all(path.removeprefix("./") in GUIDE for path in files.values())
    assert f"redis://{services['redis']['image'].partition(':')[0]}:6379" == app["environment"]["OIDC_STORE"]


def test_a_pod_has_time_to_end():
    """Else a rolling update cuts requests off: the wait for proxies, requests under way, then refreshes."""
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    written = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    (requests,) = re.findall(r'"--timeout-graceful-shutdown", "(\d+)"', written)
    waits = container()["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert pod["terminationGracePeriodSeconds"] >= waits + int(requests) + FINISH_DEADLINE
    assert int(COMPOSE["services"]["app"]["stop_grace_period"].rstrip("s")) >= int(requests) + FINISH_DEADLINE
    assert of_kind("Deployment")["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


KUBECTL = """#!/bin/sh
# Stands for a cluster with one secret, in a file.
case "$1" in
    get) base64 < "$CLUSTER" ;;
    patch) echo "$7" | sed 's/.*"secret": "\\([^"]*\\)".*/\\1/' > "$CLUSTER" ;;
    logs) echo "setting_reloaded" ;;
esac
"""


def test_the_commands_that_rotate_the_secret_do(tmp_path):
    """Of Kubernetes, with a stand-in for it, and of Compose: old values open, a new one seals."""
    cluster, program = tmp_path / "cluster", tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(KUBECTL)
    program.chmod(0o755)
    first = SECRETS["OIDC_SECRET_FILE"].strip()
    cluster.write_text(first)
    shutil.copy(FOLDER / "rotate_secret.py", tmp_path)
    commands = next(block for block in blocks(GUIDE, "console") if "kubectl patch" in block)
    script = "\n".join(line.removeprefix("$ ") for line in commands.splitlines())
    environ = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "CLUSTER": str(cluster)}

    subprocess.run(["sh", "-euc", script], cwd=tmp_path, env=environ, check=True, timeout=30)

    new, old = read_list(cluster.read_text())
    assert (old, len(read_secrets([new, old]))) == (first, 2)
    subprocess.run([sys.executable, "rotate_secret.py", "--finish", "secret"], cwd=tmp_path, check=True, timeout=30)
    assert read_list((tmp_path / "secret").read_text()) == [new]


def test_a_rotation_writes_into_the_file_that_compose_mounts(tmp_path):
    """A container does not see a file that replaces it."""
    path = tmp_path / "oidc_secret"
    path.write_text(SECRETS["OIDC_SECRET_FILE"])
    before = path.stat().st_ino

    subprocess.run([sys.executable, FOLDER / "rotate_secret.py", path], check=True, timeout=30)

    assert path.stat().st_ino == before


def test_the_image_installs_what_the_app_imports():
    """And Redis, because the settings name it."""
    written = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    packages = shlex.split(re.findall(r"^RUN pip install (.*)$", written, re.MULTILINE)[0])

    assert packages == ["--no-cache-dir", "asgi-oidc[redis]", "starlette", "uvicorn[standard]"]


def test_the_configuration_of_traefik_names_what_it_defines():
    """A router with a name that nothing has serves nothing."""
    http = yaml.safe_load(blocks(GUIDE, "yaml")[0])["http"]
    router = http["routers"]["app"]

    assert router["service"] in http["services"]
    assert set(router["middlewares"]) <= set(http["middlewares"])


def test_the_command_that_checks_the_settings_does(tmp_path):
    """Without a provider or a network."""
    environ = with_secrets_in(tmp_path, ENVIRONMENTS["kubernetes.yaml"]) | {"PYTHONPATH": str(FOLDER)}
    command = [sys.executable, "-m", "asgi_oidc", "rules", "app:app"]

    with running(command, environ) as right, running(command, environ | {"OIDC_LEEWAY": "x"}) as wrong:
        wait_until(lambda: right.has_ended and wrong.has_ended, "both have ended")
        said = wrong.said

    assert (right.process.returncode, wrong.process.returncode) == (0, 1)
    assert "OIDC_LEEWAY" in said
