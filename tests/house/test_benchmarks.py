"""The page on benchmarks names every one of them, and each command that it names is there."""

import re
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
README = (BENCHMARKS / "README.md").read_text("utf-8")
PARTS = {"__main__", "fleet", "harness", "peers", "report", "serve", "sites", "stores"}  # what questions are made of
QUESTIONS = {path.stem for path in BENCHMARKS.glob("*.py")} - PARTS


@pytest.mark.parametrize("question", sorted(QUESTIONS))
def test_every_question_is_in_the_table_and_says_how_to_ask_it(question):
    """Whoever finds a figure finds the command."""
    source = (BENCHMARKS / f"{question}.py").read_text("utf-8")

    assert f"[{question}.py]({question}.py)" in README
    assert f"Run it as `python -m benchmarks.{question}" in source


def test_every_command_and_every_file_that_is_named_is_there():
    """A page that was made by hand goes stale."""
    commands = set(re.findall(r"python -m benchmarks\.(\w+)", README))
    files = set(re.findall(r"\]\(([\w.]+)\)", README))

    assert commands <= QUESTIONS
    assert {name for name in files if not (BENCHMARKS / name).exists()} == set()
