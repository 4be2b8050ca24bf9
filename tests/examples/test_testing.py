"""The guide to testing: its tests pass, and its lines do what it says."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from asgi_oidc import Bearer, OIDCMiddleware, Rule
from asgi_oidc.cli.provider.personas import read_personas
from asgi_oidc.integrations.fastapi import CurrentUser
from asgi_oidc.pytest_plugin import OIDCTester
from asgi_oidc.testing import Browser
from asgi_oidc.testing.faults import FAULTS
from tests.examples.guides import EXAMPLES, ROOT, blocks, read_guide, run_block, run_waiting_block, section

GUIDE = read_guide("testing")
IN_PROCESS = (EXAMPLES / "testing" / "in-process.md").read_text(encoding="utf-8")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


PROJECTS = ("starlette", "fastapi", "quart", "litestar", "django")
# In one process, as the frameworks take longer to import than their tests to run.
ONE_AFTER_ANOTHER = """
import os, sys, pytest
for framework in sys.argv[1:]:
    os.chdir(framework)
    status = pytest.main(["-q", "-p", "no:cacheprovider", "-k", "not trio", "-o", "anyio_mode=auto"])
    assert status == 0, framework
    for module in ("main", "test_main"):
        sys.modules.pop(module, None)
    os.chdir("..")
print(len(sys.argv) - 1, "projects passed")
"""
ADMINS = [Rule("/reports", claims={"roles": "admin"}), Rule("/orders", scopes=["orders:read"])]


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request with who is there."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["user"].display_name.encode()})


async def greet(scope: Any, receive: Any, send: Any) -> None:
    """Greet who is there."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"Hello, {scope['user'].display_name}".encode()})


@pytest.mark.parametrize(
    "heading",
    [
        "Sign Alice in",
        "Say who signs in",
        "Walk through a login",
        "Failures of the provider",
        "Programs with access tokens",
    ],
)
def test_the_tests_with_the_fixture_pass(heading: str, oidc: OIDCTester):
    """The first block of each section is a test that people copy."""
    app = OIDCMiddleware(
        greet,
        issuer="https://id.acme.com",
        client_id="shop",
        client_secret="only the real provider knows it",
        base_url="https://shop.acme.com",
        secret=secrets.token_urlsafe(32),
        rules=ADMINS,
        bearer=Bearer(audience="https://api.acme.com") if "token" in heading else None,
    )
    names: dict[str, Any] = {"TestClient": TestClient, "app": app}
    oidc.provider_of(app=app)  # of several apps in this process, this one is meant from now on
    block = blocks(section(GUIDE, heading), "python")[0]
    run_block(block.replace('oidc.bearer("alice"', 'oidc.bearer("alice", app=app'), names)

    (test,) = (found for name, found in names.items() if name.startswith("test_"))
    test(oidc)


def test_the_projects_of_the_frameworks_pass():
    """With the libraries of this checkout; `tests/real` installs each as its readers do."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OIDC_")}
    command = [sys.executable, "-c", ONE_AFTER_ANOTHER, *PROJECTS]

    done = subprocess.run(
        command, cwd=ROOT / "examples" / "testing", env=environ, capture_output=True, text=True, check=False
    )

    assert done.stdout.splitlines()[-1] == f"{len(PROJECTS)} projects passed", done.stdout


def test_the_personas_of_the_guide_are_read(tmp_path: Path):
    """The file as it stands."""
    (tmp_path / "personas.json").write_text(blocks(section(GUIDE, "Develop with a fake provider"), "json")[0])

    assert read_personas(tmp_path / "personas.json")["dana"].claims == {"groups": ["staff"], "tenant": "acme"}


async def signed_in() -> dict[str, Any]:
    """Run the lines that sign a user in, and give what they define."""
    names: dict[str, Any] = {"my_app": answer}
    await run_waiting_block(blocks(section(IN_PROCESS, "Sign a user in"), "python")[0], names)
    return names


async def test_the_lines_that_sign_a_user_in_do():
    """The shortest test of a user's own app has to work as it stands."""
    page = (await signed_in())["page"]

    assert (page.status_code, page.text) == (200, "Alice Adams")


def test_the_example_passes_as_the_guide_says():
    """With the command that it shows, and the number that it promises."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "examples/testing/test_app.py",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
    ]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OIDC_")}

    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)

    promised = re.findall(r"You should see (\w+) tests pass", IN_PROCESS)[0]
    assert f"{NUMBERS.index(promised)} passed" in done.stdout, done.stdout


async def test_a_person_that_a_test_adds_can_sign_in():
    """With the claims of the guide."""
    names = await signed_in()
    made: dict[str, Any] = {}
    run_block(blocks(section(IN_PROCESS, "Who can sign in"), "python")[0], made)
    names["provider"].personas |= made["provider"].personas

    browser = Browser(names["app"], "https://app.example.com", {"https://id.example.com": names["provider"]})
    page = await browser.sign_in("dana", "/private")

    assert page.text == "Dana Doe"


async def test_a_program_calls_the_api_with_a_token():
    """A good token counts, and a bad one does not."""
    names: dict[str, Any] = {"my_app": answer}
    good, bad, _ = blocks(section(IN_PROCESS, "Test an API"), "python")

    await run_waiting_block(good, names)
    accepted = names["response"]
    await run_waiting_block(bad, names)

    assert (accepted.status_code, accepted.text, names["response"].status_code) == (200, "alice", 401)


async def test_a_program_proves_that_it_has_its_key():
    """By a key or by a certificate."""
    names: dict[str, Any] = {"my_app": answer}
    good, _, bound = blocks(section(IN_PROCESS, "Test an API"), "python")

    await run_waiting_block(good, names)
    await run_waiting_block(bound, names)

    assert (names["response"].status_code, names["other_response"].status_code) == (200, 200)


async def test_a_fault_gives_the_page_that_the_guide_names():
    """A provider that is down is no fault of the user."""
    names = await signed_in()
    names["browser"] = Browser(names["app"], "https://app.example.com", names["browser"].apps)

    await run_waiting_block(blocks(section(IN_PROCESS, "Simulate failures"), "python")[0], names)

    assert "temporarily unavailable" in names["page"].text


def test_the_faults_are_listed_with_what_goes_wrong(capsys):
    """People choose from them."""
    run_block(blocks(section(IN_PROCESS, "Simulate failures"), "python")[1], {})

    assert len(capsys.readouterr().out.splitlines()) >= len(FAULTS)


def test_a_dependency_is_overridden():
    """Both keys of the guide; without the middleware."""
    api = FastAPI()
    run_block(blocks(section(IN_PROCESS, "FastAPI: test a route without signing in"), "python")[0], {"api": api})

    @api.get("/me")
    async def me(user: CurrentUser) -> str:
        return user.sub

    assert TestClient(api).get("/me").json() == "tester"


def test_a_provider_on_a_port_is_shown(capsys):
    """Its URL is the issuer."""
    run_block(blocks(section(IN_PROCESS, "Over real HTTP"), "python")[0], {})

    assert capsys.readouterr().out.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("call", re.findall(r"^\| `(?:await )?browser\.(\w+)", IN_PROCESS, re.MULTILINE))
def test_a_browser_has_what_the_guide_lists(call):
    """A name that is gone would be noticed by everybody but us."""
    assert hasattr(Browser, call)


async def test_users_choose_one_of_several_providers():
    """Both of the guide can be chosen, with the users that it names."""
    names: dict[str, Any] = {"my_app": answer}
    await run_waiting_block(blocks(section(IN_PROCESS, "Several providers"), "python")[0], names)
    other = Browser(names["app"], "https://app.example.com", names["network"].apps)

    pages = names["page"], await other.sign_in("1000001", "/private", provider="github")

    assert [page.text for page in pages] == ["Alice Adams", "Alice Adams"]
