"""Finds a `secret` that the app makes anew whenever it starts, by reading the source of the module that was named."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from asgi_oidc.cli.doctor.examined_app import ExaminedApp, name_setting
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.settings.value_checks import HOW_TO_MAKE_ONE

MAX_SOURCE_SIZE = 1_000_000  # bytes
MAKERS = frozenset(
    {"token_urlsafe", "token_hex", "token_bytes", "urandom", "uuid4", "randbytes", "get_random_secret_key"}
)


def check_made_secrets(site: ExaminedApp) -> Iterator[Finding]:
    """Look for `secret=secrets.token_urlsafe(32)`; a value that the environment has is not made by the app."""
    source = _source_of(site.module)
    known = {value.encode() for value in site.environ.values()}
    if source is None or any(secret in known for secret in site.settings.secret):
        return
    line = _line_of_made_secret(source)
    if line is not None:
        problem = (
            f"line {line} of {site.module} makes a new secret whenever the app starts: a restart signs all users out, "
            "and several processes do not accept each other's cookies"
        )
        fix = f"keep one secret in {name_setting('secret')}, or in a file; {HOW_TO_MAKE_ONE}"
        yield Finding("secret_changes", problem, fix, where=name_setting("secret"))


def _source_of(module: str) -> ast.Module | None:
    path = getattr(sys.modules.get(module), "__file__", None)
    if path is None or Path(path).suffix != ".py" or Path(path).stat().st_size > MAX_SOURCE_SIZE:
        return None
    return ast.parse(Path(path).read_bytes())


def _line_of_made_secret(source: ast.Module) -> int | None:
    """Return the line of an argument `secret=` that is random, or a variable of the module that is."""
    made = {
        target.id
        for node in source.body
        if isinstance(node, ast.Assign) and _is_made(node.value, set())
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    keywords = (node for node in ast.walk(source) if isinstance(node, ast.keyword) and node.arg == "secret")
    return next((keyword.value.lineno for keyword in keywords if _is_made(keyword.value, made)), None)


def _is_made(value: ast.expr, made: set[str]) -> bool:
    for node in ast.walk(value):
        if isinstance(node, ast.Name) and node.id in made:
            return True
        if isinstance(node, ast.Call) and _name_of(node.func) in MAKERS:
            return True
    return False


def _name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
