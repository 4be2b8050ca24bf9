"""The guide to testing: its tests pass, and its lines do what it says."""

import os
import re
import subprocess
import sys
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from asgi_oidc.integrations.fastapi import CurrentUser
from asgi_oidc.testing import Browser
from asgi_oidc.testing.faults import FAULTS
from tests.examples.guides import ROOT, blocks, read_guide, run_block, run_waiting_block, section

GUIDE = read_guide("testing")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request with who is there."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["user"].display_name.encode()})


async def signed_in() -> dict[str, Any]:
    """Run the lines that sign a user in, and give what they define."""
    names: dict[str, Any] = {"my_app": answer}
    await run_waiting_block(blocks(section(GUIDE, "Sign a user in"), "python")[0], names)
    return names


async def test_the_lines_that_sign_a_user_in_do():
    """The shortest test of a user's own app has to work as it stands."""
    page = (await signed_in())["page"]

    assert (page.status_code, page.text) == (200, "Alice Adams")


def test_the_example_passes_as_the_guide_says():
    """With the command that it shows, and the number that it promises."""
    command = [sys.executable, "-m", "pytest", "examples/testing", "-p", "no:cacheprovider", "-o", "addopts="]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OIDC_")}

    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)

    promised = re.findall(r"You should see (\w+) tests pass", GUIDE)[0]
    assert f"{NUMBERS.index(promised)} passed" in done.stdout, done.stdout


async def test_a_person_that_a_test_adds_can_sign_in():
    """With the claims of the guide."""
    names = await signed_in()
    made: dict[str, Any] = {}
    run_block(blocks(section(GUIDE, "Who can sign in"), "python")[0], made)
    names["provider"].personas |= made["provider"].personas

    browser = Browser(names["app"], "https://app.example.com", {"https://id.example.com": names["provider"]})
    page = await browser.sign_in("dana", "/private")

    assert page.text == "Dana Doe"


async def test_a_program_calls_the_api_with_a_token():
    """A good token counts, and a bad one does not."""
    names: dict[str, Any] = {"my_app": answer}
    good, bad, _ = blocks(section(GUIDE, "Test an API"), "python")

    await run_waiting_block(good, names)
    accepted = names["response"]
    await run_waiting_block(bad, names)

    assert (accepted.status_code, accepted.text, names["response"].status_code) == (200, "alice", 401)


async def test_a_program_proves_that_it_has_its_key():
    """By a key or by a certificate."""
    names: dict[str, Any] = {"my_app": answer}
    good, _, bound = blocks(section(GUIDE, "Test an API"), "python")

    await run_waiting_block(good, names)
    await run_waiting_block(bound, names)

    assert (names["response"].status_code, names["other_response"].status_code) == (200, 200)


async def test_a_fault_gives_the_page_that_the_guide_names():
    """A provider that is down is no fault of the user."""
    names = await signed_in()
    names["browser"] = Browser(names["app"], "https://app.example.com", names["browser"].apps)

    await run_waiting_block(blocks(section(GUIDE, "Simulate failures"), "python")[0], names)

    assert "temporarily unavailable" in names["page"].text


def test_the_faults_are_listed_with_what_goes_wrong(capsys):
    """People choose from them."""
    run_block(blocks(section(GUIDE, "Simulate failures"), "python")[1], {})

    assert len(capsys.readouterr().out.splitlines()) >= len(FAULTS)


def test_a_dependency_is_overridden():
    """Both keys of the guide; without the middleware."""
    api = FastAPI()
    run_block(blocks(section(GUIDE, "FastAPI: test a route without signing in"), "python")[0], {"api": api})

    @api.get("/me")
    async def me(user: CurrentUser) -> str:
        return user.sub

    assert TestClient(api).get("/me").json() == "tester"


def test_a_provider_on_a_port_is_shown(capsys):
    """Its URL is the issuer."""
    run_block(blocks(section(GUIDE, "Over real HTTP"), "python")[0], {})

    assert capsys.readouterr().out.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("call", re.findall(r"^\| `(?:await )?browser\.(\w+)", GUIDE, re.MULTILINE))
def test_a_browser_has_what_the_guide_lists(call):
    """A name that is gone would be noticed by everybody but us."""
    assert hasattr(Browser, call)


async def test_users_choose_one_of_several_providers():
    """Both of the guide can be chosen, with the users that it names."""
    names: dict[str, Any] = {"my_app": answer}
    await run_waiting_block(blocks(section(GUIDE, "Several providers"), "python")[0], names)
    other = Browser(names["app"], "https://app.example.com", names["network"].apps)

    pages = names["page"], await other.sign_in("1000001", "/private", provider="github")

    assert [page.text for page in pages] == ["Alice Adams", "Alice Adams"]
