"""What the source says: which codes and events are raised and logged, where, and with which fields."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from asgi_oidc import errors
from asgi_oidc.errors import OIDCError

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "asgi_oidc"
CATALOGUE = PACKAGE / "errors" / "codes"
CLASSES: dict[str, type[OIDCError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, OIDCError)
}
MADE_INTO = {  # what carries a code for a while, to the exception or the answer that it ends in
    "Cause": "ProviderUnavailable",
    "Incompatibility": "ProviderUnsupported",
    "UnusableTokens": "AnswerRejected",
    "KeyUnknown": "TokenRejected",
    "problem": "JSON response",
    "_lacks": "ProviderUnsupported",
}
PLACES = {"problem": 1, "_lacks": 3}  # of the code among the arguments, where it is not the first


class Raised(NamedTuple):
    """A place where a code is raised.

    Attributes:
        code: literal, or with `{...}` where a variable is.
        status: HTTP status, where the place names one.
    """

    kind: str
    code: str
    place: str
    status: int | None = None

    @property
    def pattern(self) -> re.Pattern[str]:
        """Match the codes that it may be."""
        return pattern_of(self.code)


@cache
def pattern_of(code: str) -> re.Pattern[str]:
    """Match what a text with `{...}` may become."""
    return re.compile(re.sub(r"\\{\w+\\}", r"\\w+", re.escape(code)))


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Parse the library without the fake provider, the doctor, whose codes reach no log, and the catalogue itself."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if any(path.is_relative_to(folder) for folder in (PACKAGE / "testing", PACKAGE / "cli" / "doctor", CATALOGUE)):
            continue
        yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text("utf-8"))


@cache
def raised_codes() -> list[Raised]:
    """List each call that makes an error, or something that becomes one, with its code."""
    found = []
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                kind, place = node.func.id, f"{name}:{node.lineno}"
                found += [Raised(MADE_INTO.get(kind, kind), code, place, _status(node)) for code in _codes(node, tree)]
    return found


def _codes(call: ast.Call, tree: ast.Module) -> list[str]:
    kind = ast.unparse(call.func)
    if kind == "KeyUnknown":
        return ["kid_unknown"]
    if kind in ("ProviderRefused", "SettingsError") or (kind in CLASSES and not call.args):
        return [CLASSES[kind].default_code]
    arguments = call.args[PLACES.get(kind, 0) :]
    return _alternatives(arguments[0], tree) if arguments and kind in {*CLASSES, *MADE_INTO} else []


def _alternatives(node: ast.expr, tree: ast.Module) -> list[str]:
    """Return what an argument may be: one text, either of two, or what a variable was set to."""
    if isinstance(node, ast.IfExp):
        return [*_alternatives(node.body, tree), *_alternatives(node.orelse, tree)]
    if isinstance(node, ast.Name):
        set_to = [each.value for each in ast.walk(tree) if isinstance(each, ast.Assign) and _sets(each, node.id)]
        return [code for value in set_to if not isinstance(value, ast.Name) for code in _alternatives(value, tree)]
    written = _written(node)
    return [] if written is None else [written]


def _sets(node: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)


@cache
def texts() -> set[str]:
    """Return every text in the source; one with variables has `{...}` there."""
    return {text for _, tree in modules() for node in ast.walk(tree) if (text := _written(node)) is not None}


@cache
def answers_by_name() -> set[str]:
    """Return whose answers are told apart in codes: every `endpoint="..."` of a call to the provider."""
    callees = ("send", "read_json_answer", "check_status")
    return {
        keyword.value.value
        for _, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in callees
        for keyword in node.keywords
        if keyword.arg == "endpoint"
        and isinstance(keyword.value, ast.Constant)
        and isinstance(keyword.value.value, str)
    }


def _status(call: ast.Call) -> int | None:
    values = [keyword.value for keyword in call.keywords if keyword.arg == "status"]
    return next((each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, int)), None)


def _written(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None  # a variable: the code was made elsewhere
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value).rpartition('.')[2]}}}"
        for part in node.values
        if isinstance(part, ast.Constant | ast.FormattedValue)
    )


@cache
def logged_events() -> dict[str, list[str]]:
    """Return the fields of each event that is logged, by the name of its constant, in the order of the source."""
    found: dict[str, list[str]] = defaultdict(list)
    for _, tree in modules():
        direct: set[str] = set()
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        waiting = []
        for function in functions:
            for call in (node for node in ast.walk(function) if _is_log(node)):
                assert isinstance(call, ast.Call)
                names = [event] if (event := _event(call.args[0])) else sorted(_events_in(function))
                direct.update(names)
                if names:
                    _add(found, names, call)
                else:
                    waiting.append(call)
        for call in waiting:  # the event comes from a table of the module
            _add(found, sorted(_events_in(tree) - direct), call)
    return dict(found)


def _is_log(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("events.log", "events.log_text")


def _event(node: ast.AST) -> str | None:
    is_event = isinstance(node, ast.Attribute) and ast.unparse(node.value) == "events" and node.attr.isupper()
    return node.attr if is_event and isinstance(node, ast.Attribute) else None


def _events_in(tree: ast.AST) -> set[str]:
    return {event for node in ast.walk(tree) if (event := _event(node))}


def _add(found: dict[str, list[str]], names: list[str], call: ast.Call) -> None:
    fields = [
        name for keyword in call.keywords for name in (("raised", "at") if keyword.arg == "error" else [keyword.arg])
    ]
    for name in names:
        found[name] += [field for field in fields if field and field not in found[name]]


def texts_below(tree: ast.Module) -> dict[str, str]:
    """Return the text that stands below each constant of a module."""
    found = {}
    for declared, text in zip(tree.body, tree.body[1:], strict=False):
        match declared, text:
            case (
                ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(written))),
            ):
                found[name] = written
    return found


def attributes_of(described: type) -> dict[str, str]:
    """Return what the section `Attributes` of a docstring says, by name."""
    section = (described.__doc__ or "").partition("    Attributes:\n")[2]
    found: dict[str, str] = {}
    for line in section.splitlines():
        match = re.fullmatch(r" {8}(\w+): (.*)", line)
        if match is not None:
            name = match[1]
            found[name] = match[2]
        elif line.strip():
            found[name] += f" {line.strip()}"
    return found
