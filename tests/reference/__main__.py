"""Write the reference pages: `uv run python -m tests.reference`."""

import logging

import anyio

from tests.reference.pages import pages
from tests.reference.source import ROOT

FOLDER = ROOT / "examples" / "reference"


def main() -> None:
    """Write all pages that are made from the code."""
    logging.disable()  # one login fails for every code
    for name, text in anyio.run(pages).items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
