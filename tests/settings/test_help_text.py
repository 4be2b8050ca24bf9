"""What help(), editors and the reference say about a setting is what the code does."""

import ast
import collections.abc
import inspect
import pydoc
import subprocess
import sys
import types
from dataclasses import fields
from typing import Any, Required, Union, get_args, get_origin, get_type_hints

import pytest

from asgi_oidc import OIDCMiddleware
from asgi_oidc.pages.theme import Colors
from asgi_oidc.protocol.claim_mapping import ClaimMapping
from asgi_oidc.settings.help_text import SettingDocumentation, read_documentation
from asgi_oidc.settings.keywords import Keywords
from asgi_oidc.settings.provider_readers import ALGORITHMS, MISSING
from asgi_oidc.settings.settings import NEEDED_WITHOUT_PROVIDERS, READERS, Settings
from asgi_oidc.settings.variable_names import variable_of
from asgi_oidc.settings.variable_values import PARSERS

DOCUMENTED = {each.name: each for each in read_documentation()}
KEYWORDS = get_type_hints(Keywords, include_extras=True)
CHECKED = get_type_hints(Settings)
PLAIN = {  # what a checked value is, to what may be given
    tuple: collections.abc.Sequence,
    frozenset: collections.abc.Sequence,
    collections.abc.Mapping: collections.abc.Mapping,
    ClaimMapping: collections.abc.Mapping,
    Colors: collections.abc.Mapping,
}


def members(hint: Any) -> set[Any]:
    """Return the types of a union, without their parameters."""
    if get_origin(hint) is Required:
        return members(get_args(hint)[0])
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return {get_origin(part) or part for part in parts}


def test_every_setting_is_a_keyword_a_field_and_documented():
    """In the same order everywhere, so that nobody has to search."""
    names = list(READERS)

    assert list(DOCUMENTED) == list(KEYWORDS) == names
    # Fields that are inherited come first; `base_urls` is `base_url` as a whole.
    assert sorted(each.name for each in fields(Settings)) == sorted([*names, "base_urls"])


@pytest.mark.parametrize("setting", DOCUMENTED.values(), ids=str)
def test_the_documented_default_is_the_default(setting: SettingDocumentation):
    """People plan with the defaults that they read."""
    default = READERS[setting.name][0]

    is_always_required = default is MISSING and setting.name not in NEEDED_WITHOUT_PROVIDERS

    assert (setting.default is None) == (default is MISSING)
    assert is_always_required == (get_origin(KEYWORDS[setting.name]) is Required)
    if setting.default is not None:
        written = ast.literal_eval(setting.default)
        if isinstance(default, frozenset):  # a list, or a short form of one
            written = READERS[setting.name][1](written) if isinstance(written, str) else frozenset(written)
        assert written == default


@pytest.mark.parametrize("setting", DOCUMENTED.values(), ids=str)
def test_the_documented_variable_is_read(setting: SettingDocumentation):
    """A variable that nobody reads is an app that does not start."""
    assert setting.variable == (variable_of(setting.name) if setting.name in PARSERS else None)


@pytest.mark.parametrize("name", KEYWORDS)
def test_a_keyword_takes_what_the_field_holds(name):
    """A type checker must not refuse what the middleware takes, nor allow None where it means nothing."""
    given, held = members(KEYWORDS[name]), members(CHECKED[name])

    assert Any in given or (type(None) in given) == (type(None) in held)
    for kind in held - {type(None)}:
        assert given & {kind, PLAIN.get(kind, kind), Any}, f"{name}: {kind} is not among {given}"


def test_the_default_algorithms_are_named():
    """Ed25519 is the new name of EdDSA, and the text names it once."""
    meaning = DOCUMENTED["algorithms"].meaning

    assert meaning is not None
    named = meaning.removeprefix("which is ").replace(" and ", ", ").split(", ")
    assert [*named, "Ed25519"] == list(ALGORITHMS)


def test_help_lists_every_setting():
    """`help(OIDCMiddleware)` is the manual that is always at hand."""
    shown = pydoc.plain(pydoc.render_doc(OIDCMiddleware))

    assert "leeway: int = 30 (OIDC_LEEWAY)" in shown
    assert "issuer: str (required, OIDC_ISSUER)" in shown
    assert "on_login: OnLogin | None = None (keyword only)" in shown
    assert [name for name in READERS if f" {DOCUMENTED[name].heading}\n" not in shown] == []


def test_help_says_what_a_default_means_and_names_types_as_the_source_does():
    """`None` alone says nothing, and the expanded type of an ASGI app is 400 characters long."""
    shown = pydoc.plain(pydoc.render_doc(OIDCMiddleware))

    assert "Default: None, which is `base_url`.\n" in shown
    assert ("ASGIApp" in shown, "MutableMapping" in shown) == (True, False)


def test_a_subclass_has_the_same_help():
    """Subclasses without a docstring of their own inherit it."""

    class Mine(OIDCMiddleware):
        pass

    assert inspect.getdoc(Mine) == inspect.getdoc(OIDCMiddleware)


def test_the_middleware_works_without_docstrings():
    """`python -OO` removes them."""
    program = "from asgi_oidc import OIDCMiddleware; print(OIDCMiddleware.__doc__)"

    printed = subprocess.run([sys.executable, "-OO", "-c", program], check=True, capture_output=True, text=True).stdout

    assert printed == "None\n"


def test_the_documentation_is_read_only_when_it_is_asked_for():
    """Starting an app must not parse source."""
    program = "import ast; ast.parse = None; from asgi_oidc import OIDCMiddleware; print(OIDCMiddleware.__name__)"

    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout

    assert printed == "OIDCMiddleware\n"
