"""The guide to deployment: its files are what they seem, and the app starts with exactly what they say."""

import json
import re
import secrets
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from asgi_oidc import OIDCMiddleware
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

    assert [middleware.explain(path).is_public for path in ("/", "/healthz", "/me")] == [True, True, False]


@each_environment
def test_the_app_starts_with_exactly_that_environment(file, tmp_path):
    """Provider and store cannot be reached here, as on a bad day."""
    port = free_port()
    environ = with_secrets_in(tmp_path, ENVIRONMENTS[file])

    with running(command_of_the_image(port), environ) as process:
        process.wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), "the app answers its probe")
        said = process.said

    assert '"GET /healthz HTTP/1.1" 200' in said
    assert "settings_invalid" not in said


def test_every_manifest_is_valid():
    """Against the schemas of Kubernetes, with no unknown field."""
    versions = kubernetes_validate.latest_version()

    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, versions, strict=True)

    assert [manifest["kind"] for manifest in MANIFESTS] == ["ConfigMap", "Deployment", "Service", "Ingress"]


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
    for probe in ("readinessProbe", "livenessProbe"):
        assert container()[probe]["httpGet"]["port"] == port["name"]
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
    assert [path for path in mounted if path.endswith(".conf")] == ["./nginx.conf"]
    assert all(path.removeprefix("./") in GUIDE for path in files.values())
    assert f"redis://{services['redis']['image'].partition(':')[0]}:6379" == app["environment"]["OIDC_STORE"]


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
