"""Runs what README.md shows, and compares what it names with what there is."""

import ast
import importlib
import re
import secrets
import tomllib
from pathlib import Path
from typing import Any

import pytest

from asgi_oidc.testing import Browser
from tests.protected_site import Site

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^\$ (.*?)(?:\s+#.*)?$", README, re.MULTILINE)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAX_LINES = 200
FIRST_SCREEN = 30  # lines


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request with who is there."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["user"].display_name.encode()})


def run(code: str, names: dict[str, Any]) -> None:
    """Run a block of the README."""
    code = code.replace('secret="..."', f'secret="{secrets.token_urlsafe(32)}"')
    exec(compile(code, "README.md", "exec"), names)


def section(heading: str) -> str:
    """Return what stands below a heading."""
    return README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


async def test_the_lines_that_protect_an_app_protect_it():
    """What a newcomer copies first has to work as it stands."""
    names: dict[str, Any] = {"app": answer}
    run(next(block for block in PYTHON if "client_secret=" in block), names)
    browser = Browser(names["app"])

    public, private = await browser.get("/"), await browser.fetch("/private")

    assert (public.status_code, private.status_code) == (200, 401)


async def test_the_lines_about_the_scope_work_in_a_handler():
    """They are copied into handlers."""
    block = next(block for block in PYTHON if 'scope["auth"]' in block)
    names: dict[str, Any] = {}

    async def at_work(scope: Any) -> None:
        names.update(scope=scope)
        await eval(compile(block, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)

    site = Site()
    site.app.at_work = at_work

    await site.signed_in("alice")

    assert (names["user"].sub, names["user"].email) == ("alice", "alice@example.com")


@pytest.mark.parametrize("block", PYTHON)
def test_every_python_block_is_python(block):
    """A typing error in the README would meet every newcomer."""
    tree = compile(block, "README.md", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    assert isinstance(tree, ast.Module)


@pytest.mark.parametrize(
    ("framework", "names"),
    [
        ("fastapi", {"CurrentUser", "OptionalUser", "require"}),
        ("quart", {"current_user", "requires"}),
        ("litestar", {"requires"}),
        ("django", {"UserMiddleware"}),
    ],
)
def test_what_the_table_of_frameworks_names_is_there(framework, names):
    """In the module of that framework."""
    (row,) = re.findall(rf"^\| {framework} .*", section("With your framework"), re.MULTILINE | re.IGNORECASE)
    module = importlib.import_module(f"asgi_oidc.integrations.{framework}")

    assert {name for name in names if name not in row or not hasattr(module, name)} == set()


def test_the_readme_is_short_and_begins_with_a_first_success():
    """A newcomer sees it work on the first screen, and meets the tests of the project last."""
    lines = README.splitlines()

    assert len(lines) <= MAX_LINES
    assert {"$ pip install 'asgi-oidc[cli]'", "$ asgi-oidc demo"} <= set(lines[:FIRST_SCREEN])
    assert COMMANDS[-3:] == [
        f"git clone {PROJECT['urls']['Repository']} && cd asgi-oidc",
        "uv run python -m tests --quick",
        "uv run python -m tests",
    ]


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*/*.md")), ids=lambda path: "/".join(path.parts[-2:]))
def test_every_guide_is_linked(path):
    """Nobody reads a page that nobody finds: it is linked here, or from the guide that it belongs to."""
    is_linked_here = f"{PROJECT['urls']['Repository']}/blob/main/{path.relative_to(ROOT)}" in README
    guide = path.with_name("README.md")

    assert is_linked_here or f"]({path.name})" in guide.read_text(encoding="utf-8")


def test_the_versions_that_are_named_are_supported():
    """The README and the package index say the same."""
    versions = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if each.startswith("Programming Language")]
    numbers = sorted((each for each in versions if "." in each), key=lambda each: int(each.partition(".")[2]))

    assert f"Python {numbers[0]} to {numbers[-1]}" in section("Install")
    assert PROJECT["requires-python"] == f">={numbers[0]}"


def test_the_extras_that_are_named_exist():
    """`pip install 'asgi-oidc[cli]'` must not warn."""
    named = set(re.findall(r"asgi-oidc\[([\w-]+)\]", README))

    assert {"cli", "postgres", "redis", "redis-trio"} <= named <= set(PROJECT["optional-dependencies"])
