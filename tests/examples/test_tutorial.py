"""The tutorial: its files are written and its commands run in order, as a reader does."""

import importlib.util
import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from asgi_oidc.testing import Browser
from tests.real.certificates import Certificate, make_certificate
from tests.real.nginx import nginx_with
from tests.real.processes import Running, answers, free_port, running

TUTORIAL = (Path(__file__).parents[2] / "examples" / "tutorial" / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (.*)$", TUTORIAL, re.MULTILINE)
PATH = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
PAGES_PORT, PROVIDER_PORT = "8001", "9400"  # in the tutorial; tests take free ones
WITHIN = 120  # seconds for a command that ends by itself, on a busy machine

CREATE = ("mkdir tutorial && cd tutorial", "python3 -m venv .venv", ". .venv/bin/activate")
DEMO = "asgi-oidc demo"
SECRET = "python -c \"import secrets; print('OIDC_SECRET=' + secrets.token_urlsafe(32))\" >> .env"
KEEP_OUT_OF_GIT = r"printf '.venv\n*.env\n' >> .gitignore"
FOLDER_OF_KEYCLOAK = "mkdir keycloak"
SERVE = "uvicorn --factory main:create_app --port 8001 --env-file .env"
EXPLAIN = "dotenv run -- asgi-oidc rules --factory main:create_app /admin"
EXPLAINED = TUTORIAL.partition(f"$ {EXPLAIN}\n")[2].partition("```")[0].partition("\n")[2]
TEST = "pytest -q"
DEPLOY = "uvicorn --factory main:create_app --host 127.0.0.1 --port 8001 --env-file production.env"
INSTALL = "pip install 'asgi-oidc[cli]' fastapi 'uvicorn[standard]' pytest"
KEYCLOAK = (
    'docker run --rm -p 127.0.0.1:8080:8080 -v "$PWD/keycloak:/opt/keycloak/data/import" '
    "quay.io/keycloak/keycloak:26.7.3 start-dev --import-realm"
)
RUN_HERE = {*CREATE, DEMO, FOLDER_OF_KEYCLOAK, SECRET, KEEP_OUT_OF_GIT, SERVE, EXPLAIN, TEST, DEPLOY}
NOT_RUN = {
    INSTALL: "needs a registry; a test below looks for what it installs",
    KEYCLOAK: "needs Docker; tests/real/test_keycloak.py gives the realm to the same version of Keycloak",
}


def files_of_the_tutorial() -> list[tuple[str, str]]:
    """Return name and content of each file, in order; the paragraph before a block ends with the file's name."""
    blocks = re.findall(r"((?:[^\n]+\n)+)\n```(?:python|json|ini|nginx)\n(.*?)```", TUTORIAL, re.DOTALL)
    return [(re.findall(r"`([\w/]*\.(?:py|json|env|conf))`", before)[-1], content) for before, content in blocks]


def versions_of(name: str) -> list[str]:
    """Return what a file contains, step by step."""
    return [content for each, content in files_of_the_tutorial() if each == name]


@dataclass(frozen=True)
class Project:
    """The reader's folder.

    Attributes:
        ports: instead of those in the tutorial.
    """

    folder: Path
    ports: Mapping[str, str]

    @property
    def origin(self) -> str:
        """The address of the app."""
        return f"http://127.0.0.1:{self.ports[PAGES_PORT]}"

    @property
    def issuer(self) -> str:
        """The address of the demo's provider."""
        return f"http://127.0.0.1:{self.ports[PROVIDER_PORT]}"

    def save(self, name: str, content: str) -> None:
        """Save a file, as the tutorial says."""
        (self.folder / name).write_text(self._with_free_ports(content), encoding="utf-8")

    def run(self, command: str) -> str:
        """Run a command that ends by itself, and return what it printed."""
        done = subprocess.run(self._in_shell(command), env=environ(), capture_output=True, text=True, timeout=WITHIN)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def serving(self, command: str, url: str) -> Iterator[Running]:
        """Run a command that serves, until the block ends; it answers when the block begins."""
        with running(self._in_shell(f"exec {command}"), environ()) as process:
            process.wait_until(lambda: answers(url), f"{command} answers")
            yield process

    @contextmanager
    def serving_app(self, command: str) -> Iterator[None]:
        """Run the app until the block ends."""
        with self.serving(command, self.origin) as process:
            yield
            assert "Traceback" not in process.said, process.said

    def _in_shell(self, command: str) -> Sequence[str]:
        return ("sh", "-c", f"cd {self.folder} && {self._with_free_ports(command)}")

    def _with_free_ports(self, text: str) -> str:
        for port, free in self.ports.items():
            text = re.sub(rf"\b{port}\b", free, text)
        return text


def environ() -> dict[str, str]:
    """Return the environment of a reader whose virtual environment is active."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("OIDC_", "PYTEST_"))}
    return {**ours, "PATH": PATH}


@pytest.fixture
def anyio_backend() -> str:
    """The app is another process: one backend is enough on our side."""
    return "asyncio"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A folder with the settings of step 3, and the provider of those who have no Docker."""
    ports = {PAGES_PORT: str(free_port()), PROVIDER_PORT: str(free_port())}
    made = Project(tmp_path_factory.mktemp("tutorial"), ports)
    _, env_of_the_demo = versions_of(".env")
    made.save(".env", env_of_the_demo)
    for command in (FOLDER_OF_KEYCLOAK, SECRET, KEEP_OUT_OF_GIT):
        made.run(command)
    made.save("keycloak/realm.json", *versions_of("keycloak/realm.json"))
    with made.serving(f"{DEMO} --port 0 --provider-port {PROVIDER_PORT}", made.issuer):
        yield made


def test_every_command_is_run_here_or_says_why_not():
    """A command that nobody runs goes stale."""
    assert set(COMMANDS) == RUN_HERE | NOT_RUN.keys()


def test_what_is_to_be_installed_is_what_these_tests_run_with():
    """The app, its server, `--env-file` and `dotenv run`, and pytest."""
    needed = ("asgi_oidc", "fastapi", "uvicorn", "dotenv", "pytest")

    assert [name for name in needed if importlib.util.find_spec(name) is None] == []


def test_the_project_is_created(tmp_path):
    """In the shell of the tutorial, line by line."""
    where = Project(tmp_path, {}).run(f"{' && '.join(CREATE)} && python -c 'import sys; print(sys.prefix)'")

    assert where.strip() == str(tmp_path / "tutorial" / ".venv")


async def test_the_first_login_of_the_first_version(project):
    """Steps 1 to 4: in at the provider, back on the page, and out."""
    project.save("main.py", versions_of("main.py")[0])

    with project.serving_app(SERVE):
        async with httpx.AsyncHTTPTransport() as network:
            browser = Browser(network, project.origin, {project.issuer: network})
            start = await browser.get("/")
            await browser.click("Your account")
            account = await browser.submit(button="alice")
            out = await browser.submit(button="Sign out")

    assert "Hello, stranger" in start.text
    assert (account.path, "Alice Adams" in account.text, "alice@example.com" in account.text) == (
        "/account",
        True,
        True,
    )
    assert (out.url, "Hello, stranger" in out.text) == (f"{project.origin}/", True)
    assert any(step.url.startswith(f"{project.issuer}/end_session") for step in out.history)


def test_files_with_secrets_and_the_environment_are_kept_out_of_git(project):
    """Also `production.env`, which step 7 adds."""
    assert (project.folder / ".gitignore").read_text("utf-8").splitlines() == [".venv", "*.env"]


def test_the_settings_for_keycloak_are_what_it_imports():
    """Two places in the tutorial that have to agree; and the app is where Keycloak redirects to."""
    realm = json.loads(*versions_of("keycloak/realm.json"))
    (client,) = realm["clients"]
    settings = dict(line.split("=", 1) for line in versions_of(".env")[0].splitlines())

    assert settings == {
        "OIDC_ISSUER": f"http://127.0.0.1:8080/realms/{realm['realm']}",
        "OIDC_CLIENT_ID": client["clientId"],
        "OIDC_CLIENT_SECRET": client["secret"],
        "OIDC_BASE_URL": client["attributes"]["post.logout.redirect.uris"],
    }
    assert client["redirectUris"] == [f"{settings['OIDC_BASE_URL']}/auth/callback"]


def test_the_second_version_changes_what_the_tutorial_says():
    """An import and the last lines; everything else is added."""
    first, second = (set(version.splitlines()) for version in versions_of("main.py"))

    assert first - second == {
        "from asgi_oidc import OIDCMiddleware",
        '    return OIDCMiddleware.from_env(api, public=["/"], **settings)',
    }


async def test_the_rule_lets_administrators_in(project):
    """Step 5: Alice is one, and Bob is not."""
    project.save("main.py", versions_of("main.py")[1])

    explained = project.run(EXPLAIN)
    with project.serving_app(SERVE):
        async with httpx.AsyncHTTPTransport() as network:
            alice, bob = (Browser(network, project.origin, {project.issuer: network}) for _ in range(2))
            seen, refused = await alice.sign_in("alice", "/admin"), await bob.sign_in("bob", "/admin")

    assert "Rule('/admin/*', claims={'roles': 'admin'})" in explained
    assert explained.partition("\n")[2] == EXPLAINED
    assert (seen.status_code, "Alice Adams may do anything" in seen.text) == (200, True)
    assert (refused.status_code, "Bob Brown" in refused.text, "Use another account" in refused.text) == (
        403,
        True,
        True,
    )


def test_the_test_passes(project):
    """Step 6, with the second version of the app."""
    project.save("main.py", versions_of("main.py")[1])
    project.save("test_main.py", *versions_of("test_main.py"))

    assert "4 passed" in project.run(TEST)


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """The certificate of the site."""
    return make_certificate(tmp_path)


@pytest.mark.real
async def test_the_app_runs_behind_the_proxy(project, certificate, tmp_path):
    """Step 7: https outside, http inside, and no option of uvicorn about it."""
    port = free_port()
    origin = f"https://127.0.0.1:{port}"
    settings = dict(line.split("=", 1) for line in (project.folder / ".env").read_text("utf-8").splitlines())
    settings["OIDC_BASE_URL"] = origin
    names = re.findall(r"^(\w+)=", versions_of("production.env")[0], re.MULTILINE)
    project.save("production.env", "".join(f"{name}={settings[name]}\n" for name in names))
    project.save("main.py", versions_of("main.py")[1])
    (block,) = versions_of("nginx.conf")
    block = block.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl").replace("8001", project.ports[PAGES_PORT])
    block = block.replace("/etc/ssl/app.example.com.pem", certificate.chain)
    block = block.replace("/etc/ssl/app.example.com.key", certificate.key)

    with project.serving_app(DEPLOY), nginx_with(block, url=origin, ca=certificate.ca):
        trust = ssl.create_default_context(cafile=certificate.ca)
        async with httpx.AsyncHTTPTransport(verify=trust) as network:
            browser = Browser(network, origin, {project.issuer: network})
            account = await browser.sign_in("alice", "/account")
            redirected = await browser.fetch("/account/")

    assert (account.url, "Alice Adams" in account.text) == (f"{origin}/account", True)
    assert any(cookie.name.startswith("__Host-") for cookie in browser.cookies)
    assert (redirected.status_code, redirected.location) == (307, "https://127.0.0.1/account")
