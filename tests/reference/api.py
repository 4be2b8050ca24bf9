"""Signatures and docstrings of everything public, read from the source: the same on every version of Python."""

import ast
import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import asgi_oidc
import asgi_oidc.forward_auth
import asgi_oidc.pages
import asgi_oidc.pytest_plugin
import asgi_oidc.testing

INTEGRATIONS = ("starlette", "fastapi", "quart", "litestar", "django", "mcp")
SECTIONS = ("Args:", "Returns:", "Raises:", "Attributes:", "Source:", "Yields:")
Function = ast.FunctionDef | ast.AsyncFunctionDef
PACKAGES = (asgi_oidc.forward_auth, asgi_oidc.pages, asgi_oidc.pytest_plugin, asgi_oidc.testing)
PUBLIC = {*asgi_oidc.__all__, *(name for package in PACKAGES for name in package.__all__)}
INTRO = """# The public API

Everything that is meant to be imported. All other modules are internal and may change at any time.
"""


class Documented(NamedTuple):
    """One entry: a signature, and what is written below it."""

    signature: str
    text: str


def api_page() -> str:
    """Describe every public class and function."""
    parts = [INTRO, "## asgi_oidc\n", *_names("asgi_oidc", asgi_oidc.__all__)]
    for name in INTEGRATIONS:
        module = f"asgi_oidc.integrations.{name}"
        tree = _tree(module)
        parts += [f"## {module}\n", _prose(ast.get_docstring(tree) or ""), *_module(tree)]
    for package in PACKAGES:
        docstring = ast.get_docstring(_tree(package.__name__)) or ""
        parts += [f"## {package.__name__}\n", _prose(docstring), *_names(package.__name__, package.__all__)]
    return "\n".join(parts)


def _names(package: str, names: list[str]) -> Iterator[str]:
    for name in sorted(names, key=str.lower):
        found = getattr(import_module(package), name)
        if not isinstance(found, type | FunctionType):
            yield _alias(package, name)
            continue
        tree = _tree(found.__module__)
        (node,) = (node for node in tree.body if isinstance(node, ast.ClassDef | Function) and node.name == name)
        yield from _entry(node, found)


def _alias(package: str, name: str) -> str:
    """Describe a name for a type, and the text below it; the value itself does not know where it is defined."""
    imports = (node for node in _tree(package).body if isinstance(node, ast.ImportFrom))
    (module,) = (node.module for node in imports if any(alias.name == name for alias in node.names))
    (entry,) = (entry for entry in _module(_tree(f"{package}.{module}")) if entry.startswith(f"### {name}\n"))
    return entry


def _module(tree: ast.Module) -> Iterator[str]:
    nodes = list(_flat(tree.body))
    for node, below in zip(nodes, [*nodes[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield from _entry(node)
        match node, below:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield f"### {name}\n\n```python\n{name} = {ast.unparse(value)}\n```\n\n{_prose(inspect.cleandoc(text))}"


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If):
            yield from _flat(node.body)
        else:
            yield node


def _tree(module: str) -> ast.Module:
    import_module(module)
    return ast.parse(Path(str(sys.modules[module].__file__)).read_text("utf-8"))


def _entry(node: ast.ClassDef | Function, found: Any = None) -> Iterator[str]:
    if isinstance(node, Function):
        yield f"### {node.name}\n\n```python\n{_signature(node)}\n```\n\n{_prose(ast.get_docstring(node) or '')}"
        return
    prose = _prose(ast.get_docstring(node) or "")
    yield f"### {node.name}\n\n```python\n{_class_signature(node, found)}\n```\n\n{prose}"
    for member in node.body:
        if isinstance(member, Function) and not member.name.startswith("_") and (text := ast.get_docstring(member)):
            if any(ast.unparse(each).endswith(".setter") for each in member.decorator_list):
                continue
            if found is not None and _is_internal(member.name, found):
                continue
            label = _signature(member)
            yield f"**`{label}`**\n\n{_prose(text)}"


def _is_internal(name: str, found: type) -> bool:
    """Whether a method does for one class what an internal base class asks of all: nobody else calls it."""
    above = (base for base in found.__mro__[1:] if base.__module__.startswith("asgi_oidc."))
    return any(name in vars(base) for base in above if base.__name__ not in PUBLIC)


def _lineage(node: ast.ClassDef, found: type | None) -> list[ast.ClassDef]:
    """Return the class and those of ours above it, the topmost first."""
    above = found.__mro__[:0:-1] if found is not None else ()
    names = {base.__name__: base.__module__ for base in above if base.__module__.startswith("asgi_oidc.")}
    trees = ((name, _tree(module)) for name, module in names.items())
    bases = [each for name, tree in trees for each in tree.body if isinstance(each, ast.ClassDef) and each.name == name]
    return [*bases, node]


def _class_signature(node: ast.ClassDef, found: type | None) -> str:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    head = f"class {node.name}({bases})" if bases else f"class {node.name}"
    init = next((each for each in node.body if isinstance(each, Function) and each.name == "__init__"), None)
    if init is not None:
        return f"{head}\n{node.name}({_arguments(init)})"
    if not any("dataclass" in ast.unparse(each) for each in node.decorator_list):
        return head
    given = [each for part in _lineage(node, found) for each in part.body if isinstance(each, ast.AnnAssign)]
    given = [each for each in given if "init=False" not in ast.unparse(each)]
    fields = ["*" if ast.unparse(each.annotation) == "KW_ONLY" else ast.unparse(each) for each in given]
    return f"{head}\n{node.name}({', '.join(fields)})"


def _signature(node: Function) -> str:
    if any(ast.unparse(each) in ("property", "cached_property") for each in node.decorator_list):
        return f"{node.name}: {ast.unparse(node.returns) if node.returns else 'Any'}"
    word = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{word}{node.name}({_arguments(node)}){returns}"


def _arguments(node: Function) -> str:
    written = ast.unparse(node.args)
    return written.removeprefix("self").removeprefix("cls").removeprefix(", ")


def _prose(text: str) -> str:
    """Turn a docstring into Markdown: its sections become lists."""
    lines: list[str] = []
    section = ""
    for line in text.splitlines():
        if line.strip() in SECTIONS and not line.startswith(" "):
            section = line.strip()
            lines += [section, ""]
        elif section and line.startswith("    ") and not line.startswith("     "):
            name, colon, rest = line.strip().partition(": ")
            is_named = colon and section in ("Args:", "Raises:", "Attributes:")
            lines.append(f"- `{name}`: {rest}" if is_named else f"- {line.strip()}")
        elif section and line.startswith("     "):
            lines.append(f"  {line.strip()}")
        else:
            section = section if not line else ""
            lines.append(line)
    return "\n".join(lines).strip() + "\n"
