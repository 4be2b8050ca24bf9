"""Reads the documentation of the settings from the source of `keywords.py`, for `help()` and the reference."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple, TypeVar

from asgi_oidc.settings import keywords, provider_keywords, response_algorithm_keywords, strong_client_keywords

Class = TypeVar("Class", bound=type)

FACTS = (
    r"(?:Required(?: unless `providers` is set)?|Default: `(?P<default>[^`]+)`(?:, (?P<meaning>.+?))?)\. "
    r"(?:Variable: `(?P<variable>OIDC_[A-Z0-9_]+)`|Keyword only)\. Since (?P<since>[0-9]+\.[0-9]+)\."
)


class SettingDocumentation(NamedTuple):
    """The documentation of one setting.

    Attributes:
        type: as in the source, such as `str | None`.
        summary: one line.
        details: paragraphs; may be empty.
        default: Python source; None if the setting is required.
        meaning: what the default means, if that is not obvious.
        variable: environment variable; None if the setting is a keyword only.
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

    @property
    def summary_with_default(self) -> str:
        """The summary, and what the default means if that is not obvious."""
        return f"{self.summary} Default: {self.default}, {self.meaning}." if self.meaning else self.summary


def read_documentation() -> list[SettingDocumentation]:
    """Read the documentation of all settings, in the order of the source.

    Raises:
        OSError: the source is missing, because the app ships compiled files only.
    """
    import ast  # only help() and the reference need these
    import inspect

    sources = (
        (provider_keywords, provider_keywords.PlainProviderKeywords.__name__),
        (strong_client_keywords, strong_client_keywords.StrongClientKeywords.__name__),
        (response_algorithm_keywords, response_algorithm_keywords.ResponseAlgorithmKeywords.__name__),
        (keywords, keywords.Keywords.__name__),
    )
    found = []
    for module, class_name in sources:
        (body,) = (
            node.body
            for node in ast.parse(inspect.getsource(module)).body
            if isinstance(node, ast.ClassDef) and node.name == class_name
        )
        for declared, text in pairwise(body):
            match declared, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name), annotation=annotation),
                    ast.Expr(value=ast.Constant(value=str(docstring))),
                ):
                    kind = ast.unparse(annotation)
                    kind = kind.removeprefix("Required[").removesuffix("]") if kind.startswith("Required[") else kind
                    found.append(_read(name, kind, inspect.cleandoc(docstring)))
    return found


def _read(name: str, kind: str, docstring: str) -> SettingDocumentation:
    summary, *details, last = docstring.split("\n\n")
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
            listed = [
                f"    {setting.heading}\n        {setting.summary_with_default}" for setting in read_documentation()
            ]
        except OSError:
            return text
        return "\n".join([text, "", "Settings:", *listed])


def lists_settings(documented: Class) -> Class:
    """Let `help()` of a class list all settings; without docstrings (`python -OO`) this does nothing."""
    if documented.__doc__ is not None:
        documented.__doc__ = _ListingDocstring(documented.__doc__)  # type: ignore[assignment]  # the descriptor returns text
    return documented
