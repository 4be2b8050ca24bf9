"""The guide for contributors names what there is, and what is called in which order."""

import importlib
import re
import sys
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePath
from types import FrameType
from typing import Any

import pytest

from asgi_oidc import Rule
from tests.bearer.token_calls import TokenSite as ApiSite
from tests.examples.guides import EXAMPLES, ROOT, read_guide, section
from tests.logout_site import LogoutSite
from tests.protected_site import Site
from tests.scripted_store import ScriptedStore
from tests.token_site import LIFETIME, TokenSite

PACKAGE = ROOT / "src" / "asgi_oidc"
GUIDE = read_guide("contributing")
EXTENDING = (EXAMPLES / "contributing" / "extending.md").read_text(encoding="utf-8")
BOTH = GUIDE + EXTENDING
STEP = re.compile(r"^\d+\. `([\w/]+\.py): ([\w.]+)`", re.MULTILINE)
PLACES = sorted(set(re.findall(r"`((?:[\w.]+/)*[\w.]+\.py)(?:: ([\w.]+))?`", BOTH)))
TESTS = sorted(set(re.findall(r"`(test_\w+)`", BOTH)))


@contextmanager
def calls() -> Iterator[list[tuple[str, str]]]:
    """List the calls of the library's functions, in order, as the guide writes them."""
    made: list[tuple[str, str]] = []
    inside = f"{PACKAGE}/"

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(inside):
            made.append((code.co_filename.removeprefix(inside), code.co_qualname))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield made
    finally:
        sys.setprofile(before)


async def a_request() -> None:
    """Open a page that has a rule; the session is in a store."""
    site = Site(rules=[Rule("/page", scopes=["openid"])], store=ScriptedStore())
    browser = await site.signed_in()
    with calls() as made:
        await browser.get("/page")
    check("A request", made)


async def a_request_with_an_access_token() -> None:
    """Call a path that has a rule, with a new token."""
    site = ApiSite(rules=[Rule("/page", scopes=["profile"])])
    with calls() as made:
        await site.call_with(site.token())
    check("A request with an access token", made)


async def a_login() -> None:
    """Open a page, sign in, and come back."""
    site = Site()
    with calls() as made:
        await site.signed_in()
    check("A login", made)


async def a_refresh() -> None:
    """Ask for the access token when it has expired."""
    site = TokenSite()
    browser = await site.signed_in()
    site.clock.advance(LIFETIME)
    with calls() as made:
        await browser.get("/page")
    check("A refresh", made)


async def a_logout_from_the_app() -> None:
    """Press the button, and come back from the provider to a page that needs a login."""
    site = TokenSite(public=[])
    browser = await site.signed_in()
    with calls() as made:
        await browser.post("/auth/logout")
    check("A logout from the app", made)


async def a_logout_from_the_provider() -> None:
    """Get a logout token, and then a request of that user."""
    site = LogoutSite("MemoryStore")
    browser = await site.signed_in()
    with calls() as made:
        await site.hear(site.provider.logout_token("alice"))
        await browser.fetch("/page")
    check("A logout from the provider", made)


def check(heading: str, made: list[tuple[str, str]]) -> None:
    """Compare the steps of the guide with the calls that were made; other calls may be in between."""
    steps = STEP.findall(subsection(heading))
    rest = iter(made)

    assert len(steps) > 4
    assert [step for step in steps if step not in rest] == []


def subsection(heading: str) -> str:
    """Return what is below a heading of the third level."""
    found = re.search(rf"^### {re.escape(heading)}$(.*?)(?=^##|\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    "follow",
    [a_request, a_request_with_an_access_token, a_login, a_refresh, a_logout_from_the_app, a_logout_from_the_provider],
    ids=lambda follow: follow.__name__,
)
async def test_the_steps_of_the_guide_are_called_in_this_order(follow: Callable[[], Awaitable[None]]):
    """Readers follow them with the code beside the page."""
    await follow()


@pytest.mark.parametrize(("path", "name"), PLACES, ids=lambda part: part)
def test_a_place_that_the_guide_names_exists(path, name):
    """Files move and classes are renamed; the map must not lag behind."""
    if not (PACKAGE / path).is_file():
        assert name == ""
        assert (ROOT / path).is_file()
    elif name:
        found: Any = importlib.import_module(".".join(("asgi_oidc", *PurePath(path).with_suffix("").parts)))
        for part in name.split("."):
            found = getattr(found, part, None)
        assert found is not None


@pytest.mark.parametrize("name", TESTS)
def test_a_test_that_the_guide_names_exists(name):
    """It is what tells contributors that a step is missing."""
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))

    assert any(f"def {name}(" in source for source in sources)


def test_the_map_names_the_rooms_that_there_are():
    """A map that lies is worse than none."""
    drawn = section(GUIDE, "Map of the code")
    rooms = {path.name for path in PACKAGE.iterdir() if not path.name.startswith("_") and path.name != "py.typed"}

    assert rooms == set(re.findall(r"─ (\w+\.py)\b", drawn)) | set(re.findall(r"─ (\w+)/ ", drawn))


def test_the_map_is_drawn_downhill():
    """A room may import from those below it, so the order says something."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = (contract["layers"] for contract in contracts if contract.get("containers") == ["asgi_oidc"])
    heights = {room: height for height, layer in enumerate(layers) for room in layer.split(" | ")}

    drawn = [heights[room] for room in re.findall(r"─ (\w+)", section(GUIDE, "Map of the code"))]

    assert drawn == sorted(drawn)


def test_the_folders_that_are_named_are_there():
    """A command that is copied has to find them."""
    named = re.findall(r"\b(?:tests|examples|src)/[\w/]+/(?=[\s`])|\btests/[\w/]+(?=[\s`:])", BOTH)

    assert named != []
    assert [path for path in named if not (ROOT / path).exists()] == []
