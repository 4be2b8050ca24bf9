"""Write the list of texts into the guide to pages: `python -m tests.examples.pages_table`."""

from pathlib import Path

from asgi_oidc.pages.texts import ENGLISH

GUIDE = Path(__file__).parents[2] / "examples" / "pages" / "README.md"
ABOVE = "<!-- made by `python -m tests.examples.pages_table` -->\n\n"


def table() -> str:
    """Write the list as Markdown."""
    rows = [f"| `{text_id}` | {text} |" for text_id, text in ENGLISH.items()]
    return "\n".join(["| id | text in English |", "|---|---|", *rows, ""])


def main() -> None:
    """Replace what is below the marker line."""
    above, mark, _ = GUIDE.read_text(encoding="utf-8").partition(ABOVE)
    GUIDE.write_text(above + mark + table(), encoding="utf-8")


if __name__ == "__main__":
    main()
