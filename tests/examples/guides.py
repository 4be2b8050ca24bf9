"""What the guides beside the examples hold: their blocks of code, their links, their names in backticks."""

import ast
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
GUIDES = sorted(EXAMPLES.rglob("*.md"))

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)", re.MULTILINE)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")


def name_of(guide: Path) -> str:
    """Name a guide in the list of tests: `examples/rules/README.md`."""
    return str(guide.relative_to(ROOT))


def read_guide(topic: str) -> str:
    """Read the guide to a topic."""
    return (EXAMPLES / topic / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Give the blocks of code in one language, in order."""
    return [code for found, code in _BLOCK.findall(text) if found == language]


def section(text: str, heading: str) -> str:
    """Give what stands below a heading of the second level."""
    found = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise LookupError(f"no section is called {heading!r}")
    return found[1]


def prose(text: str) -> str:
    """Give a guide without its blocks of code."""
    return _BLOCK.sub("", text)


def links(text: str) -> list[str]:
    """Give the targets of all links."""
    return [one or other for one, other in _LINK.findall(prose(text))]


def anchors(text: str) -> set[str]:
    """Give what a link may name after `#`, as GitHub makes it of the headings."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(prose(text)))
    return {heading.strip().replace(" ", "-") for heading in plain}


def names_in_backticks(text: str) -> Iterator[str]:
    """Give the `snake_case` names that are written as code, alone or before an `=` or a call."""
    for code in _CODE.findall(prose(text)):
        yield from re.findall(r"(?<![\w./\-])[a-z]+(?:_[a-z]+)+(?![\w/\-])", code)


def compile_block(code: str) -> types.CodeType:
    """Compile a block; it may use await at the top level."""
    made: types.CodeType = compile(code, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return made


def run_block(code: str, names: dict[str, Any]) -> None:
    """Run a block that does not wait; what it defines is in `names` afterwards."""
    names.setdefault("__name__", __name__)  # frameworks look for the module that defines a handler
    exec(compile(code, "README.md", "exec"), names)


async def run_waiting_block(code: str, names: dict[str, Any]) -> None:
    """Run a block that may use await at the top level."""
    waiting = eval(compile_block(code), names)
    if waiting is not None:
        await waiting


def keywords_in(code: str) -> set[str]:
    """Give the keywords that a block passes to `OIDCMiddleware`."""
    calls = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    ours = (call for call in calls if "OIDCMiddleware" in ast.unparse(call.func) or _adds_ours(call))
    return {keyword.arg for call in ours for keyword in call.keywords if keyword.arg is not None}


def _adds_ours(call: ast.Call) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "OIDCMiddleware" for each in call.args)


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """Stand for an app whose settings alone matter."""
