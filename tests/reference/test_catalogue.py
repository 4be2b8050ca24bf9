"""The catalogue of codes and events is complete, and has nothing that does not happen."""

import ast
import re
import subprocess
import sys

import pytest

from asgi_oidc import events
from asgi_oidc.events import Event
from tests.reference.codes import CODES
from tests.reference.source import (
    PACKAGE,
    answers_by_name,
    logged_events,
    pattern_of,
    raised_codes,
    texts,
    texts_below,
)

NAMES = [name for codes in CODES.values() for code in codes for name in code.names.split()]
RAISED = raised_codes()
TEXTS = texts()
PREFIXED = r"\{\w+\}_[a-z_]+|[a-z_]+_\{\w+\}"  # such as {what}_timeout and claim_{name}
FAMILY = r"\{what\}_\{code\}"
EVENTS = {name for name, value in vars(events).items() if type(value) is Event}


def sample(name: str) -> str:
    """Write a code for one of a family."""
    return name.replace("{code}", "token_timeout")


@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: f"{raised.code} {raised.place}")
def test_every_code_that_is_raised_is_in_the_catalogue(raised):
    """People look up the code that they see in the log."""
    assert any(raised.pattern.fullmatch(sample(name)) for name in NAMES), f"add {raised.code} to asgi_oidc.errors.codes"


@pytest.mark.parametrize("name", NAMES)
def test_every_code_in_the_catalogue_is_raised(name):
    """What cannot happen only gets in the way."""
    made = [text for text in TEXTS if re.fullmatch(FAMILY if "{" in name else PREFIXED, text)]

    assert name in TEXTS or any(pattern_of(text).fullmatch(sample(name)) for text in made)


def test_a_code_is_in_the_catalogue_once():
    """Two entries would contradict each other sooner or later."""
    assert sorted(NAMES) == sorted(set(NAMES))


@pytest.mark.parametrize("ending", ["timeout", "unavailable", "redirect", "compressed", "too_large", "status"])
def test_the_codes_of_calls_are_listed_for_every_call(ending):
    """A code has the name of the call in front."""
    listed = {name for name in NAMES if name.endswith(f"_{ending}")}

    assert {f"{what}_{ending}" for what in answers_by_name()} <= listed


def test_every_event_is_logged_and_described():
    """The text below the event says when, and what to do."""
    described = texts_below(ast.parse((PACKAGE / "events" / "__init__.py").read_text("utf-8")))

    assert set(logged_events()) == EVENTS == set(described) & EVENTS


def test_an_app_does_not_load_the_catalogue():
    """It is for the reference, not for requests."""
    program = "import sys; from asgi_oidc import *; print('asgi_oidc.errors.codes' in sys.modules)"

    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout

    assert printed == "False\n"
