"""The guide to pages: its list is the texts, its code runs, and its translation is complete."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from asgi_oidc.pages.texts import ENGLISH
from asgi_oidc.pages.translation import placeholders
from asgi_oidc.settings.environment import read_environment
from tests.examples.pages_table import ABOVE, GUIDE, table
from tests.protected_site import Site

TEXT = GUIDE.read_text(encoding="utf-8")
GERMAN_FILE = GUIDE.parent / "german.json"
GERMAN: dict[str, str] = json.loads(GERMAN_FILE.read_text(encoding="utf-8"))


def test_the_list_is_the_texts():
    """After a change run `python -m tests.examples.pages_table`."""
    assert TEXT.partition(ABOVE)[2] == table()


def test_the_translation_is_complete_and_in_the_order_of_the_list():
    """An untranslated text would be shown in English."""
    assert list(GERMAN) == list(ENGLISH)


@pytest.mark.parametrize("text_id", sorted(set(ENGLISH) - {"dir"}))
def test_a_translated_text_has_the_placeholders_of_the_english_one(text_id):
    """Without them a page would not say who is signed in."""
    assert sorted(re.findall(r"\{(\w+)\}", GERMAN[text_id])) == sorted(placeholders(text_id))
    assert GERMAN[text_id] != ENGLISH[text_id]


async def test_the_translation_is_shown():
    """As the guide loads it."""
    page = await Site(texts=GERMAN).browser().get("/auth/callback?state=x.2")

    assert '<html lang="de" dir="ltr">' in page.text
    assert "<h1>Diese Anmeldung konnte nicht abgeschlossen werden</h1>" in page.text


def test_the_translation_can_be_named_in_the_environment():
    """As the guide does for `from_env`."""
    [(variable, path)] = re.findall(r"^\$ export (\w+)=(\S+)$", TEXT, re.MULTILINE)

    found = read_environment({variable: str(GUIDE.parent / path)})

    assert found == ({"texts": GERMAN}, [])


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
def test_the_code_of_the_guide_gives_settings_that_are_taken(block, monkeypatch):
    """What people copy has to work."""
    monkeypatch.chdir(GUIDE.parent)
    calls: list[dict[str, Any]] = []

    exec(
        compile(block, str(GUIDE), "exec"),
        {"json": json, "Path": Path, "app": None, "OIDCMiddleware": lambda app, **settings: calls.append(settings)},
    )

    [settings] = calls
    assert Site(**settings)
