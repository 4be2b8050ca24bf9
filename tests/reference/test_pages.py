"""The reference pages in the repository are those that the code makes."""

import pytest

from asgi_oidc.settings.settings import READERS
from tests.reference.pages import pages, settings_page
from tests.reference.source import ROOT


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # the text is the same
async def test_the_reference_pages_are_up_to_date():
    """They are read on the web, where nobody runs a generator."""
    for name, text in (await pages()).items():
        written = (ROOT / "examples" / "reference" / name).read_text("utf-8")
        assert written == text, f"{name} is out of date: run `uv run python -m tests.reference`"


def test_the_index_links_every_page():
    """A page that nothing links is not found."""
    folder = ROOT / "examples" / "reference"
    index = (folder / "README.md").read_text("utf-8")

    assert [path.name for path in sorted(folder.glob("*.md")) if f"]({path.name})" not in index] == ["README.md"]


def test_every_setting_has_a_section():
    """Error messages and guides link to it."""
    page = settings_page()

    assert [name for name in READERS if f"\n## {name}\n" not in page] == []
