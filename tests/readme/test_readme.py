"""Runs what README.md shows, and compares what it lists with the code."""

import ast
import logging
import logging.config
import re
import secrets
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from asgi_oidc import MemoryStore, events
from asgi_oidc.endpoints import ENDPOINTS
from asgi_oidc.events import Event
from asgi_oidc.settings.settings import ALGORITHMS, READERS
from asgi_oidc.testing import Browser
from tests.protected_site import Site

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request with who is there."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["user"].display_name.encode()})


def run(code: str, names: dict[str, Any]) -> None:
    """Run a block of the README; it may use await at the top level."""
    code = code.replace('secret="..."', f'secret="{secrets.token_urlsafe(32)}"')
    exec(compile(code, "README.md", "exec"), names)


async def test_the_lines_that_protect_an_app_protect_it():
    """What a newcomer copies first has to work as it stands."""
    names: dict[str, Any] = {"app": answer}
    run(next(block for block in PYTHON if "client_secret=" in block), names)
    browser = Browser(names["app"])

    public, private = await browser.get("/"), await browser.fetch("/private")

    assert (public.status_code, private.status_code) == (200, 401)


async def test_the_lines_that_test_an_app_sign_a_user_in():
    """The shortest test of a user's own app has to work as it stands."""
    *setup, last = PYTHON[-1].strip().splitlines()
    names: dict[str, Any] = {"my_app": answer}
    run("\n".join(setup), names)

    page = await eval(last.partition("await ")[2], names)

    assert (page.status_code, page.text) == (200, "Alice Adams")


class Api:
    """Another API: it lets in whoever brings a token, and keeps who called."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.tokens += [value.decode() for name, value in scope["headers"] if name == b"authorization"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def test_the_lines_about_tokens_and_sessions_work_as_they_stand():
    """They are copied into handlers."""
    tokens, sessions = (next(block for block in PYTHON if word in block) for word in ("httpx_auth", "sessions.end_all"))
    api, names = Api(), dict[str, Any]()

    async def at_work(scope: Any) -> None:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app=api))
        names.update(scope=scope, user=scope["user"], middleware=site.middleware, client=client)
        await eval(compile(tokens, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        await eval(compile(sessions, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)

    site = Site(scope="openid offline_access", store=MemoryStore())
    site.app.at_work = at_work

    await site.signed_in()

    assert [token.startswith("Bearer at-") for token in api.tokens] == [True]
    assert await site.middleware.sessions.of("alice") == []


async def test_the_lines_about_rules_are_rules():
    """They are copied, and then changed."""
    names: dict[str, Any] = {"may_change": lambda user: False}
    run(next(block for block in PYTHON if "email_domains" in block), names)

    browser = await Site(rules=names["rules"]).signed_in("alice")

    got = [await browser.fetch(path) for path in ("/page", "/admin/x", "/staff", "/billing", "/orders/7")]
    assert [response.status_code for response in got] == [200, 403, 200, 401, 200]
    assert (await browser.fetch("/orders/7", method="DELETE")).status_code == 403


@pytest.mark.parametrize("block", PYTHON)
def test_every_python_block_is_python(block):
    """A typing error in the README would meet every newcomer."""
    tree = compile(block, "README.md", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    assert isinstance(tree, ast.Module)


def test_the_table_of_settings_is_the_settings():
    """No setting is missing from the table, and none in it is made up."""
    table = README.partition("## Settings")[2].partition("## ")[0]

    listed = re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE)

    assert {name for name, _ in listed} == set(READERS)


@pytest.mark.parametrize("name", ["scope", "auth_path", "session_idle", "session_lifetime", "leeway", "userinfo"])
def test_a_default_in_the_table_is_the_default(name):
    """People plan with the defaults that they read."""
    written = re.search(rf"^\| `{name}` \| `(.*?)` \|", README, re.MULTILINE)

    assert written is not None
    assert written[1] == str(READERS[name][0])


def test_the_default_algorithms_are_those_of_the_table():
    """Ed25519 is the new name of EdDSA, and the table names it once."""
    written = re.search(r"^\| `algorithms` \| (.*?) \|", README, re.MULTILINE)

    assert written is not None
    assert [*written[1].split(", "), "Ed25519"] == list(ALGORITHMS)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_url_of_ours_is_named(name):
    """A URL that nobody knows of is one that nobody uses."""
    assert f"/auth/{name}" in README


def test_the_lines_about_logging_show_what_they_promise():
    """A configuration that hides the log is worse than none."""
    block = next(block for block in PYTHON if "LOGGING = " in block)
    names: dict[str, Any] = {}
    run(block, names)
    ours = logging.getLogger("asgi_oidc")
    before = (ours.level, list(ours.handlers), ours.propagate)

    try:
        logging.config.dictConfig(names["LOGGING"])
        assert (ours.isEnabledFor(logging.INFO), ours.disabled, len(ours.handlers)) == (True, False, 1)
    finally:
        ours.level, ours.handlers, ours.propagate = before
        ours.setLevel(before[0])  # forgets what levels were looked up meanwhile


def test_the_events_that_are_named_exist_at_their_level():
    """People filter by what they read here."""
    table = README.partition("## Logging")[2].partition("## ")[0]
    levels = {each.name: logging.getLevelName(each.level) for each in vars(events).values() if type(each) is Event}

    rows = re.findall(r"^\| `([A-Z]+)` \| (.*) \|$", table, re.MULTILINE)
    listed = {name: level for level, names in rows for name in re.findall(r"`(\w+)`", names)}

    assert len(listed) > 15
    assert listed == {name: levels.get(name) for name in listed}


def test_the_map_names_the_rooms_that_there_are():
    """A map that lies is worse than none."""
    drawn = README.partition("## Map of the code")[2]
    package = ROOT / "src" / "asgi_oidc"

    rooms = {path.name for path in package.iterdir() if not path.name.startswith("_") and path.name != "py.typed"}

    assert rooms == set(re.findall(r"[\w]+\.py\b", drawn)) | {f"{name}" for name in re.findall(r"(\w+)/ ", drawn)} - {
        "asgi_oidc"
    }


def test_the_extras_that_are_named_exist():
    """`pip install 'asgi-oidc[cli]'` must not warn."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]

    assert set(re.findall(r"asgi-oidc\[(\w+)\]", README)) <= set(extras)
