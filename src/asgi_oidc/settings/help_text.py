"""The documentation of the settings: read from the source of `keywords.py`, when somebody asks for it."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple, TypeVar

from asgi_oidc.settings import keywords

Class = TypeVar("Class", bound=type)

FACTS = (
    r"(?:Required|Default: `(?P<default>[^`]+)`(?:, (?P<meaning>.+?))?)\. "
    r"(?:Variable: `(?P<variable>OIDC_[A-Z_]+)`|Keyword only)\. Since (?P<since>[0-9]+\.[0-9]+)\."
)


class SettingDocumentation(NamedTuple):
    """What is written about one setting.

    Attributes:
        type: as in the source, such as `str | None`.
        summary: one line.
        details: paragraphs, may be empty.
        default: Python source; None if the setting is required.
        meaning: of the default, where it does not speak for itself.
        variable: environment variable; None for what only code can give.
        since: the version that introduced the setting.
    """

    name: str
    type: str
    summary: str
    details: str
    default: str | None
    meaning: str | None
    variable: str | None
    since: str

    @property
    def heading(self) -> str:
        """The setting in one line: `leeway: int = 30 (OIDC_LEEWAY)`."""
        default = "" if self.default is None else f" = {self.default}"
        notes = [*(["required"] if self.default is None else []), self.variable or "keyword only"]
        return f"{self.name}: {self.type}{default} ({', '.join(notes)})"


def read_documentation() -> list[SettingDocumentation]:
    """Read the documentation of all settings, in the order of the source.

    Raises:
        OSError: the source is not there, as in an app that ships compiled files only.
    """
    import ast  # only help() and the reference need these
    import inspect

    (body,) = (
        node.body
        for node in ast.parse(inspect.getsource(keywords)).body
        if isinstance(node, ast.ClassDef) and node.name == keywords.Keywords.__name__
    )
    found = []
    for declared, text in pairwise(body):
        match declared, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name), annotation=annotation),
                ast.Expr(value=ast.Constant(value=str(written))),
            ):
                kind = ast.unparse(annotation)
                kind = kind.removeprefix("Required[").removesuffix("]") if kind.startswith("Required[") else kind
                found.append(_read(name, kind, inspect.cleandoc(written)))
    return found


def _read(name: str, kind: str, written: str) -> SettingDocumentation:
    summary, *details, last = written.split("\n\n")
    facts = re.fullmatch(FACTS, " ".join(last.split()))
    if facts is None:
        raise ValueError(
            f"{name}: expected a last paragraph such as 'Default: `30`. Variable: `OIDC_LEEWAY`. Since 0.1.'"
        )
    return SettingDocumentation(name, kind, " ".join(summary.split()), "\n\n".join(details), **facts.groupdict())


class _ListingDocstring:
    """A docstring that ends with the list of all settings; the list is made when `help()` reads it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __get__(self, instance: object, owner: type) -> str:
        import inspect

        text = inspect.cleandoc(self._text)
        try:
            listed = [f"    {each.heading}\n        {each.summary}" for each in read_documentation()]
        except OSError:
            return text
        return "\n".join([text, "", "Settings:", *listed])


def lists_settings(documented: Class) -> Class:
    """Let `help()` of a class list all settings; without docstrings (`python -OO`) this does nothing."""
    if documented.__doc__ is not None:
        documented.__doc__ = _ListingDocstring(documented.__doc__)  # type: ignore[assignment]  # a descriptor gives text
    return documented
